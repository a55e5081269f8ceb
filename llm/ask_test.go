package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSchemaOf(t *testing.T) {
	type Inner struct {
		City string `json:"city"`
	}
	type Base struct {
		ID int `json:"id"`
	}
	type Node struct {
		Name string `json:"name"`
		Next *Node  `json:"next"`
	}
	f := func(got json.RawMessage, want string) {
		t.Helper()
		if !json.Valid(got) || string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(SchemaOf[string](), `{"type":"string"}`)
	f(SchemaOf[*bool](), `{"type":"boolean"}`)
	f(SchemaOf[[]float32](), `{"type":"array","items":{"type":"number"}}`)
	f(SchemaOf[[]byte](), `{"type":"string","contentEncoding":"base64"}`)
	f(SchemaOf[map[string]uint](), `{"type":"object","additionalProperties":{"type":"integer","minimum":0}}`)
	f(SchemaOf[time.Time](), `{"type":"string","format":"date-time"}`)
	f(SchemaOf[json.RawMessage](), `{}`)
	f(SchemaOf[any](), `{}`)
	f(SchemaOf[json.Number](), `{"type":"number"}`)
	f(SchemaOf[struct{}](), `{"type":"object","properties":{},"additionalProperties":false}`)
	f(SchemaOf[struct {
		A string `json:"a" description:"what \"a\" is" enum:"x,y"`
		B *int   `json:"b"`
		C int    `json:",omitempty"`
		D Inner  `json:"d"`
		E int    `json:"e,string"`
		F func() `json:"f"`
		G string `json:"-"`
		h string
	}](), `{"type":"object","properties":{"a":{"type":"string","description":"what \"a\" is","enum":["x","y"]},"b":{"type":"integer"},"C":{"type":"integer"},`+
		`"d":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false},"e":{"type":"string"}},`+
		`"required":["a","d","e"],"additionalProperties":false}`)
	f(SchemaOf[struct {
		Base
		Inner `json:"inner"`
	}](), `{"type":"object","properties":{"id":{"type":"integer"},"inner":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],`+
		`"additionalProperties":false}},"required":["id","inner"],"additionalProperties":false}`)
	f(SchemaOf[Node](), `{"type":"object","properties":{"name":{"type":"string"},"next":{"$ref":"#/$defs/Node1"}},"required":["name"],"additionalProperties":false,`+
		`"$defs":{"Node1":{"type":"object","properties":{"name":{"type":"string"},"next":{"$ref":"#/$defs/Node1"}},"required":["name"],"additionalProperties":false}}}`)
}

func TestFormatsHaveTheTypesName(t *testing.T) {
	type List[T any] struct{ Items []T }
	f := func(got *Format, want string) {
		t.Helper()
		if got.Name != want || got.Type != "json_schema" {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	f(FormatOf[Usage](), "Usage")
	f(FormatOf[*Usage](), "Usage")
	f(FormatOf[List[int]](), "List")
	f(FormatOf[[]int](), "answer")
}

// chatter gives one answer.
type chatter struct {
	asked Request
	text  string
	stop  StopReason
	err   error
}

func (c *chatter) Chat(_ context.Context, r Request) (*Response, error) {
	c.asked = r
	if c.err != nil {
		return nil, c.err
	}
	return &Response{Blocks: []Block{TextBlock(c.text)}, Stop: c.stop}, nil
}

func TestInto(t *testing.T) {
	type point struct{ X, Y int }
	c := &chatter{text: `{"X":1,"Y":2}`}
	got, err := Into[point](t.Context(), c, Ask("m", "where?"))
	if err != nil || got != (point{1, 2}) || c.asked.Format.Name != "point" {
		t.Errorf("%+v, %v, %+v", got, err, c.asked.Format)
	}
	own := Ask("m", "where?")
	own.Format = JSONObject()
	if _, err := Into[point](t.Context(), c, own); err != nil || c.asked.Format != own.Format {
		t.Errorf("%v, %+v", err, c.asked.Format)
	}
	for _, c := range []*chatter{{text: "no"}, {text: `{"X":`, stop: StopLength}} {
		_, err := Into[point](t.Context(), c, Ask("m", "where?"))
		var failed *Error
		if !errors.As(err, &failed) || failed.Kind != KindUpstream || failed.Code != "invalid_answer" {
			t.Errorf("%v", err)
		}
	}
	failed := errors.New("no")
	if _, err := Into[point](t.Context(), &chatter{err: failed}, Ask("m", "where?")); !errors.Is(err, failed) {
		t.Errorf("%v", err)
	}
}

func TestFunc(t *testing.T) {
	double := Func(func(_ context.Context, n int) (map[string]int, error) { return map[string]int{"twice": 2 * n}, nil })
	if got, err := double(t.Context(), json.RawMessage("21")); err != nil || got != `{"twice":42}` {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := double(t.Context(), json.RawMessage(`"x"`)); err == nil {
		t.Error("arguments of another type are taken")
	}
	say := Func(func(_ context.Context, _ struct{}) (string, error) { return "plain", nil })
	if got, err := say(t.Context(), nil); err != nil || got != "plain" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestCollect(t *testing.T) {
	events := func(list []Event, err error) iter.Seq2[Event, error] {
		return func(yield func(Event, error) bool) {
			for _, ev := range list {
				if !yield(ev, nil) {
					return
				}
			}
			if err != nil {
				yield(Event{}, err)
			}
		}
	}
	list := []Event{
		{Kind: EventStart},
		{Kind: EventThinking, Text: NewText("hm")},
		{Kind: EventThinking, Text: NewText("m")},
		{Kind: EventSignature, Text: NewText("c2ln")},
		{Kind: EventBlockStop},
		{Kind: EventText, Index: 1, Text: NewText("a"), Raw: json.RawMessage(`{"content":[1]}`)},
		{Kind: EventText, Index: 1, Text: NewText("b"), Raw: json.RawMessage(`{"content":[2]}`)},
		{Kind: EventCitation, Index: 1, Raw: json.RawMessage(`{"title":"t"}`)},
		{Kind: EventText, Choice: 1, Text: NewText("other")},
		{Kind: EventToolStart, Index: 2, ToolID: "t1", ToolName: "f"},
		{Kind: EventToolInput, Index: 2, Text: NewText(`{"x"`)},
		{Kind: EventToolInput, Index: 2, Text: NewText(`:1}`)},
		{Kind: EventToolStart, Index: 3, ToolID: "t2", ToolName: "g"},
		{Kind: EventRedacted, Index: 4, Text: NewText("ZW5j")},
		{Kind: EventOther, Index: 5, Raw: json.RawMessage(`{"new":1}`)},
		{Kind: EventStop, Stop: StopTool, StopRaw: "tool_use"},
		{Kind: EventStop, Choice: 1, Stop: StopEnd},
		{Kind: EventUsage, Usage: &Usage{Input: 1, Output: 2}, Tail: &Tail{Tier: "flex", Served: &Served{Model: "m"}}},
	}
	r, err := Collect(events(list, nil))
	if err != nil {
		t.Fatal(err)
	}
	if r.Reasoning() != "hmm" || r.Text() != "ab" || r.Stop != StopTool || r.Usage.Sum() != 3 || r.Tier != "flex" || r.Model != "m" || len(r.Further) != 1 {
		t.Errorf("%+v", r)
	}
	if r.Further[0].Text() != "other" || r.Further[0].Stop != StopEnd || string(r.Logprobs) != `{"content":[1,2]}` {
		t.Errorf("%+v, %s", r.Further[0], r.Logprobs)
	}
	calls := r.ToolCalls()
	if len(calls) != 2 || string(calls[0].Input) != `{"x":1}` || string(calls[1].Input) != `{}` || calls[1].ID != "t2" {
		t.Errorf("%+v", calls)
	}
	kinds := ""
	for _, b := range r.Message().Blocks {
		kinds += fmt.Sprint(b.Kind, " ")
	}
	if want := fmt.Sprint(BlockThinking, " ", BlockCitations, " ", BlockToolUse, " ", BlockToolUse, " ", BlockRedacted, " ", BlockOther, " "); kinds != want {
		t.Errorf("%s, want %s", kinds, want)
	}
	if got := string(r.Blocks[1].Raw); got != `{"content":[{"text":"ab"}],"citations":[{"title":"t"}]}` || r.Blocks[0].Signature.String() != "c2ln" {
		t.Errorf("%s", got)
	}
	broken := errors.New("broken")
	r, err = Collect(events(list[:7], broken))
	if !errors.Is(err, broken) || r.Text() != "ab" {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := Collect(events(nil, nil)); err != nil || r.Text() != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestCosts(t *testing.T) {
	f := func(c Cost, want string) {
		t.Helper()
		if c.String() != want {
			t.Errorf("%s, want %s", c, want)
		}
	}
	f(Cost{}, "unknown")
	f(NewCost(0), "$0")
	f(NewCost(345_000_000), "$0.000345")
	f(NewCost(12_000_000_000_000), "$12")
	f(NewCost(-1_500_000_000_000), "$-1.5")
	f(NewCost(1).Plus(NewCost(2)), "$0.000000000003")
	f(NewCost(1).Plus(Cost{}), "unknown")
	if c := NewCost(1_500_000_000_000); c.USD() != 1.5 || !c.Known() {
		t.Errorf("%v", c.USD())
	}
}

func TestIdentitiesPrintWithoutSecrets(t *testing.T) {
	for _, i := range []Identity{
		{BearerToken: "canary"}, {AccessKeyID: "AKID", SecretAccessKey: "canary", SessionToken: "canary"}, {RoleARN: "arn:r", WebIdentityToken: "canary"}, {Profile: "p"}, {},
	} {
		for _, text := range []string{fmt.Sprint(i), fmt.Sprintf("%v %+v %#v %s %q", i, i, i, i, i), fmt.Sprintf("%+v", &i), fmt.Sprintf("%+v", Options{Identity: &i})} {
			for j := range text {
				if len(text) >= j+6 && text[j:j+6] == "canary" {
					t.Errorf("%s", text)
				}
			}
		}
	}
}

func TestFilesAreContent(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	image, err := ImageFile(write("x.dat", "\x89PNG\r\n\x1a\n"))
	if err != nil || image.Kind != BlockImage || image.Media.Format != "png" {
		t.Errorf("%+v, %v", image, err)
	}
	document, err := DocumentFile(write("the report.csv", "a,b"))
	if err != nil || document.Kind != BlockDocument || document.Media.Format != "csv" || document.Media.Name != "the report" {
		t.Errorf("%+v, %v", document, err)
	}
	if _, err := ImageFile(filepath.Join(folder, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if _, err := DocumentFile(filepath.Join(folder, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if b := ImageBytes([]byte("x"), "image/JPG"); b.Media.Format != "jpeg" {
		t.Errorf("%+v", b.Media)
	}
	if b := ImageURL("s3://b/k.png"); b.Media.S3 != "s3://b/k.png" || b.Media.URL != "" {
		t.Errorf("%+v", b.Media)
	}
}

func TestExtraKeepsWhatCannotBeWrittenForTheRefusal(t *testing.T) {
	fields := Extra(map[string]any{"b": 1, "a": func() {}})
	if len(fields) != 2 || fields[0].Name != "a" || fields[0].Value != nil || string(fields[1].Value) != "1" {
		t.Errorf("%+v", fields)
	}
}
