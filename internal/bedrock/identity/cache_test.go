package identity

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

func TestOneFetchForManyRequests(t *testing.T) {
	sts := newSTS(t)
	sts.gate = make(chan struct{})
	p := newPool(t, nil)
	o := keyed("AKIAPARAM", "k", "")
	o.RoleARN, o.STSEndpoint = "arn:aws:iam::2:role/target", sts.URL
	var wg sync.WaitGroup
	started := make(chan struct{}, 1000)
	for range 1000 {
		wg.Go(func() {
			i, err := p.For(o)
			if err != nil {
				t.Error(err)
			}
			started <- struct{}{}
			if got, err := proof(t, i); err != nil || got != "ASIA1 session1" {
				t.Errorf("%q %v", got, err)
			}
		})
	}
	for range 1000 {
		<-started
	}
	close(sts.gate)
	wg.Wait()
	if sts.calls() != 1 {
		t.Errorf("%d calls of STS", sts.calls())
	}
}

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestRenewalAheadOfExpiry(t *testing.T) {
	sts := newSTS(t)
	p := newPool(t, nil)
	at := &clock{at: time.Now()}
	p.now = at.now
	o := keyed("AKIAPARAM", "k", "")
	o.RoleARN, o.STSEndpoint = "arn:aws:iam::2:role/target", sts.URL
	i := wantProof(t, p, o, "ASIA1 session1")
	at.forward(50 * time.Minute)
	wantProof(t, p, o, "ASIA1 session1")
	if sts.calls() != 1 {
		t.Fatal("renewed too early")
	}
	// In the last five minutes a failing renewal leaves the old credentials in use.
	sts.mu.Lock()
	sts.fail, sts.gate = "AccessDenied", make(chan struct{})
	sts.mu.Unlock()
	at.forward(6 * time.Minute)
	wantProof(t, p, o, "ASIA1 session1") // does not wait for the gate
	close(sts.gate)
	p.fetches.Wait()
	wantProof(t, p, o, "ASIA1 session1")
	p.fetches.Wait()
	if sts.calls() != 2 {
		t.Errorf("%d calls: a failed renewal is tried again at once", sts.calls())
	}
	// And one that works replaces them.
	sts.mu.Lock()
	sts.fail, sts.gate, sts.life = "", nil, 2*time.Hour
	sts.mu.Unlock()
	at.forward(pauseAfter)
	wantProof(t, p, o, "ASIA1 session1")
	p.fetches.Wait()
	wantProof(t, p, o, "ASIA3 session3")
	// After the end nothing but new ones will do.
	sts.mu.Lock()
	sts.fail = "AccessDenied"
	sts.mu.Unlock()
	at.forward(3 * time.Hour)
	if _, err := proof(t, i); err == nil {
		t.Error("expired credentials are used")
	}
}

func TestAFetchOutlivesItsFirstCaller(t *testing.T) {
	sts := newSTS(t)
	sts.gate = make(chan struct{})
	p := newPool(t, nil)
	o := keyed("AKIAPARAM", "k", "")
	o.RoleARN, o.STSEndpoint = "arn:aws:iam::2:role/target", sts.URL
	i, err := p.For(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := i.For("bedrock", "us-east-1").Authenticate(ctx, newRequest(t), emptyHash); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(sts.gate)
	if got, err := proof(t, i); got != "ASIA1 session1" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

func TestInvalidate(t *testing.T) {
	sts := newSTS(t)
	p := newPool(t, nil)
	o := keyed("AKIAPARAM", "k", "")
	static, err := p.For(o)
	if err != nil {
		t.Fatal(err)
	}
	r := newRequest(t)
	if err := static.For("bedrock", "us-east-1").Authenticate(t.Context(), r, emptyHash); err != nil {
		t.Fatal(err)
	}
	if static.For("bedrock", "us-east-1").Invalidate(r) {
		t.Error("static keys are thought to be replaceable")
	}
	o.RoleARN, o.STSEndpoint = "arn:aws:iam::2:role/target", sts.URL
	i, err := p.For(o)
	if err != nil {
		t.Fatal(err)
	}
	signer := i.For("bedrock", "us-east-1")
	if err := signer.Authenticate(t.Context(), r, emptyHash); err != nil {
		t.Fatal(err)
	}
	// A thousand requests come back with the same bad news: one fetch.
	for range 1000 {
		if !signer.Invalidate(r) {
			t.Fatal("no hope for a role")
		}
		if got, err := proof(t, i); got != "ASIA2 session2" || err != nil {
			t.Fatalf("%q %v", got, err)
		}
	}
}

func TestAClosedPoolFetchesNothing(t *testing.T) {
	p := newPool(t, nil)
	p.Close()
	i, err := p.For(Options{Profile: "corp"})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Warm(t.Context()); err == nil {
		t.Error("fetched")
	}
}

func TestIdentitiesAreShared(t *testing.T) {
	p := newPool(t, nil)
	get := func(o Options) *Identity {
		t.Helper()
		i, err := p.For(o)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	a := keyed("AKIAPARAM", "k", "")
	b := a
	b.STSRegion = "eu-west-1" // static keys do not ask STS
	if get(a) != get(b) {
		t.Error("the same keys are two identities")
	}
	b.SecretAccessKey = secret.New("other")
	if get(a) == get(b) {
		t.Error("two keys are one identity")
	}
	one, two := Options{RoleARN: "arn", SessionTags: []Tag{{"a", "1"}, {"b", "2"}}}, Options{RoleARN: "arn", SessionTags: []Tag{{"b", "2"}, {"a", "1"}}}
	if get(one) != get(two) {
		t.Error("the order of tags makes another identity")
	}
	for n := range maxIdentities + 10 {
		get(Options{Profile: fmt.Sprint(n)})
	}
	if len(p.identities) != maxIdentities || p.recent.Len() != maxIdentities {
		t.Errorf("%d identities", len(p.identities))
	}
}
