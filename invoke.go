package outcrop

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"net/http"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/llm"
)

// Invoke sends a body in the model's own words to InvokeModel, and returns the model's answer in its own words. Both are
// relayed byte for byte; usage and cost are read from the answer.
func (c *Client) Invoke(ctx context.Context, r llm.InvokeRequest) (*llm.InvokeResponse, error) {
	k, err := c.ready(ctx)
	if err != nil {
		return nil, err
	}
	call, failed := k.nativeCall("Invoke", &r)
	out := &llm.InvokeResponse{}
	if failed == nil {
		var reply *engine.NativeReply
		if reply, _, failed = k.engine.Native(ctx, call, native(&r, "invoke")); failed == nil {
			out.ContentType = reply.Header().Get("Content-Type")
			out.Body, failed = reply.ReadAll()
			reply.Close()
		}
	}
	k.settle(ctx, call, failed)
	if failed != nil {
		return nil, failed
	}
	out.Usage, out.Served = call.Usage, served(call)
	return out, nil
}

// InvokeStream is [Client.Invoke] for InvokeModelWithResponseStream: an iterator of the chunks in the model's own words, as
// JSON, each of which may be kept. Every range over it makes a call of its own, and leaving the loop ends the call. A
// failure is the last pair, with an error.
func (c *Client) InvokeStream(ctx context.Context, r llm.InvokeRequest) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		k, err := c.ready(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		call, failed := k.nativeCall("InvokeStream", &r)
		left := false
		if failed == nil {
			var reply *engine.NativeReply
			if reply, _, failed = k.engine.Native(ctx, call, native(&r, "invoke-with-response-stream")); failed == nil {
				defer reply.Close()
				failed = reply.Chunks(func(_ string, data []byte) bool {
					left = !yield(bytes.Clone(data), nil)
					return !left
				})
			}
		}
		k.settle(ctx, call, failed)
		if failed != nil && !left {
			yield(nil, failed)
		}
	}
}

// nativeCall begins a call in the model's own words.
func (k *core) nativeCall(verb string, r *llm.InvokeRequest) (*engine.Call, *llm.Error) {
	asked := llm.Request{Model: r.Model, Options: r.Options}
	return k.plainCall(verb, "allm_passthrough_route", &asked, func(*llm.Request) *llm.Error {
		if len(r.Body) == 0 {
			return missing("body")
		}
		return nil
	})
}

func native(r *llm.InvokeRequest, operation string) *engine.Native {
	header := http.Header{"Content-Type": {cmp.Or(r.ContentType, "application/json")}}
	if r.Accept != "" {
		header.Set("Accept", r.Accept)
	}
	for name, value := range r.Headers {
		header.Set(name, value)
	}
	return &engine.Native{
		Service: wire.ServiceRuntime, Method: http.MethodPost, Operation: operation, Streams: operation != "invoke", Header: header, Body: r.Body,
	}
}
