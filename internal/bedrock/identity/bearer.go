package identity

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// bearer is a Bedrock API key, or a file with one.
type bearer struct {
	path string
	now  func() time.Time

	mu     sync.Mutex // guards what follows
	token  secret.Secret
	state  fileState
	looked time.Time
}

func newBearer(key secret.Secret, now func() time.Time) *bearer {
	b := &bearer{now: now}
	if path, ok := strings.CutPrefix(key.Reveal(), "file:"); ok {
		b.path = path
	} else {
		b.token = key
	}
	return b
}

// get returns the token. A file is looked at every few seconds, and read again when it has changed.
func (b *bearer) get() (secret.Secret, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.path == "" || b.token.IsSet() && b.now().Sub(b.looked) < lookEvery {
		return b.token, nil
	}
	b.looked = b.now()
	state := stateOf(b.path)
	if b.token.IsSet() && state == b.state {
		return b.token, nil
	}
	text, err := os.ReadFile(b.path)
	if err == nil {
		if token := secret.New(strings.TrimSpace(string(text))); token.IsSet() {
			b.token, b.state = token, state
			return token, nil
		}
		err = fmt.Errorf("%s is empty", b.path)
	}
	if b.token.IsSet() {
		return b.token, nil // the file is being replaced: the old token may still be good
	}
	return secret.Secret{}, &llm.Error{
		Kind: llm.KindPermission, Code: codeCredentials, Message: "the file that api_key names gives no token", Cause: err,
	}
}

// drop forgets a token that AWS refused; it reports whether the file may give another.
func (b *bearer) drop(refused string) bool {
	if b.path == "" {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.token.EqualString(refused) {
		b.token = secret.Secret{}
	}
	return true
}

// shortTermPrefix begins a short-term Bedrock API key: behind it is a pre-signed URL in base64.
const shortTermPrefix = "bedrock-api-key-"

// BearerExpiry returns when a short-term Bedrock API key ends; ok is false for a long-term key. It reads the date and the
// lifetime in the pre-signed URL that such a key is made of.
func BearerExpiry(token secret.Secret) (at time.Time, ok bool) {
	text, ok := strings.CutPrefix(token.Reveal(), shortTermPrefix)
	if !ok {
		return time.Time{}, false
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		if raw, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "=")); err != nil {
			return time.Time{}, false
		}
	}
	_, query, _ := strings.Cut(string(raw), "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return time.Time{}, false
	}
	seconds, err := strconv.Atoi(values.Get("X-Amz-Expires"))
	if err != nil || seconds < 0 || seconds > 7*24*3600 {
		return time.Time{}, false
	}
	signed, err := time.Parse("20060102T150405Z", values.Get("X-Amz-Date"))
	if err != nil {
		return time.Time{}, false
	}
	return signed.Add(time.Duration(seconds) * time.Second), true
}

// fileState tells whether a file is another than before.
type fileState struct {
	size    int64
	changed time.Time
}

// stateOf returns the state of a file, the zero state when it cannot be seen.
func stateOf(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{info.Size(), info.ModTime()}
}
