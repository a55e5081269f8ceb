package sim

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const answered = "output.message.content.0.text"

func TestEcho(t *testing.T) {
	b := open(t)
	got := b.converse(claude, user("hello <b>"))
	equal(t, got.at(answered), any("You said: hello <b>"))
	equal(t, got.at("output.message.role"), any("assistant"))
	equal(t, got.at("stopReason"), any("end_turn"))
	equal(t, got.at("usage.inputTokens"), any(3.0)) // 9 characters
	equal(t, got.at("usage.outputTokens"), any(5.0))
	equal(t, got.at("usage.totalTokens"), any(8.0))
	equal(t, got.at("usage.cacheReadInputTokenCount"), any(0.0))
	equal(t, got.at("metrics.latencyMs"), any(0.0))

	got = b.converse(llama, turns(`{"text":"look"},{"image":{"format":"png","source":{"bytes":"`+pixel+`"}}},{"document":{"format":"md","name":"notes","source":{"text":"abcd"}}}`))
	equal(t, got.at(answered), any("You sent: image/png (30 bytes)\nYou sent: document/md \"notes\" (4 bytes)\nYou said: look"))
	equal(t, got.at("usage.inputTokens"), any(2.0+258))
	equal(t, got.at("usage.cacheReadInputTokens"), nil)

	got = b.converse(claude, with(turns(`{"text":"x"}`, `{"toolUse":{"toolUseId":"a","name":"get_time","input":{}}}`, `{"toolResult":{"toolUseId":"a","content":[{"text":"noon"},{"json":{"tz": "UTC"}}]}}`), weatherTools))
	equal(t, got.at(answered), any(`The tool said: noon {"tz":"UTC"}`))
}

func TestTextTriggers(t *testing.T) {
	b := open(t)
	equal(t, b.converse(claude, user("please [[say:yes, and {no}]]")).at(answered), any("yes, and {no}"))
	equal(t, b.converse(claude, user("[[words:3]]")).at(answered), any("word1 word2 word3"))
}

func TestToolCalls(t *testing.T) {
	b := open(t)
	content := func(body string) string {
		t.Helper()
		got := b.converse(claude, body)
		equal(t, got.at("stopReason"), any("tool_use"))
		list := got.at("output.message.content").([]any)
		var calls []string
		seen := map[any]bool{}
		for _, c := range list {
			use := tree{c}
			id := use.at("toolUse.toolUseId")
			if seen[id] || !strings.HasPrefix(id.(string), "tooluse_") {
				t.Errorf("bad id %v", id)
			}
			seen[id] = true
			calls = append(calls, fmt.Sprint(use.at("toolUse.name"), string(mustJSON(use.at("toolUse.input")))))
		}
		return strings.Join(calls, " ")
	}
	tools := func(text, choice string) string {
		return with(user(text), strings.TrimSuffix(weatherTools, "}")+choice+"}")
	}
	const weather, clock = `get_weather{"city":"sim city","days":2}`, `get_time{}`
	equal(t, content(tools("call get_weather", "")), weather)
	equal(t, content(tools("Please Call get_time, get_weather and get_time.", "")), clock+" "+weather+" "+clock)
	equal(t, content(tools(`call get_weather {"city":"Oslo, {x}"} and get_time`, "")), `get_weather{"city":"Oslo, {x}"} `+clock)
	equal(t, content(tools("hi", `,"toolChoice":{"any":{}}`)), weather)
	equal(t, content(tools("call get_weather", `,"toolChoice":{"tool":{"name":"get_time"}}`)), clock)
	equal(t, b.converse(claude, tools("recall get_time", "")).at("stopReason"), any("end_turn"))
	equal(t, b.converse(claude, tools("call me", "")).at("stopReason"), any("end_turn"))
	equal(t, b.converse("anthropic.claude-sonnet-4-5-20250929-v1:0", tools("call get_time", "")).at("output.message.content.0.toolUse.type"), any("tool_use"))
}

func TestExamplesFitTheirSchema(t *testing.T) {
	f := func(schema, want string) {
		t.Helper()
		equal(t, string(mustJSON(exampleOf(parse(t, []byte(schema)).v, "x"))), want)
	}
	f(`{"type":"object","properties":{"a":{"type":"number"},"b":{"type":["null","boolean"]},"c":{"enum":["p","q"]},"d":{"const":7},"e":{"default":"z"}}}`, `{"a":1.5,"b":true,"c":"p","d":7,"e":"z"}`)
	f(`{"type":"array","items":{"$ref":"#/$defs/d"},"minItems":2,"$defs":{"d":{"type":"string","format":"date"}}}`, `["2026-01-02","2026-01-02"]`)
	f(`{"anyOf":[{"type":"integer","maximum":0},{"type":"string"}]}`, `0`)
	f(`{"type":"string","maxLength":3}`, `"sim"`)
	f(`{"type":"object","properties":{"next":{"$ref":"#"}},"required":["next"]}`, `{"next":{"next":{"next":{"next":{"next":"sim next"}}}}}`)
}

