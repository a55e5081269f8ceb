package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/responses"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
)

// responsesRig is a gateway whose upstream remembers what it was sent.
func responsesRig(t *testing.T) *listener {
	t.Helper()
	g := newListener(t, "us.anthropic.claude-3-7-sonnet-20250219-v1:0")
	g.path = "/v1/responses"
	return g
}

// respond sends a request and returns the response's id.
func (g *listener) respond(t *testing.T, body string) string {
	t.Helper()
	resp, answer := g.post(g.path, body)
	var r struct{ ID, Object string }
	if err := json.Unmarshal([]byte(answer), &r); err != nil || resp.StatusCode != http.StatusOK || r.Object != "response" || !strings.HasPrefix(r.ID, "resp_") {
		t.Fatalf("%d %s", resp.StatusCode, answer)
	}
	return r.ID
}

// TestAResponseGoesOnFromThePreviousOne: the conversation before it is sent again, reasoning signed, instructions of its own.
func TestAResponseGoesOnFromThePreviousOne(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := responsesRig(t)
		g.server.Responses = store
		g.plain = `{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"Hm.","signature":"sig-2"}}},{"text":"one"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}`
		first := g.respond(t, `{"model":"sonnet","input":"a","instructions":"first","reasoning":{"effort":"low"}}`)
		second := g.respond(t, `{"model":"sonnet","input":[{"role":"user","content":"b"}],"previous_response_id":"`+first+`","instructions":"second","reasoning":{"effort":"low"}}`)
		want := `{"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"Hm.","signature":"sig-2"}}},{"text":"one"}]},{"role":"user","content":[{"text":"b"}]}],"system":[{"text":"second"}]`
		if !strings.HasPrefix(g.sent, want) {
			t.Errorf("AWS got %s", g.sent)
		}
		g.respond(t, `{"model":"sonnet","input":"c","previous_response_id":"`+second+`","store":false}`)
		if strings.Count(g.sent, `"role"`) != 5 || strings.Contains(g.sent, "system") {
			t.Errorf("AWS got %s", g.sent)
		}
		// A stream is kept before it has ended.
		resp, events := g.post(g.path, `{"model":"sonnet","input":"d","stream":true}`)
		if resp.StatusCode != http.StatusOK {
			t.Fatal(events)
		}
		_, last, _ := strings.Cut(events, `event: response.completed`)
		_, id, _ := strings.Cut(last, `"id":"`)
		id, _, _ = strings.Cut(id, `"`)
		g.respond(t, `{"model":"sonnet","input":"e","previous_response_id":"`+id+`"}`)
		if !strings.HasPrefix(g.sent, `{"messages":[{"role":"user","content":[{"text":"d"}]},{"role":"assistant","content":[{"text":"ok"}]},{"role":"user","content":[{"text":"e"}]}]`) {
			t.Errorf("AWS got %s", g.sent)
		}
	})
}

