package converse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

func text(s string) llm.Block { return llm.Block{Text: llm.NewText(s)} }

func raw(spelling string) llm.Block { return llm.Block{Text: llm.RawText([]byte(spelling))} }

func cached(b llm.Block, ttl string) llm.Block {
	b.Cache = &llm.CachePoint{TTL: ttl}
	return b
}

func user(blocks ...llm.Block) llm.Message { return llm.Message{Role: llm.RoleUser, Blocks: blocks} }

func assistant(blocks ...llm.Block) llm.Message {
	return llm.Message{Role: llm.RoleAssistant, Blocks: blocks}
}

func operator(s string) llm.Message {
	return llm.Message{Role: llm.RoleSystem, Blocks: []llm.Block{text(s)}}
}

func toolCall(id, name, input string) llm.Block {
	return llm.Block{Kind: llm.BlockToolUse, Tool: &llm.ToolBlock{ID: id, Name: name, Input: json.RawMessage(input)}}
}

func result(id string, blocks ...llm.Block) llm.Block {
	return llm.Block{Kind: llm.BlockToolResult, Tool: &llm.ToolBlock{ID: id, Result: blocks}}
}

func image(base64 string) llm.Block {
	return llm.Block{Kind: llm.BlockImage, Media: &llm.Media{Format: "png", Base64: llm.NewText(base64)}}
}

func pdf(name, base64 string) llm.Block {
	return llm.Block{Kind: llm.BlockDocument, Media: &llm.Media{Format: "pdf", Name: name, Base64: llm.NewText(base64)}}
}

func thought(text, signature string) llm.Block {
	return llm.Block{Kind: llm.BlockThinking, Text: llm.NewText(text), Signature: llm.NewText(signature)}
}

func chat(messages ...llm.Message) *llm.Request { return &llm.Request{Messages: messages} }

func function(name string) llm.Tool { return llm.Tool{Name: name} }

func p[T any](v T) *T { return &v }

// with returns the request after changes, so that a case reads as one line.
func with(r *llm.Request, changes ...func(*llm.Request)) *llm.Request {
	for _, change := range changes {
		change(r)
	}
	return r
}

func drop(r *llm.Request) { r.Policy.Drop = true }

func modify(r *llm.Request) { r.Policy.Modify = true }

func userContinue(r *llm.Request) { r.Policy.UserContinue = p(user(text("go on"))) }

func tools(tools ...llm.Tool) func(*llm.Request) { return func(r *llm.Request) { r.Tools = tools } }

func choice(mode llm.ToolChoiceMode, name string) func(*llm.Request) {
	return func(r *llm.Request) { r.ToolChoice = llm.ToolChoice{Mode: mode, Name: name} }
}

func param(name, value string) func(*llm.Request) {
	return func(r *llm.Request) {
		r.Params = append(r.Params, llm.Field{Name: name, Value: json.RawMessage(value)})
	}
}

func extra(name, value string) func(*llm.Request) {
	return func(r *llm.Request) { r.Extra = append(r.Extra, llm.Field{Name: name, Value: json.RawMessage(value)}) }
}

func effort(level string) func(*llm.Request) { return func(r *llm.Request) { r.Effort = level } }

func maxTokensOf(n int64) func(*llm.Request) { return func(r *llm.Request) { r.MaxTokens = &n } }

func temperature(v float64) func(*llm.Request) { return func(r *llm.Request) { r.Temperature = &v } }

func schemaFormat(schema string) func(*llm.Request) {
	return func(r *llm.Request) {
		r.Format = &llm.Format{Type: "json_schema", Name: "ev", Schema: json.RawMessage(schema)}
	}
}

// encode returns the body, which must be JSON, and the turn.
func encode(t testing.TB, model string, r *llm.Request) (string, *Turn) {
	t.Helper()
	body, turn, err := Encode(nil, r, ref(t, model))
	if err != nil {
		t.Fatalf("%s: %v", model, err)
	}
	if err := jsonscan.Valid(body); err != nil {
		t.Fatalf("%s: %v in %s", model, err, body)
	}
	return string(body), turn
}

// sends checks the whole body and the losses, each as path;why.
func sends(t *testing.T, model string, r *llm.Request, want string, losses ...string) {
	t.Helper()
	got, _ := encode(t, model, r)
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", model, got, want)
	}
	lost(t, r, losses...)
}

func lost(t *testing.T, r *llm.Request, losses ...string) {
	t.Helper()
	var got []string
	for _, l := range r.Losses {
		got = append(got, l.Path+";"+l.Why)
	}
	if fmt.Sprint(got) != fmt.Sprint(losses) {
		t.Errorf("lost %q, want %q", got, losses)
	}
}

