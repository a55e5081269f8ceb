package openai

import (
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// ResponseEvents turns a stream of events into the server-sent events of the Responses API, and keeps the items that they
// make: the last event repeats them all. It is used by one goroutine.
type ResponseEvents struct {
	a *ResponseAnswer
	// quiet makes items and writes no events.
	quiet bool
	seq   int64
	items []*outputItem
	// message is the open message, nil if there is none: texts that follow one another are one.
	message *outputItem
	started bool
	stop    llm.StopReason
	others  []byte
	last    []byte // the whole response, when it has ended
	output  []byte // the items of a response in the model's own words
}

// outputItem is an item of the output. It is open until json has it.
type outputItem struct {
	kind  string
	id    string
	index int
	block int32
	json  []byte
	// text is the JSON spelling, without quotes, of what has come: text, summary, or a call's arguments.
	text      []byte
	signature []byte
	redacted  bool
	begun     bool
	logprobs  []byte
	cited     citedText
	// callID and tool are a call's, function is the name that the model knows.
	callID string
	tool   responseTool
}

// The kinds of items.
const (
	itemMessage   = "message"
	itemReasoning = "reasoning"
	itemCall      = "function_call"
	itemCustom    = "custom_tool_call"
	itemShell     = "local_shell_call"
)

// NewResponseEvents returns the writer of one response.
func NewResponseEvents(a *ResponseAnswer) *ResponseEvents { return &ResponseEvents{a: a} }

// Append appends what ev comes to: usually one event, sometimes none or several. The last one comes with the usage.
func (e *ResponseEvents) Append(dst []byte, ev *llm.Event) []byte {
	if ev.Choice > 0 {
		return dst
	}
	if ev.Native != nil {
		return e.native(dst, ev.Native)
	}
	switch ev.Kind {
	case llm.EventStart:
		return e.start(dst)
	case llm.EventText:
		return e.text(e.start(dst), ev)
	case llm.EventThinking, llm.EventSignature, llm.EventRedacted:
		return e.think(e.start(dst), ev)
	case llm.EventToolStart:
		return e.call(e.start(dst), ev)
	case llm.EventToolInput:
		return e.arguments(dst, ev.Index, ev.Text)
	case llm.EventCitation:
		e.cite(ev)
	case llm.EventBlockStop:
		return e.blockStop(dst, ev.Index)
	case llm.EventOther:
		e.other(ev.Raw)
	case llm.EventStop:
		e.stop = ev.Stop
	case llm.EventUsage:
		return e.finish(e.start(dst), ev)
	}
	return dst
}

// Fail appends the events that end a response which failed after its first event.
func (e *ResponseEvents) Fail(dst []byte, failed *llm.Error) []byte {
	dst = e.begin(dst, "error")
	dst = llm.AppendString(append(dst, `,"code":`...), responseErrorCode(failed))
	dst = llm.AppendString(append(dst, `,"message":`...), failed.Message)
	if failed.Param != "" {
		dst = llm.AppendString(append(dst, `,"param":`...), failed.Param)
	} else {
		dst = append(dst, `,"param":null`...)
	}
	dst = e.end(dst)
	for _, item := range e.items {
		if item.json == nil {
			item.json = e.appendItem(nil, item, statusIncomplete)
		}
	}
	return e.whole(dst, "response.failed", e.object(nil, statusFailed, nil, nil, failed))
}

// begin opens an event, end closes it.
func (e *ResponseEvents) begin(dst []byte, kind string) []byte {
	dst = append(append(dst, `event: `...), kind...)
	dst = append(append(append(dst, "\n"+`data: {"type":"`...), kind...), `","sequence_number":`...)
	dst = strconv.AppendInt(dst, e.seq, 10)
	e.seq++
	return dst
}

func (e *ResponseEvents) end(dst []byte) []byte { return append(dst, "}\n\n"...) }

// whole appends an event that holds the response.
func (e *ResponseEvents) whole(dst []byte, kind string, response []byte) []byte {
	dst = append(e.begin(dst, kind), `,"response":`...)
	return e.end(append(dst, response...))
}

func (e *ResponseEvents) start(dst []byte) []byte {
	if e.started || e.quiet {
		return dst
	}
	e.started = true
	now := e.object(nil, statusInProgress, nil, nil, nil)
	return e.whole(e.whole(dst, "response.created", now), "response.in_progress", now)
}

func (e *ResponseEvents) finish(dst []byte, ev *llm.Event) []byte {
	if e.last != nil {
		return dst
	}
	dst = e.closeAll(dst)
	status := e.status()
	e.last = e.object(nil, status, ev.Usage, ev.Tail, nil)
	if e.quiet {
		return dst
	}
	return e.whole(dst, "response."+status, e.last)
}

// add opens an item and says so.
func (e *ResponseEvents) add(dst []byte, item *outputItem) []byte {
	item.index = len(e.items)
	item.id = itemPrefix(item.kind) + strings.TrimPrefix(e.a.ID, "resp_") + strconv.FormatInt(int64(item.index), 16)
	e.items = append(e.items, item)
	if item.kind != itemMessage {
		dst = e.closeMessage(dst)
	}
	if e.quiet || item.kind == itemShell { // a shell's call is told when it is whole
		return dst
	}
	dst = e.at(e.begin(dst, "response.output_item.added"), item, false)
	dst = append(dst, `,"item":`...)
	return e.end(e.appendItem(dst, item, statusInProgress))
}

func itemPrefix(kind string) string {
	switch kind {
	case itemMessage:
		return "msg_"
	case itemReasoning:
		return "rs_"
	case itemCustom:
		return "ctc_"
	case itemShell:
		return "lsh_"
	default:
		return "fc_"
	}
}

// at says which item an event is about.
func (e *ResponseEvents) at(dst []byte, item *outputItem, byID bool) []byte {
	if byID {
		dst = llm.AppendString(append(dst, `,"item_id":`...), item.id)
	}
	return strconv.AppendInt(append(dst, `,"output_index":`...), int64(item.index), 10)
}

// part says which part of the item an event is about: there is one.
func (e *ResponseEvents) part(dst []byte, kind string, item *outputItem) []byte {
	dst = e.at(e.begin(dst, kind), item, true)
	switch item.kind {
	case itemMessage:
		dst = append(dst, `,"content_index":0`...)
	case itemReasoning:
		dst = append(dst, `,"summary_index":0`...)
	}
	return dst
}

// text appends a piece of the answer's text.
func (e *ResponseEvents) text(dst []byte, ev *llm.Event) []byte {
	if ev.Text.IsEmpty() {
		return dst
	}
	item := e.message
	if item == nil {
		item = &outputItem{kind: itemMessage, block: ev.Index}
		item.cited.list.flat = true
		e.message = item
		dst = e.add(dst, item)
		if !e.quiet {
			dst = e.part(dst, "response.content_part.added", item)
			dst = e.end(append(dst, `,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""}`...))
		}
	}
	item.cited.text(ev)
	item.text = ev.Text.AppendInner(item.text)
	logprobs := listed(jsonscan.Member(ev.Raw, "content"))
	if len(logprobs) > 0 {
		if len(item.logprobs) > 0 {
			item.logprobs = append(item.logprobs, ',')
		}
		item.logprobs = append(item.logprobs, logprobs...)
	}
	if e.quiet {
		return dst
	}
	dst = e.part(dst, "response.output_text.delta", item)
	dst = ev.Text.AppendJSON(append(dst, `,"delta":`...))
	return e.end(append(append(append(dst, `,"logprobs":[`...), logprobs...), ']'))
}

// listed returns the inside of a JSON list.
func listed(raw []byte) []byte {
	if len(raw) < 2 || raw[0] != '[' {
		return nil
	}
	return raw[1 : len(raw)-1]
}

// cite notes a source of the text before it.
func (e *ResponseEvents) cite(ev *llm.Event) {
	if e.message != nil {
		e.message.cited.cite(ev)
	}
}

// think appends a piece of reasoning, or notes its signature.
func (e *ResponseEvents) think(dst []byte, ev *llm.Event) []byte {
	if ev.Text.IsEmpty() {
		return dst
	}
	item := e.open(ev.Index, itemReasoning)
	if item == nil {
		item = &outputItem{kind: itemReasoning, block: ev.Index}
		dst = e.add(dst, item)
	}
	if ev.Kind != llm.EventThinking {
		item.signature = ev.Text.AppendInner(item.signature)
		item.redacted = ev.Kind == llm.EventRedacted
		return dst
	}
	if !item.begun && !e.quiet {
		dst = e.part(dst, "response.reasoning_summary_part.added", item)
		dst = e.end(append(dst, `,"part":{"type":"summary_text","text":""}`...))
	}
	item.begun = true
	item.text = ev.Text.AppendInner(item.text)
	if e.quiet {
		return dst
	}
	dst = e.part(dst, "response.reasoning_summary_text.delta", item)
	return e.end(ev.Text.AppendJSON(append(dst, `,"delta":`...)))
}

// open returns the open item of a block, nil if there is none. kind is empty for calls of any tool.
func (e *ResponseEvents) open(block int32, kind string) *outputItem {
	for i := len(e.items) - 1; i >= 0; i-- {
		item := e.items[i]
		isCall := item.kind != itemMessage && item.kind != itemReasoning
		if item.json == nil && item.block == block && (kind == item.kind || kind == "" && isCall) {
			return item
		}
	}
	return nil
}

// call opens a call.
func (e *ResponseEvents) call(dst []byte, ev *llm.Event) []byte {
	item := &outputItem{kind: itemCall, block: ev.Index, callID: ev.ToolID, tool: responseTool{name: ev.ToolName}}
	if t, renamed := e.a.Request.tools[ev.ToolName]; renamed {
		item.tool = t
		switch t.kind {
		case "custom":
			item.kind = itemCustom
		case shellTool:
			item.kind = itemShell
		}
	}
	return e.add(dst, item)
}

// arguments appends a fragment of a call's arguments. A custom tool's input is inside of them: it is told when they are
// whole.
func (e *ResponseEvents) arguments(dst []byte, block int32, fragment llm.Text) []byte {
	item := e.open(block, "")
	if item == nil || fragment.IsEmpty() {
		return dst
	}
	item.text = fragment.AppendInner(item.text)
	if e.quiet || item.kind != itemCall {
		return dst
	}
	dst = e.part(dst, "response.function_call_arguments.delta", item)
	return e.end(fragment.AppendJSON(append(dst, `,"delta":`...)))
}

func (e *ResponseEvents) blockStop(dst []byte, block int32) []byte {
	for _, item := range e.items {
		if item.json == nil && item.block == block && item != e.message {
			dst = e.close(dst, item, statusCompleted)
		}
	}
	return dst
}

func (e *ResponseEvents) closeMessage(dst []byte) []byte {
	if item := e.message; item != nil {
		e.message = nil
		return e.close(dst, item, statusCompleted)
	}
	return dst
}

// closeAll closes what is open at the end. An answer that was cut off was cut in its last item.
func (e *ResponseEvents) closeAll(dst []byte) []byte {
	for i, item := range e.items {
		if item.json == nil {
			status := statusCompleted
			if i == len(e.items)-1 {
				status = e.status()
			}
			dst = e.close(dst, item, status)
		}
	}
	e.message = nil
	return dst
}

// close says that an item is whole.
func (e *ResponseEvents) close(dst []byte, item *outputItem, status string) []byte {
	item.cited.close()
	item.json = e.appendItem([]byte{}, item, status)
	if e.quiet {
		return dst
	}
	switch item.kind {
	case itemMessage:
		n := 0
		for annotation := range jsonscan.Elements(append(append([]byte{'['}, item.cited.list.json...), ']')) {
			dst = strconv.AppendInt(append(e.part(dst, "response.output_text.annotation.added", item), `,"annotation_index":`...), int64(n), 10)
			dst = e.end(append(append(dst, `,"annotation":`...), annotation...))
			n++
		}
		dst = e.quoted(append(e.part(dst, "response.output_text.done", item), `,"text":`...), item.text)
		dst = e.end(append(append(append(dst, `,"logprobs":[`...), item.logprobs...), ']'))
		dst = append(e.part(dst, "response.content_part.done", item), `,"part":`...)
		dst = e.end(e.appendTextPart(dst, item))
	case itemReasoning:
		if item.begun {
			dst = e.end(e.quoted(append(e.part(dst, "response.reasoning_summary_text.done", item), `,"text":`...), item.text))
			dst = append(e.part(dst, "response.reasoning_summary_part.done", item), `,"part":{"type":"summary_text","text":`...)
			dst = e.end(append(e.quoted(dst, item.text), '}'))
		}
	case itemCall:
		dst = e.end(e.quoted(append(e.part(dst, "response.function_call_arguments.done", item), `,"arguments":`...), item.arguments()))
	case itemCustom:
		input := customInput(item.text)
		dst = e.end(llm.AppendString(append(e.part(dst, "response.custom_tool_call_input.delta", item), `,"delta":`...), input))
		dst = e.end(llm.AppendString(append(e.part(dst, "response.custom_tool_call_input.done", item), `,"input":`...), input))
	case itemShell:
		dst = append(e.at(e.begin(dst, "response.output_item.added"), item, false), `,"item":`...)
		dst = e.end(append(dst, item.json...))
	}
	dst = append(e.at(e.begin(dst, "response.output_item.done"), item, false), `,"item":`...)
	return e.end(append(dst, item.json...))
}

// quoted appends a spelling as a JSON string.
func (e *ResponseEvents) quoted(dst, spelling []byte) []byte {
	return append(append(append(dst, '"'), spelling...), '"')
}

// arguments are a call's, an empty object if the model said nothing.
func (i *outputItem) arguments() []byte {
	if len(i.text) == 0 {
		return []byte(`{}`)
	}
	return i.text
}

// customInput takes a custom tool's input out of the arguments of the function that stands for it. A model that did not keep
// to the schema has its arguments handed over as they are.
func customInput(arguments []byte) string {
	text := llm.RawText(arguments).String()
	if input := jsonscan.Member([]byte(text), "input"); len(input) > 0 && input[0] == '"' {
		return jsonscan.Text(input)
	}
	return text
}

// appendOutput appends the items that are whole.
func (e *ResponseEvents) appendOutput(dst []byte) []byte {
	first := true
	for _, item := range e.items {
		if item.json == nil {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, item.json...)
	}
	return dst
}

// appendItem appends an item in its present state: one that has just been opened says nothing yet.
func (e *ResponseEvents) appendItem(dst []byte, item *outputItem, status string) []byte {
	opened := status == statusInProgress
	if item.kind == itemReasoning {
		return e.appendReasoning(dst, item, e.a.Request.encrypted && !opened)
	}
	dst = llm.AppendString(append(dst, `{"id":`...), item.id)
	dst = append(append(append(dst, `,"type":"`...), item.kind...), '"')
	dst = append(append(append(dst, `,"status":"`...), status...), '"')
	switch item.kind {
	case itemMessage:
		dst = append(dst, `,"role":"assistant","content":[`...)
		if !opened {
			dst = e.appendTextPart(dst, item)
		}
		dst = append(dst, ']')
	case itemCall:
		dst = append(dst, `,"arguments":`...)
		if opened {
			dst = append(dst, `""`...)
		} else {
			dst = e.quoted(dst, item.arguments())
		}
		dst = item.appendName(dst)
	case itemCustom:
		dst = append(dst, `,"input":`...)
		if opened {
			dst = append(dst, `""`...)
		} else {
			dst = llm.AppendString(dst, customInput(item.text))
		}
		dst = item.appendName(dst)
	case itemShell:
		dst = llm.AppendString(append(dst, `,"call_id":`...), item.callID)
		dst = appendShellAction(append(dst, `,"action":`...), llm.RawText(item.text).String())
	}
	return append(dst, '}')
}

func (e *ResponseEvents) appendReasoning(dst []byte, item *outputItem, sealed bool) []byte {
	dst = llm.AppendString(append(dst, `{"id":`...), item.id)
	dst = append(dst, `,"type":"reasoning","summary":[`...)
	if len(item.text) > 0 {
		dst = append(e.quoted(append(dst, `{"type":"summary_text","text":`...), item.text), '}')
	}
	dst = append(dst, ']')
	if sealed {
		dst = appendSeal(append(dst, `,"encrypted_content":`...), item.reasoning())
	}
	return append(dst, '}')
}

// reasoning is the item as a block, for its seal.
func (i *outputItem) reasoning() *llm.Block {
	b := &llm.Block{Kind: llm.BlockThinking, Text: llm.RawText(i.text), Signature: llm.RawText(i.signature)}
	if i.redacted {
		b.Kind = llm.BlockRedacted
	}
	return b
}

func (i *outputItem) appendName(dst []byte) []byte {
	dst = llm.AppendString(append(dst, `,"call_id":`...), i.callID)
	dst = llm.AppendString(append(dst, `,"name":`...), i.tool.name)
	if i.tool.namespace != "" {
		dst = llm.AppendString(append(dst, `,"namespace":`...), i.tool.namespace)
	}
	return dst
}

func (e *ResponseEvents) appendTextPart(dst []byte, item *outputItem) []byte {
	dst = append(append(append(dst, `{"type":"output_text","annotations":[`...), item.cited.list.json...), `],"logprobs":[`...)
	dst = append(append(dst, item.logprobs...), `],"text":`...)
	return append(e.quoted(dst, item.text), '}')
}

// appendShellAction appends the action of a shell's call: its arguments, with the members that a client counts upon.
func appendShellAction(dst []byte, arguments string) []byte {
	dst = append(dst, `{"type":"exec"`...)
	has := map[string]bool{}
	for name, value := range jsonscan.Members([]byte(arguments)) {
		if name == "type" || has[name] {
			continue
		}
		has[name] = true
		dst = append(llm.AppendString(append(dst, ','), name), ':')
		dst = append(dst, value...)
	}
	if !has["command"] {
		dst = append(dst, `,"command":[]`...)
	}
	if !has["env"] {
		dst = append(dst, `,"env":{}`...)
	}
	return append(dst, '}')
}
