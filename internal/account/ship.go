package account

import (
	"context"
	"time"

	"github.com/outcrop-ai/outcrop/internal/journal"
)

// shipping is what the goroutine of a ledger works with; nobody else touches it.
type shipping struct {
	// batch is what the sink gets next of the log, which ends at end there; spare is room for a batch of the memory.
	batch, spare []Record
	end          journal.Position
	// pause is what follows the next failure of the sink, 0 when it works.
	pause time.Duration
	// closing is the ledger's until it was seen.
	closing chan struct{}
}

// run hands records to the sink until the ledger is closed and empty, or ctx ends.
func (l *Ledger) run(ctx context.Context) {
	defer close(l.done)
	ticker := time.NewTicker(upkeep)
	defer ticker.Stop()
	l.ship.closing = l.closing
	for turn := 1; ; turn++ {
		select {
		case <-l.wake:
			l.await()
		case <-l.closing:
		case <-ticker.C:
			if !l.keepUp(turn) {
				continue
			}
		}
		closed := l.isClosed()
		for l.shipNext(ctx) {
		}
		if closed || ctx.Err() != nil {
			return
		}
	}
}

func (l *Ledger) isClosed() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}

// keepUp does what is done from time to time, and reports whether there may be something to be written.
func (l *Ledger) keepUp(turn int) bool {
	if l.log == nil {
		return false
	}
	if turn%adoptTurn == 0 {
		if err := l.log.Adopt(); err != nil {
			l.o.Logger.Warn("what other processes left behind cannot be taken over", "error", err)
		}
		return true
	}
	return l.refused.Load() != nil
}

// await returns when a batch is full, the ledger is closed, or the records that wait have waited long enough.
func (l *Ledger) await() {
	timer := time.NewTimer(l.o.Delay)
	defer timer.Stop()
	for l.queued.Load() < int64(l.o.Batch) {
		select {
		case <-l.wake:
		case <-timer.C:
			return
		case <-l.closing:
			return
		}
	}
}

// shipNext hands a batch of the log and one of the memory to the sink, and pauses when that fails. It returns false when
// there is nothing more to be done.
func (l *Ledger) shipNext(ctx context.Context) bool {
	l.recover()
	fromLog, err := l.shipLog(ctx)
	fromMemory := 0
	if err == nil {
		fromMemory, err = l.shipMemory(ctx)
	}
	if err != nil {
		return l.failed(ctx, err)
	}
	if fromLog+fromMemory == 0 {
		return false
	}
	if l.ship.pause > 0 {
		l.ship.pause = 0
		l.mu.Lock()
		l.failure = nil
		l.mu.Unlock()
		l.o.Logger.Info("spend records are written again")
	}
	l.wrote(fromLog + fromMemory)
	return true
}

// shipLog writes the log's next batch, or the one that could not be written before, and returns its length.
func (l *Ledger) shipLog(ctx context.Context) (int, error) {
	if l.log == nil {
		return 0, nil
	}
	s := &l.ship
	if len(s.batch) == 0 {
		end, err := l.log.Read(l.o.Batch, maxBatchBytes, func(payload []byte) error {
			r, err := decodeRecord(payload)
			if err == nil {
				s.batch = append(s.batch, r)
			}
			return err
		})
		s.end = end
		if err != nil && len(s.batch) == 0 {
			return 0, err
		}
	}
	n := len(s.batch)
	if n > 0 {
		if err := l.sink.Append(ctx, s.batch); err != nil {
			return 0, err
		}
		clear(s.batch) // lets go of the strings
		s.batch = s.batch[:0]
	}
	if err := l.log.Commit(s.end); err != nil { // the rows are skipped when they are written again
		l.o.Logger.Warn("the log does not learn that its rows are safe", "error", err)
	}
	return n, nil
}

// shipMemory writes what waits in memory because the log did not take it, and returns how many records.
func (l *Ledger) shipMemory(ctx context.Context) (int, error) {
	l.mu.Lock()
	n := min(len(l.memory), l.o.Batch)
	l.ship.spare = append(l.ship.spare[:0], l.memory[:n]...)
	l.mu.Unlock()
	if n == 0 {
		return 0, nil
	}
	err := l.sink.Append(ctx, l.ship.spare)
	clear(l.ship.spare)
	if err != nil {
		return 0, err
	}
	l.forget(n)
	return n, nil
}

// forget removes the first n records of the memory.
func (l *Ledger) forget(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := copy(l.memory, l.memory[n:])
	clear(l.memory[rest:])
	if l.memory = l.memory[:rest]; rest == 0 {
		l.memory = nil
	}
}

func (l *Ledger) wrote(n int) {
	l.mu.Lock()
	l.written += uint64(n) //nolint:gosec // a length
	l.mu.Unlock()
	// What an earlier process left was never queued here: it must not make the count negative.
	for {
		queued := l.queued.Load()
		if l.queued.CompareAndSwap(queued, max(queued-int64(n), 0)) {
			return
		}
	}
}

// recover brings what waits in memory into the log, if the log takes it again.
func (l *Ledger) recover() {
	if l.log == nil || l.refused.Load() == nil {
		return
	}
	for {
		l.mu.Lock()
		var first Record
		found := len(l.memory) > 0
		if found {
			first = l.memory[0]
		}
		l.mu.Unlock()
		if !found {
			break
		}
		if l.log.Append(appendRecord(make([]byte, journal.Head), &first)) != nil {
			return
		}
		l.forget(1)
	}
	if l.log.Full() || l.log.Probe() != nil {
		return
	}
	if l.refused.Swap(nil) != nil {
		l.o.Logger.Info("the log of spend records takes records again")
	}
}

// failed notes a failure of the sink, pauses, and reports whether it is worth trying again: when the ledger is closed, once,
// and longer only for what is nowhere else.
func (l *Ledger) failed(ctx context.Context, err error) bool {
	l.mu.Lock()
	l.failures++
	l.failure = err
	inMemory := len(l.memory)
	l.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	s := &l.ship
	again := s.pause > 0
	if !again {
		s.pause = l.o.RetryMin
		l.o.Logger.Error("spend records cannot be written, trying again", "error", err, "queued", l.queued.Load())
	}
	if again && l.isClosed() && inMemory == 0 {
		return false
	}
	timer := time.NewTimer(s.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		s.pause = min(2*s.pause, l.o.RetryMax)
	case <-s.closing: // one try at once, then again with pauses
		s.pause, s.closing = l.o.RetryMin, nil
	case <-ctx.Done():
		return false
	}
	return true
}
