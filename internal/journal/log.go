package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Sync says when what is written is forced to the disk. The death of the process loses nothing with any of them; they differ
// in what a crash of the machine may cost.
type Sync string

// The kinds of Sync.
const (
	// SyncNone leaves it to the operating system: a crash may cost the last half minute.
	SyncNone Sync = "none"
	// SyncInterval forces it once in a while: a crash may cost that time.
	SyncInterval Sync = "interval"
	// SyncAlways forces every payload before Append returns; those that come together share one call.
	SyncAlways Sync = "always"
)

// Options bound a log; the zero value gives the documented defaults.
type Options struct {
	// MaxSize is the size in bytes at which the log counts as full. Default: 1 GiB.
	MaxSize int64
	// Sync is when payloads are forced to the disk. Default: SyncInterval.
	Sync Sync
	// Interval is the time of SyncInterval. Default: 1 s.
	Interval time.Duration
	// Logger gets a line for what was found at the start, for damage, and for a disk that cannot be forced. Default: none.
	Logger *slog.Logger
}

// maxSegment is the largest size of a segment, and so of what is kept on disk when all is safe; minSegment is that of the
// smallest log.
const (
	maxSegment = 16 << 20
	minSegment = 4 << 10
)

// slots is how many processes may use one log's folder at once.
const slots = 64

var (
	// ErrFull is the error of a log that has come to its bound.
	ErrFull = errors.New("the log is full")
	// ErrClosed is the error of a log that is closed.
	ErrClosed = errors.New("the log is closed")
)

// Log is an open log. Append and Full are safe for concurrent use; Read, Commit and Adopt are one reader's.
type Log struct {
	o           Options
	root, slot  string
	lock        *os.File
	segmentSize int64
	// total is the size of all segments on disk.
	total atomic.Int64

	mu sync.Mutex // guards all below
	// file is the segment that is written, with its number and size; nil when the next Append makes one.
	file   *os.File
	seq    uint64
	size   int64
	closed bool
	// dirty says that something was written since the last forcing; retired are full segments not yet forced.
	dirty   bool
	retired []*os.File
	// old are the segments written before, oldest first.
	old []segment

	syncing sync.Mutex // held while SyncAlways forces; guards synced
	synced  Position
	// unsynced is true while the disk cannot be forced: it is logged once.
	unsynced atomic.Bool

	reader   reader
	position *os.File
	damaged  atomic.Uint64

	stop, stopped chan struct{}
}

