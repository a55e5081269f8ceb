package gateway

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/sim"
)

// anthropicHeader is what Anthropic's clients send.
func anthropicHeader() http.Header {
	return http.Header{"X-Api-Key": {testKey}, "Anthropic-Version": {"2023-06-01"}, "Content-Type": {"application/json"}}
}

func (g *rig) message(body string) (*http.Response, string) {
	g.t.Helper()
	return g.send(http.MethodPost, "/v1/messages", body, anthropicHeader())
}

// anthropicError reads Anthropic's error shape, which every refusal of its dialect has.
func anthropicError(t *testing.T, resp *http.Response, body string) (kind, message string) {
	t.Helper()
	var answer struct {
		Type  string
		Error struct{ Type, Message string }
		ID    string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Type != "error" || answer.Error.Message == "" {
		t.Fatalf("not Anthropic's error shape: %v %s", err, body)
	}
	if answer.ID == "" || answer.ID != resp.Header.Get("Request-Id") || answer.ID != resp.Header.Get("X-Litellm-Call-Id") {
		t.Errorf("the request id is %q, in the headers %q", answer.ID, resp.Header.Get("Request-Id"))
	}
	return answer.Error.Type, answer.Error.Message
}

func TestFailuresAreToldInAnthropicsWords(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	g := newRig(t, simConfig(url, withKey), nil)
	f := func(path, body string, header http.Header, status int, kind, message string) {
		t.Helper()
		resp, answer := g.send(http.MethodPost, path, body, header)
		got, said := anthropicError(t, resp, answer)
		if resp.StatusCode != status || got != kind || !strings.Contains(said, message) {
			t.Errorf("%s %s: %d %s %q, want %d %s %q", path, body, resp.StatusCode, got, said, status, kind, message)
		}
	}
	says := func(text string) string {
		return `{"model":"claude","max_tokens":50,"messages":[{"role":"user","content":"` + text + `"}]}`
	}
	const path = "/v1/messages"
	own := anthropicHeader()
	f(path, says("hi"), http.Header{"X-Api-Key": {"sk-wrong"}}, 401, "authentication_error", "Invalid API key")
	f("/anthropic/v1/messages", says("hi"), nil, 401, "authentication_error", "No api key")
	f(path, `{"model":"nope","messages":[{"role":"user","content":"hi"}]}`, own, 404, "not_found_error", "'nope' does not exist")
	f(path, `{"model":"claude"}`, own, 400, "invalid_request_error", "messages is missing")
	f(path, `{"model":"claude","messages":[`, own, 400, "invalid_request_error", "Invalid JSON payload")
	f("/v1/nothing", `{}`, own, 404, "not_found_error", "Unknown request URL")
	f(path, says("[[fault:throttle]]"), own, 429, "rate_limit_error", "")
	f(path, says("[[fault:503]]"), own, 529, "overloaded_error", "")
	f(path, says("[[fault:500]]"), own, 500, "api_error", "")
	f(path, says("[[fault:403]]"), own, 403, "permission_error", "")
	f(path, says("[[fault:408]]"), own, 504, "timeout_error", "")
	stream := strings.Replace(says("[[fault:throttle]]"), `"max_tokens"`, `"stream":true,"max_tokens"`, 1)
	f(path, stream, own, 429, "rate_limit_error", "")
	f(path, `{"model":"claude","max_tokens":50,"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"web_search_20250305","name":"web_search"}]}`, own, 400,
		"invalid_request_error", "web search (web_search_20250305) runs on Anthropic's own servers")
	f(path, `{"model":"claude","max_tokens":50,"messages":[{"role":"user","content":"hi"}],"mcp_servers":[{"url":"https://x"}]}`, own, 400, "invalid_request_error", "mcp_servers")
}

func TestSilenceIsFilledWithPings(t *testing.T) {
	u := newHandUpstream(t)
	g := newRig(t, simConfig(u.url, withKey), func(o *Options) { o.KeepAlive = 5 * time.Millisecond })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/v1/messages", strings.NewReader(`{"model":"claude","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = anthropicHeader()
	answers := make(chan *http.Response, 1)
	go func() {
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			t.Error(err)
		}
		answers <- resp
	}()
	call := <-u.calls
	resp := <-answers
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for _, want := range []string{"event: ping\n", "data: {\"type\": \"ping\"}\n", "\n"} {
		if line, err := lines.ReadString('\n'); err != nil || line != want {
			t.Fatalf("%q, %v", line, err)
		}
	}
	call.send("!internalServerException {\"message\":\"Oops\"}\n")
	call.end()
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.Contains(string(rest), "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"Oops\"},\"request_id\":") || strings.Contains(string(rest), "message_stop") {
		t.Errorf("%v %q", err, rest)
	}
}

