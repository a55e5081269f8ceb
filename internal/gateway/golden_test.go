package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what came out into the golden files; read every change before it is kept")

// TestGolden runs every case in testdata/golden. A case is one file with the sections
//
//	params        lines of litellm_params; the model is Claude 3 Sonnet if they name none, UPSTREAM is AWS's address
//	info          lines of model_info
//	settings      further top-level sections of config.yaml
//	path          the client's endpoint, /v1/chat/completions if absent; further lines are headers
//	request       the client's body
//	answer        AWS's answer: JSON, or "event {json}" lines of a stream ("chunk {json}" is InvokeModel's, "data: {json}" a native
//	              endpoint's), or "HTTP status" with headers and a body
//	answer 2      AWS's answer to the second call, answer 3 that to the third, …; further calls get the last of them
//	answer to X   AWS's answer to calls whose body holds X, for calls that are made side by side; upstream then has them in
//	              the order of their text
//	upstream      what AWS got: method and path, then the body; "nothing" if it was not called. Whom the signature names is
//	              shown where that is not us-east-1/bedrock.
//	client        what the client got: status, headers of interest, body. Of a stream with several choices each one's chunks
//	              stand together.
//
// All but the last two are written by hand, those are what is tested.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "testdata/golden/"), ".txtar")
		t.Run(name, func(t *testing.T) { runGolden(t, file) })
	}
}

func runGolden(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	upstream := &scriptedUpstream{t: t}
	for _, f := range archive.Files {
		sections[f.Name] = string(f.Data)
		upstream.learn(f.Name, string(f.Data))
	}
	server := httptest.NewServer(upstream)
	defer server.Close()
	g := newRig(t, goldenConfig(sections, server.URL), nil)
	path, header := goldenPath(sections["path"])
	resp, body := g.send(http.MethodPost, path, strings.TrimSuffix(sections["request"], "\n"), header)
	got := map[string]string{"upstream": upstream.seen(), "client": clientText(resp, body)}
	changed := false
	for _, name := range []string{"upstream", "client"} {
		if got[name] == sections[name] {
			continue
		}
		if !*update {
			t.Errorf("%s:\n--- got\n%s--- want\n%s", name, got[name], sections[name])
			continue
		}
		changed = true
		i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == name })
		if i < 0 {
			archive.Files = append(archive.Files, txtar.File{Name: name})
			i = len(archive.Files) - 1
		}
		archive.Files[i].Data = []byte(got[name])
	}
	if changed {
		if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func goldenConfig(sections map[string]string, upstream string) string {
	var b strings.Builder
	b.WriteString("model_list:\n  - model_name: sonnet\n    litellm_params:\n")
	params := strings.ReplaceAll(sections["params"], "UPSTREAM", upstream)
	defaults := [][2]string{
		{"model", "bedrock/anthropic.claude-3-sonnet-20240229-v1:0"},
		{"aws_access_key_id", "AKIDEXAMPLE"},
		{"aws_secret_access_key", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"},
		{"aws_region_name", "us-east-1"},
		{"aws_bedrock_runtime_endpoint", upstream},
	}
	for _, d := range defaults {
		if !strings.Contains("\n"+params, "\n"+d[0]+":") {
			b.WriteString("      " + d[0] + ": " + d[1] + "\n")
		}
	}
	for line := range strings.Lines(params) {
		b.WriteString("      " + line)
	}
	if info := sections["info"]; info != "" {
		b.WriteString("    model_info:\n")
		for line := range strings.Lines(info) {
			b.WriteString("      " + line)
		}
	}
	if !strings.Contains(sections["settings"], "general_settings:") {
		b.WriteString("general_settings:\n  master_key: " + testKey + "\n")
	}
	b.WriteString(sections["settings"])
	return b.String()
}

func goldenPath(text string) (string, http.Header) {
	header := bearer(testKey)
	header.Set("X-Litellm-Call-Id", "00000000-call")
	path := "/v1/chat/completions"
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok && i > 0 {
			header.Set(name, value)
		} else if i == 0 && line != "" {
			path = line
		}
	}
	return path, header
}

// scriptedUpstream gives the answers of a case and remembers the calls.
type scriptedUpstream struct {
	t       *testing.T
	answers []string    // to the calls in their order
	to      [][2]string // to calls whose body holds the first

	mu    sync.Mutex // guards calls
	calls []string
}

// learn takes an answer from a section of a case.
func (u *scriptedUpstream) learn(section, text string) {
	if body, ok := strings.CutPrefix(section, "answer to "); ok {
		u.to = append(u.to, [2]string{body, text})
	} else if section == "answer" || strings.HasPrefix(section, "answer ") {
		u.answers = append(u.answers, text)
		if want := fmt.Sprintf("answer %d", len(u.answers)); section != want && section != "answer" {
			u.t.Fatalf("section %q where %q should be", section, want)
		}
	}
}

// next notes a call and returns the answer to it.
func (u *scriptedUpstream) next(call, body string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls = append(u.calls, call)
	for _, to := range u.to {
		if strings.Contains(body, to[0]) {
			return to[1]
		}
	}
	if len(u.answers) == 0 {
		return plainAnswer
	}
	return u.answers[min(len(u.calls), len(u.answers))-1]
}

const plainAnswer = `{"output":{"message":{"role":"assistant","content":[{"text":"ok"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3},"metrics":{"latencyMs":5}}`

func (u *scriptedUpstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		u.t.Error(err)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s %s\n", r.Method, r.URL.EscapedPath())
	if scope := signedFor(r.Header.Get("Authorization")); scope != "us-east-1/bedrock" {
		fmt.Fprintf(&out, "signed for %s\n", scope)
	}
	var names []string
	for name := range r.Header {
		if name != "X-Amz-Date" && (strings.HasPrefix(name, "X-") || strings.HasPrefix(name, "Anthropic-") || name == "Openai-Project") || name == "Authorization" && !strings.HasPrefix(r.Header.Get(name), "AWS4") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(&out, "%s: %s\n", name, r.Header.Get(name))
	}
	out.WriteString(pretty(randomSuffix.ReplaceAllString(string(body), "$1********")))
	answer := u.next(out.String(), string(body))
	w.Header().Set("X-Amzn-Requestid", "aws-request-1")
	switch {
	case strings.HasPrefix(answer, "HTTP "):
		writeScripted(w, answer)
	case strings.HasPrefix(answer, "event: "), strings.HasPrefix(answer, "data: "): // of a native endpoint
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, strings.ReplaceAll(answer, "\ndata: ", "\n\ndata: ")+"\n\n")
	case strings.HasPrefix(answer, "{"):
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	default:
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		writeFrames(u.t, w, answer)
	}
}

