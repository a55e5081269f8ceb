package openai

import (
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// maxPrompts bounds the prompts of one request: each is a call of the model.
const maxPrompts = 32

// DecodeCompletion reads the body of a legacy Completions request: its prompt becomes one user message. Of several
// prompts the request has the first, and [Control] all.
func DecodeCompletion(body []byte) (*llm.Request, *Control, error) {
	d := decoder{s: read.New(body), req: &llm.Request{}, control: &Control{}}
	if d.s.Peek() != jsonscan.KindObject {
		return DecodeChat(body) // refuses it in the same words
	}
	if err := d.each("request_body", d.completionMember); err != nil {
		return nil, nil, read.Syntax(err)
	}
	if err := d.s.End(); err != nil {
		return nil, nil, read.Syntax(err)
	}
	if d.req.Model == "" {
		return nil, nil, read.Missing("model")
	}
	if len(d.req.Messages) == 0 {
		return nil, nil, read.Missing("prompt")
	}
	d.control.Prompts = d.req.Messages
	d.req.Messages = d.req.Messages[:1:1]
	return d.req, d.control, nil
}

func (d *decoder) completionMember(key []byte) error {
	switch name := string(key); name {
	case "prompt":
		return d.one(memberMessages, "prompt", d.prompt)
	case "messages", "tools", "tool_choice", "functions", "function_call", "response_format":
		return llm.Invalid(name, name+" belongs to /chat/completions, not to /completions")
	case "echo":
		return d.one(memberEcho, name, func() (err error) { d.control.Echo, err = d.s.Flag(name); return })
	case "best_of", "suffix", "logprobs":
		return d.completionParameter(name)
	default:
		return d.member(key)
	}
}

// completionParameter keeps what only this endpoint has, unless it says no more than OpenAI's default.
func (d *decoder) completionParameter(name string) error {
	if llm.Lookup(d.req.Params, name) != nil {
		return duplicate(name)
	}
	value, err := d.s.Skip()
	if err != nil {
		return err
	}
	switch string(value) {
	case "null", "false", `""`:
		return nil
	case "1":
		if name == "best_of" {
			return nil
		}
	}
	d.req.Params = append(d.req.Params, llm.Field{Name: name, Value: value})
	return nil
}

func (d *decoder) prompt() error {
	d.calls.message = 1
	switch d.s.Peek() {
	case jsonscan.KindString:
		return d.promptText("prompt")
	case jsonscan.KindArray:
		more, err := d.s.OpenArray()
		for i := 0; err == nil && more; more, err = d.s.NextElement() {
			switch k := d.s.Peek(); {
			case k == jsonscan.KindNumber || k == jsonscan.KindArray:
				return llm.Invalid("prompt", "prompt must be text: Bedrock takes no token lists")
			case i == maxPrompts:
				return llm.Invalid("prompt", "prompt has more than "+strconv.Itoa(maxPrompts)+" texts")
			}
			if err := d.promptText(read.Index("prompt", i)); err != nil {
				return err
			}
			i++
		}
		return err
	default:
		return d.s.WrongType("prompt", "a string or an array of strings")
	}
}

func (d *decoder) promptText(path string) error {
	text, err := d.s.Text(path)
	if err != nil {
		return err
	}
	if text.IsBlank() {
		return llm.Invalid(path, path+" must not be blank")
	}
	d.add(llm.RoleUser, []llm.Block{{Kind: llm.BlockText, Text: text, Path: llm.Path{Message: -1, Part: -1}}})
	return nil
}

// AppendCompletion appends a text_completion object.
func AppendCompletion(dst []byte, a *Answer, r *llm.Response) []byte {
	dst = appendCompletionHead(dst, a)
	dst = append(dst, `"choices":[`...)
	dst = appendCompletionChoice(dst, a, 0, r)
	for i, further := range r.Further {
		dst = appendCompletionChoice(append(dst, ','), a, i+1, further)
	}
	dst = append(dst, `],"usage":`...)
	dst = AppendUsage(dst, r.Usage)
	dst = appendTail(dst, &llm.Tail{Tier: r.Tier, Trace: r.Trace, Performance: r.Performance})
	return append(dst, '}')
}

func appendCompletionChoice(dst []byte, a *Answer, index int, r *llm.Response) []byte {
	dst = strconv.AppendInt(append(dst, `{"index":`...), int64(index), 10)
	dst = append(dst, `,"text":"`...)
	dst = a.echo(index).AppendInner(dst)
	for i := range r.Blocks {
		if k := r.Blocks[i].Kind; k == llm.BlockText || k == llm.BlockCitations {
			dst = r.Blocks[i].Text.AppendInner(dst)
		}
	}
	dst = append(dst, `","logprobs":null,"finish_reason":"`...)
	dst = append(dst, FinishReason(r.Stop, false, false)...)
	return append(dst, `"}`...)
}

func appendCompletionHead(dst []byte, a *Answer) []byte {
	dst = append(dst, `{"id":`...)
	dst = llm.AppendString(dst, a.ID)
	dst = append(dst, `,"object":"text_completion","created":`...)
	dst = strconv.AppendInt(dst, a.Created, 10)
	dst = append(dst, `,"model":`...)
	dst = llm.AppendString(dst, a.Model)
	return append(dst, ',')
}

// CompletionChunks turns events into streamed text_completion objects.
type CompletionChunks struct {
	answer       *Answer
	head         []byte // `data: {"id":…,"choices":[{"index":0,"text":`, the same in every chunk of a choice
	choiceAt     int    // where the choice begins in head
	includeUsage bool
	further      []*CompletionChunks // those of the choices after the first

	index             int
	started, finished bool
	stop              llm.StopReason
}

// NewCompletionChunks returns a writer of chunks. includeUsage is stream_options.include_usage.
func NewCompletionChunks(a *Answer, includeUsage bool) *CompletionChunks {
	c := &CompletionChunks{answer: a, includeUsage: includeUsage}
	c.head = appendCompletionHead(append(c.head, "data: "...), a)
	c.head = append(c.head, `"choices":[`...)
	c.choiceAt = len(c.head)
	c.head = append(c.head, `{"index":0,"text":`...)
	return c
}

// choice returns the writer of a choice after the first.
func (c *CompletionChunks) choice(index int) *CompletionChunks {
	for i := len(c.further) + 1; i <= index; i++ {
		f := &CompletionChunks{answer: c.answer, choiceAt: c.choiceAt, includeUsage: c.includeUsage, index: i}
		f.head = append(append(f.head, c.head[:c.choiceAt]...), `{"index":`...)
		f.head = append(strconv.AppendInt(f.head, int64(i), 10), `,"text":`...)
		c.further = append(c.further, f)
	}
	return c.further[index-1]
}

// Append appends the chunks that ev makes. Reasoning and tool calls have no place in this dialect.
func (c *CompletionChunks) Append(dst []byte, ev *llm.Event) []byte {
	if ev.Choice > 0 {
		c = c.choice(int(ev.Choice))
	}
	switch ev.Kind {
	case llm.EventStart:
		return c.start(dst)
	case llm.EventText:
		return c.text(c.start(dst), ev.Text)
	case llm.EventStop:
		c.stop = ev.Stop
	case llm.EventUsage:
		dst = c.Finish(dst, ev.Tail)
		if c.includeUsage && ev.Usage != nil {
			dst = c.Usage(dst, *ev.Usage)
		}
	}
	return dst
}

// start appends the prompt, once, where it is to be repeated.
func (c *CompletionChunks) start(dst []byte) []byte {
	if c.started {
		return dst
	}
	c.started = true
	return c.text(dst, c.answer.echo(c.index))
}

func (c *CompletionChunks) text(dst []byte, text llm.Text) []byte {
	if text.IsEmpty() {
		return dst
	}
	dst = append(dst, c.head...)
	dst = text.AppendJSON(dst)
	dst = append(dst, `,"logprobs":null,"finish_reason":null}]`...)
	if c.includeUsage {
		dst = append(dst, `,"usage":null`...)
	}
	return append(dst, "}\n\n"...)
}

// Finish appends the finish chunk, once.
func (c *CompletionChunks) Finish(dst []byte, tail *llm.Tail) []byte {
	if c.finished {
		return dst
	}
	c.finished = true
	dst = c.start(dst)
	dst = append(dst, c.head...)
	dst = append(dst, `"","logprobs":null,"finish_reason":"`...)
	dst = append(dst, FinishReason(c.stop, false, false)...)
	dst = append(dst, `"}]`...)
	if c.includeUsage {
		dst = append(dst, `,"usage":null`...)
	}
	dst = appendTail(dst, tail)
	return append(dst, "}\n\n"...)
}

// Usage appends the usage chunk, which has no choices.
func (c *CompletionChunks) Usage(dst []byte, u llm.Usage) []byte {
	dst = append(dst, c.head[:c.choiceAt]...)
	dst = append(dst, `],"usage":`...)
	dst = AppendUsage(dst, u)
	return append(dst, "}\n\n"...)
}
