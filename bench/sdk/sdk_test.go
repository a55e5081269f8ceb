// Package sdk measures what a call of the Go SDK costs beside one of the AWS SDK's own client, in one run:
//
//	go test ./bench/sdk -bench . -benchmem
package sdk

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"

	"github.com/outcrop-ai/outcrop"
	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/llm"
)

const (
	model    = "amazon.nova-lite-v1:0"
	question = "Why is the sky blue? Answer in two sentences, please, and name the physicist who explained it first."
	answer   = `{"output":{"message":{"role":"assistant","content":[{"text":"Air scatters blue light more than red. Lord Rayleigh explained it in 1871."}]}},` +
		`"stopReason":"end_turn","usage":{"inputTokens":22,"outputTokens":18,"totalTokens":40},"metrics":{"latencyMs":350}}`
	chunks = 50
)

// canned answers at once, so that what is measured is a client's own work.
type canned struct {
	contentType string
	body        []byte
}

// RoundTrip answers a request.
func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(c.body)),
		Header: http.Header{"Content-Type": {c.contentType}, "X-Amzn-Requestid": {"00000000-0000-0000-0000-000000000000"}},
		Body:   io.NopCloser(bytes.NewReader(c.body)),
	}, nil
}

func whole() *canned { return &canned{"application/json", []byte(answer)} }