func TestStopSequencesAndTokenLimits(t *testing.T) {
	b := open(t)
	f := func(inference, text, stop string) {
		t.Helper()
		got := b.converse(claude, with(user("[[say:one two three]]"), `"additionalModelResponseFieldPaths":["/stop_sequence"],"inferenceConfig":`+inference))
		equal(t, fmt.Sprint(got.at(answered)), text)
		equal(t, got.at("stopReason"), any(stop))
	}
	f(`{"stopSequences":["three"," two"]}`, "one", "stop_sequence")
	f(`{"maxTokens":2}`, "one two ", "max_tokens")
	f(`{"maxTokens":2,"stopSequences":["three"]}`, "one two ", "stop_sequence")
	f(`{"maxTokens":1,"stopSequences":["three"]}`, "one ", "max_tokens")
	f(`{"maxTokens":4}`, "one two three", "end_turn")
	f(`{"stopSequences":["one"]}`, "<nil>", "stop_sequence")
	got := b.converse(claude, with(user("[[say:a.b]]"), `"additionalModelResponseFieldPaths":["/stop_sequence"],"inferenceConfig":{"stopSequences":["."]}`))
	equal(t, got.at("additionalModelResponseFields.stop_sequence"), any("."))
	got = b.converse(claude, with(with(user("call get_weather"), weatherTools), `"inferenceConfig":{"maxTokens":1}`))
	equal(t, got.at("stopReason"), any("max_tokens"))
	equal(t, len(got.at("output.message.content").([]any)), 0)
}

func TestThinking(t *testing.T) {
	b := open(t)
	f := func(model, fields string, signed bool) {
		t.Helper()
		got := b.converse(model, with(user("why"), `"additionalModelRequestFields":`+fields))
		equal(t, got.at("output.message.content.0.reasoningContent.reasoningText.text"), any("Let me think about what was said: why"))
		equal(t, got.at("output.message.content.0.reasoningContent.reasoningText.signature") != nil, signed)
		equal(t, got.at("output.message.content.1.text"), any("You said: why"))
	}
	f(claude, `{"thinking":{"type":"enabled","budget_tokens":1024}}`, true)
	f(claude, `{"thinking":{"type":"adaptive"}}`, true)
	f("amazon.nova-2-lite-v1:0", `{"reasoningConfig":{"type":"enabled"}}`, false)
	f("openai.gpt-oss-120b-1:0", `{"reasoning_effort":"high"}`, false)
}

func TestStructuredOutput(t *testing.T) {
	b := open(t)
	schema, _ := json.Marshal(`{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}`)
	got := b.converse(claude, with(user("x"), `"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":`+string(schema)+`}}}}`))
	equal(t, got.at(answered), any(`{"n":1}`))
}

func TestGuardrails(t *testing.T) {
	b := open(t)
	const rail = `"guardrailConfig":{"guardrailIdentifier":"gr1","guardrailVersion":"1","trace":"enabled"}`
	got := b.converse(claude, with(user("bad [[guardrail]]"), rail))
	equal(t, got.at("stopReason"), any("guardrail_intervened"))
	equal(t, got.at(answered), any(blockedText))
	equal(t, got.at("trace.guardrail.inputAssessment.gr1.wordPolicy.customWords.0.action"), any("BLOCKED"))
	equal(t, got.at("usage.totalTokens"), any(0.0))
	got = b.converse(claude, with(user("good"), rail))
	equal(t, got.at("stopReason"), any("end_turn"))
	equal(t, got.at("trace.guardrail.actionReason"), any("No action."))
	equal(t, b.converse(claude, user("[[guardrail]]")).at("stopReason"), any("end_turn"))
}

func TestSettingsAreAnsweredBack(t *testing.T) {
	got := open(t).converse(claude, with(user("x"), `"serviceTier":{"type":"flex"},"performanceConfig":{"latency":"optimized"}`))
	equal(t, got.at("serviceTier.type"), any("flex"))
	equal(t, got.at("performanceConfig.latency"), any("optimized"))
}

