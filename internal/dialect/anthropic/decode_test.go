package anthropic

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

const hi = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]`

// original returns the conversation as it goes up in the client's own words.
func original(t *testing.T, body string) string {
	t.Helper()
	r, err := Decode([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	out := ""
	for _, part := range []llm.Span{r.Original.System, r.Original.Messages, r.Original.Tools} {
		if !part.IsEmpty() {
			out += string(r.Original.Append(nil, part))
		}
	}
	return out
}

func TestWhatBedrockDoesNotTakeIsCutWithItsCommas(t *testing.T) {
	f := func(tool, want string) {
		t.Helper()
		got := original(t, hi+`,"tools":[`+tool+`]}`)
		if got = got[strings.Index(got, "]")+1:]; got != `[`+want+`]` {
			t.Errorf("%s: got %s, want %s", tool, got, want)
		}
	}
	schema := `"input_schema":{"type":"object"}`
	f(`{"name":"a",`+schema+`}`, `{"name":"a",`+schema+`}`)
	f(`{"eager_input_streaming":true,"name":"a",`+schema+`}`, `{"name":"a",`+schema+`}`)
	f(`{"name":"a", "eager_input_streaming" : true , `+schema+`}`, `{"name":"a" , `+schema+`}`)
	f(`{"name":"a",`+schema+`,"eager_input_streaming":true}`, `{"name":"a",`+schema+`}`)
	f(`{"allowed_callers":["x"],"eager_input_streaming":true,"name":"a","brand_new":{"a":[1]},`+schema+`}`, `{"name":"a",`+schema+`}`)
	f(`{"name":"a","defer_loading":true,`+schema+`}`, `{"name":"a",`+schema+`}`)
	f(`{"defer_loading":true,"eager_input_streaming":true,"name":"a",`+schema+`}`, `{"name":"a",`+schema+`}`)
	f(`{"name":"a","cache_control":{"scope":"global","type":"ephemeral"},`+schema+`}`, `{"name":"a","cache_control":{"type":"ephemeral"},`+schema+`}`)
	f(`{"name":"a","cache_control":null,`+schema+`}`, `{"name":"a",`+schema+`}`)
	f(`{"name":"a","input_schema":{"type":"object","properties":null,"required":null}}`, `{"name":"a","input_schema":{"type":"object"}}`)
	f(`{"name":"a","input_schema":{}}`, `{"name":"a","input_schema":{"type":"object"}}`)
	f(`{"name":"a","input_schema":{"properties":{"x":{"$ref":"#/$defs/x"}},"$defs":{"x":{}}}}`, `{"name":"a","input_schema":{"type":"object","properties":{"x":{"$ref":"#/$defs/x"}},"$defs":{"x":{}}}}`)
	f(`{"name":"a","input_schema":{"properties":null}}`, `{"name":"a","input_schema":{"type":"object"}}`)
	f(`{"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex"},{"name":"a","defer_loading":true,`+schema+`}`,
		`{"type":"tool_search_tool_regex","name":"tool_search_tool_regex"},{"name":"a","defer_loading":true,`+schema+`}`)
}

func TestAnImageIsWhatItsBytesSay(t *testing.T) {
	image := func(mime string) string {
		return `{"model":"m","messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"` + mime + `","data":"iVBORw0KGgoAAAANSUhEUg=="}}]}]}`
	}
	if got, want := original(t, image("image/jpeg")), original(t, image("image/png")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBillingHeadersOfAgentsAreLeftOut(t *testing.T) {
	got := original(t, `{"model":"m","system":[{"type":"text","text":"x-anthropic-billing-header: cch=1;","cache_control":{"type":"ephemeral","scope":"global"}},{"type":"text","text":"be"}],"messages":[{"role":"user","content":"hi"}]}`)
	if want := `[{"type":"text","text":"be"}][{"role":"user","content":"hi"}]`; got != want {
		t.Errorf("got %s", got)
	}
}

func TestRefusalsNameTheMember(t *testing.T) {
	f := func(body, param string) {
		t.Helper()
		_, err := Decode([]byte(body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != llm.KindInvalid || e.Param != param {
			t.Errorf("%s: %v, want the param %s", body, err, param)
		}
	}
	messages := func(list string) string { return `{"model":"m","messages":[` + list + `]}` }
	block := func(b string) string {
		return messages(`{"role":"user","content":[{"type":"text","text":"a"},` + b + `]}`)
	}
	f(``, "request_body")
	f(`[]`, "request_body")
	f(`{"model":"m"`, "request_body")
	f(`{"messages":[{"role":"user","content":"hi"}]}`, "model")
	f(`{"model":"m"}`, "messages")
	f(messages(``), "messages")
	f(messages(`{"content":"hi"}`), "messages[0].role")
	f(messages(`{"role":"user"}`), "messages[0].content")
	f(messages(`{"role":"tool","content":"hi"}`), "messages[0].role")
	f(messages(`{"role":"user","content":7}`), "messages[0].content")
	f(messages(`7`), "messages[0]")
	f(block(`{"text":"x"}`), "messages[0].content[1].type")
	f(block(`{"type":"text"}`), "messages[0].content[1].text")
	f(block(`{"type":"text","text":7}`), "messages[0].content[1].text")
	f(block(`{"type":"text","text":"a","text":"b"}`), "messages[0].content[1].text")
	f(block(`{"type":"image"}`), "messages[0].content[1].source")
	f(block(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"!"}}`), "messages[0].content[1].source.data")
	f(block(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}`), "messages[0].content[1].source")
	f(block(`{"type":"image","source":{"type":"url","url":"file:///etc/passwd"}}`), "messages[0].content[1].source.url")
	f(block(`{"type":"document","source":{"type":"file","file_id":"file_1"}}`), "messages[0].content[1].source.file_id")
	f(block(`{"type":"tool_use","name":"x","input":{}}`), "messages[0].content[1].id")
	f(block(`{"type":"tool_result","content":"x"}`), "messages[0].content[1].tool_use_id")
	f(block(`{"type":"text","text":"a","cache_control":{"type":"persistent"}}`), "messages[0].content[1].cache_control.type")
	f(block(`{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"2h"}}`), "messages[0].content[1].cache_control.ttl")
	f(hi+`,"model":"n"}`, "model")
	f(hi+`,"tools":[{"input_schema":{}}]}`, "tools[0].name")
	f(hi+`,"tools":[{"name":"a","input_schema":{}},{"name":"","input_schema":{}}]}`, "tools[1].name")
	f(hi+`,"tools":[{"name":"a","input_schema":[]}]}`, "tools[0].input_schema")
	f(hi+`,"tool_choice":{"type":"tool"}}`, "tool_choice.name")
	f(hi+`,"tool_choice":{"type":"all"}}`, "tool_choice.type")
	f(hi+`,"temperature":1.5}`, "temperature")
	f(hi+`,"top_k":-1}`, "top_k")
	f(hi+`,"stop_sequences":[1]}`, "stop_sequences[0]")
	f(hi+`,"service_tier":"gold"}`, "service_tier")
	f(hi+`,"system":[{"type":"image"}]}`, "system[0].source")
	f(hi+`,"output_config":{"format":{"type":"json_object"}}}`, "output_config.format.type")
	f(strings.Replace(hi, `"max_tokens":9`, `"max_tokens":0`, 1)+`}`, "max_tokens")
}

func TestRequestsAreDecoded(t *testing.T) {
	r, err := Decode([]byte(`{"model":"m","max_tokens":5.0,"system":"be","temperature":0.5,"top_p":0.9,"top_k":3,"stop_sequences":["END"," "],"stream":true,
		"metadata":{"user_id":"{\"session_id\":\"s-1\"}"},"service_tier":"standard_only","thinking":{"type":"adaptive"},"brand_new":1,"num_retries":2,
		"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}},"container":"c","mcp_servers":[],"anthropic_beta":["a","b"],
		"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},"tools":[{"type":"bash_20250124","name":"bash"},{"name":"f","input_schema":{"type":"object"},"strict":true}],
		"messages":[{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},"citations":{"enabled":true}},
			{"type":"search_result","source":"https://x","title":"t","content":[{"type":"text","text":"found"}]}]},
			{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"text","text":"so"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	equal := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	equal("max_tokens", *r.MaxTokens, int64(5))
	equal("stop", r.Stop, []string{"END"})
	equal("tier", r.Tier, "default")
	equal("session", r.Session, "s-1")
	equal("further", string(r.Further), `{"brand_new":1,"num_retries":2}`)
	equal("format", string(r.Format.Schema), `{"type":"object"}`)
	equal("betas", r.Betas, []string{"a", "b"})
	equal("choice", r.ToolChoice, llm.ToolChoice{Mode: llm.ToolNamed, Name: "f"})
	equal("parallel", *r.ParallelTools, false)
	equal("own tool", r.Tools[0].Type+" "+string(r.Tools[0].Raw), `bash_20250124 {"type":"bash_20250124","name":"bash"}`)
	equal("strict", *r.Tools[1].Strict, true)
	equal("output_config", string(llm.Lookup(r.Params, "output_config")), `{"effort":"low"}`)
	equal("container", string(llm.Lookup(r.Params, "container")), `"c"`)
	equal("no servers", llm.Lookup(r.Params, "mcp_servers") == nil, true)
	user, said := r.Messages[0].Blocks, r.Messages[1]
	equal("document", user[0].Media.Text.String()+" "+user[0].Media.Format, "a\n\nb txt")
	equal("citations", user[0].Media.CitationsEnabled, true)
	equal("search result", string(user[1].Raw), `{"searchResult":{"source":"https://x","title":"t","content":[{"text":"found"}]}}`)
	equal("foreign", string(said.Blocks[0].Raw), `{"anthropic":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}`)
	equal("to be continued", said.Prefix, true)
}

// FuzzDecode holds that no body makes the decoder panic, and that what goes up in the client's own words is JSON in which
// nothing is left of what the table drops.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		hi + `}`, hi + `,"tools":[{"eager_input_streaming":true,"name":"a","input_schema":{"properties":null}}]}`,
		`{"model":"m","system":[{"type":"text","text":"x-anthropic-billing-header"},{"type":"text","text":"b","cache_control":{"scope":"x","type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"a","brand":1}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"i","name":"n","input":{},"caller":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":[{"type":"text","text":"r"}]}]}]}`,
		`{"model":"m","messages":[{"role":"user","content":[null,{"type":"image","source":{"type":"url","url":"https://x/y.png"}}]}]}`,
		`{"tools":[{"caller":null,"custom":{}}],"model":"m","messages":[]}`, `{"model":"\u006d","messages":[{"role":"user","content":"\ud800"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Decode(body)
		if err != nil {
			var e *llm.Error
			if !errors.As(err, &e) || e.Kind != llm.KindInvalid {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		for _, part := range []llm.Span{r.Original.System, r.Original.Messages, r.Original.Tools} {
			if part.IsEmpty() {
				continue
			}
			out := r.Original.Append(nil, part)
			if err := jsonscan.Valid(out); err != nil || !json.Valid(out) {
				t.Fatalf("%q: %s is not JSON: %v", body, out, err)
			}
		}
		if r.Original.Tools.IsEmpty() {
			return
		}
		for tool := range jsonscan.Elements(r.Original.Append(nil, r.Original.Tools)) {
			kind := jsonscan.Text(jsonscan.Member(tool, "type"))
			if jsonscan.Member(tool, "eager_input_streaming") != nil && (kind == "" || kind == "custom") {
				t.Fatalf("%q: %s is left", body, tool)
			}
		}
	})
}