func TestTokensAreCounted(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	f := func(extra, model, body string, want func(resp *http.Response, answer string) bool) {
		t.Helper()
		g := newRig(t, simConfig(url, extra), nil)
		resp, answer := g.send(http.MethodPost, "/v1/messages/count_tokens", `{"model":"`+model+`",`+body+`}`, anthropicHeader())
		if !want(resp, answer) {
			t.Errorf("%s: %d %s %v", model, resp.StatusCode, answer, resp.Header)
		}
		record := g.books.next(t)
		if record.Type != "acount_tokens" || record.Cost != 0 || record.Usage.Input != 0 {
			t.Errorf("booked as %+v", record)
		}
	}
	exact := func(resp *http.Response, answer string) bool {
		return resp.StatusCode == 200 && regexp.MustCompile(`^\{"input_tokens":\d+\}$`).MatchString(answer) && resp.Header.Get("X-Outcrop-Estimated") == ""
	}
	guess := func(resp *http.Response, answer string) bool {
		return resp.StatusCode == 200 && resp.Header.Get("X-Outcrop-Estimated") == "true"
	}
	const hi = `"messages":[{"role":"user","content":"hello there"}],"system":"be","tools":[{"name":"f","input_schema":{"type":"object"}}]`
	f(withKey, "claude", hi, exact) // a profile: the base model is asked
	f(withKey, "bedrock/us.amazon.nova-pro-v1:0", hi, exact)
	f(withKey, "bedrock/us.anthropic.claude-mythos-5", hi, guess)
	f(withKey+"  count_tokens_estimates: false\n", "bedrock/us.anthropic.claude-mythos-5", hi, func(resp *http.Response, answer string) bool {
		kind, message := anthropicError(t, resp, answer)
		return resp.StatusCode == 400 && kind == "invalid_request_error" && strings.Contains(message, "count_tokens_estimates")
	})
	// What is counted is what the call then takes.
	g := newRig(t, simConfig(url, withKey), nil)
	_, counted := g.send(http.MethodPost, "/anthropic/v1/messages/count_tokens", `{"model":"claude",`+hi+`}`, anthropicHeader())
	_, said := g.message(`{"model":"claude","max_tokens":10,` + hi + `}`)
	var count, used struct {
		Tokens int `json:"input_tokens"`
		Usage  struct {
			Tokens int `json:"input_tokens"`
		}
	}
	if err := json.Unmarshal([]byte(counted), &count); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(said), &used); err != nil || used.Usage.Tokens != count.Tokens {
		t.Errorf("counted %s, took %s (%v)", counted, said, err)
	}
}

