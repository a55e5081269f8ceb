package outcrop

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/llm"
)

// now is the clock of records.
func now() time.Time { return time.Now() }

// Chat answers a request whole. The request is not changed, and may be used again.
func (c *Client) Chat(ctx context.Context, r llm.Request) (*llm.Response, error) {
	k, err := c.ready(ctx)
	if err != nil {
		return nil, err
	}
	return k.chat(ctx, "Chat", "acompletion", &r, nil)
}

// Complete lets a model go on from a text, or from each of several: answers to further prompts are the answer's Further,
// each prompt with as many as N asks for.
func (c *Client) Complete(ctx context.Context, r llm.Completion) (*llm.Response, error) {
	k, err := c.ready(ctx)
	if err != nil {
		return nil, err
	}
	prompts, failed := prompts(&r)
	if failed != nil {
		return nil, failed
	}
	return k.chat(ctx, "Complete", "atext_completion", &r.Request, prompts)
}

// CompleteStream is [Client.Complete] as the texts are made; see [Client.ChatStream]. An event's Choice is the number of its
// answer, the answers to the first prompt first.
func (c *Client) CompleteStream(ctx context.Context, r llm.Completion) iter.Seq2[llm.Event, error] {
	return func(yield func(llm.Event, error) bool) {
		k, err := c.ready(ctx)
		if err != nil {
			yield(llm.Event{}, err)
			return
		}
		own := r
		prompts, failed := prompts(&own)
		if failed != nil {
			yield(llm.Event{}, failed)
			return
		}
		k.chatStream(ctx, "CompleteStream", "atext_completion", &own.Request, prompts, yield)
	}
}

// prompts makes messages of a completion's prompts, of which its request has the first.
func prompts(r *llm.Completion) ([]llm.Message, *llm.Error) {
	if len(r.Prompts) == 0 {
		return nil, missing("prompts")
	}
	if len(r.Messages) > 0 {
		return nil, llm.Invalid("messages", "a completion has prompts and no conversation")
	}
	list := make([]llm.Message, len(r.Prompts))
	for i, prompt := range r.Prompts {
		list[i] = llm.User("", llm.TextBlock(prompt))
		list[i].Blocks[0].Path = llm.Path{Message: -1, Part: -1}
		if list[i].Blocks[0].Text.IsBlank() {
			return nil, llm.Invalid("prompts", "a prompt must not be blank")
		}
	}
	r.Messages = list[:1:1]
	return list, nil
}

func (k *core) chat(ctx context.Context, verb, kind string, r *llm.Request, prompts []llm.Message) (*llm.Response, error) {
	call, failed := k.chatCall(verb, kind, r, prompts)
	var resp *llm.Response
	if failed == nil {
		call.Request.Stream = false
		resp, failed = k.engine.Chat(ctx, call)
	}
	k.settle(ctx, call, failed)
	if failed != nil {
		return nil, failed
	}
	resp.Served = served(call)
	return resp, nil
}

// chatCall begins a call of a chat. The call is there even if it cannot be made.
func (k *core) chatCall(verb, kind string, r *llm.Request, prompts []llm.Message) (*engine.Call, *llm.Error) {
	own, failed := prepare(r)
	if failed == nil && len(own.Messages)+len(own.System) == 0 {
		failed = &llm.Error{Kind: llm.KindInvalid, Code: "empty_messages", Param: "messages", Message: "messages must not be empty"}
	}
	if failed != nil {
		return &engine.Call{ID: engine.NewID(), Type: kind, Path: verb, Start: now(), Request: &llm.Request{Model: r.Model}}, failed
	}
	own.Embed, own.Rerank, own.Image = nil, nil, nil
	call, failed := k.call(verb, kind, own)
	call.Prompts = prompts
	return call, failed
}

// ChatStream answers a request as it is made: an iterator of events, each of which may be kept. Every range over it makes a
// call of its own. Leaving the loop ends the call. A failure is the last pair, with an error; what came before it stays
// true. The last event of a whole answer is an [llm.EventUsage], whose Tail says how the answer came about and what it cost.
// [llm.Collect] joins the events to a Response.
func (c *Client) ChatStream(ctx context.Context, r llm.Request) iter.Seq2[llm.Event, error] {
	return func(yield func(llm.Event, error) bool) {
		k, err := c.ready(ctx)
		if err != nil {
			yield(llm.Event{}, err)
			return
		}
		k.chatStream(ctx, "ChatStream", "acompletion", &r, nil, yield)
	}
}

func (k *core) chatStream(ctx context.Context, verb, kind string, r *llm.Request, prompts []llm.Message, yield func(llm.Event, error) bool) {
	call, failed := k.chatCall(verb, kind, r, prompts)
	var stream engine.Stream
	if failed == nil {
		call.Request.Stream, call.Request.IncludeUsage = true, true
		stream, failed = k.engine.ChatStream(ctx, call)
	}
	if failed != nil {
		k.settle(ctx, call, failed)
		yield(llm.Event{}, failed)
		return
	}
	k.relay(ctx, call, stream, yield)
}

// relay hands over a stream's events, until it ends or nobody takes them.
func (k *core) relay(ctx context.Context, call *engine.Call, stream engine.Stream, yield func(llm.Event, error) bool) {
	var failed *llm.Error
	defer func() {
		_ = stream.Close() // it always returns nil
		k.settle(ctx, call, failed)
	}()
	// The count of an answer is held back until it is known whether it is the last event: the price is known then.
	var held *llm.Event
	for {
		ev, err := stream.Next()
		if held != nil {
			if errors.Is(err, io.EOF) {
				s := served(call)
				held.Tail.Served = &s
			}
			last := *held
			held = nil
			if !yield(last, nil) {
				call.ClientClosed = err == nil
				return
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			failed = asError(err)
			yield(llm.Event{}, failed)
			return
		}
		keep(&ev)
		if ev.Kind == llm.EventUsage && ev.Usage != nil {
			tail := llm.Tail{}
			if ev.Tail != nil {
				tail = *ev.Tail
			}
			ev.Tail, held = &tail, &ev
			continue
		}
		if !yield(ev, nil) {
			call.ClientClosed = true
			return
		}
	}
}

// keep gives an event memory of its own.
func keep(ev *llm.Event) {
	if _, raw := ev.Text.Raw(); raw {
		ev.Text = llm.NewText(ev.Text.String())
	}
	ev.Raw = slices.Clone(ev.Raw)
	if ev.Usage != nil {
		usage := *ev.Usage
		ev.Usage = &usage
	}
	if t := ev.Tail; t != nil {
		ev.Tail = &llm.Tail{Tier: t.Tier, Trace: slices.Clone(t.Trace), Performance: slices.Clone(t.Performance), Fields: slices.Clone(t.Fields)}
	}
}

// asError makes any error an *llm.Error.
func asError(err error) *llm.Error {
	var known *llm.Error
	if errors.As(err, &known) {
		return known
	}
	return &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS cannot be read", Cause: err}
}