func TestCachePointsAreWrittenThenReadUntilTheyExpire(t *testing.T) {
	var offset atomic.Int64
	b := start(t, Options{Now: func() time.Time { return time.Unix(1767225600, 0).Add(time.Duration(offset.Load())) }})
	ask := func(system, question, ttl string) string {
		t.Helper()
		got := b.converse(claude, with(user(question), `"system":[{"text":"`+system+`"},{"cachePoint":{"type":"default"`+ttl+`}}]`))
		equal(t, got.at("usage.cacheReadInputTokens"), got.at("usage.cacheReadInputTokenCount"))
		equal(t, got.at("usage.cacheWriteInputTokens"), got.at("usage.cacheWriteInputTokenCount"))
		total := 0.0
		for _, part := range []string{"inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"} {
			total += got.at("usage." + part).(float64)
		}
		equal(t, got.at("usage.totalTokens"), any(total))
		return fmt.Sprint("in ", got.at("usage.inputTokens"), " read ", got.at("usage.cacheReadInputTokens"), " write ", got.at("usage.cacheWriteInputTokens"), " ", string(mustJSON(got.at("usage.cacheDetails"))))
	}
	long := strings.Repeat("abcd", 10)
	equal(t, ask(long, "one!", ""), `in 1 read 0 write 10 [{"inputTokens":10,"ttl":"5m"}]`)
	equal(t, ask(long, "another!", ""), `in 2 read 10 write 0 null`)
	equal(t, ask(long+"x", "one!", ""), `in 1 read 0 write 11 [{"inputTokens":11,"ttl":"5m"}]`)
	offset.Add(int64(4 * time.Minute))
	equal(t, ask(long, "one!", ""), `in 1 read 10 write 0 null`) // reading renews
	offset.Add(int64(4 * time.Minute))
	equal(t, ask(long, "one!", ""), `in 1 read 10 write 0 null`)
	offset.Add(int64(5 * time.Minute))
	equal(t, ask(long, "one!", `,"ttl":"1h"`), `in 1 read 0 write 10 [{"inputTokens":10,"ttl":"1h"}]`)
	offset.Add(int64(59 * time.Minute))
	equal(t, ask(long, "one!", `,"ttl":"1h"`), `in 1 read 10 write 0 null`)
	b.sim.Reset()
	equal(t, ask(long, "one!", ""), `in 1 read 0 write 10 [{"inputTokens":10,"ttl":"5m"}]`)
}

func TestLongerPrefixesReadTheShorterOneAndWriteTheRest(t *testing.T) {
	b := open(t)
	const point = `,{"cachePoint":{"type":"default"}}`
	b.converse(claude, turns(`{"text":"12345678"}`+point))
	got := b.converse(claude, turns(`{"text":"12345678"}`+point, `{"text":"abcd"}`, `{"text":"1234"}`+point))
	equal(t, got.at("usage.cacheReadInputTokens"), any(2.0))
	equal(t, got.at("usage.cacheWriteInputTokens"), any(2.0))
	equal(t, got.at("usage.inputTokens"), any(0.0))
}

func TestTheSameRequestHasTheSameAnswer(t *testing.T) {
	body := with(user("call get_weather"), weatherTools)
	one, two, other := open(t), open(t), start(t, Options{Seed: 7})
	a, b, c := one.post(llama, "converse-stream", body), two.post(llama, "converse-stream", body), other.post(llama, "converse-stream", body)
	equal(t, string(a.body), string(b.body))
	equal(t, a.header.Get("x-amzn-RequestId"), b.header.Get("x-amzn-RequestId"))
	if string(a.body) == string(c.body) {
		t.Error("the seed changes nothing")
	}
}

func TestRequestsAreRecorded(t *testing.T) {
	b := start(t, Options{RecordLimit: 2})
	const arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0"
	b.converse(claude, user("1"))
	b.converse(claude, user("2"))
	b.post(arn, "converse", user("3"), "X-Test", "yes")
	all := b.sim.Requests()
	equal(t, len(all), 2)
	equal(t, all[1].Path, "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.amazon.nova-lite-v1%3A0/converse")
	equal(t, all[1].Model, arn)
	equal(t, all[1].Operation, "Converse")
	equal(t, all[1].Method, "POST")
	equal(t, all[1].Header.Get("X-Test"), "yes")
	equal(t, string(all[1].Body), user("3"))
	b.sim.Reset()
	equal(t, len(b.sim.Requests()), 0)
}

func TestCountTokens(t *testing.T) {
	b := open(t)
	r := b.post(claude, "count-tokens", `{"input":{"converse":`+with(user("12345678"), `"system":[{"text":"1"}]`)+`}}`)
	equal(t, string(r.body), `{"inputTokens":3}`)
	body := string(mustJSON([]byte(`{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"messages":[{"role":"user","content":"12345678"}]}`)))
	r = b.post(claude, "count-tokens", `{"input":{"invokeModel":{"body":`+body+`}}}`)
	equal(t, string(r.body), `{"inputTokens":2}`)
	r = b.post("us."+claude, "count-tokens", `{"input":{"converse":`+user("x")+`}}`)
	equal(t, r.status, 400)
	equal(t, r.tree(t).at("message"), any("The provided model doesn't support counting tokens."))
	equal(t, b.post(claude, "count-tokens", `{"input":{}}`).status, 400)
	equal(t, b.post(claude, "count-tokens", `{"input":{"converse":{"inferenceConfig":{}}}}`).status, 400)
}

func TestManyAtOnce(t *testing.T) {
	b := open(t)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for range 5 {
				r := b.post(claude, "converse", with(user(fmt.Sprint("n", i)), `"system":[{"text":"s"},{"cachePoint":{"type":"default"}}]`))
				if r.status != 200 || !strings.Contains(string(r.body), fmt.Sprint("You said: n", i)) {
					t.Errorf("%d %s", r.status, r.body)
				}
			}
		}()
	}
	wait.Wait()
	equal(t, len(b.sim.Requests()), 40)
}