func TestModelsAreListedAsAnthropicsClientsReadThem(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	g := newRig(t, simConfig(url, withKey), nil)
	resp, body := g.send(http.MethodGet, "/v1/models", "", anthropicHeader())
	if resp.StatusCode != 200 || !strings.HasPrefix(body, `{"data":[{"type":"model","id":"claude","display_name":"claude","created_at":"`) || !strings.Contains(body, `"has_more":false,"first_id":"claude","last_id":"`) {
		t.Errorf("%d %.300s", resp.StatusCode, body)
	}
	if resp, body := g.send(http.MethodGet, "/anthropic/v1/models/claude", "", anthropicHeader()); resp.StatusCode != 200 || !strings.HasPrefix(body, `{"type":"model","id":"claude",`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if _, body := g.send(http.MethodGet, "/v1/models", "", bearer(testKey)); !strings.HasPrefix(body, `{"object":"list"`) {
		t.Errorf("OpenAI's clients get %.100s", body)
	}
}

func TestNamesOfAnthropicsModelsFindTheirWay(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	var g *rig
	f := func(name, id string) {
		t.Helper()
		resp, body := g.message(`{"model":"` + name + `","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}`)
		if resp.StatusCode != 200 || resp.Header.Get("X-Litellm-Model-Name") != "bedrock/"+id || !strings.Contains(body, `"model":"`+name+`"`) {
			t.Errorf("%s: %d %s %s", name, resp.StatusCode, resp.Header.Get("X-Litellm-Model-Name"), body)
		}
	}
	g = newRig(t, strings.ReplaceAll(strings.ReplaceAll(simConfig(url, withKey), "model_name: bedrock/*", "model_name: claude-*"), "model: bedrock/*", "model: bedrock/claude-*"), nil)
	f("claude-opus-4-8", "us.anthropic.claude-opus-4-8")
	f("claude-sonnet-4-5", "us.anthropic.claude-sonnet-4-5-20250929-v1:0")
	g = newRig(t, simConfig(url, "router_settings:\n  model_group_alias: {haiku-of-ours: claude}\n"+withKey), nil)
	f("haiku-of-ours", "us.anthropic.claude-sonnet-4-5-20250929-v1:0")
	f("claude-haiku-4-5", "us.anthropic.claude-haiku-4-5-20251001-v1:0")
	f("claude-3-5-haiku-latest", "us.anthropic.claude-3-5-haiku-20241022-v1:0")
	f("claude-opus-4-1-20250805", "us.anthropic.claude-opus-4-1-20250805-v1:0")
	f("claude-sonnet-4-5[1m]", "us.anthropic.claude-sonnet-4-5-20250929-v1:0")
	f("bedrock/us.anthropic.claude-sonnet-4-5", "us.anthropic.claude-sonnet-4-5-20250929-v1:0")
}

// TestBothWaysToClaudeSayTheSame sends conversations in the client's own words and through the core: the simulator hears
// and says the same.
func TestBothWaysToClaudeSayTheSame(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	// With further tries a stream is only begun when it has said something.
	g := newRig(t, simConfig(url, "router_settings:\n  num_retries: 2\n"+withKey), nil)
	ids := regexp.MustCompile(`(msg_|toolu_|tooluse_)[A-Za-z0-9_]+`)
	answer := func(model, body string, stream bool) map[string]any {
		t.Helper()
		members := `{"model":"` + model + `","max_tokens":2000,`
		if stream {
			members += `"stream":true,`
		}
		resp, text := g.message(members + body + `}`)
		if resp.StatusCode != 200 {
			t.Fatalf("%s %s: %d %s", model, body, resp.StatusCode, text)
		}
		if stream {
			return assembled(t, ids.ReplaceAllString(text, "id"))
		}
		var out map[string]any
		if err := json.Unmarshal([]byte(ids.ReplaceAllString(text, "id")), &out); err != nil {
			t.Fatal(err)
		}
		delete(out, "model")
		return out
	}
	const (
		tools = `"tools":[{"name":"weather","description":"Tells it","input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}},{"name":"time","description":"Tells it","input_schema":{"type":"object"}}]`
		call  = `{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Oslo"}}]}`
	)
	for _, body := range []string{
		`"messages":[{"role":"user","content":"Hello!"}]`,
		`"system":"Be brief.","temperature":0.5,"stop_sequences":["said"],"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]`,
		tools + `,"messages":[{"role":"user","content":"call weather and time"}]`,
		tools + `,"tool_choice":{"type":"tool","name":"time"},"messages":[{"role":"user","content":"now"}]`,
		tools + `,"messages":[{"role":"user","content":"go"},` + call + `,{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"rain"}]}]}]`,
		`"thinking":{"type":"enabled","budget_tokens":1024},"messages":[{"role":"user","content":"think"}]`,
		`"system":[{"type":"text","text":"long prompt","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"cached"}]`,
	} {
		for _, stream := range []bool{false, true} {
			own, core := answer("claude", body, stream), answer("bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0", body, stream)
			for name := range own {
				if name == "usage" { // counted alike, but a cache is read the second time
					continue
				}
				if !reflect.DeepEqual(own[name], core[name]) {
					t.Errorf("%s, stream %v: %s is\n%v\nin its own words, and through the core\n%v", body, stream, name, own[name], core[name])
				}
			}
		}
	}
}

// assembled puts a streamed message together as Anthropic's clients do, and holds its events to their order.
func assembled(t *testing.T, text string) map[string]any {
	t.Helper()
	var message map[string]any
	var content []map[string]any
	open := -1
	done := false
	for event := range strings.SplitSeq(strings.TrimSuffix(text, "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(strings.TrimPrefix(event, "event: "), "\ndata: ")
		if !ok {
			t.Fatalf("not an event: %q", event)
		}
		var e struct {
			Type    string
			Index   int
			Message map[string]any
			Block   map[string]any `json:"content_block"`
			Delta   map[string]any
			Usage   map[string]any
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil || e.Type != name {
			t.Fatalf("%q: %v", event, err)
		}
		if done || (message == nil) != (name == "message_start") && name != "ping" {
			t.Fatalf("%s is out of order in %s", name, text)
		}
		switch name {
		case "message_start":
			message = e.Message
			delete(message, "model")
		case "content_block_start":
			if open >= 0 || e.Index != len(content) {
				t.Fatalf("block %d begins while %d is open in %s", e.Index, open, text)
			}
			open = e.Index
			content = append(content, e.Block)
		case "content_block_delta":
			if open != e.Index {
				t.Fatalf("a delta of block %d while %d is open in %s", e.Index, open, text)
			}
			block := content[open]
			for from, to := range map[string]string{"text": "text", "thinking": "thinking", "signature": "signature", "partial_json": "json"} {
				if piece, ok := e.Delta[from].(string); ok {
					before, _ := block[to].(string)
					block[to] = before + piece
				}
			}
		case "content_block_stop":
			if open != e.Index {
				t.Fatalf("block %d ends while %d is open in %s", e.Index, open, text)
			}
			open = -1
		case "message_delta":
			for k, v := range e.Delta {
				message[k] = v
			}
			message["usage"] = e.Usage
		case "message_stop":
			done = true
		}
	}
	if !done {
		t.Fatalf("the stream has no end: %s", text)
	}
	for _, block := range content {
		if text, ok := block["json"].(string); ok {
			var input any
			if text == "" {
				text = "{}"
			}
			if err := json.Unmarshal([]byte(text), &input); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			block["input"] = input
			delete(block, "json")
		}
	}
	message["content"] = content
	return message
}

// TestMessagesGrowAtTheirEnd sends conversations turn by turn: what AWS gets for one turn begins what it gets for the next.
func TestMessagesGrowAtTheirEnd(t *testing.T) {
	got := make(chan []byte, 1)
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- body
		if strings.HasSuffix(r.URL.Path, "/invoke") {
			_, _ = io.WriteString(w, `{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`)
			return
		}
		_, _ = io.WriteString(w, plainAnswer)
	}))
	t.Cleanup(aws.Close)
	turns := []string{
		`{"role":"user","content":[{"type":"text","text":"<reminder>"},{"type":"text","text":"read","cache_control":{"type":"ephemeral"}}]}`,
		`{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"U0lH"},{"type":"text","text":"I read."},{"type":"tool_use","id":"toolu_1","name":"Read","input":{"b":1, "a":2}},{"type":"tool_use","id":"toolu_2","name":"Read","input":{}}]}`,
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"one"},{"type":"tool_result","tool_use_id":"toolu_2","content":[{"type":"text","text":"two"}],"is_error":true},{"type":"text","text":"go on"}]}`,
		`{"role":"assistant","content":"done"}`,
		`{"role":"user","content":"thanks"}`,
		`{"role":"assistant","content":[{"type":"text","text":"you are welcome"}]}`,
		`{"role":"user","content":"bye"}`,
	}
	for _, model := range []string{"us.anthropic.claude-sonnet-4-5-20250929-v1:0", "converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.amazon.nova-pro-v1:0", "openai.gpt-oss-120b-1:0"} {
		g := newRig(t, goldenConfig(map[string]string{"params": "model: bedrock/" + model + "\n"}, aws.URL), nil)
		last := ""
		for n := 1; n <= len(turns); n += 2 {
			body := `{"model":"sonnet","max_tokens":100,"tools":[{"name":"Read","input_schema":{"type":"object"}}],"messages":[` + strings.Join(turns[:n], ",") + `]}`
			if resp, answer := g.message(body); resp.StatusCode != 200 {
				t.Fatalf("%s: %d %s", model, resp.StatusCode, answer)
			}
			var sent struct{ Messages json.RawMessage }
			if err := json.Unmarshal(<-got, &sent); err != nil {
				t.Fatal(err)
			}
			text := strings.TrimSuffix(strings.TrimSuffix(string(sent.Messages), "]"), "}")
			text = strings.TrimSuffix(text, "]")
			if !strings.HasPrefix(text, last) {
				t.Errorf("%s, turn %d:\n%s\ndoes not begin with\n%s", model, n, text, last)
			}
			last = text
		}
	}
}

func TestParametersAreDroppedOnThisRouteToo(t *testing.T) {
	g := newListener(t, "us.anthropic.claude-sonnet-4-5-20250929-v1:0")
	g.plain = `{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`
	f := func(members, absent, loss string) {
		t.Helper()
		resp, body := g.message(`{"model":"sonnet","max_tokens":2000,"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}],` + members + `}`)
		if resp.StatusCode != 200 || strings.Contains(g.sent, absent) || !strings.Contains(resp.Header.Get("X-Outcrop-Loss"), loss) {
			t.Errorf("%s: %d %s, AWS got %s, lost %s", members, resp.StatusCode, body, g.sent, resp.Header.Get("X-Outcrop-Loss"))
		}
	}
	f(`"thinking":{"type":"enabled","budget_tokens":1024},"additional_drop_params":["thinking"]`, "thinking", "thinking;why=dropped")
	f(`"temperature":0.5,"additional_drop_params":["temperature"]`, "temperature", "temperature;why=dropped")
	f(`"additional_drop_params":["messages[*].content[*].cache_control"]`, "cache_control", "messages[*].content[*].cache_control;why=dropped")
	f(`"tools":[{"name":"f","input_schema":{"type":"object"},"strict":true}],"additional_drop_params":["tools[*].strict"]`, "strict", "tools[*].strict;why=dropped")
	f(`"mcp_servers":[{"url":"https://x"}],"drop_params":true`, "mcp_servers", "mcp_servers;why=unsupported")
	f(`"tools":[{"type":"web_search_20250305","name":"web_search"}],"drop_params":true`, "web_search", "tools[0];why=unsupported")
}

