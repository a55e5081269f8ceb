package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// fate is what becomes of one leaf of a request.
type fate string

const (
	// mapped: it stands in AWS's body under AWS's name. The evidence is a piece of that body.
	mapped fate = "mapped"
	// passed: it stands in additionalModelRequestFields under its own name. The evidence is its value.
	passed fate = "passed"
	// refused: 400. The evidence is the parameter that the error names.
	refused fate = "refused"
	// named: it was left out, and the answer's header says so. The evidence is what stands there.
	named fate = "named"
	// answered: it shapes the answer that the client gets. The evidence is a piece of that.
	answered fate = "answered"
	// booked: it goes to the books. The evidence is a piece of the record.
	booked fate = "booked"
	// header: it stands in a header of AWS's. The evidence is that line.
	header fate = "header"
	// implied: the schema has one value for it, and it says nothing that its neighbours do not. There is no evidence: the
	// request without it is the same.
	implied fate = "implied"
)

const (
	leafImage = `"data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="`
	leafPDF   = `"data:application/pdf;base64,JVBERi0xLjQK"`
	leafTools = `"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]`
)

// hi has a member beside a plain message, says a message in the place of it.
func hi(member string) string { return `"messages":[{"role":"user","content":"hi"}],` + member }

func says(messages string) string { return `"messages":[` + messages + `]` }

// part has a content part behind a text.
func part(p string) string {
	return says(`{"role":"user","content":[{"type":"text","text":"hi"},` + p + `]}`)
}

// called has a history with an assistant message that has a member beside its content, and a result.
func called(member, result string) string {
	return leafTools + `,` + says(`{"role":"user","content":"hi"},{"role":"assistant","content":"ok",`+member+`},`+result)
}

const (
	leafCall   = `"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]`
	leafResult = `{"role":"tool","tool_call_id":"t1","content":"done"}`
)

