package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// TestAStreamInSinglePiecesIsTheSame sends streams in which every byte comes by itself.
func TestAStreamInSinglePiecesIsTheSame(t *testing.T) {
	for _, name := range []string{"text", "tools", "reasoning", "usage", "later_throttlingException", "corrupt_frame"} {
		archive, err := txtar.ParseFile("testdata/golden/streams/" + name + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		sections := map[string]string{}
		for _, f := range archive.Files {
			sections[f.Name] = string(f.Data)
		}
		var frames bytes.Buffer
		writeFrames(t, &frames, sections["answer"])
		aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
			w.Header().Set("X-Amzn-Requestid", "aws-request-1")
			control := http.NewResponseController(w)
			for _, b := range frames.Bytes() {
				if _, err := w.Write([]byte{b}); err != nil {
					return
				}
				_ = control.Flush()
			}
		}))
		t.Cleanup(aws.Close)
		g := newRig(t, goldenConfig(sections, aws.URL), nil)
		path, header := goldenPath(sections["path"])
		resp, body := g.send(http.MethodPost, path, sections["request"], header)
		if got := clientText(resp, body); got != sections["client"] {
			t.Errorf("%s:\n--- got\n%s--- want\n%s", name, got, sections["client"])
		}
	}
}

func TestAStreamThatIsAbandonedLeavesTheAnswerToOthers(t *testing.T) {
	w := httptest.NewRecorder()
	events := newEventWriter(w, time.Hour, ": quiet\n\n", func() {})
	if !events.abandon() || events.write([]byte("late"), true) == nil || w.Body.Len() != 0 || len(w.Header()) != 0 {
		t.Errorf("something went out: %v %q", w.Header(), w.Body)
	}
	events.close()
	events = newEventWriter(w, time.Hour, ": quiet\n\n", func() {})
	if err := events.write([]byte("first"), true); err != nil || events.abandon() {
		t.Errorf("a stream that has begun was abandoned: %v", err)
	}
	events.close()
}

// TestConversationsGrowAtTheirEnd sends conversations turn by turn. What AWS gets for one turn begins what it gets for the
// next, byte for byte: else its prompt cache would never hit.
func TestConversationsGrowAtTheirEnd(t *testing.T) {
	got := make(chan []byte, 1)
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- body
		_, _ = io.WriteString(w, plainAnswer)
	}))
	t.Cleanup(aws.Close)
	const (
		image    = `{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="}}`
		document = `{"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERi0xLjQK"}}`
		named    = `{"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERi0xLjQK","filename":"a_b.pdf"}}`
		tools    = `"tools":[{"type":"function","function":{"name":"my.tool"}}],`
		calls    = `{"role":"assistant","content":null,"tool_calls":[{"id":"%s","type":"function","function":{"name":"my.tool","arguments":"%s"}}]}`
	)
	f := func(model, members string, messages ...string) {
		t.Helper()
		g := newRig(t, goldenConfig(map[string]string{"params": "model: bedrock/" + model + "\n"}, aws.URL), nil)
		last := ""
		for n := 1; n <= len(messages); n++ {
			if strings.HasPrefix(messages[n-1], `{"role":"assistant"`) || strings.HasPrefix(messages[n-1], `{"role":"system"`) {
				continue // a turn is sent when the user's side has spoken
			}
			if resp, body := g.post("/v1/chat/completions", `{"model":"sonnet",`+members+`"messages":[`+strings.Join(messages[:n], ",")+`]}`); resp.StatusCode != 200 {
				t.Fatalf("%v: %d %s", messages[:n], resp.StatusCode, body)
			}
			var sent struct{ Messages json.RawMessage }
			if err := json.Unmarshal(<-got, &sent); err != nil {
				t.Fatal(err)
			}
			text := strings.TrimSuffix(string(sent.Messages), "]}]") // the last turn may still grow
			if !strings.HasPrefix(text, last) {
				t.Errorf("turn %d of %v:\n%s\ndoes not begin with\n%s", n, messages, text, last)
			}
			last = text
		}
	}
	user := func(text string) string { return `{"role":"user","content":"` + text + `"}` }
	parts := func(list ...string) string { return `{"role":"user","content":[` + strings.Join(list, ",") + `]}` }
	says := func(text string) string { return `{"role":"assistant","content":"` + text + `"}` }
	called := func(id, arguments string) string { return fmt.Sprintf(calls, id, arguments) }
	result := func(id, text string) string {
		return `{"role":"tool","tool_call_id":"` + id + `","content":"` + text + `"}`
	}
	for _, model := range []string{"anthropic.claude-3-sonnet-20240229-v1:0", "us.anthropic.claude-3-7-sonnet-20250219-v1:0", "us.amazon.nova-pro-v1:0", "foo.bar-v1"} {
		f(model, "", user("a"), says("b"), user("c"), says("d"), user("e"))
		f(model, "", `{"role":"system","content":"S"}`, user("a"), says("b"), `{"role":"system","content":"mid"}`, user("c"), says("d"), user("e"))
		f(model, "", user("a"), user("b"), says("c"), says("d"), user("e"))
		f(model, "", parts(`{"type":"text","text":"look"}`, image), says("b"), parts(image), says("c"), user("d"))
		f(model, "", parts(`{"type":"text","text":"read"}`, document), says("b"), parts(`{"type":"text","text":"again"}`, document), says("c"), parts(`{"type":"text","text":"and"}`, named))
		f(model, tools, user("a"), called("t1", "{}"), result("t1", "1"), says("b"), user("c"), called("t2", "{oops"), result("t2", ""), called("t/3", ""), result("t/3", "3"))
		f(model, "", user("a"), called("t1", "{}"), result("t1", "1"), says("b"), user("c"))
	}
	f("us.anthropic.claude-3-7-sonnet-20250219-v1:0", "", user("a"),
		`{"role":"assistant","content":"b","thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"U0lH"}]}`, user("c"), says("d"), user("e"))
}

// TestGoldenCasesAreReadable keeps the cases in a form that people can review.
func TestGoldenCasesAreReadable(t *testing.T) {
	order := []string{"params", "info", "settings", "path", "request", "answer", "upstream", "client"}
	section := regexp.MustCompile(`(?m)^-- (\S+)( .+)? --$`)
	files, err := filepath.Glob("testdata/golden/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		at, seen := 0, map[string]bool{}
		for _, m := range section.FindAllStringSubmatch(string(data), -1) {
			for at < len(order) && order[at] != m[1] {
				at++
			}
			seen[m[1]] = true
		}
		if at == len(order) || !seen["request"] || !seen["upstream"] || !seen["client"] {
			t.Errorf("%s: its sections are not in the order %v, or some are missing or unknown", file, order)
		}
	}
}