// messages checks the messages only.
func messages(t *testing.T, model string, r *llm.Request, want string, losses ...string) {
	t.Helper()
	got, _ := encode(t, model, r)
	value, _ := memberOf([]byte(got), "messages")
	if string(value) != want {
		t.Errorf("%s:\n got %s\nwant %s", model, value, want)
	}
	lost(t, r, losses...)
}

// has checks one member of the body by its path, "" for absent.
func has(t *testing.T, model string, r *llm.Request, path, want string) {
	t.Helper()
	got, _ := encode(t, model, r)
	value := []byte(got)
	for _, name := range strings.Split(path, ".") {
		value, _ = memberOf(value, name)
	}
	if string(value) != want {
		t.Errorf("%s: %s is %s, want %s\nin %s", model, path, value, want, got)
	}
}

// refuses checks that the request is refused for param, and that nothing is appended.
func refuses(t *testing.T, model string, r *llm.Request, param string) {
	t.Helper()
	body, turn, err := Encode([]byte("x"), r, ref(t, model))
	var e *llm.Error
	if !errors.As(err, &e) || e.Param != param || e.Status() != 400 || e.Message == "" {
		t.Errorf("%s: got %v, want a refusal of %s", model, err, param)
	}
	if string(body) != "x" || turn != nil {
		t.Errorf("%s: a refused request left %s, %v", model, body, turn)
	}
}

const (
	png = "iVBORw0KGgoAAAAN"
	// field is the path of additionalModelRequestFields.
	field = "additionalModelRequestFields."
)

func hi() *llm.Request { return chat(user(text("hi"))) }

func TestPlainHi(t *testing.T) {
	const want = `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`
	for _, model := range []string{claude3, novaPro, llama33, unknown, "arn:aws:bedrock:us-east-1:1:application-inference-profile/x"} {
		sends(t, model, hi(), want)
	}
	if body, _, err := Encode([]byte("head"), hi(), ref(t, claude3)); err != nil || string(body) != "head"+want {
		t.Errorf("got %s, %v", body, err)
	}
}

func TestTheWholeExample(t *testing.T) {
	r := chat(
		user(text("Weather?"), image("iVBORw0K")),
		assistant(thought("hm", "U0lH"), text("Looking."), toolCall("call_1", "my.weather", `{"city":"Oslo"}`)),
		user(result("call_1", text("5 C"))), user(text("And tomorrow?")),
	)
	r.System = []llm.Block{cached(text("S"), "")}
	r.Tools = []llm.Tool{function("my.weather")}
	sends(t, claude37, r, `{"messages":[`+
		`{"role":"user","content":[{"text":"Weather?"},{"image":{"format":"png","source":{"bytes":"iVBORw0K"}}}]},`+
		`{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"U0lH"}}},{"text":"Looking."},`+
		`{"toolUse":{"toolUseId":"call_1","name":"my_weather","input":{"city":"Oslo"}}}]},`+
		`{"role":"user","content":[{"toolResult":{"toolUseId":"call_1","content":[{"text":"5 C"}]}},{"text":"And tomorrow?"}]}],`+
		`"system":[{"text":"S"},{"cachePoint":{"type":"default"}}],`+
		`"toolConfig":{"tools":[{"toolSpec":{"name":"my_weather","description":"my_weather","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}`)
}

func TestParametersOfTheFirstExample(t *testing.T) {
	r := with(hi(), maxTokensOf(200), temperature(0.2), extra("foo", `{"bar":1}`))
	r.System = []llm.Block{text("Be brief.")}
	r.Stop, r.TopK, r.Tier, r.Latency = []string{"END"}, p(int64(5)), "auto", "optimized"
	r.Metadata = []llm.Pair{{Key: "cost_center", Value: "eng"}}
	sends(t, claude3, r, `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"system":[{"text":"Be brief."}],`+
		`"inferenceConfig":{"maxTokens":200,"temperature":0.2,"stopSequences":["END"]},`+
		`"additionalModelRequestFields":{"top_k":5,"foo":{"bar":1}},"requestMetadata":{"cost_center":"eng"},`+
		`"performanceConfig":{"latency":"optimized"},"serviceTier":{"type":"default"}}`)
}

