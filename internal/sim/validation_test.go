package sim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// refused wants a 400 with this message (or part of it, when it begins with …).
func (b *bedrock) refused(model, body, code, want string) {
	b.Helper()
	r := b.post(model, "converse", body)
	if r.status != 400 {
		b.Errorf("status %d for %s: %s", r.status, body, r.body)
		return
	}
	if got := r.header.Get("x-amzn-ErrorType"); !strings.HasPrefix(got, code+":") {
		b.Errorf("error type %s, want %s", got, code)
	}
	message := fmt.Sprint(r.tree(b.T).at("message"))
	if part, ok := strings.CutPrefix(want, "…"); ok {
		if !strings.Contains(message, part) {
			b.Errorf("message\n %s\nlacks\n %s", message, part)
		}
	} else if message != want {
		b.Errorf("message\n %s\nwant\n %s", message, want)
	}
}

func turns(content ...string) string {
	var list []string
	for i, c := range content {
		list = append(list, fmt.Sprintf(`{"role":"%s","content":[%s]}`, []string{"user", "assistant"}[i%2], c))
	}
	return `{"messages":[` + strings.Join(list, ",") + `]}`
}

func TestValuesThatDoNotFitTheirShape(t *testing.T) {
	b := open(t)
	f := func(body, code, want string) {
		t.Helper()
		b.refused(claude, body, code, want)
	}
	const v, ser = "ValidationException", "SerializationException"
	hi := user("hi")
	f(`{`, ser, "…not valid JSON")
	f(`{} {}`, ser, "…more follows")
	f(`[]`, ser, "Expected structure or null")
	f(`{"messages":"x"}`, ser, "Expected list or null at messages")
	f(turns(`{"text":1}`), ser, "NUMBER_VALUE can not be converted to a String at messages.0.content.0.text")
	f(turns(`{"text":{"a":1}}`), ser, "Start of structure or map found where not expected at messages.0.content.0.text")
	f(with(hi, `"inferenceConfig":{"maxTokens":"9"}`), ser, "STRING_VALUE can not be converted to an Integer at inferenceConfig.maxTokens")
	f(with(hi, `"inferenceConfig":{"maxTokens":1.5}`), ser, "NUMBER_VALUE can not be converted to an Integer at inferenceConfig.maxTokens")
	f(with(hi, `"inferenceConfig":{"temperature":true}`), ser, "TRUE_VALUE can not be converted to a Float at inferenceConfig.temperature")
	f(turns(`{"image":{"format":"png","source":{"bytes":"***"}}}`), ser, "Invalid base64 encoding at messages.0.content.0.image.source.bytes")

	f(with(hi, `"max_tokens":5`), v, "The model returned the following errors: Malformed input request: #: extraneous key [max_tokens] is not permitted, please reformat your input and try again.")
	f(turns(`{"text":"a","tool":1}`), v, "The model returned the following errors: Malformed input request: #/messages/0/content/0: extraneous key [tool] is not permitted, please reformat your input and try again.")
	f(turns(`{}`), v, "…The ContentBlock object at messages.0.content.0 must set one of the following keys: text, image, document")
	f(turns(`{"text":"a","image":{"format":"png","source":{"bytes":"`+pixel+`"}}}`), v, "…sets more than one key: text, image")
	f(`{"messages":[{"content":[{"text":"a"}]}]}`, v, "1 validation error detected: Value at 'messages.1.member.role' failed to satisfy constraint: Member must not be null")
	f(`{"messages":[{"role":"human","content":[{"text":"a"}]}]}`, v, "1 validation error detected: Value at 'messages.1.member.role' failed to satisfy constraint: Member must satisfy enum value set: [user, assistant, system]")
	f(turns(`{"image":{"format":"jpg","source":{"bytes":"`+pixel+`"}}}`), v, "…Value at 'messages.1.member.content.1.member.image.format' failed to satisfy constraint: Member must satisfy enum value set: [png, jpeg, gif, webp]")
	f(with(hi, `"inferenceConfig":{"temperature":1.5,"topP":-1,"maxTokens":0}`), v, "3 validation errors detected: Value at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1; Value at 'inferenceConfig.temperature' failed to satisfy constraint: Member must have value less than or equal to 1; Value at 'inferenceConfig.topP' failed to satisfy constraint: Member must have value greater than or equal to 0")
	f(with(hi, `"inferenceConfig":{"stopSequences":[""]}`), v, "…'inferenceConfig.stopSequences.1.member' failed to satisfy constraint: Member must have length greater than or equal to 1")
	f(with(hi, `"toolConfig":{"tools":[]}`), v, "…'toolConfig.tools' failed to satisfy constraint: Member must have length greater than or equal to 1")
	f(with(hi, `"toolConfig":{"tools":[{"toolSpec":{"name":"a b","inputSchema":{"json":{"type":"object"}}}}]}`), v, "…Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+")
	f(with(turns(`{"text":"a"}`, `{"toolUse":{"toolUseId":"`+strings.Repeat("x", 65)+`","name":"get_time","input":{}}}`), weatherTools), v, "…Member must have length less than or equal to 64")
	f(with(turns(`{"text":"a"}`, `{"toolUse":{"toolUseId":"a/b","name":"get_time","input":{}}}`), weatherTools), v, "…Member must satisfy regular expression pattern: [a-zA-Z0-9_.:-]+")
	f(with(hi, `"requestMetadata":{}`), v, "…'requestMetadata' failed to satisfy constraint: Member must have length greater than or equal to 1")
	f(with(hi, `"requestMetadata":{"a":"b!"}`), v, "…'requestMetadata.a' failed to satisfy constraint: Member must satisfy regular expression pattern")
	many := map[string]string{}
	for i := range 17 {
		many[fmt.Sprint("k", i)] = "v"
	}
	f(with(hi, `"requestMetadata":`+string(mustJSON(many))), v, "…less than or equal to 16")
	f(with(hi, `"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"latest"}`), v, "…'guardrailConfig.guardrailVersion'")
	f(with(hi, `"guardrailConfig":{"guardrailIdentifier":"g"}`), v, "…must be specified together")
	f(with(hi, `"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1","streamProcessingMode":"sync"}`), v, "…extraneous key [streamProcessingMode]")
	f(with(hi, `"serviceTier":{"type":"cheap"}`), v, "…Member must satisfy enum value set: [priority, default, flex, reserved]")
	f(with(hi, `"system":[{"text":""}]`), v, "…'system.1.member.text'")
}

