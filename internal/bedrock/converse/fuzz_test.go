package converse

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// bytesSource makes a generator's choices out of fuzzed bytes. A counter keeps it moving when they run out: the
// generator draws again when a number does not suit it.
type bytesSource struct {
	data  []byte
	count uint64
}

func (s *bytesSource) Uint64() uint64 {
	s.count++
	x := s.count
	if len(s.data) > 0 {
		x = uint64(s.data[0]) + x<<8
		s.data = s.data[1:]
	}
	x *= 0x9e3779b97f4a7c15
	return x ^ x>>29
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func maybe[T any](r *rand.Rand, list ...T) *T {
	if r.IntN(3) > 0 {
		return nil
	}
	return p(pick(r, list...))
}

func randomText(r *rand.Rand) llm.Text {
	return pick(r, llm.NewText(""), llm.NewText(" "), llm.NewText("hi"), llm.NewText("a\"\\\n\x01é\xff"), llm.RawText([]byte(`raw \n\u00e9 `)),
		llm.RawText([]byte(`\n`)), llm.RawText([]byte(`JSON`)))
}

func randomRaw(r *rand.Rand) json.RawMessage {
	return json.RawMessage(pick(r, ``, `null`, `{}`, `{"a":1}`, `[1]`, `"x"`, `{oops`, `{"a":1}{"b":2}`, `{"type":"object","properties":{"a":{}}}`,
		`{"type":"array"}`, `{"searchResult":{}}`, ` { "x" : [ 1 , 2 ] } `, `{"type":"enabled","budget_tokens":2000}`, `{"guardrailIdentifier":"g","guardrailVersion":"1"}`,
		`1`, `true`, `{"anthropic_beta":["x"],"top_k":1}`, `{"type":"adaptive","display":"x"}`, `["a","b"]`))
}

func randomMedia(r *rand.Rand) *llm.Media {
	if r.IntN(8) == 0 {
		return nil
	}
	return &llm.Media{
		Format: pick(r, "png", "jpg", "pdf", "mp4", "wav", "txt", "", "x y"), Name: pick(r, "", "a.pdf", "a.pdf", "é__.txt", "a\x00"),
		Base64: pick(r, llm.NewText(png), llm.NewText("JVBERi0xLjc="), llm.NewText("aGk"), llm.NewText("!"), llm.Text{}, llm.RawText([]byte(`\/9j\/4AAQ`))),
		S3:     pick(r, "", "", "s3://b/k.png", "http://x"), Context: randomText(r), CitationsEnabled: r.IntN(2) == 0,
	}
}

func randomBlock(r *rand.Rand, depth int) llm.Block {
	b := llm.Block{Kind: llm.BlockKind(r.IntN(int(llm.BlockOther) + 1)), Text: randomText(r)}
	if r.IntN(4) > 0 {
		b.Kind = pick(r, llm.BlockText, llm.BlockText, llm.BlockToolUse, llm.BlockThinking, llm.BlockToolResult)
	}
	if r.IntN(4) == 0 {
		b.Cache = &llm.CachePoint{TTL: pick(r, "", "5m", "1h", "2h")}
	}
	switch b.Kind {
	case llm.BlockImage, llm.BlockDocument, llm.BlockVideo, llm.BlockAudio:
		b.Media = randomMedia(r)
	case llm.BlockThinking, llm.BlockRedacted:
		b.Signature = pick(r, llm.Text{}, llm.NewText("U0lH"), llm.NewText("not base64"))
	case llm.BlockToolUse, llm.BlockToolResult:
		if r.IntN(16) == 0 {
			break
		}
		b.Tool = &llm.ToolBlock{ID: pick(r, "t1", "t2", "t/3", ""), Name: pick(r, "f", "a.b", "a_b", "é", ""), Input: randomRaw(r), Failed: r.IntN(4) == 0}
		for n := r.IntN(3); n > 0 && depth < 2; n-- {
			b.Tool.Result = append(b.Tool.Result, randomBlock(r, depth+1))
		}
	case llm.BlockGuarded:
		b.Qualifiers = pick(r, nil, []string{"query"}, []string{"grounding_source", "query"})
	case llm.BlockCitations, llm.BlockOther:
		b.Raw = randomRaw(r)
	default:
	}
	return b
}

func randomRequest(r *rand.Rand) *llm.Request {
	q := &llm.Request{
		MaxTokens: maybe[int64](r, 0, 1, 1500, 1<<40), Temperature: maybe(r, 0.0, 0.2, 1, 1e-9, -5), TopP: maybe(r, 0.5, 1), TopK: maybe[int64](r, 1, -1),
		Stop: pick(r, nil, []string{""}, []string{"a", " ", "\"\n"}), Stream: r.IntN(2) == 0, ParallelTools: maybe(r, true, false),
		Effort: pick(r, "", "", "low", "max", "none", "x"), Latency: pick(r, "", "", "optimized"), Tier: pick(r, "", "", "flex", "auto"),
		Betas: pick(r, nil, []string{"a", "b", "a", "files-api-x"}),
	}
	for n := r.IntN(3); n > 0; n-- {
		b := randomBlock(r, 2)
		if r.IntN(8) > 0 {
			b.Kind = pick(r, llm.BlockText, llm.BlockGuarded)
		}
		q.System = append(q.System, b)
	}
	for n := r.IntN(6); n > 0; n-- {
		m := llm.Message{Role: pick(r, llm.RoleUser, llm.RoleAssistant, llm.RoleUser, llm.RoleAssistant, llm.RoleSystem), Prefix: r.IntN(8) == 0}
		for k := r.IntN(4); k > 0; k-- {
			b := randomBlock(r, 0)
			if wrong := m.Role == llm.RoleAssistant && b.Kind == llm.BlockToolResult || m.Role != llm.RoleAssistant &&
				(b.Kind == llm.BlockToolUse || b.Kind == llm.BlockThinking); wrong && r.IntN(16) > 0 {
				b.Kind = llm.BlockText
			}
			m.Blocks = append(m.Blocks, b)
		}
		q.Messages = append(q.Messages, m)
	}
	for n := r.IntN(4); n > 0; n-- {
		q.Tools = append(q.Tools, llm.Tool{
			Name: pick(r, "f", "g", "a.b", "a_b", "json_tool_call", "é", ""), Description: randomText(r), Schema: randomRaw(r),
			Strict: maybe(r, true, false), Type: pick(r, "", "", "", "computer_20250124", "web_search"), Raw: randomRaw(r),
		})
	}
	q.ToolChoice = llm.ToolChoice{Mode: llm.ToolChoiceMode(r.IntN(5)), Name: "f"}
	if r.IntN(4) == 0 {
		q.Format = &llm.Format{Type: pick(r, "json_schema", "json_object", "text", "x"), Name: pick(r, "", "n"), Description: randomText(r), Schema: randomRaw(r)}
	}
	if r.IntN(4) == 0 {
		q.Thinking = randomRaw(r)
	}
	if r.IntN(4) == 0 {
		q.Guardrail = randomRaw(r)
	}
	for n := r.IntN(3); n > 0; n-- {
		q.Extra = append(q.Extra, llm.Field{Name: pick(r, "foo", "inferenceConfig", "additionalModelRequestFields", "outputConfig", "anthropic_beta",
			"serviceTier", "aws_x", "output_config", "additionalModelResponseFieldPaths", "promptVariables", "context_management", "a\"b"), Value: randomRaw(r)})
		q.Params = append(q.Params, llm.Field{Name: pick(r, "seed", "n", "logit_bias", "web_search_options", "output_config", "user"), Value: randomRaw(r)})
	}
	q.Metadata = pick(r, nil, []llm.Pair{{Key: "k", Value: "v"}}, []llm.Pair{{Key: "é", Value: ""}})
	q.Policy = llm.Policy{Drop: r.IntN(2) == 0, Modify: r.IntN(2) == 0, Allowed: pick(r, nil, []string{"seed"})}
	if r.IntN(4) == 0 {
		q.Policy.UserContinue = p(user(randomBlock(r, 2)))
	}
	if r.IntN(4) == 0 {
		q.Policy.AssistantContinue = p(assistant(randomBlock(r, 2)))
	}
	return q
}

var allModels = []string{
	claude3, claude37, sonnet45, opus47, fable51, novaPro, nova2, llama33, mistral7b, gptOSS, gpt54, qwen3, deepseekR1, kimiK3, voxtral, unknown,
	"arn:aws:bedrock:us-east-1:1:prompt/x:1",
}

// checkEncode encodes a request made from src: the body must be JSON, or the error one that a client understands.
func checkEncode(t *testing.T, r *rand.Rand) (encoded bool) {
	t.Helper()
	model := pick(r, allModels...)
	q := randomRequest(r)
	body, turn, err := Encode(nil, q, ref(t, model))
	if err != nil {
		var e *llm.Error
		if !errors.As(err, &e) || e.Status() != 400 || e.Param == "" || len(body) > 0 {
			t.Fatalf("%s: %v", model, err)
		}
		return false
	}
	if err := jsonscan.Valid(body); err != nil {
		t.Fatalf("%s: %v in %s", model, err, body)
	}
	checkShape(t, model, body)
	again, _, err := Encode(nil, q, ref(t, model))
	if err != nil || string(again) != string(body) {
		t.Fatalf("%s: not the same twice:\n%s\n%s %v", model, body, again, err)
	}
	if _, err := Decode([]byte(answerOf(`{"text":"hi"}`, "end_turn")), turn); err != nil {
		t.Fatal(err)
	}
	return true
}

// checkShape holds a body against the rules of AWS that do not depend on the model: alternating turns that say
// something, results for calls, no blank text, unique keys.
func checkShape(t *testing.T, model string, body []byte) {
	t.Helper()
	var b struct {
		Messages []struct {
			Role    string
			Content []map[string]json.RawMessage
		}
		ToolConfig *struct{ Tools []json.RawMessage }
	}
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatalf("%s: %v in %s", model, err, body)
	}
	open := map[string]bool{}
	for i, m := range b.Messages {
		if len(m.Content) == 0 || i > 0 && b.Messages[i-1].Role == m.Role {
			t.Fatalf("%s: turn %d of %s", model, i, body)
		}
		answered := map[string]bool{}
		for j, c := range m.Content {
			var text string
			if raw, ok := c["text"]; ok && json.Unmarshal(raw, &text) == nil && llm.NewText(text).IsBlank() {
				t.Fatalf("%s: blank text in %s", model, body)
			}
			var block struct{ ToolUseID string }
			if raw, ok := c["toolUse"]; ok && json.Unmarshal(raw, &block) == nil {
				open[block.ToolUseID] = true
			}
			if raw, ok := c["toolResult"]; ok && json.Unmarshal(raw, &block) == nil {
				if !open[block.ToolUseID] || answered[block.ToolUseID] {
					t.Fatalf("%s: result %d of turn %d answers nothing in %s", model, j, i, body)
				}
				answered[block.ToolUseID] = true
			}
			_, isCache := c["cachePoint"]
			if isCache && j == 0 {
				t.Fatalf("%s: a cache point behind nothing in %s", model, body)
			}
		}
		if m.Role == "user" && len(answered) != len(open) {
			t.Fatalf("%s: turn %d leaves calls open in %s", model, i, body)
		}
		if m.Role == "user" {
			open = map[string]bool{}
		}
	}
	if len(open) > 0 {
		t.Fatalf("%s: open calls at the end of %s", model, body)
	}
	if b.ToolConfig != nil && len(b.ToolConfig.Tools) == 0 {
		t.Fatalf("%s: a toolConfig without tools in %s", model, body)
	}
}

