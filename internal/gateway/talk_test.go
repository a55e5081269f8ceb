package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// abilities is what a model takes of a history, as far as these conversations go.
type abilities struct {
	model                  string
	thoughts, cache, media bool
}

var manyModels = []abilities{
	{model: "us.anthropic.claude-3-7-sonnet-20250219-v1:0", thoughts: true, cache: true, media: true},
	{model: "us.amazon.nova-pro-v1:0", cache: true, media: true},
	{model: "us.meta.llama3-3-70b-instruct-v1:0"},
	{model: "foo.bar-v1", thoughts: true, cache: true, media: true},
}

// talk is a conversation made at random: what the client writes, and what AWS must hear, each block in short words.
type talk struct {
	*rand.Rand
	can abilities

	tools    []string
	messages []string
	// ends are the numbers of messages after which it is the model's turn.
	ends []int

	system []string
	turns  []string
	// lost counts what must be named as lost, by the reason.
	lost map[string]int

	calls int
	open  []int // calls that wait for a result
	files int
}

func newTalk(seed uint64, can abilities) *talk {
	k := &talk{Rand: rand.New(rand.NewPCG(seed, seed)), can: can, lost: map[string]int{}}
	names := []string{"plain", "with.dots", "with_dots", "näme", strings.Repeat("long", 20)}
	k.tools = names[:k.IntN(len(names)+1)]
	if k.odds(2) {
		k.systemMessages()
	}
	for range 1 + k.IntN(5) {
		k.userTurn()
		k.assistantTurn()
	}
	k.userTurn()
	return k
}

// odds is true once in n times.
func (k *talk) odds(n int) bool { return k.IntN(n) == 0 }

