package account

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// DirectoryOptions are what a directory is made of. Store is required.
type DirectoryOptions struct {
	Store EntityStore
	// Snapshot is a file that holds what the directory knows, for a start while the store is away; empty keeps none. There
	// are digests of keys in it, no keys.
	Snapshot string
	// MaxAge is how long after the last word of the store what is known is still acted upon. Default: 1 h.
	MaxAge time.Duration
	// Poll is the time between two looks at the store's changes. Default: 500 ms.
	Poll time.Duration
	// Invalidations are the other gateways' word that there is something to look at before that. Default: there is none.
	Invalidations Invalidations
	// Logger gets a line when the store is lost or found again. Default: none.
	Logger *slog.Logger
}

const (
	usualMaxAge = time.Hour
	usualPoll   = 500 * time.Millisecond
	// storePatience bounds one look at the changes, loadPatience the reading of everything.
	storePatience = 2 * time.Second
	loadPatience  = time.Minute
	// catchUpGap is the least time between two looks that were asked for by unknown keys, or by other gateways;
	// catchUpPatience is how long a request waits for one.
	catchUpGap      = 50 * time.Millisecond
	catchUpPatience = 1500 * time.Millisecond
	// firstPatience bounds how long a start waits for the store.
	firstPatience = 3 * time.Second
)

// Directory knows every key, team, user, budget, … of a store, and follows its changes: no request waits for a database.
// Reading takes no lock. What is put or deleted here acts at once, what others put or delete when they say so, and within a
// second if nobody says anything. It is safe for concurrent use and must be closed.
type Directory struct {
	o      DirectoryOptions
	tables map[EntityKind]*table
	// generation counts changes, so that what was made of owners is made anew after one.
	generation atomic.Uint64
	// synced is when the store was last in step, in nanoseconds since 1970; 0 is never.
	synced atomic.Int64
	// known says that there is something to act upon: from the store or from the snapshot.
	known atomic.Bool

	// mu keeps looks at the store and changes through the directory apart.
	mu      sync.Mutex
	loaded  bool // everything has been read from the store
	change  int64
	failing bool
	changed bool // since the snapshot was written

	snapshotMu sync.Mutex

	flightMu sync.Mutex
	next     *flight
	wake     chan struct{}
	absent   absent

	stop context.CancelFunc
	done chan struct{}
}

// flight is one look at the store's changes that requests wait for.
type flight struct {
	done chan struct{}
	err  error
}