func TestConversationsThatBreakTheRules(t *testing.T) {
	b := open(t)
	f := func(body, want string) { t.Helper(); b.refused(claude, body, "ValidationException", want) }
	image := func(format, data string) string {
		return fmt.Sprintf(`{"image":{"format":"%s","source":{"bytes":"%s"}}}`, format, data)
	}
	document := func(name string) string {
		return fmt.Sprintf(`{"document":{"format":"txt","name":"%s","source":{"text":"abc"}}}`, name)
	}
	use := func(id string) string {
		return fmt.Sprintf(`{"toolUse":{"toolUseId":"%s","name":"get_time","input":{}}}`, id)
	}
	result := func(id string) string {
		return fmt.Sprintf(`{"toolResult":{"toolUseId":"%s","content":[{"text":"noon"}]}}`, id)
	}
	const point = `{"cachePoint":{"type":"default"}}`
	hi := `{"text":"hi"}`

	f(`{}`, "A conversation must start with a user message. Try again with a conversation that starts with a user message.")
	f(`{"messages":[{"role":"assistant","content":[{"text":"a"}]}]}`, "…must start with a user message")
	f(`{"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"user","content":[{"text":"a"}]}]}`, "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.")
	f(`{"messages":[{"role":"user","content":[]}]}`, "The content field in the Message object at messages.0 is empty. Add a ContentBlock object to the content field and try again.")
	f(turns(hi, hi, hi+`,{"text":" \n"}`), "The text field in the ContentBlock object at messages.2.content.1 is blank. Add text to the text field, and try again.")
	f(turns(hi, `{"text":"so "}`), "The model returned the following errors: messages: final assistant content cannot end with trailing whitespace")
	f(turns(hi, image("png", pixel)), "…The image block at messages.1.content.0 is not supported in a message of role assistant")

	f(turns(image("jpeg", pixel)), "The model returned the following errors: messages.0.content.0.image.source.base64.data: The image was specified using the image/jpeg media type, but the image appears to be a image/png image")
	f(turns(image("png", "aGVsbG8=")), "…Could not process image")
	b.refused(llama, turns(image("gif", pixel)), "ValidationException", "The model returned the following errors: The provided image does not match the specified image format.")
	f(turns(document("a")), "…A text block must be included with a document block")
	f(turns(hi+","+document("a.txt")), "…The document file name can only contain alphanumeric characters")
	f(turns(hi+","+document("a  b")), "…more than one consecutive whitespace")
	f(turns(hi+","+document("a")+","+document("a")), "…Duplicate document file names")

	f(turns(hi, use("t1"), result("t1")), "The toolConfig field must be defined when using toolUse and toolResult content blocks.")
	f(with(turns(hi, use("t1"), hi), weatherTools), "Expected toolResult blocks at messages.2.content for the following Ids: t1")
	f(with(turns(hi, use("t1")), weatherTools), "Expected toolResult blocks at messages.2.content for the following Ids: t1")
	f(with(turns(hi, use("t1")+","+use("t2"), result("t2")), weatherTools), "Expected toolResult blocks at messages.2.content for the following Ids: t1")
	f(with(turns(hi, hi, result("t1")), weatherTools), "The number of toolResult blocks at messages.2.content exceeds the number of toolUse blocks of previous turn.")
	f(with(turns(hi, use("t1")+","+use("t1"), result("t1")), weatherTools), "…duplicate Ids: t1")
	f(with(turns(use("t1")), weatherTools), "…The toolUse block at messages.0.content.0 is not supported")
	f(with(turns(hi), `"toolConfig":{"tools":[{"toolSpec":{"name":"a","inputSchema":{"json":"{}"}}}]}`), "The format of the value at toolConfig.tools.0.toolSpec.inputSchema.json is invalid. Provide a json object for the field and try again.")
	f(with(turns(hi), `"toolConfig":{"tools":[{"toolSpec":{"name":"a","inputSchema":{"json":{}}}}]}`), "The value at toolConfig.tools.0.toolSpec.inputSchema.json.type must be one of the following: object.")
	f(with(turns(hi), strings.TrimSuffix(weatherTools, "}")+`,"toolChoice":{"tool":{"name":"nope"}}}`), "…names no tool in toolConfig.tools")
	f(with(turns(hi), strings.Replace(weatherTools, "get_time", "get_weather", 1)), "…used more than once")

	f(turns(hi+strings.Repeat(","+point, 5)), "…maximum number of cachePoint blocks")
	f(turns(hi+","+point+","+hi+`,{"cachePoint":{"type":"default","ttl":"1h"}}`), "…ttl 1h must not come after")

	thinking := func(fields, inference string) string {
		return with(user("hi"), `"additionalModelRequestFields":{"thinking":`+fields+`},"inferenceConfig":`+inference)
	}
	f(thinking(`{"type":"enabled","budget_tokens":10}`, `{}`), "…greater than or equal to 1024")
	f(thinking(`{"type":"enabled","budget_tokens":1024}`, `{"maxTokens":1024}`), "…`max_tokens` must be greater than `thinking.budget_tokens`")
	f(thinking(`{"type":"enabled","budget_tokens":1024}`, `{"maxTokens":2000,"temperature":0.5}`), "…`temperature` may only be set to 1")
	f(with(thinking(`{"type":"enabled","budget_tokens":1024}`, `{}`), strings.TrimSuffix(weatherTools, "}")+`,"toolChoice":{"any":{}}}`), "…Thinking may not be enabled when tool_choice forces tool use")
	f(with(user("hi"), `"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{"}}}}`), "…not valid JSON")
}