// text returns something to say: never blank, often hard to spell.
func (k *talk) text() string {
	pieces := []string{
		"a", "word ", "\"", `\`, "\n", "\t", "/", "é", "漢字", "🪨", "\u2028", "</script>", "\x01", "\x7f", `{"a":1}`, "%", "[[", "&amp;", "Human: ", "\u00a0", "𝄞",
	}
	var b strings.Builder
	for range 1 + k.IntN(6) {
		b.WriteString(pieces[k.IntN(len(pieces))])
	}
	return b.String() + "."
}

// spell writes a JSON string in one of the ways in which clients do.
func (k *talk) spell(text string) string {
	data, err := json.Marshal(text) // escapes <, > and &
	if err != nil {
		panic(err)
	}
	switch k.IntN(4) {
	case 0:
		return string(data)
	case 1:
		return strings.ReplaceAll(string(data), "/", `\/`)
	case 2: // as Python does: ASCII only
		var b strings.Builder
		for _, r := range string(data) {
			switch {
			case r < 0x80:
				b.WriteRune(r)
			case r < 0x10000:
				fmt.Fprintf(&b, `\u%04x`, r)
			default:
				fmt.Fprintf(&b, `\u%04X\u%04X`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
			}
		}
		return b.String()
	default: // as JavaScript does
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(text); err != nil {
			panic(err)
		}
		return strings.TrimSuffix(b.String(), "\n")
	}
}

// cacheMark returns a member that asks for a cache point, and the block that AWS must see for it.
func (k *talk) cacheMark() (member, block string) {
	if !k.odds(8) {
		return "", ""
	}
	if !k.can.cache {
		k.lost["unsupported"]++
		return `,"cache_control":{"type":"ephemeral"}`, ""
	}
	return `,"cache_control":{"type":"ephemeral"}`, "cache"
}

func (k *talk) systemMessages() {
	for range 1 + k.IntN(2) {
		text := k.text()
		mark, cache := k.cacheMark()
		role := []string{"system", "developer"}[k.IntN(2)]
		k.messages = append(k.messages, `{"role":"`+role+`","content":[{"type":"text","text":`+k.spell(text)+mark+`}]}`)
		k.system = appendBlocks(k.system, "text "+strconv.Quote(text), cache)
	}
}

func appendBlocks(blocks []string, more ...string) []string {
	for _, b := range more {
		if b != "" {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

// userTurn speaks for the user: results for all open calls, then one message or two, sometimes the operator's between.
func (k *talk) userTurn() {
	var blocks []string
	k.Shuffle(len(k.open), func(i, j int) { k.open[i], k.open[j] = k.open[j], k.open[i] })
	for _, call := range k.open {
		blocks = appendBlocks(blocks, k.result(call)...)
	}
	results := len(blocks)
	k.open = nil
	for range 1 + k.IntN(2) {
		if len(k.turns) > 0 && k.odds(6) {
			one, two := k.text(), k.text()
			k.messages = append(k.messages, `{"role":"system","content":[`+k.spell(one)+`,{"type":"text","text":`+k.spell(two)+`}]}`)
			blocks = append(blocks, `text "[System message from the operator, not from the user]"`, "text "+strconv.Quote(one), "text "+strconv.Quote(two))
		}
		blocks = append(blocks, k.userMessage()...)
	}
	said := func(word string) bool {
		return slices.ContainsFunc(blocks[results:], func(b string) bool { return strings.HasPrefix(b, word+" ") })
	}
	if said("document") && !said("text") { // AWS wants a text beside a document
		if blocks[len(blocks)-1] == "cache" {
			blocks = slices.Insert(blocks, len(blocks)-1, `text "."`)
		} else {
			blocks = append(blocks, `text "."`)
		}
	}
	k.turns = append(k.turns, "user: "+strings.Join(blocks, ", "))
	k.ends = append(k.ends, len(k.messages))
}

func (k *talk) userMessage() []string {
	if k.odds(3) { // a bare string
		text := k.text()
		k.messages = append(k.messages, `{"role":"user","content":`+k.spell(text)+`}`)
		return []string{"text " + strconv.Quote(text)}
	}
	var parts, blocks []string
	for range 1 + k.IntN(3) {
		part, block := k.part()
		mark, cache := k.cacheMark()
		parts = append(parts, strings.TrimSuffix(part, "}")+mark+"}")
		blocks = appendBlocks(blocks, block, cache)
	}
	if len(parts) == 1 && k.odds(2) { // one part that stands alone
		k.messages = append(k.messages, `{"role":"user","content":`+parts[0]+`}`)
	} else {
		k.messages = append(k.messages, `{"role":"user","content":[`+strings.Join(parts, ",")+`]}`)
	}
	return blocks
}

// part returns a content part of a user's and its block.
func (k *talk) part() (part, block string) {
	if !k.can.media || k.odds(2) {
		text := k.text()
		return `{"type":"text","text":` + k.spell(text) + `}`, "text " + strconv.Quote(text)
	}
	k.files++
	content := "no. " + strconv.Itoa(k.files)
	if k.odds(2) {
		data := base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\n" + content))
		block = "image png " + data
		switch url := `"data:image/png;base64,` + data + `"`; k.IntN(3) {
		case 0:
			return `{"type":"image_url","image_url":` + url + `}`, block
		case 1:
			return `{"type":"image_url","image_url":{"url":` + url + `,"detail":"auto"}}`, block
		default:
			return `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + data + `"}}`, block
		}
	}
	if k.odds(2) { // the same file again and again: AWS wants different names
		content = "again"
	}
	data := base64.StdEncoding.EncodeToString([]byte("%PDF-1.7 " + content))
	block = "document pdf " + data
	switch url := `"data:application/pdf;base64,` + data + `"`; k.IntN(4) {
	case 0:
		return `{"type":"file","file":{"file_data":` + url + `}}`, block
	case 1:
		return `{"type":"file","file":{"file_data":"` + data + `","filename":"my_report.v1.pdf"}}`, block
	case 2:
		return `{"type":"image_url","image_url":{"url":` + url + `}}`, block
	default:
		return `{"type":"document","title":"A: title","source":{"type":"base64","media_type":"application/pdf","data":"` + data + `"}}`, block
	}
}

// clientCallID is the client's id of a call: some are such as AWS refuses.
func clientCallID(call int) string {
	return []string{"call_%d", "weird/id %d", strings.Repeat("x", 120) + "%d", "tooluse_%d"}[call%4]
}