// TestEveryLeafOfOpenAIsSchemaHasAFate sends each leaf of the body of OpenAI's "Create chat completion" alone, in the order
// of its reference: it is mapped, passed, refused or named, as its row says. The same request without the leaf must come
// out otherwise: a leaf that does nothing fails.
func TestEveryLeafOfOpenAIsSchemaHasAFate(t *testing.T) {
	g := newListener(t, "us.anthropic.claude-3-7-sonnet-20250219-v1:0")
	f := func(path, request string, want fate, evidence string) {
		t.Helper()
		if path != "model" {
			request = `"model":"sonnet",` + request
		}
		g.checkLeaf(t, path, `{`+request+`}`, want, evidence)
	}
	f("model", hi(`"model":"sonnet"`), answered, `"model":"sonnet"`)
	// messages
	f("messages[0].role", says(`{"role":"developer","content":"be"},{"role":"user","content":"hi"}`), mapped, `"system":[{"text":"be"}]`)
	f("messages[0].content", says(`{"role":"developer","content":"be"},{"role":"user","content":"hi"}`), mapped, `"system":[{"text":"be"}]`)
	f("messages[0].content[0].text", says(`{"role":"developer","content":[{"type":"text","text":"be"}]},{"role":"user","content":"hi"}`), mapped, `"system":[{"text":"be"}]`)
	f("messages[0].content[0].type", says(`{"role":"developer","content":[{"type":"text","text":"be"}]},{"role":"user","content":"hi"}`), mapped, `"system":[{"text":"be"}]`)
	f("messages[0].content[0].prompt_cache_breakpoint.mode", says(`{"role":"developer","content":[{"type":"text","text":"be","prompt_cache_breakpoint":{"mode":"explicit"}}]},{"role":"user","content":"hi"}`), named, "messages[0].content[0].prompt_cache_breakpoint")
	f("messages[0].name", says(`{"role":"developer","content":"be","name":"ops"},{"role":"user","content":"hi"}`), named, "messages[0].name")
	f("messages[0].role", says(`{"role":"system","content":"be"},{"role":"user","content":"hi"}`), mapped, `"system":[{"text":"be"}]`)
	f("messages[0].content", says(`{"role":"system","content":"be"},{"role":"user","content":"hi"}`), mapped, `"system":[{"text":"be"}]`)
	f("messages[0].content[0].text", says(`{"role":"system","content":[{"type":"text","text":"be"}]},{"role":"user","content":"hi"}`), mapped, `"system":[{"text":"be"}]`)
	f("messages[0].name", says(`{"role":"system","content":"be","name":"ops"},{"role":"user","content":"hi"}`), named, "messages[0].name")
	f("messages[0].role", says(`{"role":"user","content":"hi"}`), mapped, `{"role":"user","content":[{"text":"hi"}]}`)
	f("messages[0].content", says(`{"role":"user","content":"hi"}`), mapped, `{"role":"user","content":[{"text":"hi"}]}`)
	f("messages[0].name", says(`{"role":"user","content":"hi","name":"ann"}`), named, "messages[0].name")
	f("messages[0].content[1].type", part(`{"type":"text","text":"you"}`), mapped, `{"text":"you"}`)
	f("messages[0].content[1].text", part(`{"type":"text","text":"you"}`), mapped, `{"text":"you"}`)
	f("messages[0].content[1].prompt_cache_breakpoint.mode", part(`{"type":"text","text":"you","prompt_cache_breakpoint":{"mode":"explicit"}}`), named, "messages[0].content[1].prompt_cache_breakpoint")
	f("messages[0].content[1].prompt_cache_breakpoint", part(`{"type":"text","text":"you","prompt_cache_breakpoint":{"mode":"explicit","ttl":"12h"}}`), named, "messages[0].content[1].prompt_cache_breakpoint")
	f("messages[0].content[1].type", part(`{"type":"image_url","image_url":{"url":`+leafImage+`}}`), mapped, `{"image":{"format":"png","source":{"bytes":"iVBORw0KGgoAAAANSUhEUg=="}}}`)
	f("messages[0].content[1].image_url.url", part(`{"type":"image_url","image_url":{"url":`+leafImage+`}}`), mapped, `{"image":{"format":"png","source":{"bytes":"iVBORw0KGgoAAAANSUhEUg=="}}}`)
	f("messages[0].content[1].image_url.detail", part(`{"type":"image_url","image_url":{"url":`+leafImage+`,"detail":"high"}}`), named, "messages[0].content[1].image_url.detail")
	f("messages[0].content[1].prompt_cache_breakpoint", part(`{"type":"image_url","image_url":{"url":`+leafImage+`},"prompt_cache_breakpoint":{"mode":"explicit"}}`), named, "messages[0].content[1].prompt_cache_breakpoint")
	f("messages[0].content[1].input_audio", part(`{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}`), refused, "messages[0].content[1]")
	f("messages[0].content[1].file.file_data", part(`{"type":"file","file":{"file_data":`+leafPDF+`,"filename":"a.pdf"}}`), mapped, `{"document":{"format":"pdf","name":"a","source":{"bytes":"JVBERi0xLjQK"}}}`)
	f("messages[0].content[1].file.filename", part(`{"type":"file","file":{"file_data":`+leafPDF+`,"filename":"a.pdf"}}`), mapped, `"name":"a"`)
	f("messages[0].content[1].file.file_id", part(`{"type":"file","file":{"file_id":"file-123"}}`), refused, "messages[0].content[1].file.file_id")
	f("messages[0].content[1].prompt_cache_breakpoint", part(`{"type":"file","file":{"file_data":`+leafPDF+`},"prompt_cache_breakpoint":{"mode":"explicit"}}`), named, "messages[0].content[1].prompt_cache_breakpoint")
	f("messages[1].role", called(leafCall, leafResult), mapped, `{"role":"assistant","content":[{"text":"ok"},`)
	f("messages[1].content", called(leafCall, leafResult), mapped, `{"text":"ok"}`)
	f("messages[1].content[0].text", says(`{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"text","text":"ok"}]},{"role":"user","content":"go"}`), mapped, `{"text":"ok"}`)
	f("messages[1].content[1].refusal", says(`{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"text","text":"ok"},{"type":"refusal","refusal":"no"}]},{"role":"user","content":"go"}`), mapped, `{"text":"no"}`)
	f("messages[1].refusal", called(leafCall+`,"refusal":"no"`, leafResult), mapped, `{"text":"no"}`)
	f("messages[1].name", called(leafCall+`,"name":"bot"`, leafResult), named, "messages[1].name")
	f("messages[1].audio.id", called(leafCall+`,"audio":{"id":"audio_1"}`, leafResult), named, "messages[1].audio")
	f("messages[1].tool_calls[0].id", called(leafCall, leafResult), mapped, `"toolUse":{"toolUseId":"t1"`)
	f("messages[1].tool_calls[0].type", called(leafCall, leafResult), implied, "")
	f("messages[1].tool_calls[0].function.name", called(leafCall, leafResult), mapped, `"toolUseId":"t1","name":"f"`)
	f("messages[1].tool_calls[0].function.arguments", called(leafCall, leafResult), mapped, `"input":{"a":1}`)
	f("messages[1].tool_calls[0].custom.name", called(`"tool_calls":[{"id":"t1","type":"custom","custom":{"name":"c","input":"x"}}]`, leafResult), refused, "messages[1].tool_calls[0].custom")
	f("messages[1].tool_calls[0].custom.input", called(`"tool_calls":[{"id":"t1","type":"custom","custom":{"name":"c","input":"x"}}]`, leafResult), refused, "messages[1].tool_calls[0].custom")
	f("messages[1].function_call.name", called(`"function_call":{"name":"f","arguments":"{\"a\":1}"}`, `{"role":"function","name":"f","content":"done"}`), mapped, `"name":"f","input":{"a":1}`)
	f("messages[1].function_call.arguments", called(`"function_call":{"name":"f","arguments":"{\"a\":1}"}`, `{"role":"function","name":"f","content":"done"}`), mapped, `"name":"f","input":{"a":1}`)
	f("messages[2].role", called(leafCall, leafResult), mapped, `{"toolResult":{"toolUseId":"t1","content":[{"text":"done"}]}}`)
	f("messages[2].content", called(leafCall, leafResult), mapped, `{"toolResult":{"toolUseId":"t1","content":[{"text":"done"}]}}`)
	f("messages[2].content[0].text", called(leafCall, `{"role":"tool","tool_call_id":"t1","content":[{"type":"text","text":"done"}]}`), mapped, `{"toolResult":{"toolUseId":"t1","content":[{"text":"done"}]}}`)
	f("messages[2].tool_call_id", called(leafCall, leafResult), mapped, `{"toolResult":{"toolUseId":"t1","content":[{"text":"done"}]}}`)
	f("messages[2].content", called(`"function_call":{"name":"f","arguments":"{}"}`, `{"role":"function","name":"f","content":"done"}`), mapped, `"content":[{"text":"done"}]`)
	f("messages[2].name", called(`"function_call":{"name":"f","arguments":"{}"}`, `{"role":"function","name":"f","content":"done"}`), mapped, `"content":[{"text":"done"}]`)
	// parameters
	f("audio.format", hi(`"audio":{"format":"wav","voice":"alloy"}`), refused, "audio")
	f("audio.voice", hi(`"audio":{"format":"wav","voice":"alloy"}`), refused, "audio")
	f("audio.voice.id", hi(`"audio":{"format":"wav","voice":{"id":"voice_1"}}`), refused, "audio")
	f("frequency_penalty", hi(`"frequency_penalty":0.5`), refused, "frequency_penalty")
	f("function_call", hi(`"functions":[{"name":"f"}],"function_call":"auto"`), mapped, `"toolChoice":{"auto":{}}`)
	f("function_call.name", hi(`"functions":[{"name":"f"}],"function_call":{"name":"f"}`), mapped, `"toolChoice":{"tool":{"name":"f"}}`)
	f("functions[0].name", hi(`"functions":[{"name":"f"}]`), mapped, `"toolSpec":{"name":"f"`)
	f("functions[0].description", hi(`"functions":[{"name":"f","description":"does it"}]`), mapped, `"description":"does it"`)
	f("functions[0].parameters", hi(`"functions":[{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string"}}}}]`), mapped, `"json":{"type":"object","properties":{"a":{"type":"string"}}}`)
	f("logit_bias.50256", hi(`"logit_bias":{"50256":-100}`), refused, "logit_bias")
	f("logprobs", hi(`"logprobs":true`), refused, "logprobs")
	f("max_completion_tokens", hi(`"max_completion_tokens":7`), mapped, `"inferenceConfig":{"maxTokens":7}`)
	f("max_tokens", hi(`"max_tokens":7`), mapped, `"inferenceConfig":{"maxTokens":7}`)
	f("metadata.project", hi(`"metadata":{"project":"x"}`), named, "metadata.project")
	f("metadata.tags", hi(`"metadata":{"tags":["t"]}`), booked, "tags [t]")
	f("modalities[1]", hi(`"modalities":["text","audio"]`), refused, "modalities")
	f("moderation.model", hi(`"moderation":{"model":"omni-moderation-latest"}`), refused, "moderation")
	f("moderation.policy.input.mode", hi(`"moderation":{"model":"m","policy":{"input":{"mode":"block"}}}`), refused, "moderation")
	f("moderation.policy.output.mode", hi(`"moderation":{"model":"m","policy":{"output":{"mode":"score"}}}`), refused, "moderation")
	f("n", hi(`"n":2`), answered, `{"index":1,"message":`)
	f("parallel_tool_calls", hi(leafTools+`,"parallel_tool_calls":false`), mapped, `"disable_parallel_tool_use":true`)
	f("prediction.type", hi(`"prediction":{"type":"content","content":"x"}`), refused, "prediction")
	f("prediction.content", hi(`"prediction":{"type":"content","content":"x"}`), refused, "prediction")
	f("prediction.content[0].text", hi(`"prediction":{"type":"content","content":[{"type":"text","text":"x"}]}`), refused, "prediction")
	f("prediction.content[0].type", hi(`"prediction":{"type":"content","content":[{"type":"text","text":"x"}]}`), refused, "prediction")
	f("prediction.content[0].prompt_cache_breakpoint", hi(`"prediction":{"type":"content","content":[{"type":"text","text":"x","prompt_cache_breakpoint":{"mode":"explicit","ttl":"30m"}}]}`), refused, "prediction")
	f("presence_penalty", hi(`"presence_penalty":0.5`), refused, "presence_penalty")
	f("prompt_cache_key", hi(`"prompt_cache_key":"k"`), refused, "prompt_cache_key")
	f("prompt_cache_options.mode", hi(`"prompt_cache_options":{"mode":"explicit"}`), refused, "prompt_cache_options")
	f("prompt_cache_options.ttl", hi(`"prompt_cache_options":{"ttl":"30m"}`), refused, "prompt_cache_options")
	f("prompt_cache_retention", hi(`"prompt_cache_retention":"24h"`), refused, "prompt_cache_retention")
	f("reasoning_effort", hi(`"reasoning_effort":"low"`), mapped, `"thinking":{"type":"enabled","budget_tokens":1024}`)
	f("response_format.type", hi(`"response_format":{"type":"json_object"}`), mapped, `JSON`)
	f("response_format.json_schema.name", hi(`"response_format":{"type":"json_schema","json_schema":{"name":"ev","schema":{"type":"object","properties":{}}}}`), mapped, `"description":"ev"`)
	f("response_format.json_schema.description", hi(`"response_format":{"type":"json_schema","json_schema":{"name":"ev","description":"an event","schema":{"type":"object","properties":{}}}}`), mapped, `"description":"an event"`)
	f("response_format.json_schema.schema", hi(`"response_format":{"type":"json_schema","json_schema":{"name":"ev","schema":{"type":"object","properties":{"a":{"type":"string"}}}}}`), mapped, `"properties":{"a":{"type":"string"}}`)
	f("safety_identifier", hi(`"safety_identifier":"ann"`), booked, "user ann")
	f("seed", hi(`"seed":7`), refused, "seed")
	f("service_tier", hi(`"service_tier":"flex"`), mapped, `"serviceTier":{"type":"flex"}`)
	f("service_tier", hi(`"service_tier":"scale"`), refused, "service_tier")
	f("service_tier", hi(`"service_tier":"fast"`), refused, "service_tier")
	f("stop", hi(`"stop":"END"`), mapped, `"stopSequences":["END"]`)
	f("stop[1]", hi(`"stop":["END","FIN"]`), mapped, `"stopSequences":["END","FIN"]`)
	f("store", hi(`"store":true`), refused, "store")
	f("stream", hi(`"stream":true`), answered, `chat.completion.chunk`)
	f("stream_options.include_usage", hi(`"stream":true,"stream_options":{"include_usage":true}`), answered, `"usage":{"prompt_tokens":1`)
	f("stream_options.include_obfuscation", hi(`"stream":true,"stream_options":{"include_obfuscation":true}`), named, "stream_options.include_obfuscation")
	f("temperature", hi(`"temperature":0.5`), mapped, `"inferenceConfig":{"temperature":0.5}`)
	f("tool_choice", hi(leafTools+`,"tool_choice":"required"`), mapped, `"toolChoice":{"any":{}}`)
	f("tool_choice.type", hi(leafTools+`,"tool_choice":{"type":"function","function":{"name":"f"}}`), implied, "")
	f("tool_choice.function.name", hi(leafTools+`,"tool_choice":{"type":"function","function":{"name":"f"}}`), mapped, `"toolChoice":{"tool":{"name":"f"}}`)
	f("tool_choice.custom.name", hi(leafTools+`,"tool_choice":{"type":"custom","custom":{"name":"f"}}`), refused, "tool_choice.custom")
	f("tool_choice.allowed_tools.mode", hi(leafTools+`,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"g"}}]}}`), mapped, `"toolChoice":{"any":{}}`)
	f("tool_choice.allowed_tools.tools[0].function.name", hi(leafTools+`,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"g"}}]}}`), mapped, `"tools":[{"toolSpec":{"name":"g"`)
	f("tools[0].type", hi(leafTools), implied, "")
	f("tools[0].function.name", hi(leafTools), mapped, `"toolSpec":{"name":"f"`)
	f("tools[0].function.description", hi(`"tools":[{"type":"function","function":{"name":"f","description":"does it"}}]`), mapped, `"description":"does it"`)
	f("tools[0].function.parameters", hi(`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string"}}}}}]`), mapped, `"json":{"type":"object","properties":{"a":{"type":"string"}}}`)
	f("tools[0].function.strict", hi(`"tools":[{"type":"function","function":{"name":"f","strict":true}}]`), mapped, `"strict":true`)
	f("tools[0].custom.name", hi(`"tools":[{"type":"custom","custom":{"name":"c"}}]`), named, "tools[0]")
	f("tools[0].custom.description", hi(`"tools":[{"type":"custom","custom":{"name":"c","description":"d"}}]`), named, "tools[0]")
	f("tools[0].custom.format.type", hi(`"tools":[{"type":"custom","custom":{"name":"c","format":{"type":"text"}}}]`), named, "tools[0]")
	f("tools[0].custom.format.grammar", hi(`"tools":[{"type":"custom","custom":{"name":"c","format":{"type":"grammar","grammar":{"definition":"x","syntax":"regex"}}}}]`), named, "tools[0]")
	f("top_logprobs", hi(`"top_logprobs":2`), refused, "top_logprobs")
	f("top_p", hi(`"top_p":0.5`), mapped, `"inferenceConfig":{"topP":0.5}`)
	f("user", hi(`"user":"ann"`), booked, "user ann")
	f("verbosity", hi(`"verbosity":"low"`), refused, "verbosity")
	f("web_search_options.search_context_size", hi(`"web_search_options":{"search_context_size":"low"}`), refused, "web_search_options")
	f("web_search_options.user_location.approximate.country", hi(`"web_search_options":{"user_location":{"type":"approximate","approximate":{"country":"NO"}}}`), refused, "web_search_options")
	// what is in no schema of OpenAI's is the provider's
	f("brand_new", hi(`"brand_new":{"a":[1,2]}`), passed, `{"a":[1,2]}`)

	g = newListener(t, "us.anthropic.claude-sonnet-4-5-20250929-v1:0") // holds every answer to its schema
	f("response_format.json_schema.strict", hi(`"response_format":{"type":"json_schema","json_schema":{"name":"ev","strict":true,"schema":{"type":"object","properties":{}}}}`), implied, "")

	g = newListener(t, "us.amazon.nova-pro-v1:0")
	f("tools[0].function.strict", hi(`"tools":[{"type":"function","function":{"name":"f","strict":true}}]`), named, "tools[0].function.strict")
	f("web_search_options", hi(`"web_search_options":{}`), mapped, `{"systemTool":{"name":"nova_grounding"}}`)
	f("web_search_options.search_context_size", hi(`"web_search_options":{"search_context_size":"low"}`), named, "web_search_options")
	f("web_search_options.user_location.approximate.city", hi(`"web_search_options":{"user_location":{"type":"approximate","approximate":{"city":"Oslo"}}}`), named, "web_search_options")

	g = newListener(t, "mistral.voxtral-mini-3b-2507")
	f("messages[0].content[1].input_audio.data", part(`{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}`), mapped, `{"audio":{"format":"mp3","source":{"bytes":"AAAA"}}}`)
	f("messages[0].content[1].input_audio.format", part(`{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}`), mapped, `{"audio":{"format":"mp3","source":{"bytes":"AAAA"}}}`)
	f("messages[0].content[1].prompt_cache_breakpoint", part(`{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"},"prompt_cache_breakpoint":{"mode":"explicit"}}`), named, "messages[0].content[1].prompt_cache_breakpoint")
}

