package engine

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// host is a link on which calls may go as somebody else.
type host struct {
	*link
	attributes bool
	way        Way
	refusal    *llm.Error
	asked      int
}

func (h *host) Attributes() bool { return h.attributes }

func (h *host) As(string, *Call) (Way, *llm.Error) {
	h.asked++
	return h.way, h.refusal
}

func TestConnectionParametersThatNobodyReadsAreRefused(t *testing.T) {
	b := newBench(t, answer(plainAnswer), &router.Deployment{Group: "nova", Model: nova})
	call := said("nova", "hi")
	call.Connection = map[string]secret.Secret{"api_key": secret.New("k"), "api_base": secret.New("b")}
	_, failed := b.Chat(t.Context(), call)
	if failed == nil || failed.Code != "forbidden_parameter" || failed.Param != "api_base" {
		t.Errorf("%v", failed)
	}
}

func TestOnlyCallsWithReasonAskTheirWay(t *testing.T) {
	b := newBench(t, answer(plainAnswer), &router.Deployment{Group: "nova", Model: nova})
	h := &host{link: b.link}
	b.o.Connections[0] = h
	f := func(group string, own, asked int) {
		t.Helper()
		h.asked = 0
		call := said(group, "hi")
		if own > 0 {
			call.Connection = map[string]secret.Secret{"api_key": secret.New("k")}
		}
		if _, failed := b.Chat(t.Context(), call); failed != nil {
			t.Error(failed)
		}
		if h.asked != asked {
			t.Errorf("asked %d times, want %d", h.asked, asked)
		}
	}
	f("nova", 0, 0)
	f("nova", 1, 1)
}

func TestAWayOfItsOwn(t *testing.T) {
	b := newBench(t, answer(plainAnswer), &router.Deployment{Group: "nova", Model: nova})
	var logs bytes.Buffer
	b.o.Logger = slog.New(slog.NewTextHandler(&logs, nil))
	h := &host{link: b.link, attributes: true}
	b.o.Connections[0] = h
	h.way = Way{Connection: b.link, Region: "eu-west-1", Warning: "the call goes another way"}
	for range 2 {
		call := said("nova", "hi")
		if _, failed := b.Chat(t.Context(), call); failed != nil {
			t.Fatal(failed)
		}
		if call.Region != "eu-west-1" || call.Endpoint != "" || call.Warning != h.way.Warning {
			t.Errorf("%+v", call)
		}
	}
	if n := strings.Count(logs.String(), h.way.Warning); n != 1 {
		t.Errorf("the log warns %d times", n)
	}
	h.refusal = &llm.Error{Kind: llm.KindPermission, Code: "attribution_required"}
	if _, failed := b.Chat(t.Context(), said("nova", "hi")); failed == nil || failed.Code != "attribution_required" {
		t.Errorf("%v", failed)
	}
}

func TestBlame(t *testing.T) {
	f := func(brought bool, failed llm.Error, want string) {
		t.Helper()
		before := failed
		got := blame(&failed, &Call{brought: brought})
		if got.Hint != want || failed.Hint != before.Hint {
			t.Errorf("%q, want %q", got.Hint, want)
		}
		if again := blame(got, &Call{brought: brought}); again.Hint != want {
			t.Errorf("said twice: %q", again.Hint)
		}
	}
	const own = "These are the AWS credentials that the request brought, not the gateway's."
	refused := llm.Error{Kind: llm.KindPermission, Hint: wire.HintCredentials}
	f(false, refused, wire.HintCredentials)
	f(true, refused, own)
	f(true, llm.Error{Kind: llm.KindPermission}, own)
	f(true, llm.Error{Kind: llm.KindPermission, Hint: "Allow it."}, own+" Allow it.")
	f(true, llm.Error{Kind: llm.KindRateLimit, Hint: "Wait."}, "Wait.")
}
