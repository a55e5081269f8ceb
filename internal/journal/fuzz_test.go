package journal

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// FuzzScan reads any bytes as a segment: nothing but whole frames comes out, all of them come out, and each byte is either
// read or counted.
func FuzzScan(f *testing.F) {
	frames := func(payloads ...string) []byte {
		var out []byte
		for _, p := range payloads {
			frame := frameOf(p)
			seal(frame)
			out = append(out, frame...)
		}
		return out
	}
	good := frames("one", "two", "three")
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(frames("one"), append(make([]byte, 20), frames("two")...)...))
	f.Add(append(bytes.Repeat(mark, 5), frames("x")...))
	f.Add([]byte{})
	f.Add(make([]byte, 100))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &scanner{r: bytes.NewReader(data), end: int64(len(data))}
		at, found := int64(0), 0
		for {
			payload, err := s.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			found++
			frame := data[s.off-int64(len(payload))-Head : s.off]
			if s.off <= at || !whole(frame) || !bytes.Equal(frame[Head:], payload) {
				t.Fatalf("no frame ends at %d", s.off)
			}
			at = s.off
		}
		if s.off != s.end {
			t.Fatalf("ends at %d of %d", s.off, s.end)
		}
		// A frame put behind anything is found.
		more := append(bytes.Clone(data), frames("needle")...)
		s = &scanner{r: bytes.NewReader(more), end: int64(len(more))}
		var last string
		for payload, err := s.next(); err == nil; payload, err = s.next() {
			last = string(payload)
		}
		if last != "needle" && !bytes.Contains(data, mark) {
			t.Fatalf("the last frame is %q", last)
		}
	})
}