// checkLeaf sends a body with and without what stands at path, and looks for the evidence of its fate.
func (g *listener) checkLeaf(t *testing.T, path, body string, want fate, evidence string) {
	t.Helper()
	cut := path
	if (want == refused || want == named) && strings.HasPrefix(path, evidence) { // with all that it belongs to
		cut = evidence
	}
	with, without := g.outcome(t, body), g.outcome(t, withoutLeaf(t, body, cut))
	if same := g.outcome(t, withoutLeaf(t, body, "")) == without; same != (want == implied) {
		t.Errorf("the request with it and the one without come out the same: %v\n%s\nwith    %+v\nwithout %+v", same, body, with, without)
	}
	if (with.status == 200) == (want == refused) {
		t.Errorf("status %d: %s", with.status, with.answer)
	}
	switch want {
	case mapped:
		if !strings.Contains(with.upstream, evidence) {
			t.Errorf("AWS gets no %s: %s", evidence, with.upstream)
		}
	case passed:
		var sent struct {
			Fields map[string]json.RawMessage `json:"additionalModelRequestFields"`
		}
		if err := json.Unmarshal([]byte(with.upstream), &sent); err != nil || string(sent.Fields[path]) != evidence {
			t.Errorf("AWS gets %s, %v", with.upstream, err)
		}
	case header:
		if !strings.Contains(with.header, evidence) {
			t.Errorf("AWS gets the headers %s", with.header)
		}
	case refused:
		if g.path == "/v1/messages" { // it names the member in its message
			if with.status != 400 || !strings.Contains(with.answer, `"invalid_request_error","message":"`+evidence) || with.upstream != "" {
				t.Errorf("%d %s, AWS got %q", with.status, with.answer, with.upstream)
			}
			break
		}
		_, kind, param, code := errorOf(t, with.answer)
		if with.status != 400 || kind != "invalid_request_error" || param != evidence || with.upstream != "" {
			t.Errorf("%d %s, AWS got %q", with.status, with.answer, with.upstream)
		}
		if code == "unsupported_parameter" { // what may be dropped is then named
			dropped := g.outcome(t, strings.TrimSuffix(body, "}")+`,"drop_params":true}`)
			if dropped.status != 200 || !slices.Contains(lostPaths(dropped.loss), param) {
				t.Errorf("under drop_params: %+v", dropped)
			}
		}
	case named:
		if !slices.Contains(lostPaths(with.loss), evidence) {
			t.Errorf("the header names %q", with.loss)
		}
	case answered:
		if !strings.Contains(with.answer, evidence) {
			t.Errorf("the client gets %s", with.answer)
		}
	case booked:
		if !strings.Contains(with.record, evidence) {
			t.Errorf("the books have %s", with.record)
		}
	case implied:
	default:
		t.Errorf("%q is no fate", want)
	}
}

