package engine

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// decoded is a request as a client writes it.
func decoded(t *testing.T, body string) *llm.Request {
	t.Helper()
	r, _, err := openai.DecodeChat([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return r
}

// sent is the body that goes to AWS.
func sent(t *testing.T, e *bench, call *Call) string {
	t.Helper()
	x, failed := e.Explain(t.Context(), call)
	if failed != nil {
		t.Fatalf("%+v", failed)
	}
	return string(x.Body)
}

func TestParametersAreRemovedByTheirPath(t *testing.T) {
	const tool = `"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","x":{"y":1,"z":2}},"strict":true}},{"type":"function","function":{"name":"g"}}]`
	f := func(member, path string, lost bool, without string) {
		t.Helper()
		r := decoded(t, `{"model":"m","messages":[{"role":"user","content":"hi"}],`+member+`}`)
		removed := Remove(r, path)
		named := slices.Contains(r.Losses, llm.Loss{Path: path, Why: "dropped"})
		if removed != lost || named != lost {
			t.Errorf("%s: removed %v, named %v", path, removed, named)
		}
		e := newBench(t, nil, &router.Deployment{Group: "m", Model: claude, Policy: llm.Policy{Drop: true}})
		call := said("m", "hi")
		call.Request = r
		if body := sent(t, e, call); without != "" && strings.Contains(body, without) {
			t.Errorf("%s: %s is still in %s", path, without, body)
		}
	}
	f(`"temperature":0.5`, "temperature", true, "temperature")
	f(`"top_p":0.5`, "top_p", true, "topP")
	f(`"top_k":5`, "top_k", true, "top_k")
	f(`"max_tokens":5`, "max_completion_tokens", true, "maxTokens")
	f(`"n":2`, "n", true, "")
	f(`"stop":"x"`, "stop", true, "stopSequences")
	f(tool, "tools", true, "toolConfig")
	f(tool+`,"tool_choice":"required"`, "tool_choice", true, "toolChoice")
	f(tool+`,"parallel_tool_calls":false`, "parallel_tool_calls", true, "disable_parallel")
	f(tool, "tools[*].function.strict", true, "strict")
	f(tool, "tools[*].function.description", true, `"description":"d"`)
	f(tool, "tools[*].function.parameters.x.y", true, `"y"`)
	f(tool, "tools[*].function.parameters", true, `"x"`)
	f(tool, "tools.function.strict", false, "")
	f(`"response_format":{"type":"json_schema","json_schema":{"name":"n","description":"dd","schema":{"type":"object","q":1}}}`, "response_format", true, "json_tool_call")
	f(`"response_format":{"type":"json_schema","json_schema":{"name":"n","description":"dd","schema":{"type":"object","q":1}}}`, "response_format.json_schema.schema.q", true, `"q"`)
	f(`"response_format":{"type":"json_schema","json_schema":{"name":"n","description":"dd","schema":{"type":"object","q":1}}}`, "response_format.json_schema.description", true, "dd")
	f(`"reasoning_effort":"low"`, "reasoning_effort", true, "thinking")
	f(`"thinking":{"type":"enabled","budget_tokens":1024}`, "thinking", true, "thinking")
	f(`"service_tier":"flex"`, "service_tier", true, "serviceTier")
	f(`"requestMetadata":{"a":"b"}`, "requestMetadata", true, "requestMetadata")
	f(`"performanceConfig":{"latency":"optimized"}`, "performanceConfig", true, "performanceConfig")
	f(`"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1","trace":"enabled"}`, "guardrailConfig.trace", true, "trace")
	f(`"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1"}`, "guardrailConfig", true, "guardrail")
	f(`"anthropic_beta":["output-128k-2025-02-19"]`, "anthropic_beta", true, "anthropic_beta")
	f(`"foo":{"bar":1,"baz":2}`, "foo.bar", true, "bar")
	f(`"foo":1`, "foo", true, "foo")
	f(`"seed":1`, "seed", true, "seed")
	f(`"foo":1`, "nothing", false, "")
	f(`"foo":1`, "", false, "")
	f(`"foo":1`, "..[]", false, "")
	f(`"foo":1`, "tools[*]", false, "")
	f(`"foo":1`, "response_format.type", false, "")
}

func TestDefaultsAndRulesOfADeployment(t *testing.T) {
	defaults := decoded(t, `{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":0.1,"max_tokens":9,"foo":1,
		"tools":[{"type":"function","function":{"name":"f","strict":true}}],"requestMetadata":{"a":"config","b":"config"}}`)
	before, err := json.Marshal(defaults.Tools)
	if err != nil {
		t.Fatal(err)
	}
	e := newBench(t, nil, &router.Deployment{Group: "m", Model: nova, Defaults: defaults, Remove: []string{"tools[*].function.strict", "max_tokens"}})
	for range 2 { // what one request has removed is there for the next
		call := said("m", "hi")
		call.Request = decoded(t, `{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0.9,"requestMetadata":{"a":"client"}}`)
		got := sent(t, e, call)
		want := `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"temperature":0.9},` +
			`"toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]},` +
			`"additionalModelRequestFields":{"foo":1},"requestMetadata":{"a":"client","b":"config"}}`
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if after, err := json.Marshal(defaults.Tools); err != nil || string(after) != string(before) || defaults.MaxTokens == nil || len(defaults.Losses) != 0 {
		t.Errorf("the deployment's defaults were changed: %s, %+v", after, defaults)
	}
}

// TestADeploymentIsSharedByItsCalls runs calls side by side that each change what the deployment gave them: under the race
// detector a write to the deployment's own defaults would show.
func TestADeploymentIsSharedByItsCalls(t *testing.T) {
	defaults := decoded(t, `{"model":"m","messages":[{"role":"user","content":"x"}],"foo":{"bar":1,"baz":2},"seed":1,"stop":["a"],"anthropic_beta":["one"],
		"response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d","schema":{"type":"object","q":1}}},"requestMetadata":{"a":"b"},
		"tools":[{"type":"function","function":{"name":"f","description":"d","strict":true,"parameters":{"type":"object","q":1}},"cache_control":{"type":"ephemeral"}}]}`)
	e := newBench(t, nil, &router.Deployment{Group: "m", Model: claude, Policy: llm.Policy{Drop: true}, Defaults: defaults, Remove: []string{
		"foo.bar", "tools[*].function.strict", "tools[*].function.parameters.q", "response_format.json_schema.schema.q", "tools[*].cache_control",
	}})
	bodies := make([]string, 32)
	var wg sync.WaitGroup
	for i := range bodies {
		wg.Add(1)
		go func() {
			defer wg.Done()
			call := said("m", "hi")
			call.Remove = []string{"seed", "tools[*].function.description"}
			call.Request.Metadata = []llm.Pair{{Key: "c", Value: "d"}}
			if x, failed := e.Explain(t.Context(), call); failed == nil {
				bodies[i] = string(x.Body)
			}
		}()
	}
	wg.Wait()
	for _, body := range bodies {
		if body != bodies[0] || body == "" || strings.Contains(body, `"q"`) || strings.Contains(body, "strict") || !strings.Contains(body, `"foo":{"baz":2}`) {
			t.Fatalf("%s\nis not\n%s", body, bodies[0])
		}
	}
}

func TestALockedGuardrailStays(t *testing.T) {
	defaults := &llm.Request{Guardrail: []byte(`{"guardrailIdentifier":"strong","guardrailVersion":"1"}`)}
	f := func(locked bool, want string) {
		t.Helper()
		e := newBench(t, nil, &router.Deployment{Group: "m", Model: nova, Defaults: defaults, GuardrailLocked: locked})
		call := said("m", "hi")
		call.Request.Guardrail = []byte(`{"guardrailIdentifier":"weak","guardrailVersion":"1"}`)
		if body := sent(t, e, call); !strings.Contains(body, want) {
			t.Errorf("locked %v: %s", locked, body)
		}
		if named := slices.Contains(call.Request.Losses, llm.Loss{Path: "guardrailConfig", Why: "locked"}); named != locked {
			t.Errorf("locked %v: named %v", locked, named)
		}
	}
	f(true, "strong")
	f(false, "weak")
}

func TestTheRequestsOwnWordOnDroppingWins(t *testing.T) {
	f := func(deployment bool, request *bool, sends bool) {
		t.Helper()
		e := newBench(t, nil, &router.Deployment{Group: "m", Model: nova, Policy: llm.Policy{Drop: deployment}})
		call := said("m", "hi")
		call.Drop = request
		call.Request.Params = []llm.Field{{Name: "seed", Value: []byte("1")}}
		if _, failed := e.Explain(t.Context(), call); (failed == nil) != sends {
			t.Errorf("deployment %v, request %v: %+v", deployment, request, failed)
		}
	}
	yes, no := true, false
	f(false, nil, false)
	f(true, nil, true)
	f(true, &no, false)
	f(false, &yes, true)
}

func TestHeadersGoUpOnlyWhereTheyMay(t *testing.T) {
	f := func(forward bool) {
		t.Helper()
		got := make(chan http.Header, 1)
		e := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			got <- r.Header.Clone()
			answer(plainAnswer)(w, r)
		}, &router.Deployment{Group: "m", Model: nova, ForwardHeaders: forward})
		call := said("m", "hi")
		call.Header = http.Header{"X-Custom": {"1"}, "Authorization": {"Bearer client"}, "X-Api-Key": {"client"}, "Cookie": {"c"}}
		if _, failed := e.Chat(t.Context(), call); failed != nil {
			t.Fatal(failed)
		}
		h := <-got
		if (h.Get("X-Custom") == "1") != forward || h.Get("Authorization") != "" || h.Get("X-Api-Key") != "" || h.Get("Cookie") != "" {
			t.Errorf("forward %v: %v", forward, h)
		}
	}
	f(true)
	f(false)
}
