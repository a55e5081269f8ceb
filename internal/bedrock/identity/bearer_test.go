package identity

import (
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

func TestBearerFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	p := newPool(t, nil)
	at := &clock{at: time.Now()}
	p.now = at.now
	o := Options{APIKey: secret.New("file:" + path)}
	i, err := p.For(o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = proof(t, i)
	wantError(t, err, llm.KindPermission)
	write(t, path, "first\n")
	wantProof(t, p, o, "Bearer first")
	write(t, path, "the second\n")
	wantProof(t, p, o, "Bearer first")
	at.forward(lookEvery)
	wantProof(t, p, o, "Bearer the second")
	write(t, path, "3rd")
	r := newRequest(t)
	r.Header.Set("Authorization", "Bearer the second")
	if !i.For("bedrock", "us-east-1").Invalidate(r) {
		t.Error("a file cannot give another token?")
	}
	wantProof(t, p, o, "Bearer 3rd")
	if fixed, _ := p.For(Options{APIKey: secret.New("x")}); fixed.For("bedrock", "us-east-1").Invalidate(r) {
		t.Error("a fixed token can be replaced?")
	}
}

func TestBearerExpiry(t *testing.T) {
	text := "bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Date=20260102T030405Z&X-Amz-Expires=43200&X-Amz-Signature=x&Version=1"
	key := secret.New(shortTermPrefix + base64.StdEncoding.EncodeToString([]byte(text)))
	at, ok := BearerExpiry(key)
	if !ok || !at.Equal(time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)) {
		t.Errorf("%v %v", at, ok)
	}
	for _, other := range []string{"ABSKlong", shortTermPrefix, shortTermPrefix + "!!", shortTermPrefix + "eA=="} {
		if _, ok := BearerExpiry(secret.New(other)); ok {
			t.Errorf("%s has an end", other)
		}
	}
	i, err := newPool(t, nil).For(Options{APIKey: key})
	if err != nil || !strings.Contains(i.Describe(), "2026-01-02T15:04:05Z") {
		t.Errorf("%v %v", i, err)
	}
}