// Open opens the log in the folder dir, which is made if it is missing; its parent must exist. Of several processes with
// one folder each gets a slot of its own in it. What is left of an earlier process is there to be read again.
func Open(dir string, o Options) (*Log, error) {
	if o.MaxSize <= 0 {
		o.MaxSize = 1 << 30
	}
	if o.Sync == "" {
		o.Sync = SyncInterval
	}
	if o.Interval <= 0 {
		o.Interval = time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{
		o: o, root: dir, segmentSize: min(max(o.MaxSize/8, minSegment), maxSegment),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := l.open(); err != nil {
		if l.lock != nil {
			_ = l.lock.Close()
		}
		if l.position != nil {
			_ = l.position.Close()
		}
		return nil, fmt.Errorf("log %s: %w", dir, err)
	}
	if o.Sync == SyncInterval {
		go l.force()
	} else {
		close(l.stopped)
	}
	return l, nil
}

func (l *Log) open() error {
	if err := mkdir(l.root); err != nil {
		return err
	}
	for n := 0; l.lock == nil; n++ {
		if n == slots {
			return fmt.Errorf("%d other processes use it: give this one a folder of its own", slots)
		}
		l.slot = filepath.Join(l.root, strconv.Itoa(n))
		if err := mkdir(l.slot); err != nil {
			return err
		}
		var err error
		if l.lock, err = tryLock(filepath.Join(l.slot, lockName)); err != nil {
			return err
		}
	}
	found, _, err := listSegments(l.slot)
	if err != nil {
		return err
	}
	safe := readPosition(l.slot)
	if l.position, err = os.OpenFile(filepath.Join(l.slot, positionName), os.O_WRONLY|os.O_CREATE, 0o600); err != nil {
		return err
	}
	l.seq = safe.seq
	for _, s := range found {
		l.seq = max(l.seq, s.seq)
		if s.seq < safe.seq {
			if err := os.Remove(filepath.Join(l.slot, segmentName(s.seq))); err != nil {
				return err
			}
			continue
		}
		l.old = append(l.old, s)
	}
	if n := len(l.old); n > 0 {
		if err := l.mendTail(&l.old[n-1]); err != nil {
			return err
		}
	}
	for _, s := range l.old {
		l.total.Add(s.size)
	}
	l.reader.at = safe
	return l.adopt()
}

func mkdir(path string) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

// mendTail cuts off the beginning of a frame that the last process, or the machine, did not finish. Nobody was told that it
// is safe.
func (l *Log) mendTail(s *segment) error {
	f, scan, err := openSegment(l.slot, s.seq, 0, s.size)
	if err != nil {
		return err
	}
	defer f.Close()
	for err == nil {
		_, err = scan.next()
	}
	if scan.torn == 0 {
		return nil // damage is reported by who reads it
	}
	l.o.Logger.Warn("the end of the log was cut off: a row was not written whole before the last end of the process",
		"file", f.Name(), "bytes", scan.torn)
	s.size -= scan.torn
	return os.Truncate(f.Name(), s.size)
}

// Append adds a payload: frame is Head bytes of any content, which Append fills in, and the payload behind them. When it
// returns nil the payload outlives the process; after an error nothing was added. It takes payloads beyond the log's full
// size, up to an eighth more, for those who asked Full too early.
func (l *Log) Append(frame []byte) error {
	if len(frame) <= Head || int64(len(frame)-Head) > math.MaxUint32 {
		return errors.New("a payload has 1 to 2^32-1 bytes")
	}
	seal(frame)
	n := int64(len(frame))
	l.mu.Lock()
	err := l.append(frame)
	if err == nil {
		l.size += n
		l.total.Add(n)
		l.dirty = true
	}
	end := Position{l.seq, l.size}
	l.mu.Unlock()
	if err == nil && l.o.Sync == SyncAlways {
		err = l.forceUpTo(end)
	}
	return err
}

// append is called with the lock held.
func (l *Log) append(frame []byte) error {
	n := int64(len(frame))
	if l.closed {
		return ErrClosed
	}
	if l.total.Load()+n > l.o.MaxSize+l.o.MaxSize/8 {
		return ErrFull
	}
	if l.file != nil && l.size+n > l.segmentSize && l.size > segmentHead {
		l.retire()
	}
	if l.file == nil {
		if err := l.begin(); err != nil {
			return err
		}
	}
	if written, err := l.file.WriteAt(frame, l.size); err != nil {
		if written > 0 {
			_ = l.file.Truncate(l.size) // the next frame is written over it in any case
		}
		return err
	}
	return nil
}

// begin makes a new segment.
func (l *Log) begin() error {
	path := filepath.Join(l.slot, segmentName(l.seq+1))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(newSegmentHead(), 0); err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	l.seq++
	l.file, l.size = f, segmentHead
	l.total.Add(segmentHead)
	if l.o.Sync == SyncAlways {
		return syncFolder(l.slot)
	}
	return nil
}

// retire ends the segment that is written.
func (l *Log) retire() {
	l.old = append(l.old, segment{seq: l.seq, size: l.size})
	switch {
	case l.o.Sync == SyncInterval:
		l.retired = append(l.retired, l.file)
	case l.o.Sync == SyncAlways:
		l.forced(l.file.Sync()) // nearly nothing is left to be forced
		fallthrough
	default:
		_ = l.file.Close()
	}
	l.file = nil
}

// Full reports whether the log has come to its size.
func (l *Log) Full() bool { return l.total.Load() >= l.o.MaxSize }

// Probe tries whether the disk takes what is written, and leaves nothing behind.
func (l *Log) Probe() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if l.file == nil {
		return l.begin()
	}
	_, err := l.file.WriteAt(make([]byte, 4<<10), l.size) // zeros at the end are no frame, should the process die here
	return errors.Join(err, l.file.Truncate(l.size))
}

// Size returns how many bytes the log has on disk.
func (l *Log) Size() int64 { return l.total.Load() }

// Damaged returns how many places could not be read so far.
func (l *Log) Damaged() uint64 { return l.damaged.Load() }

// Dir returns the folder of this process's part of the log.
func (l *Log) Dir() string { return l.slot }

// Adopt takes over what processes left behind that have ended.
func (l *Log) Adopt() error {
	if err := l.adopt(); err != nil {
		return fmt.Errorf("log %s: %w", l.root, err)
	}
	return nil
}

func (l *Log) adopt() error {
	entries, err := os.ReadDir(l.root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		slot := filepath.Join(l.root, e.Name())
		if _, err := strconv.Atoi(e.Name()); err != nil || slot == l.slot {
			continue
		}
		if found, _, err := listSegments(slot); err != nil || len(found) == 0 {
			continue
		}
		lock, err := tryLock(filepath.Join(slot, lockName))
		if err != nil {
			return err
		}
		if lock == nil {
			continue // it lives
		}
		if err := errors.Join(l.takeOver(slot), lock.Close()); err != nil {
			return err
		}
	}
	return nil
}

// takeOver moves the segments of a slot to this one, as if they had been written here.
func (l *Log) takeOver(slot string) error {
	found, _, err := listSegments(slot) // again: now nobody else writes there
	if err != nil || len(found) == 0 {
		return err
	}
	safe := readPosition(slot)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	if l.file != nil {
		l.retire()
	}
	for _, s := range found {
		from := filepath.Join(slot, segmentName(s.seq))
		if s.seq < safe.seq {
			if err := os.Remove(from); err != nil {
				return err
			}
			continue
		}
		if err := os.Rename(from, filepath.Join(l.slot, segmentName(l.seq+1))); err != nil {
			return err
		}
		l.seq++
		l.old = append(l.old, segment{seq: l.seq, size: s.size})
		l.total.Add(s.size)
	}
	l.o.Logger.Info("rows of a process that has ended were found and are written", "folder", slot)
	return nil
}

// Close forces what was written to the disk and gives the slot back. A log of which everything is safe leaves no segment.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	close(l.stop)
	<-l.stopped
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	if l.o.Sync != SyncNone {
		errs = append(errs, l.syncFiles(l.file))
	}
	for _, f := range l.retired {
		errs = append(errs, f.Close())
	}
	if l.file != nil {
		errs = append(errs, l.file.Close())
		l.old = append(l.old, segment{seq: l.seq, size: l.size})
	}
	l.file, l.retired = nil, nil
	errs = append(errs, l.removeSafe())
	l.reader.close()
	return errors.Join(append(errs, l.position.Close(), l.lock.Close())...)
}

// removeSafe removes the segments that lie wholly before the reader's committed position. It is called with the lock held.
func (l *Log) removeSafe() error {
	var errs []error
	keep := l.old[:0]
	for _, s := range l.old {
		if l.reader.safe.before(Position{s.seq, s.size}) {
			keep = append(keep, s)
			continue
		}
		path := filepath.Join(l.slot, segmentName(s.seq))
		var err error
		if s.damaged || l.reader.sawDamage(s.seq) {
			err = os.Rename(path, path+damagedSuffix)
		} else {
			err = os.Remove(path)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
		l.total.Add(-s.size)
	}
	l.old = slices.Clip(keep)
	return errors.Join(errs...)
}
