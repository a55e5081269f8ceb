package converse

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/llm"
)

func TestSchemasAreNormalisedByFamily(t *testing.T) {
	const refs = `{"type":"object","properties":{"a":{"$ref":"#/$defs/A"},"list":{"type":"array","items":{"$ref":"#/definitions/B~1x"}},"$ref":{"type":"string"}},` +
		`"$defs":{"A":{"type":"object","properties":{"b":{"$ref":"#/$defs/C","description":"mine"}}},"C":{"type":"string","description":"theirs","minLength":1}},"definitions":{"B/x":{"enum":[{"$ref":"kept"}]}}}`
	f := func(model, schema, want string, losses ...string) {
		t.Helper()
		tool := function("f")
		tool.Schema = json.RawMessage(schema)
		r := with(hi(), tools(tool))
		sends(t, model, r, `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"f","inputSchema":{"json":`+want+`}}}]}}`, losses...)
	}
	inlined := `{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"description":"mine","type":"string","minLength":1}}},"list":{"type":"array","items":{"enum":[{"$ref":"kept"}]}},"$ref":{"type":"string"}}}`
	f(claude37, refs, refs)
	f(qwen3, refs, refs)
	f(novaPro, refs, inlined)
	f(llama33, refs, inlined)
	f(unknown, refs, inlined)
	f(novaPro, `{"type":"object","properties":{"n":{"$ref":"#/$defs/N"}},"$defs":{"N":{"type":"object","properties":{"next":{"$ref":"#/$defs/N"}}}}}`,
		`{"type":"object","properties":{"n":{"type":"object","properties":{"next":{"type":"object"}}}}}`, "tools[0].function.parameters;recursion")
	f(novaPro, `{"type":"object","properties":{"n":{"$ref":"#/$defs/Missing"},"m":{"$ref":"https://x/y"}}}`, `{"type":"object","properties":{"n":{"$ref":"#/$defs/Missing"},"m":{"$ref":"https://x/y"}}}`)
	f(novaPro, `{"type":"object","properties":{"n":{"$ref":"#/$defs/A"}},"$defs":{"A":{"$ref":"#/$defs/B"},"B":{"type":"string"}}}`, `{"type":"object","properties":{"n":{"type":"string"}}}`)
	f(novaPro, `{"type":"object","properties":{"n":{"$ref":"#"}}}`, `{"type":"object","properties":{"n":{"type":"object","properties":{"n":{"type":"object"}}}}}`, "tools[0].function.parameters;recursion")
	const look = `{"type":"object","properties":{"a":{"type":"string","pattern":"^(?!x).*$"},"b":{"type":"string","pattern":"^a+$"},"pattern":{"type":"string"}}}`
	f(claude37, look, look)
	f(kimiK3, look, `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string","pattern":"^a+$"},"pattern":{"type":"string"}}}`, "tools[0].function.parameters;lookaround")
}

// TestDefinitionsThatMultiplyAreRefused puts each definition twice into the next: thirty of them are a billion.
func TestDefinitionsThatMultiplyAreRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"type":"object","properties":{"a":{"$ref":"#/$defs/d0"}},"$defs":{`)
	for i := range 30 {
		next := string(rune('0'+(i+1)/10)) + string(rune('0'+(i+1)%10))
		name := strings.TrimPrefix(string(rune('0'+i/10))+string(rune('0'+i%10)), "0")
		next = strings.TrimPrefix(next, "0")
		b.WriteString(`"d` + name + `":{"type":"object","properties":{"x":{"$ref":"#/$defs/d` + next + `"},"y":{"$ref":"#/$defs/d` + next + `"}}},`)
	}
	b.WriteString(`"d30":{"type":"string"}}}`)
	tool := function("f")
	tool.Schema = json.RawMessage(b.String())
	_, _, err := Encode(nil, with(hi(), tools(tool)), ref(t, novaPro))
	refused, ok := err.(*llm.Error)
	if !ok || refused.Param != "tools[0].function.parameters" {
		t.Errorf("%v", err)
	}
}