func TestConversationsThatAWSAccepts(t *testing.T) {
	b := open(t)
	hi := `{"text":"hi"}`
	for _, body := range []string{
		with(turns(hi, `{"text":"x"},{"toolUse":{"toolUseId":"a:1","name":"get_time","input":{},"type":"tool_use"}}`, `{"toolResult":{"toolUseId":"a:1","content":[{"json":{"a":1}},{"text":""}],"status":"error"}},{"text":"and?"}`), weatherTools),
		with(user("hi"), `"additionalModelRequestFields":{"anything":[1,{"x":null}]},"inferenceConfig":{"temperature":null,"topP":1,"stopSequences":[]}`),
		with(user("hi"), `"requestMetadata":{"team a":"x=1, y"},"serviceTier":{"type":"flex"},"performanceConfig":{"latency":"optimized"},"additionalModelResponseFieldPaths":["/x"]`),
		`{"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"system","content":[{"text":"b"}]},{"role":"assistant","content":[{"text":"c"}]}]}`,
		turns(`{"text":"look"},{"image":{"format":"png","source":{"s3Location":{"uri":"s3://bucket/key"}}}},{"document":{"name":"a (1) [b]-c","format":"pdf","source":{"bytes":"JVBERi0="}}}`),
		turns(hi, `{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},{"reasoningContent":{"redactedContent":"AAAA"}},{"text":"x"}`, hi),
	} {
		r := b.post(claude, "converse", body)
		if r.status != 200 {
			t.Errorf("%s\n%s", body, r.body)
		}
	}
}

