package valkey

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// Invalidations tell the other replicas that keys or their owners have changed, and hear it from them, on one channel. A
// message has the name of the replica that sends it and nothing else: what has changed is in the database. Nobody waits for
// the server, and while it is away nothing is told: the database is looked at from time to time anyway. They are safe for
// concurrent use and must be closed.
type Invalidations struct {
	r       *Replicas
	channel string
	logger  *slog.Logger
	// tell and told hold one word each, since any number of changes is followed by one look.
	tell, told chan struct{}
	running    sync.WaitGroup
	end        context.CancelFunc
}

const (
	// quiet is how long nothing may be heard before the server is asked whether it is there, and how long it has to answer.
	quiet = 10 * time.Second
	// firstPause and lastPause bound the time before the next try to join a channel that was lost.
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// Invalidations joins the channel of the replicas, PREFIX:DATABASE:changed: channels have no database of their own. logger gets
// a line when it is lost and when it is found again; it may be nil.
func (r *Replicas) Invalidations(logger *slog.Logger) *Invalidations {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	ctx, end := context.WithCancel(context.Background())
	i := &Invalidations{
		r: r, channel: r.prefix + ":" + strconv.Itoa(r.client.Options().DB) + ":changed", logger: logger,
		tell: make(chan struct{}, 1), told: make(chan struct{}, 1), end: end,
	}
	i.running.Go(func() { i.speak(ctx) })
	i.running.Go(func() { i.listen(ctx) })
	return i
}

// Close leaves the channel, after what was still to be told. Its goroutines are gone when it returns.
func (i *Invalidations) Close() {
	i.end()
	i.running.Wait()
}

// Announce tells the other replicas of a change, without waiting for them.
func (i *Invalidations) Announce() { signal(i.tell) }

// Announced has something to read after others have announced changes, or may have.
func (i *Invalidations) Announced() <-chan struct{} { return i.told }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it says so already
	}
}

// speak tells what is to be told until ctx ends.
func (i *Invalidations) speak(ctx context.Context) {
	for {
		select {
		case <-i.tell:
			i.publish()
		case <-ctx.Done():
			select {
			case <-i.tell:
				i.publish()
			default:
			}
			return
		}
	}
}

// publish tells once. What cannot be told is lost, and found by those who look at the database.
func (i *Invalidations) publish() {
	ctx, cancel := context.WithTimeout(context.Background(), dialTime)
	defer cancel()
	if err := i.r.client.Publish(ctx, i.channel, i.r.self).Err(); err != nil {
		i.logger.Debug("a change of keys is not told to the other replicas: they find it themselves", "error", err)
	}
}

// listen hears the channel until ctx ends, and joins it again when it is lost.
func (i *Invalidations) listen(ctx context.Context) {
	wait, lost := firstPause, false
	for {
		err := i.hear(ctx, func() {
			if wait = firstPause; lost {
				lost = false
				i.logger.Info("changes of keys are heard from the other replicas again")
			}
		})
		if ctx.Err() != nil {
			return
		}
		if !lost {
			lost = true
			i.logger.Warn("changes of keys are not heard from the other replicas: they are found by looking at the database", "error", err)
		}
		pause := time.NewTimer(wait/2 + rand.N(wait/2)) //nolint:gosec // so that replicas do not come back all at once
		wait = min(2*wait, lastPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}

// errQuiet says that the server does not even answer a ping.
var errQuiet = errors.New("valkey: the server does not answer")

// hear joins the channel and hears it until that fails. joined is called when the server has said that it is joined: what was
// told before is not heard, so there may be something to look at.
func (i *Invalidations) hear(ctx context.Context, joined func()) error {
	subscription := i.r.client.Subscribe(ctx)
	defer func() { _ = subscription.Close() }()
	leave := context.AfterFunc(ctx, func() { _ = subscription.Close() }) // nothing else ends the wait for a message
	defer leave()
	try, cancel := context.WithTimeout(ctx, dialTime)
	err := subscription.Subscribe(try, i.channel)
	cancel()
	for asked := false; err == nil; {
		var message any
		message, err = subscription.ReceiveTimeout(ctx, quiet)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			if asked {
				return errQuiet
			}
			asked, err = true, subscription.Ping(ctx)
			continue
		}
		asked = false
		switch m := message.(type) {
		case *redis.Subscription:
			joined()
			signal(i.told)
		case *redis.Message:
			if m.Payload != i.r.self {
				signal(i.told)
			}
		}
	}
	return failed(err)
}

var _ account.Invalidations = (*Invalidations)(nil)