func TestSystem(t *testing.T) {
	r := hi()
	r.System = []llm.Block{text("A"), text(" "), cached(text("B"), "")}
	has(t, claude37, r, "system", `[{"text":"A"},{"text":"B"},{"cachePoint":{"type":"default"}}]`)
	r = hi()
	r.System = []llm.Block{text("")}
	sends(t, claude3, r, `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`)
	r = chat(assistant(text("a")), user(image(png), text("hi")))
	r.System = []llm.Block{text("A"), text("B")}
	messages(t, mistral7b, r, `[{"role":"assistant","content":[{"text":"a"}]},`+
		`{"role":"user","content":[{"image":{"format":"png","source":{"bytes":"`+png+`"}}},{"text":"A\n\nB\n\nhi"}]}]`)
	r = chat(user(image(png)))
	r.System = []llm.Block{text("A")}
	messages(t, mistral7b, r, `[{"role":"user","content":[{"text":"A"},{"image":{"format":"png","source":{"bytes":"`+png+`"}}}]}]`)
	r = hi()
	r.System = []llm.Block{image(png)}
	refuses(t, claude3, r, "messages[0].content[0]")
}

func TestSystemFurtherDown(t *testing.T) {
	messages(t, claude3, chat(user(text("a")), operator("S"), assistant(text("b")), user(text("c"))),
		`[{"role":"user","content":[{"text":"a"},`+operatorNote+`,{"text":"S"}]},{"role":"assistant","content":[{"text":"b"}]},`+
			`{"role":"user","content":[{"text":"c"}]}]`)
	messages(t, claude3, with(chat(user(text("a")), assistant(toolCall("t", "f", `{}`)), operator("S"), user(result("t", text("r")))),
		tools(function("f"))),
		`[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"f","input":{}}}]},`+
			`{"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"text":"r"}]}},`+operatorNote+`,{"text":"S"}]}]`)
}

func TestOnlySystem(t *testing.T) {
	f := func() *llm.Request { return &llm.Request{System: []llm.Block{text("S")}} }
	refuses(t, claude3, f(), "messages")
	messages(t, claude3, with(f(), userContinue), `[{"role":"user","content":[{"text":"go on"}]}]`)
	messages(t, claude3, with(f(), modify), `[{"role":"user","content":[{"text":"Please continue."}]}]`)
	messages(t, mistral7b, with(f(), modify), `[{"role":"user","content":[{"text":"S"},{"text":"Please continue."}]}]`)
}

func TestMerging(t *testing.T) {
	messages(t, claude3, chat(user(text("a")), user(text("b")), assistant(text("c")), assistant(text("d")), user(text("e"))),
		`[{"role":"user","content":[{"text":"a"},{"text":"b"}]},{"role":"assistant","content":[{"text":"c"},{"text":"d"}]},`+
			`{"role":"user","content":[{"text":"e"}]}]`)
	messages(t, claude3, chat(user(text("a")), assistant(text(" ")), user(text("b"))), `[{"role":"user","content":[{"text":"a"},{"text":"b"}]}]`)
	r := with(chat(user(text("a")), assistant(toolCall("1", "f", `{}`), toolCall("2", "f", `{}`)), user(result("2", text("y"))),
		user(result("1", text("x")))), tools(function("f")))
	messages(t, claude3, r, `[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[`+
		`{"toolUse":{"toolUseId":"1","name":"f","input":{}}},{"toolUse":{"toolUseId":"2","name":"f","input":{}}}]},`+
		`{"role":"user","content":[{"toolResult":{"toolUseId":"2","content":[{"text":"y"}]}},{"toolResult":{"toolUseId":"1","content":[{"text":"x"}]}}]}]`)
	r = with(chat(user(text("a")), assistant(toolCall("1", "f", `{}`)), user(result("1", text("x"))), user(text("b"))), tools(function("f")))
	r.Policy.AssistantContinue = p(assistant(text("Yes.")))
	messages(t, claude3, r, `[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"1","name":"f","input":{}}}]},`+
		`{"role":"user","content":[{"toolResult":{"toolUseId":"1","content":[{"text":"x"}]}}]},`+
		`{"role":"assistant","content":[{"text":"Yes."}]},{"role":"user","content":[{"text":"b"}]}]`)
}

func TestFirstAndLastTurn(t *testing.T) {
	const a, u, please, goOn = `{"role":"assistant","content":[{"text":"{"}]}`, `{"role":"user","content":[{"text":"hi"}]}`,
		`{"role":"user","content":[{"text":"Please continue."}]}`, `{"role":"user","content":[{"text":"go on"}]}`
	first := func() *llm.Request { return chat(assistant(text("{")), user(text("hi"))) }
	messages(t, claude3, first(), `[`+a+`,`+u+`]`)
	messages(t, claude3, with(first(), userContinue), `[`+goOn+`,`+a+`,`+u+`]`)
	messages(t, claude3, with(first(), modify), `[`+please+`,`+a+`,`+u+`]`)
	last := func() *llm.Request { return chat(user(text("hi")), assistant(text("{ "))) }
	messages(t, claude3, last(), `[`+u+`,`+a+`]`)
	messages(t, novaPro, last(), `[`+u+`,{"role":"assistant","content":[{"text":"{ "}]}]`)
	messages(t, claude3, with(last(), userContinue), `[`+u+`,{"role":"assistant","content":[{"text":"{ "}]},`+goOn+`]`)
	messages(t, claude3, with(last(), modify), `[`+u+`,{"role":"assistant","content":[{"text":"{ "}]},`+please+`]`)
	prefix := func(r *llm.Request) { r.Messages[len(r.Messages)-1].Prefix = true }
	messages(t, claude3, with(last(), modify, userContinue, prefix), `[`+u+`,`+a+`]`)
	only := chat(assistant(text("Hey, how's it going?")))
	messages(t, claude3, with(only, userContinue), `[`+goOn+`,{"role":"assistant","content":[{"text":"Hey, how's it going?"}]},`+goOn+`]`)
	messages(t, claude3, with(chat(assistant(text("{"))), modify, prefix), `[`+a+`]`)
}

