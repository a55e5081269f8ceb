package outcrop

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/gateway"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// OpenAITransport answers OpenAI's API in process: chat and text completions, embeddings, images, models, and Cohere's
// rerank beside them, as the gateway does. Give it to OpenAI's own Go client, or to whatever builds on that, as the
// transport of its HTTP client; keys and the host of the address mean nothing to it. Streams are streams: what has been
// made is there to be read, and a body that is closed ends the call.
func (c *Client) OpenAITransport() http.RoundTripper { return &transport{client: c} }

// AnthropicTransport is [Client.OpenAITransport] for Anthropic's API: messages and models, as Anthropic's own Go client
// asks for them. Every model of Bedrock answers in its shape.
func (c *Client) AnthropicTransport() http.RoundTripper {
	return &transport{client: c, prefix: "/anthropic"}
}

// transport serves requests by the gateway's own handler.
type transport struct {
	client *Client
	prefix string // of paths, which tells dialects apart that have paths in common
	once   sync.Once
	server *gateway.Server
}

// handler returns the gateway that answers, made at the first request.
func (t *transport) handler(k *core) *gateway.Server {
	t.once.Do(func() {
		o := gateway.Options{Engine: k.engine, Keys: account.NewKeys(secret.Secret{}, ""), Logger: k.logger, Version: Version, ImageModel: k.imageModel}
		if k.o.observe != nil {
			o.Observe = func(ctx context.Context, r account.Record) { k.observe(ctx, &r, failureOf(&r)) }
		}
		t.server = gateway.New(o)
	})
	return t.server
}

// failureOf is what a record has of a failure.
func failureOf(r *account.Record) *llm.Error {
	if !r.Failed() {
		return nil
	}
	return &llm.Error{
		Kind: account.KindOf(r.ErrorKind), HTTPStatus: r.Status, Code: r.ErrorCode, Message: r.Message, AWSType: r.AWSException, RequestID: r.AWSRequestID,
	}
}

// RoundTrip answers a request. The answer's body must be closed, as always.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	k, err := t.client.ready(r.Context())
	if err != nil {
		closeBody(r)
		return nil, err
	}
	ctx, cancel := context.WithCancel(r.Context())
	reader, writer := io.Pipe()
	a := &answer{header: http.Header{}, body: writer, begun: make(chan struct{})}
	in := r.Clone(ctx)
	if t.prefix != "" && !strings.HasPrefix(in.URL.Path, t.prefix) {
		in.URL.Path = t.prefix + in.URL.Path
		if in.URL.RawPath != "" {
			in.URL.RawPath = t.prefix + in.URL.RawPath
		}
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	done := make(chan struct{})
	// A handler that writes what nobody reads is let go when the request ends.
	stop := context.AfterFunc(ctx, func() { _ = writer.CloseWithError(context.Cause(ctx)) })
	go func() {
		defer close(done)
		defer cancel()
		defer closeBody(r)
		defer a.end(stop)
		t.handler(k).ServeHTTP(a, in)
	}()
	select {
	case <-a.begun:
	case <-r.Context().Done():
		cancel()
		<-done
		return nil, context.Cause(r.Context())
	}
	resp := &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status, Header: a.sent, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1, Body: &answerBody{reader: reader, cancel: cancel, done: done},
	}
	if n, err := strconv.ParseInt(a.sent.Get("Content-Length"), 10, 64); err == nil {
		resp.ContentLength = n
	}
	return resp, nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // it has been read, or nobody wants it
	}
}

// answer is the ResponseWriter of a request in process. Only its handler uses it, but for begun and what it guards.
type answer struct {
	header http.Header
	body   *io.PipeWriter
	begun  chan struct{} // closed when status and sent are set
	status int
	sent   http.Header
}

// Header returns the headers that are to be sent.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader begins the answer.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status, a.sent = status, a.header.Clone()
		close(a.begun)
	}
}

// Write hands data to whoever reads the answer, and waits until that has taken it.
func (a *answer) Write(data []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(data)
}

// Flush begins the answer; nothing is held back.
func (a *answer) Flush() { a.WriteHeader(http.StatusOK) }

// end ends the answer, however the handler ended: one that broke off leaves its reader an error.
func (a *answer) end(stop func() bool) {
	p := recover()
	if p != nil {
		_ = a.body.CloseWithError(errBroken)
	} else if stop() {
		_ = a.body.Close()
	}
	a.WriteHeader(http.StatusBadGateway)
}

// errBroken is what the reader of an answer gets that breaks off.
var errBroken error = &llm.Error{Kind: llm.KindUpstream, Message: "the answer broke off", Cause: io.ErrUnexpectedEOF}

// answerBody is the body of an answer. Closing it ends the call and waits for the handler.
type answerBody struct {
	reader *io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
}

// Read reads what the handler writes.
func (b *answerBody) Read(p []byte) (int, error) { return b.reader.Read(p) }

// Close ends the call.
func (b *answerBody) Close() error {
	b.cancel()
	err := b.reader.CloseWithError(errors.New("the answer's body is closed"))
	<-b.done
	return err
}
