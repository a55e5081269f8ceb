package invoke

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

func ref(t testing.TB, name string) catalog.Ref {
	t.Helper()
	models, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	r, err := models.Resolve(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func said(text string) *llm.Request {
	return &llm.Request{Messages: []llm.Message{{Blocks: []llm.Block{{Text: llm.NewText(text)}}}}}
}

// encoded returns the body of a request as a map, and what was lost.
func encoded(t *testing.T, model string, r *llm.Request) (map[string]json.RawMessage, error) {
	t.Helper()
	out, err := Encode(nil, r, ref(t, model))
	if err != nil {
		return nil, err
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(out.Body, &body); err != nil {
		t.Fatalf("%s: %v in %s", model, err, out.Body)
	}
	return body, nil
}

// The models of the tests, one for each body.
const (
	claude    = "bedrock/invoke/anthropic.claude-3-haiku-20240307-v1:0"
	claude2   = "bedrock/invoke/anthropic.claude-v2"
	llama3    = "bedrock/invoke/meta.llama3-1-8b-instruct-v1:0"
	mixtral   = "bedrock/invoke/mistral.mixtral-8x7b-instruct-v0:1"
	titan     = "bedrock/invoke/amazon.titan-text-express-v1"
	command   = "bedrock/invoke/cohere.command-text-v14"
	commandR  = "bedrock/invoke/cohere.command-r-v1:0"
	jurassic  = "bedrock/invoke/ai21.j2-mid-v1"
	jamba     = "bedrock/invoke/ai21.jamba-1-5-mini-v1:0"
	novaPro   = "bedrock/invoke/us.amazon.nova-pro-v1:0"
	gptOSS    = "bedrock/invoke/openai.gpt-oss-120b-1:0"
	r1        = "bedrock/invoke/us.deepseek.r1-v1:0"
	qwen      = "bedrock/qwen3/arn:aws:bedrock:us-east-1:123456789012:imported-model/abc"
	importedR = "bedrock/deepseek_r1/arn:aws:bedrock:us-east-1:123456789012:imported-model/abc"
)

// TestParameters holds each of OpenAI's parameters against each body: the member that it becomes, or its refusal.
func TestParameters(t *testing.T) {
	models := []string{claude, claude2, llama3, mixtral, titan, command, commandR, jurassic, jamba, novaPro, gptOSS, r1, qwen}
	n, f := int64(7), 0.5
	for _, row := range []struct {
		name  string
		set   func(r *llm.Request)
		wants []string
	}{
		{"max_tokens", func(r *llm.Request) { r.MaxTokens = &n }, []string{
			"max_tokens=7", "max_tokens_to_sample=7", "max_gen_len=7", "max_tokens=7", `textGenerationConfig={"maxTokenCount":7}`, "max_tokens=7",
			"max_tokens=7", "maxTokens=7", "max_tokens=7", `inferenceConfig={"maxTokens":7}`, "max_tokens=7", "max_tokens=7", "max_gen_len=7",
		}},
		{"temperature", func(r *llm.Request) { r.Temperature = &f }, []string{
			"temperature=0.5", "temperature=0.5", "temperature=0.5", "temperature=0.5", `textGenerationConfig={"temperature":0.5}`, "temperature=0.5",
			"temperature=0.5", "temperature=0.5", "temperature=0.5", `inferenceConfig={"temperature":0.5}`, "temperature=0.5", "temperature=0.5", "temperature=0.5",
		}},
		{"top_p", func(r *llm.Request) { r.TopP = &f }, []string{
			"top_p=0.5", "top_p=0.5", "top_p=0.5", "top_p=0.5", `textGenerationConfig={"topP":0.5}`, "p=0.5", "p=0.5", "topP=0.5", "top_p=0.5",
			`inferenceConfig={"topP":0.5}`, "top_p=0.5", "top_p=0.5", "top_p=0.5",
		}},
		{"top_k", func(r *llm.Request) { r.TopK = &n }, []string{
			"top_k=7", "top_k=7", "", "top_k=7", "", "k=7", "k=7", "", "", `inferenceConfig={"topK":7}`, "top_k=7", "", "top_k=7",
		}},
		{"stop", func(r *llm.Request) { r.Stop = []string{"X"} }, []string{
			`stop_sequences=["X"]`, `stop_sequences=["X"]`, "stop;emulated", `stop=["X"]`, "stop;emulated", `stop_sequences=["X"]`, `stop_sequences=["X"]`,
			`stopSequences=["X"]`, `stop=["X"]`, `inferenceConfig={"stopSequences":["X"]}`, `stop=["X"]`, `stop=["X"]`, `stop=["X"]`,
		}},
		{"seed", param("seed", "7"), []string{"", "", "", "", "", "", "seed=7", "", "", "", "seed=7", "", ""}},
		{"presence_penalty", param("presence_penalty", "0.5"), []string{
			"", "", "", "", "", "", "presence_penalty=0.5", `presencePenalty={"scale":0.5}`, "presence_penalty=0.5", "", "presence_penalty=0.5", "", "",
		}},
		{"frequency_penalty", param("frequency_penalty", "0.5"), []string{
			"", "", "", "", "", "", "frequency_penalty=0.5", `frequencyPenalty={"scale":0.5}`, "frequency_penalty=0.5", "", "frequency_penalty=0.5", "", "",
		}},
		{"logit_bias", param("logit_bias", `{"1":2}`), []string{"", "", "", "", "", `logit_bias={"1":2}`, "", "", "", "", `logit_bias={"1":2}`, "", ""}},
		{"logprobs", param("logprobs", "true"), []string{"", "", "", "", "", "", "", "", "", "", "", "", ""}},
		{"reasoning_effort", func(r *llm.Request) { r.Effort = "low" }, []string{
			"", "", "", "", "", "", "", "", "", "", `reasoning_effort="low"`, "", "",
		}},
		{"tools", func(r *llm.Request) { r.Tools = []llm.Tool{{Name: "f"}} }, []string{
			`tools=[{"type":"custom","name":"f","description":"f","input_schema":{"type":"object","properties":{}}}]`, "", "", "", "", "",
			`tools=[{"name":"f","description":"f","parameter_definitions":{}}]`, "",
			`tools=[{"type":"function","function":{"name":"f","description":"f","parameters":{"type":"object","properties":{}}}}]`,
			`toolConfig={"tools":[{"toolSpec":{"name":"f","description":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]}`,
			`tools=[{"type":"function","function":{"name":"f","description":"f","parameters":{"type":"object","properties":{}}}}]`, "", "",
		}},
		{"foo", func(r *llm.Request) { r.Extra = []llm.Field{{Name: "foo", Value: json.RawMessage(`{"b":1}`)}} }, []string{
			`foo={"b":1}`, `foo={"b":1}`, `foo={"b":1}`, `foo={"b":1}`, `textGenerationConfig={"foo":{"b":1}}`, `foo={"b":1}`, `foo={"b":1}`, `foo={"b":1}`,
			`foo={"b":1}`, `foo={"b":1}`, `foo={"b":1}`, `foo={"b":1}`, `foo={"b":1}`,
		}},
	} {
		for i, model := range models {
			r := said("hi")
			row.set(r)
			body, err := encoded(t, model, r)
			checkParameter(t, model, row.name, row.wants[i], r, body, err)
		}
	}
}

func param(name, value string) func(*llm.Request) {
	return func(r *llm.Request) { r.Params = []llm.Field{{Name: name, Value: json.RawMessage(value)}} }
}

// checkParameter checks one cell: "member=value", "path;why" of a loss, or "" for a refusal by the parameter's name.
func checkParameter(t *testing.T, model, name, want string, r *llm.Request, body map[string]json.RawMessage, err error) {
	t.Helper()
	member, value, isMember := strings.Cut(want, "=")
	path, why, isLoss := strings.Cut(want, ";")
	switch {
	case want == "":
		var refused *llm.Error
		if !errors.As(err, &refused) || refused.Param != name || refused.Code != "unsupported_parameter" {
			t.Errorf("%s: %s: %v", model, name, err)
		}
	case err != nil:
		t.Errorf("%s: %s: %v", model, name, err)
	case isMember:
		if string(body[member]) != value {
			t.Errorf("%s: %s: %s is %s, not %s", model, name, member, body[member], value)
		}
	case isLoss:
		if !slices.Contains(r.Losses, llm.Loss{Path: path, Why: why}) {
			t.Errorf("%s: %s: losses %v", model, name, r.Losses)
		}
	}
}

// TestEveryChatModel calls every chat model of the catalogue: each has a body, and no body says model or stream.
func TestEveryChatModel(t *testing.T) {
	models, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range models.Models() {
		if m.Mode != "chat" {
			continue
		}
		r := said("hi")
		if m.Body == pegasus.name {
			r.Messages[0].Blocks = append(r.Messages[0].Blocks, llm.Block{Kind: llm.BlockVideo, Media: &llm.Media{Format: "mp4", S3: "s3://b/k.mp4"}})
		}
		body, err := encoded(t, "bedrock/invoke/"+m.ID, r)
		if err != nil {
			t.Errorf("%s: %v", m.ID, err)
			continue
		}
		if body["model"] != nil || body["stream"] != nil {
			t.Errorf("%s says model or stream", m.ID)
		}
		for _, name := range []string{"prompt", "inputText", "messages", "message", "inputPrompt"} {
			if body[name] != nil {
				seen[name] = true
				goto next
			}
		}
		t.Errorf("%s says nothing: %v", m.ID, body)
	next:
	}
	if len(seen) < 4 {
		t.Errorf("bodies: %v", seen)
	}
}

func TestUnknownIDsTellTheirFamily(t *testing.T) {
	f := func(name, member string) {
		t.Helper()
		if body, err := encoded(t, name, said("hi")); err != nil || body[member] == nil {
			t.Errorf("%s: %v %v", name, err, body)
		}
	}
	f("bedrock/invoke/us.anthropic.claude-unheard-of-v1:0", "anthropic_version")
	f("bedrock/invoke/meta.llama9-1b-v1:0", "prompt")
	f("bedrock/invoke/eu.amazon.nova-unheard-of-v1:0", "schemaVersion")
	f("bedrock/invoke/cohere.command-r-plus-v1:0", "message")
	f("bedrock/invoke/new.model-v1", "messages")
	for _, word := range []string{"llama", "meta", "mistral", "deepseek_r1", "qwen2", "qwen3"} {
		f("bedrock/"+word+"/arn:aws:bedrock:us-east-1:123456789012:imported-model/abc", "prompt")
	}
	for _, word := range []string{"openai", "moonshot", "anthropic", "ai21", "amazon"} {
		f("bedrock/"+word+"/arn:aws:bedrock:us-east-1:123456789012:imported-model/abc", "messages")
	}
	opaque := ref(t, "bedrock/invoke/arn:aws:bedrock:us-east-1:123456789012:imported-model/abc")
	if Serves(opaque) || !Serves(ref(t, claude)) {
		t.Error("Serves")
	}
	if _, err := Encode(nil, said("hi"), opaque); err == nil {
		t.Error("an opaque ARN has a body")
	}
}

// frames builds a stream of chunks out of a family's objects.
func frames(t testing.TB, objects ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	encoder := eventstream.NewEncoder()
	for _, object := range objects {
		payload := `{"bytes":"` + base64.StdEncoding.EncodeToString([]byte(object)) + `","p":"abcd"}`
		if err := encoder.Encode(&out, eventstream.Message{Headers: eventstream.Headers{
			{Name: ":event-type", Value: eventstream.StringValue("chunk")},
			{Name: ":message-type", Value: eventstream.StringValue("event")},
		}, Payload: []byte(payload)}); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// streamed is what a stream said, joined.
type streamed struct {
	text, thinking, stop string
	usage                llm.Usage
	err                  error
}

func stream(t testing.TB, turn *Turn, objects ...string) (got streamed) {
	t.Helper()
	s := NewStream(wire.NewFrames(bytes.NewReader(frames(t, objects...)), nil), http.Header{}, turn, "req")
	defer s.Close()
	for {
		ev, err := s.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				got.err = err
			}
			return got
		}
		switch ev.Kind {
		case llm.EventText:
			got.text += ev.Text.String()
		case llm.EventThinking:
			got.thinking += ev.Text.String()
		case llm.EventStop:
			got.stop = ev.StopRaw
		case llm.EventUsage:
			got.usage = *ev.Usage
		}
	}
}

func turnOf(t testing.TB, model string, r *llm.Request) *Turn {
	t.Helper()
	out, err := Encode(nil, r, ref(t, model))
	if err != nil {
		t.Fatal(err)
	}
	return out.Turn
}

// TestTagsAreCutAnywhere cuts a streamed answer at every place, and into single characters: the reasoning is split off
// all the same, as it is off a whole answer.
func TestTagsAreCutAnywhere(t *testing.T) {
	for _, c := range []struct {
		model, text            string
		chunk, last            func(piece string) string
		whole                  func(text string) string
		wantThinking, wantText string
	}{
		{importedR, "hm\nhm</think>\n\nHi <b>", generation, generationEnd, generationEnd, "hm\nhm", "Hi <b>"},
		{importedR, "<think>hm</think>Hi", generation, generationEnd, generationEnd, "hm", "Hi"},
		{importedR, "all of it </thin", generation, generationEnd, generationEnd, "all of it </thin", ""},
		{qwen, "<think>\nhm\n</think>\n\nHi", generation, generationEnd, generationEnd, "hm", "Hi"},
		{qwen, "no tag, <think> in the middle", generation, generationEnd, generationEnd, "", "no tag, <think> in the middle"},
		{gptOSS, "<reasoning>hm</reasoning>Hi", chatDelta, chatEnd, chatWhole, "hm", "Hi"},
	} {
		turn := turnOf(t, c.model, said("hi"))
		runes := []rune(c.text)
		check := func(pieces ...string) {
			t.Helper()
			var objects []string
			for _, p := range pieces {
				objects = append(objects, c.chunk(p))
			}
			got := stream(t, turn, append(objects, c.last(""))...)
			if got.err != nil || got.text != c.wantText || got.thinking != c.wantThinking || got.stop != "stop" {
				t.Errorf("%s: %q: %+v", c.model, pieces, got)
			}
		}
		for i := range runes {
			check(string(runes[:i]), string(runes[i:]))
		}
		check(strings.Split(c.text, "")...)
		resp, err := Decode([]byte(c.whole(c.text)), http.Header{}, turn)
		if err != nil {
			t.Fatal(err)
		}
		thinking := ""
		for _, b := range resp.Blocks {
			if b.Kind == llm.BlockThinking {
				thinking += b.Text.String()
			}
		}
		if resp.Text() != c.wantText || thinking != c.wantThinking {
			t.Errorf("%s: whole: %q %q", c.model, thinking, resp.Text())
		}
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func generation(piece string) string {
	return `{"generation":` + quote(piece) + `,"prompt_token_count":null,"generation_token_count":1,"stop_reason":null}`
}

func generationEnd(piece string) string {
	return `{"generation":` + quote(piece) + `,"prompt_token_count":3,"generation_token_count":1,"stop_reason":"stop"}`
}

func chatDelta(piece string) string {
	return `{"choices":[{"index":0,"delta":{"content":` + quote(piece) + `},"finish_reason":null}]}`
}

func chatEnd(string) string {
	return `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}`
}

func chatWhole(text string) string {
	return `{"choices":[{"index":0,"message":{"role":"assistant","content":` + quote(text) + `},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}`
}

// TestStopsAreEmulated cuts the answer where AWS would not, however it is cut into pieces.
func TestStopsAreEmulated(t *testing.T) {
	r := said("hi")
	r.Stop = []string{"STOP", "##"}
	turn := turnOf(t, llama3, r)
	f := func(text, want, stop string) {
		t.Helper()
		check := func(pieces ...string) {
			t.Helper()
			var objects []string
			for _, p := range pieces {
				objects = append(objects, generation(p))
			}
			got := stream(t, turn, append(objects, generationEnd(""))...)
			if got.err != nil || got.text != want || got.stop != stop {
				t.Errorf("%q: %+v", pieces, got)
			}
		}
		for i := range text {
			check(text[:i], text[i:])
		}
		check(strings.Split(text, "")...)
		resp, err := Decode([]byte(generationEnd(text)), http.Header{}, turn)
		if err != nil || resp.Text() != want || resp.StopRaw != stop {
			t.Errorf("%q: %v %q %s", text, err, resp.Text(), resp.StopRaw)
		}
	}
	f("one STOP two", "one ", "stop_sequence")
	f("one # STO ##", "one # STO ", "stop_sequence")
	f("SSTOP", "S", "stop_sequence")
	f("nothing ST", "nothing ST", "stop")
	f("STOP", "", "stop_sequence")
}

// TestCounts finds the tokens wherever a family or AWS tells them, and estimates nothing.
func TestCounts(t *testing.T) {
	counted := http.Header{"X-Amzn-Bedrock-Input-Token-Count": {"4"}, "X-Amzn-Bedrock-Output-Token-Count": {"9"}}
	cached := counted.Clone()
	cached.Set("X-Amzn-Bedrock-Cache-Read-Input-Token-Count", "100")
	cached.Set("X-Amzn-Bedrock-Cache-Write-Input-Token-Count", "18131")
	f := func(model, body string, header http.Header, want llm.Usage) {
		t.Helper()
		resp, err := Decode([]byte(body), header, turnOf(t, model, said("hi")))
		if err != nil || resp.Usage != want {
			t.Errorf("%s: %v %+v", body, err, resp.Usage)
		}
	}
	f(llama3, `{"generation":"a","prompt_token_count":1,"generation_token_count":2,"stop_reason":"stop"}`, counted, llm.Usage{Input: 1, Output: 2})
	f(mixtral, `{"outputs":[{"text":"a","stop_reason":"stop"}]}`, counted, llm.Usage{Input: 4, Output: 9})
	f(mixtral, `{"outputs":[{"text":"a","stop_reason":"stop"}],"amazon-bedrock-invocationMetrics":{"inputTokenCount":5,"outputTokenCount":6}}`, http.Header{}, llm.Usage{Input: 5, Output: 6})
	f(mixtral, `{"outputs":[{"text":"a","stop_reason":"stop"}]}`, http.Header{}, llm.Usage{})
	f(claude, `{"content":[],"stop_reason":"end_turn","usage":{"input_tokens":4,"output_tokens":9}}`, cached, llm.Usage{Input: 4, Output: 9, CacheRead: 100, CacheWrite5m: 18131})
	f(claude, `{"content":[],"stop_reason":"end_turn","usage":{"input_tokens":4,"output_tokens":9,"server_tool_use":{"web_search_requests":2,"web_fetch_requests":7}}}`, http.Header{}, llm.Usage{Input: 4, Output: 9, Searches: 2})
	f(novaPro, `{"output":{"message":{"content":[{"toolUse":{"toolUseId":"a","name":"nova_grounding","type":"server_tool_use","input":{}}}]}},"usage":{"inputTokens":4,"outputTokens":9}}`, http.Header{}, llm.Usage{Input: 4, Output: 9, Searches: 1})
	f(novaPro, `{"output":{"message":{"content":[]}},"usage":{"inputTokens":4,"outputTokens":9,"cacheReadInputTokenCount":2,"cacheWriteInputTokenCount":3}}`, http.Header{}, llm.Usage{Input: 4, Output: 9, CacheRead: 2, CacheWrite5m: 3})
	f(gptOSS, `{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}}`, http.Header{}, llm.Usage{Input: 6, Output: 2, CacheRead: 4})

	metrics := `"amazon-bedrock-invocationMetrics":{"inputTokenCount":5,"outputTokenCount":6,"cacheReadInputTokenCount":7}`
	g := func(model string, want llm.Usage, objects ...string) {
		t.Helper()
		if got := stream(t, turnOf(t, model, said("hi")), objects...); got.err != nil || got.usage != want {
			t.Errorf("%s: %+v", objects, got)
		}
	}
	g(mixtral, llm.Usage{Input: 5, Output: 6, CacheRead: 7}, `{"outputs":[{"text":"a","stop_reason":"stop"}],`+metrics+`}`)
	g(mixtral, llm.Usage{Input: 5, Output: 6, CacheRead: 7}, `{"outputs":[{"text":"a","stop_reason":"stop"}]}`, `{`+metrics+`}`)
	g(mixtral, llm.Usage{}, `{"outputs":[{"text":"a","stop_reason":"stop"}]}`)
	g(llama3, llm.Usage{Input: 3, Output: 1, CacheRead: 7}, generation("a"), generationEnd("")[:len(generationEnd(""))-1]+","+metrics+"}")
}

func TestAnswersOfAnotherFamilyAreRefused(t *testing.T) {
	for _, model := range []string{claude, claude2, llama3, mixtral, titan, command, commandR, jurassic, jamba, novaPro, gptOSS, r1, qwen, importedR} {
		turn := turnOf(t, model, said("hi"))
		for _, body := range []string{`{"other":1}`, `[]`, `null`, `{`, ``, `"x"`} {
			_, err := Decode([]byte(body), http.Header{}, turn)
			var known *llm.Error
			if !errors.As(err, &known) || known.Kind != llm.KindUpstream {
				t.Errorf("%s: %s: %v", model, body, err)
			}
		}
	}
}

// FuzzAnswers reads whole answers and chunks of every family: whatever comes is an answer or an error.
func FuzzAnswers(f *testing.F) {
	models := []string{claude, claude2, llama3, mixtral, titan, command, commandR, jurassic, jamba, novaPro, gptOSS, r1, qwen, importedR}
	turns := make([]*Turn, len(models))
	for i, model := range models {
		r := said("hi")
		r.Stop = []string{"X"}
		turns[i] = turnOf(f, model, r)
	}
	for _, seed := range []string{
		`{"generation":"<think>a</think>b","prompt_token_count":1,"generation_token_count":2,"stop_reason":"stop"}`,
		`{"content":[{"type":"text","text":"a","citations":[{"type":"page_location"}]},{"type":"tool_use","id":"t","name":"f","input":{}}],"usage":{"input_tokens":1}}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{"a":1}}}`,
		`{"choices":[{"message":{"content":"x","tool_calls":[{"id":"t","function":{"name":"f","arguments":"{"}}]},"delta":{"content":"x","tool_calls":[{"index":3}]}}]}`,
		`{"text":"a","tool_calls":[{"name":"f"}],"citations":[{}],"event_type":"stream-end","finish_reason":"COMPLETE"}`,
		`{"output":{"message":{"content":[{"text":"a"}]}},"contentBlockDelta":{"delta":{"text":"a"}},"messageStop":{"stopReason":"end_turn"}}`,
		`{"results":[{"outputText":"a"}],"outputText":"a","completionReason":"FINISH","amazon-bedrock-guardrailAction":"INTERVENED"}`,
	} {
		for i := range models {
			f.Add(uint8(i), seed)
		}
	}
	f.Fuzz(func(t *testing.T, family uint8, body string) {
		turn := turns[int(family)%len(turns)]
		if resp, err := Decode([]byte(body), http.Header{}, turn); err == nil {
			for _, b := range resp.Blocks {
				if b.Kind == llm.BlockToolUse && !json.Valid(b.Tool.Input) {
					t.Errorf("%s: input %q", body, b.Tool.Input)
				}
			}
		}
		s := NewStream(wire.NewFrames(bytes.NewReader(frames(t, body, body)), nil), http.Header{}, turn, "")
		defer s.Close()
		for range 1000 {
			if _, err := s.Next(); err != nil {
				return
			}
		}
		t.Errorf("%s: a stream without end", body)
	})
}