func (k *talk) result(call int) []string {
	id := k.spell(fmt.Sprintf(clientCallID(call), call))
	text := k.text()
	member, said := `"content":`+k.spell(text), "text "+strconv.Quote(text)
	switch k.IntN(4) {
	case 0:
		second := k.text()
		member = `"content":[{"type":"text","text":` + k.spell(text) + `},{"type":"text","text":` + k.spell(second) + `}]`
		said += "; text " + strconv.Quote(second)
	case 1:
		member, said = `"content":`+[]string{`""`, `null`, `[]`, `" "`}[k.IntN(4)], `text "(no output)"`
	}
	status := "success"
	if k.can.thoughts && k.odds(5) {
		member, status = member+`,"is_error":true`, "error"
	}
	mark, cache := k.cacheMark()
	k.messages = append(k.messages, `{"role":"tool","tool_call_id":`+id+`,`+member+mark+`}`)
	return []string{fmt.Sprintf("result %d %s [%s]", call, status, said), cache}
}

// assistantTurn speaks for the model: thoughts, text, calls.
func (k *talk) assistantTurn() {
	var members, blocks []string
	if k.odds(3) {
		member, thought := k.thoughts()
		members, blocks = append(members, member), append(blocks, thought...)
	}
	calls := 0
	if len(k.tools) > 0 && k.odds(2) {
		calls = 1 + k.IntN(3)
	}
	if calls == 0 || k.odds(2) {
		text := k.text()
		members = append(members, `"content":`+k.spell(text))
		blocks = append(blocks, "text "+strconv.Quote(text))
	} else {
		members = append(members, []string{`"content":null`, `"content":""`, `"content":"\n"`, `"refusal":null`}[k.IntN(4)])
	}
	if calls > 0 {
		member, called := k.toolCalls(calls)
		members, blocks = append(members, member), append(blocks, called...)
	}
	k.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	k.messages = append(k.messages, `{"role":"assistant",`+strings.Join(members, ",")+`}`)
	k.turns = append(k.turns, "assistant: "+strings.Join(blocks, ", "))
}

func (k *talk) thoughts() (member string, blocks []string) {
	var list []string
	for range 1 + k.IntN(2) {
		text, signature := k.text(), base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(k.Int())))
		switch k.IntN(3) {
		case 0:
			list = append(list, `{"type":"redacted_thinking","data":"`+signature+`"}`)
			blocks = append(blocks, "redacted "+signature)
		case 1: // without a signature no model takes it
			list = append(list, `{"type":"thinking","thinking":`+k.spell(text)+`}`)
			k.lost["reasoning"]++
		default:
			list = append(list, `{"type":"thinking","thinking":`+k.spell(text)+`,"signature":"`+signature+`"}`)
			blocks = append(blocks, "thought "+strconv.Quote(text)+" "+signature)
		}
	}
	if !k.can.thoughts {
		k.lost["reasoning"] += len(blocks)
		blocks = nil
	}
	return `"thinking_blocks":[` + strings.Join(list, ",") + `],"reasoning_content":"said elsewhere"`, blocks
}

func (k *talk) toolCalls(n int) (member string, blocks []string) {
	var list []string
	for range n {
		k.calls++
		k.open = append(k.open, k.calls)
		tool := k.IntN(len(k.tools))
		arguments := k.object(3)
		id, name := k.spell(fmt.Sprintf(clientCallID(k.calls), k.calls)), k.spell(k.tools[tool])
		list = append(list, `{"id":`+id+`,"type":"function","function":{"name":`+name+`,"arguments":`+k.spell(arguments)+`}}`)
		blocks = append(blocks, fmt.Sprintf("call %d %d %s", k.calls, tool, sorted(arguments)))
	}
	return `"tool_calls":[` + strings.Join(list, ",") + `]`, blocks
}

// object returns a JSON object, as deep as depth.
func (k *talk) object(depth int) string {
	var members []string
	for i := range k.IntN(4) {
		members = append(members, k.spell(strconv.Itoa(i)+k.text())+": "+k.value(depth-1))
	}
	return "{" + strings.Join(members, ", ") + "}"
}