// TestAFallbackHearsTheCore sends a call on to a model of another family when Claude fails.
func TestAFallbackHearsTheCore(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	g := newRig(t, strings.Replace(simConfig(url, withKey), "model_list:\n", "router_settings:\n  fallbacks: [{claude: [bedrock/us.amazon.nova-pro-v1:0]}]\nmodel_list:\n", 1), nil)
	for _, stream := range []string{"", `"stream":true,`} {
		resp, body := g.message(`{"model":"claude","max_tokens":20,` + stream + `"mock_testing_fallbacks":true,"messages":[{"role":"user","content":"Hello!"}]}`)
		if resp.StatusCode != 200 || resp.Header.Get("X-Litellm-Model-Group") == "" || !strings.Contains(body, "You said: Hello!") && stream == "" {
			t.Errorf("%d %s %v", resp.StatusCode, body, resp.Header)
		}
		if stream != "" {
			assembled(t, body)
		}
	}
	if record := g.books.next(t); record.Type != "anthropic_messages" {
		t.Errorf("booked as %s", record.Type)
	}
}

// TestFlagsThatAWSRefusesAreRemembered sends what a newer client sends: the first call is made twice, the next ones once.
func TestFlagsThatAWSRefusesAreRemembered(t *testing.T) {
	calls := make(chan string, 8)
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		calls <- string(body)
		if strings.Contains(string(body), "brand-new") {
			w.Header().Set("X-Amzn-Errortype", "ValidationException")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"message":"invalid beta flag"}`)
			return
		}
		_, _ = io.WriteString(w, `{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`)
	}))
	t.Cleanup(aws.Close)
	g := newRig(t, goldenConfig(map[string]string{"params": "model: bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0\n"}, aws.URL), nil)
	header := anthropicHeader()
	header.Set("Anthropic-Beta", "interleaved-thinking-2025-05-14,brand-new-2026-01-01,brand-newer-2026-02-02")
	for i, want := range []int{2, 1, 1} {
		resp, body := g.send(http.MethodPost, "/v1/messages", `{"model":"sonnet","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, header)
		if loss := resp.Header.Get("X-Outcrop-Loss"); resp.StatusCode != 200 || !strings.Contains(loss, "anthropic_beta.brand-new-2026-01-01;why=refused") || !strings.Contains(loss, "anthropic_beta.brand-newer-2026-02-02;why=refused") {
			t.Errorf("call %d: %d %s %s", i, resp.StatusCode, body, loss)
		}
		if len(calls) != want {
			t.Errorf("call %d was made %d times", i, len(calls))
		}
		for len(calls) > 0 {
			if sent := <-calls; !strings.Contains(sent, "interleaved-thinking-2025-05-14") {
				t.Errorf("AWS got %s", sent)
			}
		}
	}
}