// lostPaths returns the paths that a loss header names.
func lostPaths(header string) []string {
	var paths []string
	for entry := range strings.SplitSeq(header, ",") {
		path, _, _ := strings.Cut(entry, ";")
		paths = append(paths, strings.TrimSpace(path))
	}
	return paths
}

// outcome is all that one request did.
type outcome struct {
	status                                 int
	upstream, answer, loss, record, header string
}

// listener is a gateway before an upstream that remembers what it was sent, and says what it is told to.
type listener struct {
	*rig
	plain, stream string
	// path and header are the client's; Chat Completions and the key by default.
	path   string
	header http.Header

	mu         sync.Mutex // guards what follows, since calls may come side by side
	sent       string
	sentHeader http.Header
}

func newListener(t *testing.T, model string) *listener {
	t.Helper()
	l := &listener{plain: plainAnswer, stream: plainStream, path: "/v1/chat/completions", header: bearer(testKey)}
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		l.mu.Lock()
		l.sent, l.sentHeader = string(body), r.Header
		l.mu.Unlock()
		if strings.HasSuffix(r.URL.Path, "-stream") {
			w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
			writeFrames(t, w, l.stream)
			return
		}
		_, _ = io.WriteString(w, l.plain)
	}))
	t.Cleanup(aws.Close)
	l.rig = newRig(t, goldenConfig(map[string]string{"params": "model: bedrock/" + model + "\n"}, aws.URL), nil)
	return l
}