func TestRandomRequests(t *testing.T) {
	encoded := 0
	for seed := range uint64(20000) {
		if checkEncode(t, rand.New(rand.NewPCG(seed, 7))) {
			encoded++
		}
	}
	if encoded < 500 {
		t.Errorf("only %d requests went through: the generator is too wild to test anything", encoded)
	}
}

func FuzzEncode(f *testing.F) {
	f.Add([]byte("hello"))
	f.Add([]byte{0, 255, 3, 9, 17, 200, 41, 5, 5, 5, 80, 120, 33, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		checkEncode(t, rand.New(&bytesSource{data: data}))
	})
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		wholeAnswer, answerOf(``, "end_turn"), answerOf(`{"text":"<think>a</think>b"}`, "end_turn"), `{"output":{"message":{}}}`, `{`, `null`, `[]`, ``,
		answerOf(`{"toolUse":{"name":"json_tool_call","input":{"properties":{"a":1}}}}`, "tool_use"), `{"output":null,"usage":[],"serviceTier":1}`,
		"{\"output\":{\"message\":{\"content\":[{\"text\":\"```json\\n{}\\n```\"}]}}}",
	} {
		f.Add([]byte(s), uint8(0))
		f.Add([]byte(s), uint8(255))
	}
	f.Fuzz(func(t *testing.T, body []byte, bits uint8) {
		out, err := Decode(body, turnOf(bits))
		if err == nil {
			if jsonscan.Valid(body) != nil {
				t.Fatalf("took %q for JSON", body)
			}
			for i := range out.Blocks {
				if b := &out.Blocks[i]; b.Tool != nil && jsonscan.Valid(b.Tool.Input) != nil || b.Raw != nil && jsonscan.Valid(b.Raw) != nil {
					t.Fatalf("%+v", b)
				}
				if jsonscan.Valid(out.Blocks[i].Text.AppendJSON(nil)) != nil {
					t.Fatalf("text of %+v is not JSON", out.Blocks[i])
				}
			}
			return
		}
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != llm.KindUpstream {
			t.Fatalf("%v", err)
		}
	})
}

// turnOf returns a turn with some of its wishes set.
func turnOf(bits uint8) *Turn {
	if bits == 0 {
		return nil
	}
	t := &Turn{thinkTags: bits&1 != 0, fences: bits&2 != 0, textCalls: bits&4 != 0, keepProperties: bits&16 != 0, tools: []string{"f"}}
	if bits&8 != 0 {
		t.jsonTool = "json_tool_call"
	}
	if bits&32 != 0 {
		t.wrapped = []string{"f", "json_tool_call"}
	}
	return t
}