// randomSuffix finds what ends the tags around guarded text.
var randomSuffix = regexp.MustCompile(`(guardContent_|"tagSuffix":")[0-9a-f]{8}`)

// signedFor returns region and service of a signature, "nobody" if there is none.
func signedFor(authorization string) string {
	_, credential, ok := strings.Cut(authorization, "Credential=")
	scope := strings.Split(credential, "/") // key, date, region, service, …
	if !ok || len(scope) < 4 {
		return "nobody"
	}
	return scope[2] + "/" + scope[3]
}

func (u *scriptedUpstream) seen() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.calls) == 0 {
		return "nothing\n"
	}
	if len(u.to) > 0 {
		sort.Strings(u.calls)
	}
	return strings.Join(u.calls, "\n")
}

// writeScripted writes an answer of the form "HTTP status", header lines, an empty line, a body.
func writeScripted(w http.ResponseWriter, text string) {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	for _, line := range lines[1:] {
		if name, value, ok := strings.Cut(line, ": "); ok {
			w.Header().Set(name, value)
		}
	}
	var status int
	if _, err := fmt.Sscanf(lines[0], "HTTP %d", &status); err != nil {
		panic("golden case: " + lines[0])
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, strings.TrimSuffix(body, "\n"))
}

// writeFrames writes lines of the form "event {json}" as frames. "!exception {json}" is an exception frame, "!corrupt" a
// frame with a wrong checksum, "!cut" half a frame.
func writeFrames(t *testing.T, w io.Writer, text string) {
	encoder := eventstream.NewEncoder()
	for line := range strings.Lines(text) {
		name, payload, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if name == "chunk" { // InvokeModel's: the family's object in base64
			payload = `{"bytes":"` + base64.StdEncoding.EncodeToString([]byte(payload)) + `","p":"abc"}`
		}
		var frame bytes.Buffer
		headers := eventstream.Headers{
			{Name: ":event-type", Value: eventstream.StringValue(name)},
			{Name: ":content-type", Value: eventstream.StringValue("application/json")},
			{Name: ":message-type", Value: eventstream.StringValue("event")},
		}
		if exception, ok := strings.CutPrefix(name, "!"); ok {
			headers[0] = eventstream.Header{Name: ":exception-type", Value: eventstream.StringValue(exception)}
			headers[2].Value = eventstream.StringValue("exception")
		}
		if err := encoder.Encode(&frame, eventstream.Message{Headers: headers, Payload: []byte(payload)}); err != nil {
			t.Error(err)
		}
		data := frame.Bytes()
		switch name {
		case "!corrupt":
			data[len(data)-1] ^= 1
		case "!cut":
			data = data[:len(data)/2]
		}
		if _, err := w.Write(data); err != nil {
			return // the gateway has heard enough
		}
	}
}