func TestModelIDs(t *testing.T) {
	b := open(t)
	f := func(b *bedrock, id string, status int) {
		t.Helper()
		r := b.post(id, "converse", user("hi"))
		if r.status != status {
			t.Errorf("%s: %d %s", id, r.status, r.body)
		} else if status == 400 {
			equal(t, r.tree(t).at("message"), any("The provided model identifier is invalid."))
		}
	}
	f(b, "us.anthropic.claude-sonnet-4-5-20250929-v1:0", 200)
	f(b, "amazon.nova-lite-v1:0:300k", 200)
	f(b, "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", 200)
	f(b, "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:provisioned-model/abc123", 200)
	f(b, "gpt-4", 400)
	f(b, "missing.model-v1:0", 400)
	f(b, "arn:aws:s3:::bucket", 400)
	f(b, "a b.c", 400)
	known := start(t, Options{KnownModels: []string{claude}})
	f(known, claude, 200)
	f(known, claude+".fault-no-metadata", 200)
	f(known, llama, 400)
}

func TestOversizedBodiesAreRefused(t *testing.T) {
	b := open(t)
	r := b.post(claude, "converse", `{"messages":"`+strings.Repeat("x", maxBody)+`"}`)
	equal(t, r.status, 413)
}

func FuzzConverse(f *testing.F) {
	f.Add([]byte(user("call get_weather [[words:3]]")))
	f.Add([]byte(with(turns(`{"text":"a"}`, `{"toolUse":{"toolUseId":"t","name":"get_time","input":{}}}`, `{"toolResult":{"toolUseId":"t","content":[{"text":"x"}]}}`), weatherTools)))
	f.Add([]byte(turns(`{"text":"a"},{"image":{"format":"png","source":{"bytes":"` + pixel + `"}}},{"cachePoint":{"type":"default"}}`)))
	f.Add([]byte(`{"messages":[{"role":"user","content":[null]}],"toolConfig":{"tools":[null]}}`))
	f.Add([]byte(`{"messages":[null]}`))
	s := New(Options{})
	f.Fuzz(func(t *testing.T, body []byte) {
		p, refused := readConverse(claude, body, true)
		if refused != nil {
			if refused.status != 400 || refused.message == "" {
				t.Fatalf("refused with %+v", refused)
			}
			return
		}
		a := s.compose(p, newDice(0, "fuzz", body), nil, 3)
		if !json.Valid(mustJSON(converseAnswer(p, a))) {
			t.Fatal("the answer is no JSON")
		}
		for _, one := range framed(converseEvents(p, a), newDice(0, "fuzz")) {
			if _, err := one.encode(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzAnthropic(f *testing.F) {
	f.Add([]byte(`{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`))
	f.Add([]byte(`{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + pixel + `"}}]}],"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}]}`))
	f.Add([]byte(`{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[null],"tools":[null]}`))
	s := New(Options{})
	f.Fuzz(func(t *testing.T, body []byte) {
		p, refused := anthropicMessages{}.read(claude, body)
		if refused != nil {
			return
		}
		d := newDice(0, "fuzz", body)
		a := s.compose(p, d, nil, 3)
		if !json.Valid(mustJSON(invokeAnswer(anthropicMessages{}, p, a, d))) {
			t.Fatal("the answer is no JSON")
		}
		framed(invokeEvents(anthropicMessages{}, p, a, d), d)
	})
}

func TestImageFormatsAreToldByTheirBytes(t *testing.T) {
	for want, data := range map[string]string{"png": "\x89PNG\r\n\x1a\n..", "jpeg": "\xff\xd8\xff\xe0", "gif": "GIF89a..", "webp": "RIFF....WEBPVP8 ", "": "BM"} {
		equal(t, imageFormat([]byte(data)), want)
	}
	if _, err := base64.StdEncoding.DecodeString(pixel); err != nil {
		t.Fatal(err)
	}
}