func TestBlankText(t *testing.T) {
	for _, blank := range []llm.Block{text(""), text(" \n"), raw(`\n `)} {
		refuses(t, claude3, chat(user(text("a")), assistant(text("b")), user(blank)), "messages[2].content")
		messages(t, claude3, with(chat(user(blank)), modify), `[{"role":"user","content":[{"text":"Please continue."}]}]`, "messages[0].content;repaired")
		messages(t, claude3, with(chat(user(blank)), userContinue), `[{"role":"user","content":[{"text":"go on"}]}]`, "messages[0].content;repaired")
		messages(t, claude3, chat(user(blank, image(png))), `[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":"`+png+`"}}}]}]`)
	}
	refuses(t, claude3, chat(user()), "messages[0].content")
	refuses(t, claude3, chat(), "messages")
	messages(t, claude3, with(chat(user(text("a")), assistant(text(""), toolCall("1", "f", `{}`)), user(result("1", text("")))), tools(function("f"))),
		`[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"1","name":"f","input":{}}}]},`+
			`{"role":"user","content":[{"toolResult":{"toolUseId":"1","content":[{"text":"(no output)"}]}}]}]`)
}

func TestGuardrail(t *testing.T) {
	guarded := func(s string, qualifiers ...string) llm.Block {
		return llm.Block{Kind: llm.BlockGuarded, Text: llm.NewText(s), Qualifiers: qualifiers}
	}
	guard := func(config string) func(*llm.Request) {
		return func(r *llm.Request) { r.Guardrail = json.RawMessage(config) }
	}
	const config = `{"guardrailIdentifier":"g","guardrailVersion":"DRAFT"}`
	sends(t, claude3, with(hi(), guard(config)), `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"guardrailConfig":`+config+`}`)
	r := chat(user(text("a"), guarded("b"), guarded("c", "query")))
	messages(t, claude3, with(r, guard(config)), `[{"role":"user","content":[{"text":"a"},{"guardContent":{"text":{"text":"b"}}},`+
		`{"guardContent":{"text":{"text":"c","qualifiers":["query"]}}}]}]`)
	messages(t, claude3, chat(user(text("a"), guarded("b"))), `[{"role":"user","content":[{"text":"a"},{"text":"b"}]}]`)
	refuses(t, claude3, with(hi(), guard(`{"guardrailIdentifier":"g"}`)), "guardrailConfig.guardrailVersion")
	refuses(t, claude3, with(hi(), guard(`{"guardrailVersion":"1"}`)), "guardrailConfig.guardrailIdentifier")
	refuses(t, claude3, with(hi(), guard(`[]`)), "guardrailConfig")
	stream := `{"guardrailIdentifier":"g","guardrailVersion":"1","streamProcessingMode":"async"}`
	has(t, claude3, with(hi(), guard(stream)), "guardrailConfig", `{"guardrailIdentifier":"g","guardrailVersion":"1"}`)
	has(t, claude3, with(hi(), guard(stream), func(r *llm.Request) { r.Stream = true }), "guardrailConfig", stream)
	messages(t, claude3, with(chat(user(guarded("a")), assistant(toolCall("1", "f", `{}`)), user(result("1", text("r")))), guard(config)),
		`[{"role":"user","content":[{"guardContent":{"text":{"text":"a"}}}]},{"role":"assistant","content":[{"text":"[tool call 1: f({})]"}]},`+
			`{"role":"user","content":[{"guardContent":{"text":{"text":"[tool result for 1: r]"}}}]}]`)
}