// TestResponsesAreKeptForTheirKey: what was kept can be read, listed and deleted; what was not kept is not there.
func TestResponsesAreKeptForTheirKey(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := responsesRig(t)
		g.server.Responses = store
		id := g.respond(t, `{"model":"sonnet","input":[{"role":"user","content":"a"},{"type":"message","id":"msg_own","role":"user","content":[{"type":"input_text","text":"b"}]},{"role":"assistant","content":"c"},{"role":"user","content":"d"}]}`)
		f := func(method, path string, status int, evidence string) string {
			t.Helper()
			resp, body := g.send(method, path, "", bearer(testKey))
			if resp.StatusCode != status || !strings.Contains(body, evidence) {
				t.Errorf("%s %s: %d %s", method, path, resp.StatusCode, body)
			}
			return body
		}
		f(http.MethodGet, "/v1/responses/"+id, 200, `"output":[{"id":"msg_`)
		f(http.MethodGet, "/openai/v1/responses/"+id+"?include=reasoning.encrypted_content", 200, `"id":"`+id+`"`)
		f(http.MethodGet, "/v1/responses/"+id+"?stream=true", 400, `"param":"stream"`)
		f(http.MethodPost, "/v1/responses/"+id+"/cancel", 400, "Only responses that are made in the background can be cancelled")

		var list struct {
			Object  string
			Data    []struct{ ID, Type, Role string }
			FirstID string `json:"first_id"`
			LastID  string `json:"last_id"`
			HasMore bool   `json:"has_more"`
		}
		read := func(query string) {
			t.Helper()
			list.Data = nil
			body := f(http.MethodGet, "/v1/responses/"+id+"/input_items"+query, 200, `"object":"list"`)
			if err := json.Unmarshal([]byte(body), &list); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
		}
		read("")
		if len(list.Data) != 4 || list.Data[2].ID != "msg_own" || list.Data[1].Role != "assistant" || list.Data[0].Type != "message" || list.HasMore || list.FirstID != list.Data[0].ID {
			t.Errorf("%+v", list)
		}
		read("?order=asc&limit=2")
		if len(list.Data) != 2 || list.LastID != "msg_own" || !list.HasMore {
			t.Errorf("%+v", list)
		}
		read("?order=asc&after=msg_own")
		if len(list.Data) != 2 || list.HasMore {
			t.Errorf("%+v", list)
		}
		f(http.MethodGet, "/v1/responses/"+id+"/input_items?after=none", 400, `"param":"after"`)
		f(http.MethodGet, "/v1/responses/"+id+"/input_items?limit=0", 400, `"param":"limit"`)
		f(http.MethodGet, "/v1/responses/"+id+"/input_items?order=up", 400, `"param":"order"`)
		f(http.MethodGet, "/v1/responses/resp_none", 404, `"code":"response_not_found"`)
		f(http.MethodGet, "/v1/responses/resp_none/input_items", 404, `"code":"response_not_found"`)
		f(http.MethodPost, "/v1/responses/resp_none/cancel", 404, `"code":"response_not_found"`)
		f(http.MethodPut, "/v1/responses/"+id, 405, "method_not_allowed")
		f(http.MethodDelete, "/v1/responses/"+id, 200, `{"id":"`+id+`","object":"response","deleted":true}`)
		f(http.MethodDelete, "/v1/responses/"+id, 404, `"code":"response_not_found"`)
		f(http.MethodGet, "/v1/responses/"+id, 404, `"code":"response_not_found"`)
		if resp, body := g.post(g.path, `{"model":"sonnet","input":"b","previous_response_id":"`+id+`"}`); resp.StatusCode != 400 || !strings.Contains(body, "previous_response_not_found") {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
		f(http.MethodGet, "/v1/responses/"+g.respond(t, `{"model":"sonnet","input":"a","store":false}`), 404, "not found")
	})
}

// others has every response belong to somebody else, broken fails.
type others struct{ *responses.Memory }

func (o others) PutResponse(ctx context.Context, r *responses.Response) error {
	r.Owner = "somebody else"
	return o.Memory.PutResponse(ctx, r)
}

type broken struct{}

var errBroken = errors.New("disk full")

func (broken) PutResponse(context.Context, *responses.Response) error { return errBroken }
func (broken) Response(context.Context, string, string) (*responses.Response, error) {
	return nil, errBroken
}

func (broken) DeleteResponse(context.Context, string, string) (bool, error) { return false, errBroken }

