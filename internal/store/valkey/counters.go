package valkey

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/outcrop-ai/outcrop/internal/account"
)

//go:embed counters.lua
var countersScript string

// CounterOptions say how counters behave.
type CounterOptions struct {
	// Store is what was spent by the books; a counter that nobody has asked for begins there. It may be nil.
	Store account.SpentReader
	// FailClosed has Take return an error while the server is away. Else each replica counts by itself then, against its
	// share of each limit.
	FailClosed bool
	// Patience is how long a request waits for the server; 0 means 100 ms. After a failure no request waits for it until it
	// answers again.
	Patience time.Duration
	Logger   *slog.Logger
}

// Counters count the claims of all replicas of a gateway, in one round trip for each request and one, off its way, at its end. They are
// safe for concurrent use and must be closed.
type Counters struct {
	o      CounterOptions
	r      *Replicas
	script *redis.Script
	local  *account.LocalCounters
	// away says that the server does not answer; replicas is how many shared it when it did.
	away     atomic.Bool
	replicas atomic.Int64
	// epoch is part of the replica's name: with a new one all that the old one holds is forgotten by the others.
	epoch   atomic.Int64
	gives   chan give
	running sync.WaitGroup
	end     context.CancelFunc

	mu sync.Mutex // guards all below
	// spent is what counters of money were at when the server last told.
	spent map[account.Charge]int64
	// owed is what was spent while the server was away: it is told when it is back.
	owed map[account.Charge]int64
}

// give is the end of claims that were taken.
type give struct {
	at     int64
	claims []account.Claim
	used   []int64
}

const (
	// epochShift is where the epoch stands in a taking's second.
	epochShift = 40
	// waiting is how many ends of claims may wait to be told.
	waiting = 4096
	// probeEvery is how often a server that is away is asked whether it is back.
	probeEvery = 500 * time.Millisecond
)