func (k *talk) value(depth int) string {
	switch n := k.IntN(7); {
	case n == 0 && depth > 0:
		return k.object(depth)
	case n == 1 && depth > 0:
		return "[" + k.value(depth-1) + "," + k.value(depth-1) + "]"
	case n < 4:
		return k.spell(k.text())
	default:
		return []string{"0", "-1.50", "12345678901234567890", "1e-7", "true", "false", "null", "[]"}[k.IntN(8)]
	}
}

// body returns the request with the first n messages.
func (k *talk) body(n int) string {
	var tools []string
	for _, name := range k.tools {
		tools = append(tools, `{"type":"function","function":{"name":`+k.spell(name)+`}}`)
	}
	return `{"model":"sonnet","tools":[` + strings.Join(tools, ",") + `],"messages":[` + strings.Join(k.messages[:n], ",") + `]}`
}

// sorted returns JSON with sorted members and numbers as they were written.
func sorted(text string) string {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return err.Error()
	}
	out, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// answer is what a model says, made at random: in Converse's JSON, as the events of a stream, and in short words.
type answer struct {
	content, events string
	blocks          []string
	stop            string
}

func newAnswer(k *talk) *answer {
	a := &answer{stop: "end_turn"}
	var content []string
	var events strings.Builder
	block := 0
	event := func(name, payload string) { fmt.Fprintf(&events, "%s %s\n", name, payload) }
	delta := func(member string) {
		event("contentBlockDelta", fmt.Sprintf(`{"contentBlockIndex":%d,"delta":{%s}}`, block, member))
	}
	end := func() { event("contentBlockStop", fmt.Sprintf(`{"contentBlockIndex":%d}`, block)); block++ }
	event("messageStart", `{"role":"assistant"}`)
	for range k.IntN(3) {
		signature := base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(k.Int())))
		if k.odds(3) {
			blob := base64.StdEncoding.EncodeToString([]byte(signature))
			content = append(content, `{"reasoningContent":{"redactedContent":"`+blob+`"}}`)
			delta(`"reasoningContent":{"redactedContent":"` + blob + `"}`)
			a.blocks = append(a.blocks, "redacted "+signature)
		} else {
			text := k.text()
			content = append(content, `{"reasoningContent":{"reasoningText":{"text":`+k.spell(text)+`,"signature":"`+signature+`"}}}`)
			k.pieces(text, func(piece string) { delta(`"reasoningContent":{"text":` + piece + `}`) })
			delta(`"reasoningContent":{"signature":"` + signature + `"}`)
			a.blocks = append(a.blocks, "thought "+strconv.Quote(text)+" "+signature)
		}
		end()
	}
	said := ""
	for range 1 + k.IntN(3) { // blocks of text are one text to the client
		text := k.text()
		content = append(content, `{"text":`+k.spell(text)+`}`)
		k.pieces(text, func(piece string) { delta(`"text":` + piece) })
		end()
		said += text
	}
	a.blocks = append(a.blocks, "text "+strconv.Quote(said))
	for i := range k.IntN(3) {
		input := k.object(3)
		id := fmt.Sprintf("tooluse_%d", i)
		content = append(content, `{"toolUse":{"toolUseId":"`+id+`","name":"plain","input":`+input+`}}`)
		event("contentBlockStart", fmt.Sprintf(`{"contentBlockIndex":%d,"start":{"toolUse":{"toolUseId":"%s","name":"plain"}}}`, block, id))
		k.pieces(input, func(piece string) { delta(`"toolUse":{"input":` + piece + `}`) })
		end()
		a.blocks = append(a.blocks, fmt.Sprintf("call %d 0 %s", i+1, sorted(input)))
		a.stop = "tool_use"
	}
	event("messageStop", `{"stopReason":"`+a.stop+`"}`)
	event("metadata", `{"usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3},"metrics":{"latencyMs":5}}`)
	a.content, a.events = strings.Join(content, ","), events.String()
	return a
}

// pieces cuts a text between its characters and gives each piece as a JSON string.
func (k *talk) pieces(text string, each func(piece string)) {
	runes := []rune(text)
	for len(runes) > 0 {
		n := 1 + k.IntN(min(len(runes), 7))
		each(k.spell(string(runes[:n])))
		runes = runes[n:]
	}
}