// streamed is an answer of ConverseStream in frames.
func streamed(t testing.TB) *canned {
	var body bytes.Buffer
	encoder := eventstream.NewEncoder()
	frame := func(event, payload string) {
		message := eventstream.Message{Payload: []byte(payload), Headers: eventstream.Headers{
			{Name: ":event-type", Value: eventstream.StringValue(event)},
			{Name: ":content-type", Value: eventstream.StringValue("application/json")},
			{Name: ":message-type", Value: eventstream.StringValue("event")},
		}}
		if err := encoder.Encode(&body, message); err != nil {
			t.Fatal(err)
		}
	}
	frame("messageStart", `{"role":"assistant"}`)
	for range chunks {
		frame("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"a few words "},"p":"abcdefghijklm"}`)
	}
	frame("contentBlockStop", `{"contentBlockIndex":0}`)
	frame("messageStop", `{"stopReason":"end_turn"}`)
	frame("metadata", `{"usage":{"inputTokens":22,"outputTokens":150,"totalTokens":172},"metrics":{"latencyMs":900}}`)
	return &canned{"application/vnd.amazon.eventstream", body.Bytes()}
}

// ours and theirs are the two clients, over a transport or to an address.
func ours(t testing.TB, options ...outcrop.Option) *outcrop.Client {
	c, err := outcrop.New(context.Background(), append([]outcrop.Option{
		outcrop.WithEnvironment(func(string) (string, bool) { return "", false }), outcrop.WithRegion("us-east-1"),
		outcrop.WithStaticKeys(sim.AccessKeyID, sim.SecretAccessKey, ""),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func theirs(h *http.Client, address string) *bedrockruntime.Client {
	o := bedrockruntime.Options{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(sim.AccessKeyID, sim.SecretAccessKey, "")}
	if h != nil {
		o.HTTPClient = h
	}
	if address != "" {
		o.BaseEndpoint = &address
	}
	return bedrockruntime.New(o)
}

// chat and converse ask one question and look at the answer, in the words of each client.
func chat(t testing.TB, c *outcrop.Client) {
	r, err := c.Chat(context.Background(), llm.Ask(model, question))
	if err != nil || r.Text() == "" || r.Usage.Input == 0 {
		t.Fatal(r, err)
	}
}

func converse(t testing.TB, c *bedrockruntime.Client) {
	r, err := c.Converse(context.Background(), &bedrockruntime.ConverseInput{ModelId: aws.String(model), Messages: asked()})
	if err != nil {
		t.Fatal(err)
	}
	message, ok := r.Output.(*types.ConverseOutputMemberMessage)
	if !ok || message.Value.Content[0].(*types.ContentBlockMemberText).Value == "" || *r.Usage.InputTokens == 0 {
		t.Fatal(r)
	}
}

func asked() []types.Message {
	return []types.Message{{Role: types.ConversationRoleUser, Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: question}}}}
}

func chatStream(t testing.TB, c *outcrop.Client) {
	var text strings.Builder
	for ev, err := range c.ChatStream(context.Background(), llm.Ask(model, question)) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Kind == llm.EventText {
			text.WriteString(ev.Text.String())
		}
	}
	if text.Len() == 0 {
		t.Fatal("no text came")
	}
}

func converseStream(t testing.TB, c *bedrockruntime.Client) {
	r, err := c.ConverseStream(context.Background(), &bedrockruntime.ConverseStreamInput{ModelId: aws.String(model), Messages: asked()})
	if err != nil {
		t.Fatal(err)
	}
	stream := r.GetStream()
	defer stream.Close()
	var text strings.Builder
	for ev := range stream.Events() {
		if delta, ok := ev.(*types.ConverseStreamOutputMemberContentBlockDelta); ok {
			text.WriteString(delta.Value.Delta.(*types.ContentBlockDeltaMemberText).Value)
		}
	}
	if text.Len() == 0 { // Err is not asked: over loopback it may tell that the connection was closed behind the last event
		t.Fatal("no text came")
	}
}

// TestFewerAllocations holds the promise that can be held without a clock.
func TestFewerAllocations(t *testing.T) {
	f := func(what string, ours, theirs func()) {
		t.Helper()
		ours() // what is set up at the first call is not the call's
		theirs()
		own, other := testing.AllocsPerRun(100, ours), testing.AllocsPerRun(100, theirs)
		t.Logf("%s: %.0f allocations, bedrockruntime %.0f", what, own, other)
		if own >= other {
			t.Errorf("%s makes %.0f allocations, the AWS SDK's client %.0f", what, own, other)
		}
	}
	c, b := ours(t, outcrop.WithTransport(whole())), theirs(&http.Client{Transport: whole()}, "")
	f("Chat", func() { chat(t, c) }, func() { converse(t, b) })
	cs, bs := ours(t, outcrop.WithTransport(streamed(t))), theirs(&http.Client{Transport: streamed(t)}, "")
	f("ChatStream", func() { chatStream(t, cs) }, func() { converseStream(t, bs) })
}

// BenchmarkConverse is a whole answer, from memory (the client's own work) and over loopback.
func BenchmarkConverse(b *testing.B) {
	run(b, "memory/outcrop", ours(b, outcrop.WithTransport(whole())), chat)
	run(b, "memory/bedrockruntime", theirs(&http.Client{Transport: whole()}, ""), converse)
	address := loopback(b)
	run(b, "loopback/outcrop", ours(b, outcrop.WithEndpoint(address)), chat)
	run(b, "loopback/bedrockruntime", theirs(nil, address), converse)
}

// BenchmarkConverseStream is a streamed answer of 50 chunks from memory, and of 200 over loopback.
func BenchmarkConverseStream(b *testing.B) {
	run(b, "memory/outcrop", ours(b, outcrop.WithTransport(streamed(b))), chatStream)
	run(b, "memory/bedrockruntime", theirs(&http.Client{Transport: streamed(b)}, ""), converseStream)
	address := loopback(b)
	run(b, "loopback/outcrop", ours(b, outcrop.WithEndpoint(address)), chatStream)
	run(b, "loopback/bedrockruntime", theirs(nil, address), converseStream)
}

func run[C any](b *testing.B, name string, c C, call func(testing.TB, C)) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		call(b, c)
		for b.Loop() {
			call(b, c)
		}
	})
}

func loopback(b *testing.B) string {
	s := sim.New(sim.Options{Fast: true})
	address, err := s.Start()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return address
}