// Counters returns counters that replicas share through the same server.
func (r *Replicas) Counters(o CounterOptions) *Counters {
	if o.Patience <= 0 {
		o.Patience = 100 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, end := context.WithCancel(context.Background())
	c := &Counters{
		o: o, r: r, script: redis.NewScript(countersScript), local: account.NewLocalCounters(o.Store), end: end,
		gives: make(chan give, waiting), spent: map[account.Charge]int64{}, owed: map[account.Charge]int64{},
	}
	c.replicas.Store(1)
	c.running.Go(func() { c.tell(ctx) })
	return c
}

// Close tells what has ended, and ends the counters.
func (c *Counters) Close() {
	c.end()
	c.running.Wait()
}

func resource(r account.Resource) string {
	return [...]string{account.Requests: "r", account.Tokens: "t", account.Parallel: "p", account.Money: "m"}[r]
}

func name(c account.Charge) string {
	return c.Scope + ":" + c.ID + ":" + strconv.FormatInt(c.Period, 10)
}

// Take takes claims of all replicas' counters, or none.
func (c *Counters) Take(ctx context.Context, now time.Time, claims []account.Claim) (account.Taken, error) {
	if c.away.Load() {
		return c.alone(ctx, now, claims)
	}
	patient, cancel := context.WithTimeout(ctx, c.o.Patience)
	defer cancel()
	taken, err := c.take(patient, claims, nil)
	if err == nil || ctx.Err() != nil {
		return taken, err
	}
	c.lost(err)
	return c.alone(ctx, now, claims)
}

// self is the replica's name in an epoch.
func (c *Counters) self(epoch int64) string { return c.r.self + "-" + strconv.FormatInt(epoch, 10) }

// take asks the server. A counter of money that it does not know yet is seeded.
func (c *Counters) take(ctx context.Context, claims []account.Claim, seeds []int64) (account.Taken, error) {
	args := make([]any, 3, 3+5*len(claims))
	epoch := c.epoch.Load()
	args[0], args[1], args[2] = "take", c.r.prefix+":limit", c.self(epoch)
	for i := range claims {
		seed := ""
		if seeds != nil {
			seed = strconv.FormatInt(seeds[i], 10)
		}
		k := &claims[i]
		args = append(args, resource(k.Resource), name(k.Charge), k.Limit, k.Amount, seed)
	}
	answer, err := c.script.Run(ctx, c.r.client, nil, args...).Slice()
	if err != nil {
		return account.Taken{}, fmt.Errorf("valkey: %w", err)
	}
	number := func(i int) int64 {
		switch v := answer[i].(type) {
		case int64:
			return v
		case string:
			n, _ := strconv.ParseInt(v, 10, 64)
			return n
		}
		return 0
	}
	const head = 5
	switch {
	case len(answer) == 2 && seeds == nil:
		if seeds, err = c.seeds(ctx, claims); err != nil {
			return account.Taken{}, err
		}
		return c.take(ctx, claims, seeds)
	case len(answer) < head:
		return account.Taken{}, errors.New("valkey: an answer that cannot be read")
	}
	t := account.Taken{
		Refused: int(number(0)), Wait: time.Duration(number(1)) * time.Second, Spent: number(2) == 1, At: number(3) | epoch<<epochShift, Used: make([]int64, len(claims)),
	}
	c.replicas.Store(max(number(4), 1))
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range claims {
		if head+i < len(answer) {
			t.Used[i] = number(head + i)
			if claims[i].Resource == account.Money {
				c.remember(claims[i].Charge, t.Used[i])
			}
		}
	}
	return t, nil
}

// maxRemembered bounds the counters whose last word is kept.
const maxRemembered = 1 << 16

// remember notes what the server has said; the lock is held.
func (c *Counters) remember(charge account.Charge, spent int64) {
	if len(c.spent) >= maxRemembered {
		clear(c.spent)
	}
	c.spent[charge] = spent
}

// seeds returns where counters begin: what the books say, or what this replica has seen if that is more.
func (c *Counters) seeds(ctx context.Context, claims []account.Claim) ([]int64, error) {
	out := make([]int64, len(claims))
	var charges []account.Charge
	var at []int
	for i := range claims {
		if claims[i].Resource == account.Money {
			charges, at = append(charges, claims[i].Charge), append(at, i)
		}
	}
	if c.o.Store != nil {
		amounts, err := c.o.Store.Spent(ctx, charges)
		if err == nil && len(amounts) == len(charges) {
			for j, i := range at {
				out[i] = int64(amounts[j])
			}
		} else if err != nil {
			c.o.Logger.Warn("counters of budgets begin without the books: they cannot be read", "error", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for j, i := range at {
		out[i] = max(out[i], c.spent[charges[j]])
	}
	return out, nil
}

// lost notes that the server is away.
func (c *Counters) lost(err error) {
	if !c.away.Swap(true) {
		c.o.Logger.Warn("the counters that replicas share cannot be reached: each counts by itself", "error", err)
	}
}

// errAway says that the server is away.
var errAway = errors.New("valkey: the server does not answer")

// alone takes claims of this replica's own counters, against its share of each limit. The taking's second is negative.
func (c *Counters) alone(ctx context.Context, now time.Time, claims []account.Claim) (account.Taken, error) {
	if c.o.FailClosed {
		return account.Taken{}, errAway
	}
	n := c.replicas.Load()
	c.mu.Lock()
	for i := range claims {
		if charge := claims[i].Charge; claims[i].Resource == account.Money {
			c.local.AtLeast(charge, account.Amount(c.spent[charge]))
		}
	}
	c.mu.Unlock()
	own := make([]account.Claim, len(claims))
	for i := range claims {
		own[i] = claims[i]
		if own[i].Resource != account.Money { // what is spent is known here, too
			own[i].Limit = (own[i].Limit + n - 1) / n
		}
	}
	t, err := c.local.Take(ctx, now, own)
	t.At = -t.At
	return t, err
}

// Give ends claims. Those that are held by the server are told of soon after.
func (c *Counters) Give(ctx context.Context, now time.Time, at int64, claims []account.Claim, used []int64) {
	if at < 0 { // taken while the server was away
		c.local.Give(ctx, now, -at, claims, used)
		c.owe(claims, used)
		return
	}
	select {
	case c.gives <- give{at, claims, used}:
	default: // so many wait that the server must be away
		c.epoch.Add(1)
		c.owe(claims, used)
	}
}

// owe notes what was spent and the server does not know.
func (c *Counters) owe(claims []account.Claim, used []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range claims {
		if claims[i].Resource == account.Money && used[i] != 0 {
			c.owed[claims[i].Charge] += used[i]
		}
	}
}

// tell tells the server what has ended, that this replica lives, and, when it is back, what it has missed.
func (c *Counters) tell(ctx context.Context) {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		select {
		case g := <-c.gives:
			c.tellGiven(ctx, g)
		case <-ticker.C:
			c.probe(ctx)
		case <-ctx.Done():
			for {
				select {
				case g := <-c.gives:
					c.tellGiven(context.Background(), g)
				default:
					return
				}
			}
		}
	}
}

// patience bounds what is told off the way of requests.
const patience = 2 * time.Second

func (c *Counters) tellGiven(ctx context.Context, g give) {
	epoch := g.at >> epochShift
	if c.away.Load() || epoch != c.epoch.Load() {
		c.owe(g.claims, g.used)
		return
	}
	args := make([]any, 4, 4+4*len(g.claims))
	args[0], args[1], args[2], args[3] = "give", c.r.prefix+":limit", c.self(epoch), g.at&(1<<epochShift-1)
	for i := range g.claims {
		k := &g.claims[i]
		args = append(args, resource(k.Resource), name(k.Charge), k.Amount, g.used[i])
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := c.script.Run(ctx, c.r.client, nil, args...).Err(); err != nil && !errors.Is(err, redis.Nil) {
		c.lost(err)
		c.owe(g.claims, g.used)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range g.claims {
		if k := &g.claims[i]; k.Resource == account.Money {
			if spent, ok := c.spent[k.Charge]; ok {
				c.spent[k.Charge] = spent + g.used[i]
			}
		}
	}
}

// probe says that this replica lives. A server that was away and answers is told what was spent meanwhile; what this
// replica's requests held there when it went is forgotten.
func (c *Counters) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	replicas := c.r.prefix + ":limit:replicas"
	now, err := c.r.client.Time(ctx).Result()
	if err == nil {
		err = c.r.client.ZAdd(ctx, replicas, redis.Z{Score: float64(now.Unix()), Member: c.self(c.epoch.Load())}).Err()
	}
	if err == nil {
		err = c.r.client.ZRemRangeByScore(ctx, replicas, "-inf", strconv.FormatInt(now.Unix()-3600, 10)).Err()
	}
	if err != nil {
		if ctx.Err() == nil || !errors.Is(ctx.Err(), context.Canceled) {
			c.lost(err)
		}
		return
	}
	if c.away.Load() {
		c.epoch.Add(1) // what ended meanwhile was not told
	}
	c.pay(ctx)
	if c.away.CompareAndSwap(true, false) {
		c.o.Logger.Info("the counters that replicas share can be reached again")
	}
}

// pay tells what was spent while the server was away. Counters that it has lost meanwhile begin by the books, which have it.
func (c *Counters) pay(ctx context.Context) {
	c.mu.Lock()
	owed := c.owed
	c.owed = map[account.Charge]int64{}
	c.mu.Unlock()
	for charge, amount := range owed {
		key := c.r.prefix + ":limit:m:" + name(charge)
		there, err := c.r.client.HExists(ctx, key, "spent").Result()
		if err == nil && there {
			err = c.r.client.HIncrBy(ctx, key, "spent", amount).Err()
		}
		if err != nil {
			c.mu.Lock()
			c.owed[charge] += amount
			c.mu.Unlock()
		}
	}
}

// Spent returns what was spent on a counter: what the server last said, else what the books say.
func (c *Counters) Spent(ctx context.Context, counter account.Charge) (account.Amount, error) {
	if !c.away.Load() {
		c.mu.Lock()
		spent, known := c.spent[counter]
		c.mu.Unlock()
		if known {
			return account.Amount(spent), nil
		}
		patient, cancel := context.WithTimeout(ctx, c.o.Patience)
		defer cancel()
		text, err := c.r.client.HGet(patient, c.r.prefix+":limit:m:"+name(counter), "spent").Result()
		switch {
		case err == nil:
			n, _ := strconv.ParseInt(text, 10, 64)
			c.mu.Lock()
			c.remember(counter, n)
			c.mu.Unlock()
			return account.Amount(n), nil
		case !errors.Is(err, redis.Nil) && ctx.Err() == nil:
			c.lost(err)
		}
	}
	return c.local.Spent(ctx, counter)
}

// Reset has a counter of money go on from an amount, for all replicas.
func (c *Counters) Reset(ctx context.Context, counter account.Charge, to account.Amount) error {
	c.mu.Lock()
	c.spent[counter] = int64(to)
	delete(c.owed, counter)
	c.mu.Unlock()
	_ = c.local.Reset(ctx, counter, to) // which cannot fail
	if c.away.Load() {
		return errAway
	}
	key := c.r.prefix + ":limit:m:" + name(counter)
	if err := c.r.client.HSet(ctx, key, "spent", int64(to)).Err(); err != nil {
		return fmt.Errorf("valkey: %w", err)
	}
	return nil
}