func TestImages(t *testing.T) {
	f := func(b llm.Block, want string) {
		t.Helper()
		messages(t, claude3, chat(user(b)), `[{"role":"user","content":[`+want+`]}]`)
	}
	f(image("/9j/4AAQSkZJRg=="), `{"image":{"format":"jpeg","source":{"bytes":"/9j/4AAQSkZJRg=="}}}`)
	f(image("R0lGODlhAQAB"), `{"image":{"format":"gif","source":{"bytes":"R0lGODlhAQAB"}}}`)
	f(image("UklGRgAAAABXRUJQVlA4"), `{"image":{"format":"webp","source":{"bytes":"UklGRgAAAABXRUJQVlA4"}}}`)
	f(image("iVBORw0KGgo"), `{"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}}`)
	f(image("_9j_4AAQSkZJRg"), `{"image":{"format":"jpeg","source":{"bytes":"/9j/4AAQSkZJRg=="}}}`)
	f(llm.Block{Kind: llm.BlockImage, Media: &llm.Media{Format: "jpg", Base64: llm.RawText([]byte(`\/9j\/4AAQ\nSkZJRg==`))}},
		`{"image":{"format":"jpeg","source":{"bytes":"/9j/4AAQSkZJRg=="}}}`)
	f(llm.Block{Kind: llm.BlockImage, Media: &llm.Media{S3: "s3://b/k.png", Owner: "123456789012"}},
		`{"image":{"format":"png","source":{"s3Location":{"uri":"s3://b/k.png","bucketOwner":"123456789012"}}}}`)
	refuses(t, claude3, chat(user(text("a"), image("aGVsbG8gd29ybGQh"))), "messages[0].content[1]")
	refuses(t, claude3, chat(user(image("not base64!"))), "messages[0].content[0]")
	refuses(t, claude3, chat(user(image(""))), "messages[0].content[0]")
	refuses(t, claude3, chat(user(llm.Block{Kind: llm.BlockImage})), "messages[0].content[0]")
	refuses(t, claude3, chat(user(llm.Block{Kind: llm.BlockImage, Media: &llm.Media{URL: "https://x/y.png"}})), "messages[0].content[0]")
	refuses(t, claude3, chat(user(llm.Block{Kind: llm.BlockImage, Media: &llm.Media{S3: "s3://b/k.bmp"}})), "messages[0].content[0]")
	refuses(t, claude3, chat(user(text("a")), assistant(image(png))), "messages[1].content[0]")
	refuses(t, gptOSS, chat(user(image(png))), "messages[0].content[0]")
	messages(t, unknown, chat(user(image(png))), `[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":"`+png+`"}}}]}]`)
}

func TestDocuments(t *testing.T) {
	const doc = `{"document":{"format":"pdf","name":"%s","source":{"bytes":"JVBERi0xLjc="}}}`
	f := func(name, want string) {
		t.Helper()
		messages(t, claude37, chat(user(text("a"), pdf(name, "JVBERi0xLjc="))), `[{"role":"user","content":[{"text":"a"},`+fmt.Sprintf(doc, want)+`]}]`)
	}
	f("my report_1.pdf", "my report-1")
	f("", "Document-"+contentHash(&llm.Media{}, []byte("JVBERi0xLjc=")))
	f("../a//b.pdf", "b")
	f("é.é.pdf", "Document-"+contentHash(&llm.Media{}, []byte("JVBERi0xLjc=")))
	f("a  (1) [x].final.pdf", "a (1) [x]-final")
	messages(t, claude37, chat(user(text("a"), pdf("x.pdf", "JVBERi0xLjc=")), assistant(text("b")), user(text("c"), pdf("x.pdf", "JVBERi0xLjc="))),
		`[{"role":"user","content":[{"text":"a"},`+fmt.Sprintf(doc, "x")+`]},{"role":"assistant","content":[{"text":"b"}]},`+
			`{"role":"user","content":[{"text":"c"},`+fmt.Sprintf(doc, "x (2)")+`]}]`)
	messages(t, claude37, chat(user(pdf("x.pdf", "JVBERi0xLjc="))), `[{"role":"user","content":[`+fmt.Sprintf(doc, "x")+`,{"text":"."}]}]`)
	messages(t, claude37, chat(user(cached(pdf("x.pdf", "JVBERi0xLjc="), ""))),
		`[{"role":"user","content":[`+fmt.Sprintf(doc, "x")+`,{"text":"."},{"cachePoint":{"type":"default"}}]}]`)
	b := pdf("t", "JVBERi0xLjc=")
	b.Media.Context, b.Media.CitationsEnabled = llm.NewText("ctx"), true
	messages(t, claude37, chat(user(text("a"), b)), `[{"role":"user","content":[{"text":"a"},`+
		`{"document":{"format":"pdf","name":"t","source":{"bytes":"JVBERi0xLjc="},"context":"ctx","citations":{"enabled":true}}}]}]`)
	for _, format := range strings.Fields(documentFormats) {
		b := llm.Block{Kind: llm.BlockDocument, Media: &llm.Media{Format: format, Name: "n", Base64: llm.NewText("aGk=")}}
		messages(t, novaPro, chat(user(text("a"), b)),
			`[{"role":"user","content":[{"text":"a"},{"document":{"format":"`+format+`","name":"n","source":{"bytes":"aGk="}}}]}]`)
	}
	bad := llm.Block{Kind: llm.BlockDocument, Media: &llm.Media{Format: "exe", Base64: llm.NewText("aGk=")}}
	refuses(t, claude37, chat(user(bad)), "messages[0].content[0]")
}

