package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/responses"
)

// responsesAreTheirOwners: what is kept comes back for its owner alone, until it is deleted or too old.
func responsesAreTheirOwners(t *testing.T, open Open) {
	s, again := open(t)
	ctx := t.Context()
	made := time.Date(2026, 8, 1, 12, 0, 0, 123456000, time.UTC)
	full := responses.Response{
		ID: "resp_1", Owner: "ann", Previous: "resp_0", Model: "claude é", Created: made,
		Input: []byte(`[{"type":"message","role":"user","content":"\u0000 é"}]`), Output: []byte(`[]`), Object: []byte(`{"id":"resp_1"}`),
	}
	ok(t, s.PutResponse(ctx, &full))
	ok(t, s.PutResponse(ctx, &responses.Response{ID: "resp_2", Created: made, Input: []byte(`[]`), Output: []byte(`[]`), Object: []byte(`{}`)}))
	got, err := again().Response(ctx, "ann", "resp_1")
	ok(t, err)
	if got == nil || got.ID != full.ID || got.Owner != full.Owner || got.Previous != full.Previous || got.Model != full.Model || !got.Created.Equal(made) ||
		!bytes.Equal(got.Input, full.Input) || !bytes.Equal(got.Output, full.Output) || !bytes.Equal(got.Object, full.Object) {
		t.Errorf("%+v", got)
	}
	there := func(owner, id string, want bool) {
		t.Helper()
		r, err := s.Response(ctx, owner, id)
		ok(t, err)
		equal(t, r != nil, want)
	}
	there("ben", "resp_1", false)
	there("", "resp_1", false)
	there("", "resp_2", true)
	there("ann", "resp_2", false)
	there("ann", "resp_9", false)
	if s.PutResponse(ctx, &full) == nil {
		t.Error("two responses have one id")
	}
	gone, err := s.DeleteResponse(ctx, "ben", "resp_1")
	ok(t, err)
	equal(t, gone, false)
	gone, err = s.DeleteResponse(ctx, "ann", "resp_1")
	ok(t, err)
	equal(t, gone, true)
	there("ann", "resp_1", false)
	ok(t, s.Tidy(ctx, made.Add(responses.Retention)))
	there("", "resp_2", true)
	ok(t, s.Tidy(ctx, made.Add(responses.Retention+time.Second)))
	there("", "resp_2", false)
}
