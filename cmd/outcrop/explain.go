package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"time"

	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// explain is the command that says what would be sent to AWS.
func explain(ctx context.Context, args []string, s stdio, lookup env) error {
	f := newFlags("explain", "--config FILE REQUEST.json", s.out)
	var o serveOptions
	f.configFile(&o.config, "", "the configuration; without one every Bedrock model under its own id")
	if err := f.parse(args); err != nil {
		return err
	}
	if f.NArg() != 1 {
		return errors.New("explain needs one request: outcrop explain --config FILE REQUEST.json (- reads standard input)")
	}
	body, err := readRequest(f.Arg(0), s.in)
	if err != nil {
		return err
	}
	c, err := load(&o, s, lookup)
	if err != nil {
		return err
	}
	e, closeTable, err := offlineEngine(c, lookup)
	if err != nil {
		return err
	}
	defer closeTable()
	req, control, param, err := decodeExplained(body)
	if err != nil {
		return finding{"the request would be refused: " + err.Error()}
	}
	req.Policy.Allowed = control.Allowed
	call := &engine.Call{
		ID: "explain", Start: time.Now(), Request: req, Drop: control.Drop, Modify: control.Modify, Remove: control.Remove,
		UserContinue: control.UserContinue, AssistantContinue: control.AssistantContinue, Timeout: control.Timeout, Connection: control.Connection,
	}
	x, failed := e.Explain(ctx, call)
	if failed != nil {
		return finding{fmt.Sprintf("the request would be refused with status %d: %s", failed.Status(), failed.Error())}
	}
	for i := range x.Losses {
		x.Losses[i].Path = param(x.Losses[i].Path)
	}
	return printExplanation(s.out, x)
}

// decodeExplained reads a request of Chat Completions or of the Responses API: what was said before a previous response is not
// known here.
// param gives the client's names for what the core names.
func decodeExplained(body []byte) (req *llm.Request, control *openai.Control, param func(string) string, err error) {
	if jsonscan.Member(body, "input") == nil {
		req, control, err = openai.DecodeChat(body)
		return req, control, func(name string) string { return name }, err
	}
	req, control, said, err := openai.DecodeResponses(body, nil)
	return req, control, said.Param, err
}

func readRequest(path string, stdin io.Reader) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(stdin, 64<<20))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the request cannot be read: %w", err)
	}
	return data, nil
}

func printExplanation(w io.Writer, x *engine.Explanation) error {
	var body bytes.Buffer
	if err := json.Indent(&body, x.Body, "  ", "  "); err != nil {
		return err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "deployment  %s (%s)\nmodel       %s\nroute       %s\nregion      %s\n", x.Deployment, x.Group, x.ModelID, x.Route, x.Region)
	fmt.Fprintf(&out, "\nupstream request\n  %s %s\n", x.Method, x.URL)
	var names []string
	for name := range x.Header {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(&out, "  %s: %s\n", name, x.Header.Get(name))
	}
	fmt.Fprintf(&out, "\n  %s\n\ndropped or changed\n", body.Bytes())
	if len(x.Losses) == 0 {
		out.WriteString("  nothing\n")
	}
	for _, l := range x.Losses {
		fmt.Fprintf(&out, "  %s: %s\n", l.Path, l.Why)
	}
	out.WriteString("\nprice basis\n")
	if x.Prices == nil {
		out.WriteString("  unknown: the row of this call would be flagged, not priced at zero\n")
	} else {
		fmt.Fprintf(&out, "  %s\n", x.PriceKey)
		names = names[:0]
		for name := range x.Prices {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			fmt.Fprintf(&out, "  %s: %s USD\n", name, strconv.FormatFloat(x.Prices[name], 'f', -1, 64))
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}