func TestVideoAndAudio(t *testing.T) {
	video := llm.Block{Kind: llm.BlockVideo, Media: &llm.Media{Format: "3gp", Base64: llm.NewText("aGk=")}}
	messages(t, novaPro, chat(user(text("a"), video)), `[{"role":"user","content":[{"text":"a"},{"video":{"format":"three_gp","source":{"bytes":"aGk="}}}]}]`)
	audio := llm.Block{Kind: llm.BlockAudio, Media: &llm.Media{Format: "wav", Base64: llm.NewText("aGk=")}}
	messages(t, voxtral, chat(user(text("a"), audio)), `[{"role":"user","content":[{"text":"a"},{"audio":{"format":"wav","source":{"bytes":"aGk="}}}]}]`)
	refuses(t, claude37, chat(user(audio)), "messages[0].content[0]")
}

func TestReasoningOfTheHistory(t *testing.T) {
	h := func(b ...llm.Block) *llm.Request { return chat(user(text("a")), assistant(b...), user(text("c"))) }
	const a, c = `[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[`, `{"text":"b"}]},{"role":"user","content":[{"text":"c"}]}]`
	const signed = `{"reasoningContent":{"reasoningText":{"text":"hm","signature":"U0lH"}}},`
	messages(t, claude37, h(thought("hm", "U0lH"), text("b")), a+signed+c)
	messages(t, claude37, h(thought("hm", "U0lH"), thought("hm", "U0lH"), text("b")), a+signed+c)
	messages(t, claude37, h(llm.Block{Kind: llm.BlockRedacted, Signature: llm.NewText("UkVE")}, text("b")), a+`{"reasoningContent":{"redactedContent":"VWtWRQ=="}},`+c)
	messages(t, claude37, h(llm.Block{Kind: llm.BlockRedacted, Signature: llm.NewText("VWtWRQ==")}, text("b")), a+`{"reasoningContent":{"redactedContent":"VWtWRQ=="}},`+c) // wrapped already
	messages(t, claude37, h(llm.Block{Kind: llm.BlockRedacted, Signature: llm.NewText("not base64!")}, text("b")), a+`{"reasoningContent":{"redactedContent":"bm90IGJhc2U2NCE="}},`+c)
	messages(t, claude37, h(thought("hm", ""), text("b")), a+c, "messages[1].content[0];reasoning")
	messages(t, novaPro, h(thought("hm", "U0lH"), text("b")), a+c, "messages[1].content[0];reasoning")
	messages(t, novaPro, h(llm.Block{Kind: llm.BlockRedacted, Signature: llm.NewText("UkVE")}, text("b")), a+c, "messages[1].content[0];reasoning")
	messages(t, claude37, h(thought("hm", "")), `[{"role":"user","content":[{"text":"a"},{"text":"c"}]}]`, "messages[1].content[0];reasoning")
	messages(t, claude37, with(chat(user(text("a")), assistant(thought("1", "UzE="), toolCall("t", "f", `{}`), thought("2", "UzI="), text("b")),
		user(result("t", text("r")))), tools(function("f"))), `[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[`+
		`{"reasoningContent":{"reasoningText":{"text":"1","signature":"UzE="}}},{"toolUse":{"toolUseId":"t","name":"f","input":{}}},`+
		`{"reasoningContent":{"reasoningText":{"text":"2","signature":"UzI="}}},{"text":"b"}]},`+
		`{"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"text":"r"}]}}]}]`)
}

func TestToolCallsOfTheHistory(t *testing.T) {
	f := func(input, want string, losses ...string) {
		t.Helper()
		r := with(chat(user(text("a")), assistant(text("s"), toolCall("t", "f", input)), user(result("t", text("r")))), tools(function("f")))
		messages(t, claude3, r, `[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"text":"s"},`+
			`{"toolUse":{"toolUseId":"t","name":"f","input":`+want+`}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"text":"r"}]}}]}]`, losses...)
	}
	f(``, `{}`)
	f(`  `, `{}`)
	f(`{"a": 1e2}`, `{"a": 1e2}`)
	f(`[1]`, `{"value":[1]}`, "messages[1].content[1];arguments")
	f(`{oops`, `{"_raw":"{oops"}`, "messages[1].content[1];arguments")
	f(`{"a":1} x`, `{"_raw":"{\"a\":1} x"}`, "messages[1].content[1];arguments")
	r := with(chat(user(text("a")), assistant(toolCall("t", "f", `{"a":1}{"b":2}`)), user(result("t", text("r")))), tools(function("f")))
	messages(t, claude3, r, `[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"f","input":{"a":1}}},`+
		`{"toolUse":{"toolUseId":"t_1","name":"f","input":{"b":2}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"text":"r"}]}},`+
		`{"toolResult":{"toolUseId":"t_1","content":[{"text":"(merged with t)"}]}}]}]`, "messages[1].content[0];arguments")
}