const plainStream = `messageStart {"role":"assistant"}
contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"ok"}}
contentBlockStop {"contentBlockIndex":0}
messageStop {"stopReason":"end_turn"}
metadata {"usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3},"metrics":{"latencyMs":5}}
`

func (g *listener) outcome(t *testing.T, body string) outcome {
	t.Helper()
	g.sent, g.sentHeader = "", nil
	resp, answer := g.send(http.MethodPost, g.path, body, g.header)
	record := g.books.next(t)
	var own []string
	for name, values := range g.sentHeader {
		if strings.HasPrefix(name, "X-Amzn-Bedrock-") {
			own = append(own, name+": "+values[0])
		}
	}
	slices.Sort(own)
	return outcome{
		header: strings.Join(own, "\n"),
		status: resp.StatusCode, upstream: g.sent, loss: resp.Header.Get("X-Outcrop-Loss"),
		answer: ownID.ReplaceAllString(answer, ""),
		record: fmt.Sprintf("user %s tags %v", record.User, record.Tags),
	}
}

// ownID is what differs between the answers to equal requests.
var ownID = regexp.MustCompile(`"(id":"(chatcmpl-|resp_|msg_|fc_|rs_|ctc_|lsh_)[^"]*"|request_id":"[^"]*"|created": ?\d+|created_at": ?\d+)`)

// withoutLeaf returns body without what stands at path, its members sorted.
func withoutLeaf(t *testing.T, body, path string) string {
	t.Helper()
	var root any
	if err := json.Unmarshal([]byte(body), &root); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	steps := strings.FieldsFunc(path, func(c rune) bool { return strings.ContainsRune(".[]", c) })
	if path != "" {
		root = cutLeaf(t, root, steps)
	}
	out, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func cutLeaf(t *testing.T, node any, steps []string) any {
	t.Helper()
	last := len(steps) == 1
	switch n := node.(type) {
	case map[string]any:
		child, ok := n[steps[0]]
		if !ok {
			t.Fatalf("no %s in %v", steps[0], n)
		}
		if last {
			delete(n, steps[0])
		} else {
			n[steps[0]] = cutLeaf(t, child, steps[1:])
		}
		return n
	case []any:
		i, err := strconv.Atoi(steps[0])
		if err != nil || i >= len(n) {
			t.Fatalf("no %s in %v", steps[0], n)
		}
		if last {
			return slices.Delete(n, i, i+1)
		}
		n[i] = cutLeaf(t, n[i], steps[1:])
		return n
	}
	t.Fatalf("nothing can be in %v", node)
	return nil
}
