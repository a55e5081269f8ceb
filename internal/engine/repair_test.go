package engine

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

func refusal(message string) *llm.Error {
	return &llm.Error{Kind: llm.KindInvalid, AWSType: "ValidationException", Message: message}
}

func TestWhatARequestCanDoWithout(t *testing.T) {
	f := func(members, message string, losses ...string) {
		t.Helper()
		r := decoded(t, `{"model":"m","messages":[{"role":"user","content":"hi"}],`+members+`}`)
		before, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		m := mended(r, refusal(message))
		var got []string
		if m != nil {
			for _, l := range m.Losses {
				got = append(got, l.Path+"="+l.Why)
			}
		}
		if !slices.Equal(got, losses) || (m == nil) != (len(losses) == 0) {
			t.Errorf("%s, %q: %v, want %v", members, message, got, losses)
		}
		if after, err := json.Marshal(r); err != nil || string(after) != string(before) {
			t.Errorf("%s: the request was changed\nfrom %s\nto   %s", members, before, after)
		}
	}
	const (
		betas  = `"anthropic_beta":["a-2025-01-01","b-2025-01-01"]`
		fields = `"additionalModelRequestFields":{"x":1, "anthropic_beta" : [ "c-2025-01-01" ]}`
		tools  = `"tools":[{"type":"function","function":{"name":"f","strict":true}},{"type":"function","function":{"name":"g"}},{"type":"function","function":{"name":"h","strict":true}}]`
		format = `"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}`
	)
	f(betas, "invalid beta: a-2025-01-01", "anthropic_beta.a-2025-01-01=refused")
	f(betas, "unknown: b-2025-01-01, a-2025-01-01", "anthropic_beta.a-2025-01-01=refused", "anthropic_beta.b-2025-01-01=refused")
	f(betas+","+fields, "unsupported flag c-2025-01-01", "anthropic_beta.c-2025-01-01=refused")
	f(betas, "invalid beta flag", "anthropic_beta.a-2025-01-01=refused", "anthropic_beta.b-2025-01-01=refused") // which is not said, and nobody knows either
	f(`"anthropic_beta":["interleaved-thinking-2025-05-14","b-2025-01-01"]`, "invalid beta flag", "anthropic_beta.b-2025-01-01=refused")
	f(`"anthropic_beta":["interleaved-thinking-2025-05-14","effort-2025-11-24"]`, "invalid beta flag")
	f(fields, "invalid beta flag", "anthropic_beta.c-2025-01-01=refused")
	f(tools, "tools.0.custom.strict: Extra inputs are not permitted", "tools[0].function.strict=refused", "tools[2].function.strict=refused")
	f(format, "Schema is too complex", "response_format=refused")
	f(`"response_format":{"type":"json_object"}`, "Schema is too complex")
	f(format+","+tools, "Schema is too complex", "response_format=refused")
	f(format+","+tools+","+betas, "strict is not supported, and a-2025-01-01 is not either", "anthropic_beta.a-2025-01-01=refused", "tools[0].function.strict=refused", "tools[2].function.strict=refused")
	f(tools+","+betas+","+format, "something else")
	f(`"temperature":1`, "Schema is too complex")
}

// What one request has mended is there for the next: a deployment's defaults are shared.
func TestMendingLeavesTheDeploymentAlone(t *testing.T) {
	defaults := decoded(t, `{"model":"m","messages":[{"role":"user","content":"x"}],"anthropic_beta":["a-2025-01-01","b-2025-01-01"],
		"additionalModelRequestFields":{"anthropic_beta":["c-2025-01-01"]},"tools":[{"type":"function","function":{"name":"f","strict":true}}]}`)
	var mu sync.Mutex
	var refused int
	e := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		if body := string(data); strings.Contains(body, "c-2025-01-01") && strings.Contains(body, `"strict":true`) {
			mu.Lock()
			refused++
			mu.Unlock()
			w.Header().Set("X-Amzn-Errortype", "ValidationException")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"message":"not supported: strict, c-2025-01-01"}`))
			return
		}
		answer(plainAnswer)(w, r)
	}, &router.Deployment{Group: "m", Model: "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", Defaults: defaults})
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			call := said("m", "hi")
			if _, failed := e.Chat(t.Context(), call); failed != nil || len(call.Request.Losses) != 2 {
				t.Errorf("%+v, %v", failed, call.Request.Losses)
			}
		}()
	}
	wg.Wait()
	if refused != 8 {
		t.Errorf("%d calls were refused: something was taken from the deployment", refused)
	}
}

// The address of the endpoint is told only where everybody knows it.
func TestWhichEndpointsAreTold(t *testing.T) {
	f := func(address, want string) {
		t.Helper()
		e := newBench(t, nil, &router.Deployment{Group: "m", Model: nova})
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		e.link.endpoint = *u
		call := said("m", "hi")
		if _, failed := e.Explain(t.Context(), call); failed != nil {
			t.Fatal(failed)
		}
		if call.Endpoint != want {
			t.Errorf("%s: %q", address, call.Endpoint)
		}
	}
	f("https://bedrock-runtime.us-east-1.amazonaws.com", "https://bedrock-runtime.us-east-1.amazonaws.com")
	f("https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn")
	f("https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com", "")
	f("http://10.0.0.7:8080", "")
	f("https://proxy.corp/bedrock", "")
}

// Each part of a call mends its own copy of the request; the race detector sees to it.
func TestPartsAreMendedSideBySide(t *testing.T) {
	e := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		if strings.Contains(string(data), "a-2025-01-01") {
			w.Header().Set("X-Amzn-Errortype", "ValidationException")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"message":"unknown flag a-2025-01-01"}`))
			return
		}
		eventStream(w, r)
		frames(t, w, started, spoke, stopped, counted)
	}, &router.Deployment{Group: "m", Model: claude, Policy: llm.Policy{Drop: true}})
	for _, call := range []*Call{asks(8), prompts(16)} {
		call.Request.Stream, call.Request.Betas = true, []string{"a-2025-01-01", "b-2025-01-01"}
		call.Request.Params = []llm.Field{{Name: "seed", Value: []byte("1")}}
		s, failed := e.ChatStream(t.Context(), call)
		if failed != nil {
			t.Fatal(failed)
		}
		var err error
		for err == nil {
			_, err = s.Next()
		}
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		want := []llm.Loss{{Path: "anthropic_beta.a-2025-01-01", Why: "refused"}, {Path: "seed", Why: "unsupported"}}
		got := slices.SortedFunc(slices.Values(call.Request.Losses), func(a, b llm.Loss) int { return strings.Compare(a.Path, b.Path) })
		if !slices.Equal(got, want) { // the second call knows the flag from the first
			t.Errorf("%v", got)
		}
	}
}