func TestToolIDsAreMappedAlike(t *testing.T) {
	long := strings.Repeat("x/", 66)
	mapped := toolUseID(long, false)
	if len(mapped) != 64 || strings.Contains(mapped, "/") || mapped == toolUseID(long+"y", false) {
		t.Fatalf("%s", mapped)
	}
	r := with(chat(user(text("a")), assistant(toolCall(long, "f", `{}`)), user(result(long, text("r")))), tools(function("f")))
	if body, _ := encode(t, claude3, r); strings.Count(body, `"toolUseId":"`+mapped+`"`) != 2 {
		t.Errorf("%s", body)
	}
}

func TestCallsAndResultsAreMatched(t *testing.T) {
	const head = `[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"f","input":{}}}]},`
	base := func(more ...llm.Message) *llm.Request {
		return with(chat(append([]llm.Message{user(text("a")), assistant(toolCall("t", "f", `{}`))}, more...)...), tools(function("f")))
	}
	const none = `{"toolResult":{"toolUseId":"t","content":[{"text":"(no result)"}]}}`
	messages(t, claude3, base(user(text("b"))), head+`{"role":"user","content":[`+none+`,{"text":"b"}]}]`, "messages[1].content[0];unanswered")
	messages(t, claude3, base(), head+`{"role":"user","content":[`+none+`]}]`, "messages[1].content[0];unanswered")
	messages(t, claude3, base(user(result("x", text("r")))), head+`{"role":"user","content":[`+none+`,{"text":"[tool result for x: r]"}]}]`,
		"messages[1].content[0];unanswered", "messages[2].content[0];orphan")
	messages(t, claude3, base(user(result("t", text("1"))), user(result("t", text("2")))),
		head+`{"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"text":"1"}]}}]}]`, "messages[3].content[0];duplicate")
	r := with(chat(user(text("a")), assistant(toolCall("t", "f", `{}`), toolCall("t", "f", `{"x":1}`)), user(result("t", text("1")))), tools(function("f")))
	messages(t, claude3, r, head+`{"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"text":"1"}]}}]}]`, "messages[1].content[1];duplicate")
	refuses(t, claude3, chat(user(toolCall("t", "f", `{}`))), "messages[0].content[0]")
	refuses(t, claude3, chat(user(text("a")), assistant(result("t"))), "messages[1].content[0]")
}

func TestToolResults(t *testing.T) {
	f := func(model string, b llm.Block, want string) {
		t.Helper()
		r := with(chat(user(text("a")), assistant(toolCall("t", "f", `{}`)), user(b)), tools(function("f")))
		messages(t, model, r, `[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"f","input":{}}}]},`+
			`{"role":"user","content":[`+want+`]}]`)
	}
	f(claude3, result("t", text(`{"a":1}`)), `{"toolResult":{"toolUseId":"t","content":[{"text":"{\"a\":1}"}]}}`)
	f(claude3, result("t", text("x"), image(png), pdf("d", "JVBERi0=")), `{"toolResult":{"toolUseId":"t","content":[{"text":"x"},`+
		`{"image":{"format":"png","source":{"bytes":"`+png+`"}}},{"document":{"format":"pdf","name":"d","source":{"bytes":"JVBERi0="}}}]}}`)
	f(claude3, result("t"), `{"toolResult":{"toolUseId":"t","content":[{"text":"(no output)"}]}}`)
	f(claude3, result("t", llm.Block{Kind: llm.BlockOther, Raw: json.RawMessage(`{"a":1}`)}), `{"toolResult":{"toolUseId":"t","content":[{"json":{"a":1}}]}}`)
	f(claude3, result("t", llm.Block{Kind: llm.BlockOther, Raw: json.RawMessage(`{"searchResult":{"source":"s"}}`)}),
		`{"toolResult":{"toolUseId":"t","content":[{"searchResult":{"source":"s"}}]}}`)
	failed := result("t", text("no"))
	failed.Tool.Failed = true
	f(claude3, failed, `{"toolResult":{"toolUseId":"t","content":[{"text":"no"}],"status":"error"}}`)
	f(claude37, result("t", cached(text("x"), "")), `{"toolResult":{"toolUseId":"t","content":[{"text":"x"}]}},{"cachePoint":{"type":"default"}}`)
	f(gpt54, result("t", image(png)), `{"toolResult":{"toolUseId":"t","content":[{"text":"(see the image below)"}]}},`+
		`{"image":{"format":"png","source":{"bytes":"`+png+`"}}}`)
}

