package cache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"strconv"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

// Store keeps entries. Its errors mean that it cannot be reached: nobody waits for it or fails because of that.
type Store interface {
	// Get returns the entry of a key, nil if there is none.
	Get(ctx context.Context, key Key) (*Entry, error)
	// Put keeps an entry for a time.
	Put(ctx context.Context, key Key, e *Entry, ttl time.Duration) error
	// Delete forgets entries; it does not matter if there are none.
	Delete(ctx context.Context, keys []Key) error
	// Flush forgets all entries.
	Flush(ctx context.Context) error
	// Ping reports whether the store can be reached.
	Ping(ctx context.Context) error
}

// Key is a digest of all that shapes an answer, and of who may read it.
type Key [sha256.Size]byte

// String returns the key in hex.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// ParseKey is the reverse of String.
func ParseKey(text string) (k Key, ok bool) {
	n, err := hex.Decode(k[:], []byte(text))
	return k, err == nil && n == len(k) && len(text) == 2*len(k)
}

// Entry is one answer. It is not changed once it is kept.
type Entry struct {
	// Made is when the answer was given.
	Made time.Time `json:"made"`
	// ID is the answer's own id.
	ID string `json:"id"`
	// ContentType is that of Body, which holds a whole answer, or all events of a stream as they were sent.
	ContentType string `json:"content_type"`
	Body        []byte `json:"body"`
	// Header are the headers that belong to the answer.
	Header map[string]string `json:"header,omitempty"`
	// Usage is what the answer has used when it was made; Model, Deployment and Region say who has given it.
	Usage                     llm.Usage `json:"usage"`
	Model, Deployment, Region string
}

// size is about how many bytes an entry takes.
func (e *Entry) size() int64 {
	n := int64(len(e.Body)+len(e.ID)+len(e.ContentType)+len(e.Model)+len(e.Deployment)+len(e.Region)) + overhead
	for k, v := range e.Header {
		n += int64(len(k) + len(v) + overhead)
	}
	return n
}

// overhead is what an entry takes beside its texts.
const overhead = 256

// Digest collects what a key is made of.
type Digest struct{ h hash.Hash }

// NewDigest returns a digest of nothing yet.
func NewDigest() Digest { return Digest{sha256.New()} }

// Text adds a text with its name. The lengths are part of it, so that no two sets of texts are the same.
func (d Digest) Text(name, text string) {
	var room [32]byte
	for _, s := range [...]string{name, text} {
		d.h.Write(strconv.AppendInt(room[:0], int64(len(s)), 10))
		d.h.Write([]byte{':'})
		d.h.Write([]byte(s))
	}
}

// JSON adds a JSON object: the order of its members and the white space between them do not count. The members named are
// left out. It reports whether the text is an object.
func (d Digest) JSON(object []byte, without func(name string) bool) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil || members == nil {
		return false
	}
	for name := range members {
		if without(name) {
			delete(members, name)
		}
	}
	plain := make(map[string]any, len(members))
	for name, raw := range members {
		plain[name] = canonical(raw)
	}
	text, err := json.Marshal(plain) // sorts the members
	if err != nil {
		return false
	}
	d.Text("json", string(text))
	return true
}

// canonical decodes a value, its numbers as they are spelt.
func canonical(raw json.RawMessage) any {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return string(raw)
	}
	return v
}

// Key returns the digest.
func (d Digest) Key() (k Key) {
	d.h.Sum(k[:0])
	return k
}