// TestAnotherKeysResponseIsNotThere: whose it is makes no difference that can be seen.
func TestAnotherKeysResponseIsNotThere(t *testing.T) {
	g := responsesRig(t)
	g.server.Responses = others{responses.NewMemory()}
	id := g.respond(t, `{"model":"sonnet","input":"a"}`)
	for _, r := range [][2]string{{http.MethodGet, ""}, {http.MethodGet, "/input_items"}, {http.MethodPost, "/cancel"}, {http.MethodDelete, ""}} {
		resp, body := g.send(r[0], "/v1/responses/"+id+r[1], "", bearer(testKey))
		want := `{"error":{"message":"Response with id '` + id + `' not found.","type":"not_found_error","param":"response_id","code":"response_not_found"}}`
		if resp.StatusCode != 404 || body != want {
			t.Errorf("%s %s: %d %s", r[0], r[1], resp.StatusCode, body)
		}
	}
	if resp, body := g.post(g.path, `{"model":"sonnet","input":"b","previous_response_id":"`+id+`"}`); resp.StatusCode != 400 || !strings.Contains(body, "not found") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestAStoreThatFailsSaysSo: an answer is given all the same, what needs the store is a 503.
func TestAStoreThatFailsSaysSo(t *testing.T) {
	g := responsesRig(t)
	g.server.Responses = broken{}
	id := g.respond(t, `{"model":"sonnet","input":"a"}`)
	if !strings.Contains(g.logs.String(), "a response could not be kept") {
		t.Error("the log says nothing")
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if resp, body := g.send(method, "/v1/responses/"+id, "", bearer(testKey)); resp.StatusCode != 503 || !strings.Contains(body, "store_unavailable") || strings.Contains(body, "disk") {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
	if resp, body := g.post(g.path, `{"model":"sonnet","input":"b","previous_response_id":"resp_1"}`); resp.StatusCode != 503 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestResponsesAreBooked: as calls of their own type, with cost, retries and fallbacks like any other.
func TestResponsesAreBooked(t *testing.T) {
	aws := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": throttles, "b": works})
	g := newRig(t, routes(aws.url, "  fallbacks: [{first: [second]}]\n", "first a", "second b"), nil)
	resp, body := g.post("/v1/responses", `{"model":"first","input":"hi","user":"ann"}`)
	if resp.StatusCode != 200 || aws.asked() != "a a a b" || resp.Header.Get("X-Litellm-Response-Cost") == "" {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	r := g.books.next(t)
	if r.Type != "aresponses" || r.Path != "/v1/responses" || !r.CostKnown || r.Usage.Input != 1 || r.User != "ann" || !strings.HasPrefix(r.RequestID, "resp_") || r.Group != "second" {
		t.Errorf("%+v", r)
	}
	if resp, _ := g.send(http.MethodPost, "/v1/responses", `{"model":"first","input":"hi"}`, bearer("wrong")); resp.StatusCode != 401 {
		t.Error(resp.StatusCode)
	}
	if resp, body := g.post("/openai/deployments/second/responses", `{"input":"hi"}`); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestAClientThatLeavesAResponseIsBooked: the upstream call ends with it.
func TestAClientThatLeavesAResponseIsBooked(t *testing.T) {
	g := responsesRig(t)
	hold := make(chan struct{})
	aws := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		writeFrames(t, w, "messageStart {\"role\":\"assistant\"}\ncontentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\"ok\"}}\n")
		_ = http.NewResponseController(w).Flush()
		<-hold
	}})
	defer close(hold)
	g.rig = newRig(t, routes(aws.url, "", "first a"), nil)
	ctx, leave := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+"/v1/responses", strings.NewReader(`{"model":"first","input":"hi","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = bearer(testKey)
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	leave()
	_ = resp.Body.Close()
	if record := g.books.next(t); !record.ClientClosed || record.Type != "aresponses" {
		t.Errorf("%+v", record)
	}
}

// TestRowsHaveTheIDOfTheAnswer, as the client got it: it is what rows are looked for by.
func TestRowsHaveTheIDOfTheAnswer(t *testing.T) {
	aws := newBedrocks(t, map[string]func(http.ResponseWriter, string){"m": works})
	g := newRig(t, routes(aws.url, "", "m m"), nil)
	for path, body := range map[string]string{
		"/v1/chat/completions": fmt.Sprintf(sayHi, ""),
		"/v1/completions":      `{"model":"m","prompt":"hi"}`,
		"/v1/messages":         `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`,
		"/v1/responses":        `{"model":"m","input":"hi"}`,
	} {
		var answer struct{ ID string }
		if _, body := g.post(path, body); json.Unmarshal([]byte(body), &answer) != nil || answer.ID == "" {
			t.Fatalf("%s: %s", path, body)
		}
		if r := g.books.next(t); r.RequestID != answer.ID {
			t.Errorf("%s: the row has %q, the answer %q", path, r.RequestID, answer.ID)
		}
	}
}

// Claude's own answers bring an id of their own, which the client gets.
func TestRowsHaveTheIDOfClaudesOwnAnswer(t *testing.T) {
	g := newListener(t, "us.anthropic.claude-opus-4-5-20251101-v1:0")
	g.plain = `{"id":"msg_bdrk_1","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}`
	g.stream = `chunk {"type":"message_start","message":{"id":"msg_bdrk_2","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"usage":{"input_tokens":1,"output_tokens":1}}}
chunk {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}
chunk {"type":"message_stop"}
`
	for id, more := range map[string]string{"msg_bdrk_1": "", "msg_bdrk_2": `,"stream":true`} {
		_, body := g.send(http.MethodPost, "/v1/messages", `{"model":"sonnet","max_tokens":9,"messages":[{"role":"user","content":"hi"}]`+more+`}`, anthropicHeader())
		if r := g.books.next(t); r.RequestID != id || !strings.Contains(body, `"id":"`+id+`"`) {
			t.Errorf("the row has %q, the answer is %s", r.RequestID, body)
		}
	}
}