func TestToolHistoryWithoutToolsBecomesText(t *testing.T) {
	r := chat(user(text("a")), assistant(text("b"), toolCall("t1", "f", `{"a": 1}`)), user(result("t1", text("r\n"), image(png))))
	messages(t, claude3, r, `[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"text":"b"},{"text":"[tool call t1: f({\"a\":1})]"}]},`+
		`{"role":"user","content":[{"text":"[tool result for t1: r\n]"},{"image":{"format":"png","source":{"bytes":"`+png+`"}}}]}]`)
	r = with(chat(user(text("a")), assistant(toolCall("t1", "f", `{}`)), user(result("t1", text("r")))), tools(function("f")), choice(llm.ToolNone, ""))
	sends(t, claude3, r, `{"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"text":"[tool call t1: f({})]"}]},`+
		`{"role":"user","content":[{"text":"[tool result for t1: r]"}]}]}`)
}

func TestCachePoints(t *testing.T) {
	const point = `{"cachePoint":{"type":"default"}}`
	messages(t, claude37, chat(user(cached(text("a"), "5m"))), `[{"role":"user","content":[{"text":"a"},{"cachePoint":{"type":"default","ttl":"5m"}}]}]`)
	messages(t, claude37, chat(user(cached(text("a"), "1h"))), `[{"role":"user","content":[{"text":"a"},`+point+`]}]`, "messages[0].content[0].cache_control.ttl;unsupported")
	messages(t, sonnet45, chat(user(cached(text("a"), "1h"))), `[{"role":"user","content":[{"text":"a"},{"cachePoint":{"type":"default","ttl":"1h"}}]}]`)
	messages(t, llama33, chat(user(cached(text("a"), ""))), `[{"role":"user","content":[{"text":"a"}]}]`, "messages[0].content[0].cache_control;unsupported")
	messages(t, unknown, chat(user(cached(text("a"), "1h"))), `[{"role":"user","content":[{"text":"a"},{"cachePoint":{"type":"default","ttl":"1h"}}]}]`)
	five := func() *llm.Request {
		c := cached(text("a"), "")
		r := with(chat(user(c, c, c)), tools(llm.Tool{Name: "f", Cache: &llm.CachePoint{}}))
		r.System = []llm.Block{c}
		return r
	}
	if body, _ := encode(t, claude37, five()); strings.Count(body, point) != 5 {
		t.Errorf("%s", body)
	}
	r := with(five(), drop)
	if body, _ := encode(t, claude37, r); strings.Count(body, point) != 4 || strings.Contains(body[strings.Index(body, "toolConfig"):], point) {
		t.Errorf("%s", body)
	}
	lost(t, r, "tools[0].cache_control;unsupported")
	messages(t, claude37, with(chat(user(text("a")), assistant(cached(toolCall("t", "f", `{}`), "")), user(cached(result("t", text("r")), ""))), tools(function("f"))),
		`[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"f","input":{}}},`+point+`]},`+
			`{"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"text":"r"}]}},`+point+`]}]`)
}

func TestPromptCachePrefixIsStable(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		full := randomRequest(rnd)
		full.Format, full.Policy = nil, llm.Policy{}
		for n := 1; n < len(full.Messages); n++ {
			if full.Messages[n].Role != llm.RoleUser || full.Messages[n-1].Role != llm.RoleAssistant {
				continue // a turn of the client's begins here: what stood before was one request
			}
			short := *full
			short.Messages = full.Messages[:n-1]
			if len(short.Messages) == 0 {
				continue
			}
			before, _, err1 := Encode(nil, &short, ref(t, claude37))
			after, _, err2 := Encode(nil, full, ref(t, claude37))
			if err1 != nil || err2 != nil {
				continue
			}
			turns, _ := memberOf(before, "messages")
			last := bytes.LastIndex(turns, []byte(`{"role":"`))
			if prefix := before[:bytes.Index(before, turns)+last]; !bytes.HasPrefix(after, prefix) {
				t.Fatalf("turn %d:\n%s\nis no prefix of\n%s", n, prefix, after)
			}
		}
	}
}

func TestRawTextIsCopied(t *testing.T) {
	sends(t, claude3, chat(user(raw(`a\n\u00e9\/`))), `{"messages":[{"role":"user","content":[{"text":"a\n\u00e9\/"}]}]}`)
}
