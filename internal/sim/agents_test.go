package sim

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

func TestGuardrailsAlone(t *testing.T) {
	b := open(t)
	apply := func(text string) tree {
		t.Helper()
		r := b.send(b.request(http.MethodPost, "/guardrail/gr-1/version/DRAFT/apply", `{"source":"INPUT","content":[{"text":{"text":"`+text+`"}}]}`))
		equal(t, r.status, 200)
		return r.tree(t)
	}
	equal(t, apply("hello").at("action"), any("NONE"))
	equal(t, apply(strings.Repeat("x", 1001)).at("usage.contentPolicyUnits"), any(2.0))
	equal(t, apply("[[guardrail]]").at("action"), any("GUARDRAIL_INTERVENED"))
	r := b.send(b.request(http.MethodPost, "/guardrail-checks/invoke", `{"messages":[{"role":"user","content":[{"text":"x"}]}],"checks":{"promptAttack":{"categories":[]}}}`))
	equal(t, r.tree(t).at("usage.promptAttack.textUnits"), any(1.0))
}

func TestAsynchronousCalls(t *testing.T) {
	b := open(t)
	started := b.send(b.request(http.MethodPost, "/async-invoke", `{"modelId":"amazon.nova-reel-v1:1","modelInput":{}}`)).tree(t)
	arn, _ := started.at("invocationArn").(string)
	contains(t, arn, ":async-invoke/")
	got := b.send(b.request(http.MethodGet, "/async-invoke/"+strings.NewReplacer(":", "%3A", "/", "%2F").Replace(arn), "")).tree(t)
	equal(t, got.at("invocationArn"), any(arn))
	equal(t, got.at("status"), any("Completed"))
	equal(t, b.send(b.request(http.MethodGet, "/async-invoke?maxResults=3", "")).status, 200)
}

func TestAgents(t *testing.T) {
	b := start(t, Options{Auth: AuthOff}) // bearer keys are not taken
	ask := func(path, body string) []decoded {
		t.Helper()
		resp, err := b.client.Do(b.request(http.MethodPost, path, body, "Authorization", ""))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		equal(t, resp.StatusCode, 200)
		equal(t, resp.Header.Get("X-Amz-Bedrock-Agent-Session-Id"), "s")
		all, err := frames(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	plain := ask("/agents/A/agentAliases/B/sessions/s/text", `{"inputText":"hello"}`)
	equal(t, kinds(plain), "chunk")
	said, _ := base64.StdEncoding.DecodeString(parse(t, plain[0].payload).at("bytes").(string))
	equal(t, string(said), "You said: hello")
	traced := ask("/agents/s", `{"inputText":"hello","enableTrace":true,"foundationModel":"amazon.nova-lite-v1:0"}`)
	equal(t, kinds(traced), "trace trace chunk")
	equal(t, parse(t, traced[0].payload).at("trace.orchestrationTrace.modelInvocationInput.foundationModel"), any("amazon.nova-lite-v1:0"))
	equal(t, parse(t, traced[1].payload).at("trace.orchestrationTrace.modelInvocationOutput.metadata.usage.inputTokens"), any(2.0))
	strict := open(t)
	equal(t, strict.send(strict.request(http.MethodPost, "/agents/s", `{}`)).status, 403)
}

func TestKnowledgeBases(t *testing.T) {
	b := start(t, Options{Auth: AuthOff}) // bearer keys are not taken
	f := func(method, path, body string, status int, at string, want any) {
		t.Helper()
		r := b.send(b.request(method, path, body, "Authorization", ""))
		equal(t, r.status, status)
		equal(t, r.tree(t).at(at), want)
	}
	f(http.MethodPost, "/knowledgebases/KB/retrieve", `{"retrievalQuery":{"text":"rain"}}`, 200, "retrievalResults.0.content.type", any("TEXT"))
	f(http.MethodPost, "/knowledgebases/KB.fault-throttle/retrieve", `{}`, 429, "message", any("Too many requests, please wait before trying again."))
	f(http.MethodPost, "/retrieveAndGenerate", `{"input":{"text":"rain"},"sessionId":"s"}`, 200, "output.text", any("You said: rain"))
	f(http.MethodPost, "/generateQuery", `{"queryGenerationInput":{"text":"it's"}}`, 200, "queries.0.sql", any("SELECT 'it''s'"))
	f(http.MethodPut, "/sessions/", `{}`, 201, "sessionStatus", any("ACTIVE"))
	f(http.MethodGet, "/sessions/abc/", ``, 200, "sessionId", any("abc"))
	f(http.MethodPost, "/knowledgebases/KB/retrieve", `{`, 400, "x", nil)
	f(http.MethodPost, "/knowledgebases/KB/nothing", `{}`, 404, "x", nil)
}