// NewDirectory starts a directory. When the store does not answer within three seconds, it starts with the snapshot, if that
// is not too old, and goes on trying.
func NewDirectory(ctx context.Context, o DirectoryOptions) *Directory {
	if o.MaxAge <= 0 {
		o.MaxAge = usualMaxAge
	}
	if o.Poll <= 0 {
		o.Poll = usualPoll
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Directory{o: o, tables: map[EntityKind]*table{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
	for _, kind := range []EntityKind{EntityKey, EntityUser, EntityTeam, EntityOrganization, EntityBudget, EntityEndUser, EntityTag} {
		d.tables[kind] = newTable()
	}
	first, cancel := context.WithTimeout(ctx, firstPatience)
	err := d.sync(first)
	cancel()
	if err != nil {
		d.restore()
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	go d.run(run)
	return d
}

// Close ends the directory. Its goroutine is gone when it returns.
func (d *Directory) Close() {
	d.stop()
	<-d.done
	d.save()
}

// run follows the store until ctx ends.
func (d *Directory) run(ctx context.Context) {
	defer close(d.done)
	ticker := time.NewTicker(d.o.Poll)
	defer ticker.Stop()
	var announced <-chan struct{}
	if d.o.Invalidations != nil {
		announced = d.o.Invalidations.Announced()
	}
	var last time.Time
	for {
		asked := false
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-d.wake:
			asked = true
		case <-announced:
			asked = true
		}
		if gap := catchUpGap - time.Since(last); asked && gap > 0 && !pause(ctx, gap) {
			return
		}
		last = time.Now()
		d.flightMu.Lock()
		f := d.next
		d.next = nil
		d.flightMu.Unlock()
		err := d.sync(ctx)
		if f != nil {
			f.err = err
			close(f.done)
		}
		if err == nil {
			d.save()
		}
	}
}

func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// sync brings the directory in step with the store.
func (d *Directory) sync(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncLocked(ctx)
}

func (d *Directory) syncLocked(ctx context.Context) error {
	began := time.Now()
	err := d.read(ctx)
	if err != nil {
		if !d.failing && ctx.Err() == nil {
			d.failing = true
			d.o.Logger.Error("the store of keys is away: known keys go on working, changes wait", "error", err)
		}
		return err
	}
	if d.failing {
		d.failing = false
		d.o.Logger.Info("the store of keys answers again")
	}
	d.synced.Store(began.UnixNano())
	d.known.Store(true)
	return nil
}

// read reads what has changed, or everything the first time.
func (d *Directory) read(ctx context.Context) error {
	if !d.loaded {
		return d.load(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	list, change, err := d.o.Store.Changes(ctx, d.change)
	if err != nil {
		return err
	}
	d.apply(list)
	d.change = change
	return nil
}

func (d *Directory) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadPatience)
	defer cancel()
	fresh := map[EntityKind]map[string]*Holder{}
	change, err := d.o.Store.Entities(ctx, func(e Entity) error {
		if o := d.holder(e); o != nil {
			if fresh[e.Kind] == nil {
				fresh[e.Kind] = map[string]*Holder{}
			}
			fresh[e.Kind][e.ID] = o
		}
		return nil
	})
	if err != nil {
		return err
	}
	for kind, t := range d.tables {
		t.replace(fresh[kind])
	}
	d.generation.Add(1)
	d.loaded, d.change, d.changed = true, change, true
	return nil
}

// owner reads an entity; nil is one that cannot be read, which is then as good as none.
func (d *Directory) holder(e Entity) *Holder {
	o, err := newHolder(e)
	if err != nil {
		d.o.Logger.Error("an entity is left out", "error", err)
		return nil
	}
	return o
}

// apply takes over changes, oldest first. Only the last state of each entity is ever seen.
func (d *Directory) apply(list []Entity) {
	if len(list) == 0 {
		return
	}
	batch := map[EntityKind]map[string]*Holder{}
	for _, e := range list {
		t := d.tables[e.Kind]
		if t == nil {
			continue
		}
		if batch[e.Kind] == nil {
			batch[e.Kind] = map[string]*Holder{}
		}
		if e.Version == 0 {
			batch[e.Kind][e.ID] = nil
			continue
		}
		batch[e.Kind][e.ID] = d.holder(e)
	}
	fresh := false
	for kind, owners := range batch {
		t := d.tables[kind]
		for id, o := range owners {
			known := t.get(id)
			if o == nil && known == nil || o != nil && known != nil && known.Version == o.Version && known.CreatedAt.Equal(o.CreatedAt) {
				delete(owners, id) // our own change, or one that is told twice
			}
		}
		if len(owners) > 0 {
			fresh = true
			t.change(owners)
		}
	}
	if fresh {
		d.generation.Add(1)
		d.changed = true
	}
}

// Put stores entities as [EntityStore.Put] does. They act at once.
func (d *Directory) Put(ctx context.Context, list ...Entity) ([]Entity, error) {
	for _, e := range list {
		if _, err := newHolder(e); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	stored, err := d.o.Store.Put(ctx, list)
	if err != nil {
		return nil, err
	}
	d.apply(stored)
	d.announce()
	return stored, nil
}

// announce tells the other gateways that there is something to look at.
func (d *Directory) announce() {
	if d.o.Invalidations != nil {
		d.o.Invalidations.Announce()
	}
}

// Delete removes entities as [EntityStore.Delete] does. They are gone at once.
func (d *Directory) Delete(ctx context.Context, kind EntityKind, ids ...string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	gone, err := d.o.Store.Delete(ctx, kind, ids)
	if err != nil {
		return nil, err
	}
	list := make([]Entity, len(gone))
	for i, id := range gone {
		list[i] = Entity{Kind: kind, ID: id}
	}
	d.apply(list)
	if len(gone) > 0 {
		d.announce()
	}
	return gone, nil
}

// Refresh brings the directory in step with the store now: before an administrator reads what others may have changed.
func (d *Directory) Refresh(ctx context.Context) error { return d.sync(ctx) }

// Get returns an owner, nil if there is none.
func (d *Directory) Get(kind EntityKind, id string) *Holder {
	if t := d.tables[kind]; t != nil {
		return t.get(id)
	}
	return nil
}

// All calls yield for each owner of a kind, in no order, until it returns false.
func (d *Directory) All(kind EntityKind) func(yield func(*Holder) bool) {
	return func(yield func(*Holder) bool) {
		if t := d.tables[kind]; t != nil {
			t.all(yield)
		}
	}
}

// Age returns how long ago the store was last in step; ok is false if it never was.
func (d *Directory) Age(now time.Time) (age time.Duration, ok bool) {
	at := d.synced.Load()
	if at == 0 {
		return 0, false
	}
	return max(0, now.Sub(time.Unix(0, at))), true
}

// Ready reports whether the store is in step.
func (d *Directory) Ready() bool {
	age, ok := d.Age(time.Now())
	return ok && age < d.o.Poll+storePatience+time.Second
}

// errStale says that the store cannot be asked.
var errStale = errors.New("the store of keys does not answer")

// catchUp waits for a look at the store that begins after now. However many requests ask, there is one at a time, and there
// are at most twenty a second.
func (d *Directory) catchUp(ctx context.Context) error {
	d.flightMu.Lock()
	f := d.next
	if f == nil {
		f = &flight{done: make(chan struct{})}
		d.next = f
	}
	d.flightMu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
	timer := time.NewTimer(catchUpPatience)
	defer timer.Stop()
	select {
	case <-f.done:
		return f.err
	case <-timer.C:
		return errStale
	case <-d.done:
		return errStale
	case <-ctx.Done():
		return ctx.Err()
	}
}
