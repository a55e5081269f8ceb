package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/outcrop-ai/outcrop/llm"
)

// allEvents reads a stream to its end: one line for each event, and the error.
func allEvents(from io.Reader) (string, error) {
	e := NewEvents(from, func() error { return nil })
	var out strings.Builder
	for {
		kind, data, err := e.Next()
		if err != nil {
			return out.String(), err
		}
		out.WriteString(string(kind) + "|" + strings.ReplaceAll(string(data), "\n", "/") + "\n")
	}
}

func TestEvents(t *testing.T) {
	f := func(stream, want string) {
		t.Helper()
		got, err := allEvents(strings.NewReader(stream))
		if got != want || !errors.Is(err, io.EOF) {
			t.Errorf("%q: %q, %v", stream, got, err)
		}
		if bytewise, _ := allEvents(iotest.OneByteReader(strings.NewReader(stream))); bytewise != want {
			t.Errorf("%q byte by byte: %q", stream, bytewise)
		}
	}
	f("", "")
	f("data: a\n\n", "|a\n")
	f("event: x\ndata: a\n\nevent: y\ndata:b\n\n", "x|a\ny|b\n")
	f("event: x\r\ndata: a\r\n\r\ndata: b\r\n\r\n", "x|a\n|b\n")
	f("data: a\r\rdata: b\r\r", "|a\n|b\n")
	f("data: a\ndata: b\n\n", "|a/b\n")
	f(": comment\n\ndata: a\nid: 1\nretry: 5\n\n", "|a\n")
	f("event: x\n\ndata: a\n\n", "|a\n")
	f("data\n\n", "|\n")
	f("\xef\xbb\xbfdata: a\n\n", "|a\n")
	f("data: a\n\ndata: cut", "|a\n")
	f("data: a\n\ndata: cut\n", "|a\n")
	f("data:  a \n\n", "| a \n")
}

func TestEventsBreak(t *testing.T) {
	_, err := allEvents(io.MultiReader(strings.NewReader("data: a\n\n"), iotest.ErrReader(errors.New("reset"))))
	var known *llm.Error
	if !errors.As(err, &known) || known.Kind != llm.KindUpstream {
		t.Error(err)
	}
	_, err = allEvents(io.MultiReader(strings.NewReader("data: "), flood{}))
	if !errors.As(err, &known) || !strings.Contains(known.Message, "larger") {
		t.Error(err)
	}
}

type flood struct{}

func (flood) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func FuzzEvents(f *testing.F) {
	for _, seed := range []string{"data: a\n\n", "event: x\r\ndata: a\r\n\r\n", ": c\n\ndata\n\n", "\xef\xbb\xbfdata: a\rdata: b\r\r", "event: x\n\ndata: y"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, stream []byte, at int) {
		whole, err := allEvents(bytes.NewReader(stream))
		if !errors.Is(err, io.EOF) {
			t.Fatalf("%q: %v", stream, err)
		}
		if at < 0 || at > len(stream) {
			return
		}
		// however it is cut, the same events come
		cut, _ := allEvents(io.MultiReader(bytes.NewReader(stream[:at]), bytes.NewReader(stream[at:])))
		if cut != whole {
			t.Fatalf("%q cut at %d: %q, whole %q", stream, at, cut, whole)
		}
	})
}