// pretty indents JSON in its own order of members; other text stays as it is.
func pretty(text string) string {
	var out bytes.Buffer
	if json.Indent(&out, []byte(text), "", "  ") != nil {
		return text + "\n"
	}
	return out.String() + "\n"
}

// clientHeaders are the headers that cases show.
var clientHeaders = []string{
	"Content-Type", "Retry-After", "X-Should-Retry", "X-Outcrop-Loss", "X-Outcrop-Warning", "X-Outcrop-Route", "X-Litellm-Model-Group", "X-Litellm-Model-Region",
	"X-Litellm-Response-Cost", "Llm_provider-X-Amzn-Requestid",
}

var (
	created = regexp.MustCompile(`"created": ?\d+`)
	// A response's id is its own, and its items' are made of it.
	responseCreated = regexp.MustCompile(`"created_at":\d+`)
	responseIDs     = regexp.MustCompile(`"(resp|msg|rs|fc|ctc|lsh)_[0-9a-f]{32}`)
)

func clientText(resp *http.Response, body string) string {
	body = responseIDs.ReplaceAllString(responseCreated.ReplaceAllString(body, `"created_at":0`), `"${1}_…`)
	var out strings.Builder
	fmt.Fprintf(&out, "%d\n", resp.StatusCode)
	for _, name := range clientHeaders {
		if v := resp.Header.Get(name); v != "" {
			fmt.Fprintf(&out, "%s: %s\n", name, v)
		}
	}
	out.WriteString("\n")
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		for _, line := range byChoice(body) {
			// what is the same in all chunks says nothing about a case
			line = regexp.MustCompile(`"id":"[^"]*","object":"[^"]*","created":\d+,"model":"[^"]*",`).ReplaceAllString(line, "")
			if line != "\n" {
				out.WriteString(line)
			}
		}
		return out.String()
	}
	out.WriteString(created.ReplaceAllString(pretty(body), `"created": 0`))
	return out.String()
}

var choiceOf = regexp.MustCompile(`"choices": ?\[\{"index": ?(\d+)`)

// byChoice returns the lines of a stream, those of each choice together: how choices mix is chance. What belongs to none
// keeps its place behind them.
func byChoice(body string) []string {
	var choices [][]string
	var rest []string
	for line := range strings.Lines(body) {
		m := choiceOf.FindStringSubmatch(line)
		if m == nil {
			rest = append(rest, line)
			continue
		}
		index, err := strconv.Atoi(m[1])
		if err != nil {
			panic("golden case: " + line)
		}
		for len(choices) <= index {
			choices = append(choices, nil)
		}
		choices[index] = append(choices[index], line)
	}
	return append(slices.Concat(choices...), rest...)
}
