package identity_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/llm"
)

const model = "anthropic.claude-3-haiku-20240307-v1:0"

// client returns a client of a simulated Bedrock that verifies signatures.
func client(t *testing.T, s sim.Options, o identity.Options) (*wire.Client, *sim.Server) {
	t.Helper()
	server := sim.New(s)
	address, err := server.Start()
	if err != nil {
		t.Fatal(err)
	}
	pool := identity.NewPool(func(string) (string, bool) { return "", false })
	transport, err := wire.NewTransport(wire.TransportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pool.Close()
		transport.CloseIdleConnections()
		server.Close()
	})
	o.STSEndpoint = address
	i, err := pool.For(o)
	if err != nil {
		t.Fatal(err)
	}
	e, err := wire.ResolveEndpoint("bedrock-runtime", "us-east-1", wire.EndpointOptions{Override: address})
	if err != nil {
		t.Fatal(err)
	}
	dated := roundTrip(func(r *http.Request) (*http.Response, error) {
		resp, err := transport.RoundTrip(r)
		if err == nil && s.Now != nil {
			resp.Header.Set("Date", s.Now().UTC().Format(http.TimeFormat)) // AWS's answers tell AWS's time
		}
		return resp, err
	})
	return wire.NewClient(wire.ClientOptions{Endpoint: e, Authenticator: i.For(e.Service, e.Region), Transport: dated}), server
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func send(t *testing.T, c *wire.Client, operation string) (*wire.Reply, error) {
	t.Helper()
	body := wire.NewBody()
	defer body.Release()
	body.B = append(body.B, `{"messages":[{"role":"user","content":[{"text":"hello there"}]}]}`...)
	return c.Send(t.Context(), &wire.Call{Path: wire.ModelPath(model, operation), Body: body, Stream: strings.HasSuffix(operation, "stream")})
}

var static = identity.Options{AccessKeyID: sim.AccessKeyID, SecretAccessKey: secret.New(sim.SecretAccessKey)}

func TestBedrockAcceptsEveryIdentity(t *testing.T) {
	role := static
	role.RoleARN, role.SessionName = "arn:aws:iam::123456789012:role/chat", "me"
	for name, o := range map[string]identity.Options{
		"keys": static, "role": role, "bearer": {APIKey: secret.New(sim.BearerToken)},
		"web identity": {RoleARN: role.RoleARN, WebIdentity: secret.New("e30.eyJzdWIiOiJtZSJ9.c2ln")},
	} {
		c, _ := client(t, sim.Options{}, o)
		for range 2 {
			reply, err := send(t, c, "converse")
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			data, err := reply.ReadAll(1 << 20)
			if err != nil || !strings.Contains(string(data), "hello there") || reply.RequestID == "" {
				t.Errorf("%s: %s %v", name, data, err)
			}
		}
		reply, err := send(t, c, "converse-stream")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		frames := reply.Frames()
		var kinds []string
		for {
			frame, err := frames.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			kinds = append(kinds, string(frame.EventType()))
		}
		if err := frames.Close(); err != nil {
			t.Error(err)
		}
		if all := strings.Join(kinds, " "); !strings.HasPrefix(all, "messageStart contentBlockDelta") || !strings.HasSuffix(all, "messageStop metadata") {
			t.Errorf("%s: %s", name, all)
		}
	}
}

func TestBedrockRefusesOthers(t *testing.T) {
	wrong := static
	wrong.SecretAccessKey = secret.New("wrong")
	denied := static
	denied.RoleARN = "arn:aws:iam::123456789012:role/denied"
	for name, o := range map[string]identity.Options{"key": wrong, "bearer": {APIKey: secret.New("wrong")}, "role": denied} {
		c, _ := client(t, sim.Options{}, o)
		_, err := send(t, c, "converse")
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != llm.KindPermission || e.Status() != 403 || e.AWSType == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAWrongClockIsRepairedByTheFirstCall(t *testing.T) {
	for _, off := range []time.Duration{20 * time.Minute, -20 * time.Minute} {
		c, server := client(t, sim.Options{Now: func() time.Time { return time.Now().Add(off) }}, static)
		for range 3 {
			reply, err := send(t, c, "converse")
			if err != nil {
				t.Fatalf("%v off: %v", off, err)
			}
			if err := reply.Close(); err != nil {
				t.Error(err)
			}
		}
		if n := len(server.Requests()); n != 4 {
			t.Errorf("%v off: %d requests for three calls", off, n)
		}
	}
}

func TestClosingAStreamAtEveryFrame(t *testing.T) {
	c, _ := client(t, sim.Options{}, static)
	for n := range 6 {
		reply, err := send(t, c, "converse-stream")
		if err != nil {
			t.Fatal(err)
		}
		frames := reply.Frames()
		for range n {
			if _, err := frames.Next(); err != nil {
				t.Fatal(err)
			}
		}
		if err := frames.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACancelledCallSaysSo(t *testing.T) {
	c, _ := client(t, sim.Options{Latency: time.Hour}, static)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := wire.NewBody()
	defer body.Release()
	_, err := c.Send(ctx, &wire.Call{Path: wire.ModelPath(model, "converse"), Body: body})
	var e *llm.Error
	if !errors.As(err, &e) || e.Kind != llm.KindCanceled || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
