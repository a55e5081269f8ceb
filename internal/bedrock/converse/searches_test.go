package converse

import "testing"

// TestSearchesAreCounted counts Nova's own searches; other tools at AWS are none.
func TestSearchesAreCounted(t *testing.T) {
	const search, other = `{"toolUse":{"toolUseId":"t","name":"nova_grounding","input":{},"type":"server_tool_use"}}`, `{"toolUse":{"toolUseId":"t","name":"nova_code_interpreter","input":{},"type":"server_tool_use"}}`
	const own = `{"toolUse":{"toolUseId":"t","name":"nova_grounding","input":{}}}`
	r, err := Decode([]byte(answerOf(search+","+other+","+own+","+search, "end_turn")), nil)
	if err != nil || r.Usage.Searches != 2 || r.Usage.Output == 0 {
		t.Errorf("%+v %v", r, err)
	}
}
