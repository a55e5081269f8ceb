package valkey

import (
	"strconv"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/cache"
	"github.com/outcrop-ai/outcrop/llm"
	"github.com/outcrop-ai/outcrop/test/servers"
)

func TestAnswersAreShared(t *testing.T) {
	s := servers.StartValkey(t)
	a, b := join(t, s, time.Now()).Answers("x"), join(t, s, time.Now()).Answers("x")
	other := join(t, s, time.Now()).Answers("")
	key := func(n int) cache.Key {
		d := cache.NewDigest()
		d.Text("n", strconv.Itoa(n))
		return d.Key()
	}
	e := &cache.Entry{Made: time.Unix(1, 0).UTC(), ID: "chatcmpl-1", ContentType: "application/json", Body: []byte("{}\x00"), Usage: llm.Usage{Input: 3, Output: 4}, Header: map[string]string{"X": "y"}}
	if err := a.Put(t.Context(), key(1), e, time.Hour); err != nil {
		t.Fatal(err)
	}
	got, err := b.Get(t.Context(), key(1))
	if err != nil || got == nil || got.ID != e.ID || string(got.Body) != string(e.Body) || got.Usage != e.Usage || !got.Made.Equal(e.Made) || got.Header["X"] != "y" {
		t.Fatalf("%+v %v", got, err)
	}
	if got, err := other.Get(t.Context(), key(1)); got != nil || err != nil {
		t.Errorf("another namespace: %+v %v", got, err)
	}
	for i := range 1200 {
		if err := a.Put(t.Context(), key(i), e, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Put(t.Context(), key(1), e, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := a.Delete(t.Context(), []cache.Key{key(1)}); err != nil {
		t.Fatal(err)
	}
	if got, _ := b.Get(t.Context(), key(1)); got != nil {
		t.Error("deleted")
	}
	if err := a.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, _ := b.Get(t.Context(), key(1000)); got != nil {
		t.Error("flushed")
	}
	if err := a.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	s.Stop()
	if _, err := a.Get(t.Context(), key(2)); err == nil {
		t.Error("a server that is away has no answers, and says so")
	}
	if a.Ping(t.Context()) == nil {
		t.Error("it is away")
	}
}
