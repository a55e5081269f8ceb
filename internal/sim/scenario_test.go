package sim

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const script = `
rules:
  - name: greeting
    match: {contains: hello, operation: converse, model: "anthropic.*haiku*"}
    reply:
      text: Good day.
      reasoning: polite
      usage: {input: 100, output: 20, cache_read: 30, cache_write: 4}
  - name: second time
    match: {contains: again, nth: 2}
    fault: {name: throttle, retry_after: 2}
  - name: twice
    match: {contains: flaky, times: 2}
    fault: internal
  - match: {contains: tools}
    reply:
      chunks: ["One", " moment"]
      tool_calls:
        - {name: lookup, input: {q: [1, two]}}
        - {name: lookup, id: fixed}
  - match: {contains: now and then, share: 0.3}
    fault: throttle
  - match: {contains: raw}
    reply: {raw: {any: [thing]}, events: [{messageStart: {role: assistant}}, {brandNew: {x: 1}}]}
  - match: {contains: filtered}
    reply: {text: no, stop_reason: content_filtered}
  - match: {contains: slow}
    latency: 30ms
    first_event: 20ms
    chunk_delay: 1ms
    chunk_size: 4
`

func scenario(t *testing.T, text string) *Scenario {
	t.Helper()
	s, err := ParseScenario([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAShareOfTheRequests(t *testing.T) {
	b := start(t, Options{Scenario: scenario(t, script)})
	refused := func() int {
		n := 0
		for range 1000 {
			if b.post(claude, "converse", user("now and then")).status == 429 {
				n++
			}
		}
		return n
	}
	n := refused()
	if n < 250 || n > 350 {
		t.Errorf("%d of 1000", n)
	}
	b.sim.Reset()
	if again := refused(); again != n {
		t.Errorf("%d, and %d in another run", n, again)
	}
}

func TestScenario(t *testing.T) {
	b := start(t, Options{Scenario: scenario(t, script)})
	got := b.converse(claude, user("hello"))
	equal(t, got.at("output.message.content.0.reasoningContent.reasoningText.text"), any("polite"))
	equal(t, got.at("output.message.content.1.text"), any("Good day."))
	equal(t, got.at("usage.totalTokens"), any(154.0))
	equal(t, b.converse(llama, user("hello")).at(answered), any("You said: hello"))
	equal(t, joined(t, b.stream(claude, user("hello")), "text"), "You said: hello")

	equal(t, b.post(claude, "converse", user("again")).status, 200)
	r := b.post(claude, "converse", user("again"))
	equal(t, r.status, 429)
	equal(t, r.header.Get("Retry-After"), "2")
	equal(t, b.post(claude, "converse", user("again")).status, 200)
	equal(t, b.post(claude, "converse", user("flaky")).status, 500)
	equal(t, b.post(claude, "converse", user("flaky")).status, 500)
	equal(t, b.post(claude, "converse", user("flaky")).status, 200)

	all := b.stream(claude, user("tools"))
	equal(t, parse(t, all[1].payload).at("delta.text"), any("One"))
	equal(t, parse(t, all[2].payload).at("delta.text"), any(" moment"))
	got = b.converse(claude, user("tools"))
	equal(t, got.at(answered), any("One moment"))
	equal(t, string(mustJSON(got.at("output.message.content.1.toolUse.input"))), `{"q":[1,"two"]}`)
	equal(t, got.at("output.message.content.2.toolUse.toolUseId"), any("fixed"))
	equal(t, got.at("stopReason"), any("tool_use"))

	equal(t, string(b.post(claude, "converse", user("raw")).body), `{"any":["thing"]}`)
	equal(t, kinds(b.stream(claude, user("raw"))), "messageStart brandNew")
	equal(t, b.converse(claude, user("filtered")).at("stopReason"), any("content_filtered"))
}

func TestAnswersKeepTheirPace(t *testing.T) {
	f := func(o Options, operation, text string, want time.Duration) []decoded {
		t.Helper()
		var body []byte
		synctest.Test(t, func(t *testing.T) { // its clock moves only while everybody waits
			s := New(o)
			r := httptest.NewRequest(http.MethodPost, modelPath(claude, operation), strings.NewReader(user(text)))
			r.Header.Set("Authorization", "Bearer "+BearerToken)
			w := httptest.NewRecorder()
			began := time.Now()
			s.ServeHTTP(w, r)
			equal(t, time.Since(began), want)
			body = w.Body.Bytes()
		})
		if operation == "converse" {
			return nil
		}
		all, err := frames(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	own := Options{Latency: time.Second, FirstEvent: 2 * time.Second, ChunkDelay: time.Millisecond}
	f(own, "converse", "hi", time.Second)
	equal(t, len(f(own, "converse-stream", "hi", 3*time.Second+4*time.Millisecond)), 5)

	own.Scenario = scenario(t, script)
	all := f(own, "converse-stream", "slow", 57*time.Millisecond)
	equal(t, len(all), 8)
	equal(t, parse(t, all[1].payload).at("delta.text"), any("You "))
	equal(t, parse(t, all[len(all)-1].payload).at("metrics.latencyMs"), any(50.0))

	f(Options{Fast: true, FastChunks: 10, ChunkDelay: 2 * time.Millisecond, Latency: time.Second}, "converse-stream", "", time.Second+26*time.Millisecond)
}

func TestEachRuleCountsItsOwnFaults(t *testing.T) {
	b := start(t, Options{Scenario: scenario(t, `rules: [{match: {contains: a}, fault: throttle;times=1}, {match: {contains: b}, fault: throttle;times=1}]`)})
	for _, text := range []string{"a", "b"} {
		equal(t, b.post(llama, "converse", user(text)).status, 429)
		equal(t, b.post(llama, "converse", user(text)).status, 200)
	}
}

func TestScenariosMayBeJSON(t *testing.T) {
	s := scenario(t, "{\n\t\"rules\": [{\"match\": {\"contains\": \"\\ud83d\\ude00\"}, \"reply\": {\"text\": \"a\\/b\"}, \"fault\": \"429;times=1\"}]}")
	equal(t, s.Rules[0].Match.Contains, "😀")
	equal(t, s.Rules[0].Reply.Text, "a/b")
	equal(t, s.Rules[0].Fault.Name, "throttle")
	equal(t, s.Rules[0].Fault.Times, 1)
}

func TestScenarioMistakesAreNamed(t *testing.T) {
	f := func(text, part string) {
		t.Helper()
		if _, err := ParseScenario([]byte(text)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want %s", err, part)
		}
	}
	f(`rules: [{macth: {}}]`, "macth")
	f(`rules: [{fault: explode}]`, `unknown fault "explode"`)
	f(`rules: [{fault: {name: cut, afterr: 1}}]`, "afterr")
	f(`rules: [{name: x, match: {operation: talk}}]`, `rule x: unknown operation "talk"`)
	f(`rules: [{match: {}}, {reply: {stop_reason: bored}}]`, `rule 2: unknown stop_reason "bored"`)
	f(`rules: [{reply: {tool_calls: [{input: {}}]}}]`, "needs a name")
	f(`rules: [{reply: {cited: [{title: x}]}}]`, "needs a text")
	f(`rules: [{reply: {events: [{a: {}, b: {}}]}}]`, "one event name")
	f(`rules: [{reply: {events: [{a: 1}]}}]`, "must be a mapping")
	f(`rules: [{match: {nth: -1}}]`, "negative")
	f(`rules: [{match: {share: 1.5}}]`, "share")
	f(`rules: [{latency: soon}]`, "soon")
	if _, err := LoadScenario(filepath.Join(t.TempDir(), "none.yaml")); !os.IsNotExist(err) {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(file, []byte("rules: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadScenario(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Error(err)
	}
}

func TestModelPatterns(t *testing.T) {
	f := func(pattern, id string, want bool) { t.Helper(); equal(t, matchesModel(pattern, id), want) }
	f("", "a.b", true)
	f("nova", "amazon.nova-lite", true)
	f("amazon.*", "amazon.nova-lite", true)
	f("*.nova*", "amazon.nova-lite", true)
	f("amazon.*", "us.amazon.nova-lite", false)
	f("a*b*c", "a1b2c", true)
	f("a*b*c", "a1c", false)
	f("aa*aa", "aaa", false)
}

func FuzzScenario(f *testing.F) {
	f.Add([]byte(script))
	f.Add([]byte(`{"rules":[{"match":{"contains":"\ud83d\ude00"},"fault":"throttle;after=1"}]}`))
	f.Add([]byte(`rules: [{reply: {raw: {1: 2}}}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseScenario(data)
		if err == nil {
			New(Options{Scenario: s}).rule(&call{model: claude, operation: opConverse}, "hello")
		}
	})
}

// TestCitedTexts cites on every route that has citations, whole and streamed.
func TestCitedTexts(t *testing.T) {
	scenario, err := ParseScenario([]byte(`rules: [{reply: {text: "Look: ", cited: [{text: It rains., title: News, url: "https://news.example/x", quote: rain}, {text: " Or not.", title: Doc, document: 1, quote: sun}]}}]`))
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, Options{Scenario: scenario})
	got := b.post(claude, "converse", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`).tree(t)
	equal(t, got.at("output.message.content.1.citationsContent.content.0.text"), any("It rains."))
	equal(t, got.at("output.message.content.1.citationsContent.citations.0.location.web.domain"), any("news.example"))
	equal(t, got.at("output.message.content.2.citationsContent.citations.0.location.documentChar.documentIndex"), any(1.0))
	got = b.post(claude, "invoke", messages("hi", "")).tree(t)
	equal(t, got.at("content.1.citations.0.url"), any("https://news.example/x"))
	equal(t, got.at("content.2.citations.0.type"), any("char_location"))
	contains(t, string(b.post(claude, "converse-stream", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`).body), `"citation":{`)
	all, err := frames(bytes.NewReader(b.post(claude, "invoke-with-response-stream", messages("hi", "")).body))
	if err != nil {
		t.Fatal(err)
	}
	cited := 0
	for _, f := range all {
		inner, err := base64.StdEncoding.DecodeString(parse(t, f.payload).at("bytes").(string))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(inner, []byte("citations_delta")) {
			cited++
		}
	}
	equal(t, cited, 2)
}
