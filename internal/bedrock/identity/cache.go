package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	// renewBefore is how long before their end credentials are renewed; of short-lived ones it is half their life.
	renewBefore = 5 * time.Minute
	// pauseAfter is the pause after a failed fetch, for renewals and for requests that found nothing.
	pauseAfter = 5 * time.Second
	// fetchTime bounds one fetch: a machine without a metadata service must not hold requests for long.
	fetchTime = 10 * time.Second
	// lookEvery is how often a source is asked whether it has changed.
	lookEvery = 5 * time.Second
)

// source gives credentials anew each time.
type source interface {
	Retrieve(ctx context.Context) (aws.Credentials, error)
}

// changing is a source that knows without much ado that it would give others now, such as a file.
type changing interface{ Changed() bool }

var errClosed = errors.New("the pool of identities is closed")

// cache holds one identity's credentials. However many requests need them, they are fetched once; while those at hand
// are good, nobody waits for a renewal, and a renewal that fails leaves them in use until they expire.
type cache struct {
	source source
	now    func() time.Time
	// run runs work in a goroutine that its owner waits for at the end; false when that end has come.
	run func(work func(context.Context)) bool

	current atomic.Pointer[held]
	looked  atomic.Int64 // when the source was last asked whether it has changed, in Unix ns

	mu       sync.Mutex // guards what follows
	flying   *flight
	failed   error
	failedAt time.Time
}

// held are credentials in use.
type held struct {
	aws.Credentials
	renewAt time.Time
}

// Format keeps the credentials out of whatever prints them.
func (h *held) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "credentials "+tail(h.AccessKeyID)) // fmt reports failed writes itself
}

// flight is a fetch under way.
type flight struct {
	done  chan struct{}
	creds *held
	err   error
}

// get returns credentials that are good now.
func (c *cache) get(ctx context.Context) (*held, error) {
	creds := c.current.Load()
	now := c.now()
	switch {
	case creds == nil:
		return c.fetch(ctx, creds)
	case creds.CanExpire && !now.Before(creds.Expires):
		return c.fetch(ctx, creds)
	case creds.CanExpire && !now.Before(creds.renewAt):
		c.mu.Lock()
		_, _ = c.begin() // its failure leaves those at hand
		c.mu.Unlock()
	case c.changed(now):
		return c.fetch(ctx, creds)
	}
	return creds, nil
}

func (c *cache) changed(now time.Time) bool {
	s, ok := c.source.(changing)
	if !ok {
		return false
	}
	last := c.looked.Load()
	if now.UnixNano()-last < int64(lookEvery) || !c.looked.CompareAndSwap(last, now.UnixNano()) {
		return false
	}
	return s.Changed()
}

// fetch waits for the fetch that is under way, or starts it. It goes on when this caller leaves: others wait for it, too.
// A fetch that has ended since the caller saw the credentials at hand, or none, was the caller's as well.
func (c *cache) fetch(ctx context.Context, seen *held) (*held, error) {
	c.mu.Lock()
	if now := c.current.Load(); now != seen && now != nil && (!now.CanExpire || c.now().Before(now.Expires)) {
		c.mu.Unlock()
		return now, nil
	}
	f, err := c.begin()
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case <-f.done:
		return f.creds, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// begin returns the fetch that is under way, or a new one; c.mu is held. Shortly after a failure it returns that.
func (c *cache) begin() (*flight, error) {
	if c.flying != nil {
		return c.flying, nil
	}
	if c.failed != nil && c.now().Sub(c.failedAt) < pauseAfter {
		return nil, c.failed
	}
	f := &flight{done: make(chan struct{})}
	started := c.run(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, fetchTime)
		defer cancel()
		creds, err := c.source.Retrieve(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.flying = nil
		c.failed, c.failedAt = err, c.now()
		if f.err = err; err == nil {
			f.creds = c.hold(creds)
			c.current.Store(f.creds)
			c.looked.Store(c.now().UnixNano())
		}
		close(f.done)
	})
	if !started {
		return nil, errClosed
	}
	c.flying = f
	return f, nil
}

func (c *cache) hold(creds aws.Credentials) *held {
	h := &held{Credentials: creds}
	if creds.CanExpire {
		h.renewAt = creds.Expires.Add(-min(renewBefore, creds.Expires.Sub(c.now())/2))
	}
	return h
}

// had reports whether credentials were ever fetched.
func (c *cache) had() bool { return c.current.Load() != nil }

// drop forgets the credentials with an access key id that AWS refused. When others are in use by now they stay: a
// thousand requests may bring the same bad news. It reports whether there are or can be others.
func (c *cache) drop(keyID string) bool {
	if _, static := c.source.(staticKeys); static {
		return false
	}
	if creds := c.current.Load(); creds != nil && creds.AccessKeyID == keyID {
		// Expired rather than nil, so that had knows of them.
		c.current.CompareAndSwap(creds, &held{Credentials: aws.Credentials{CanExpire: true}})
	}
	return true
}
