package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// reader is where the one reader of a log stands.
type reader struct {
	// at is where the next payload is looked for, safe up to where they are safe elsewhere.
	at, safe Position
	file     *os.File
	scan     *scanner
}

// sawDamage reports whether something in a segment that is being read is damaged.
func (r *reader) sawDamage(seq uint64) bool {
	return r.scan != nil && r.at.seq == seq && r.scan.damaged > 0
}

func (r *reader) close() {
	if r.file != nil {
		_ = r.file.Close()
	}
	r.file, r.scan = nil, nil
}

// Read hands out the payloads that follow the last ones that it handed out, at most limit of them and about maxBytes bytes,
// and returns where they end, for Commit. take must not keep the payload; an error says that it cannot be understood: it is
// then counted as damaged. When there is nothing more, no payload is handed out.
func (l *Log) Read(limit, maxBytes int, take func(payload []byte) error) (Position, error) {
	r := &l.reader
	for n, size := 0, 0; n < limit && size < maxBytes; {
		if r.scan == nil && !l.openNext() {
			break
		}
		payload, err := r.scan.next()
		switch {
		case err == nil:
			r.at.off = r.scan.off
			n, size = n+1, size+len(payload)
			if err := take(payload); err != nil {
				r.scan.damaged++
				l.o.Logger.Error("a row of the log cannot be understood", "file", r.file.Name(), "error", err)
			}
		case errors.Is(err, io.EOF):
			if !l.endOfSegment() {
				return r.at, nil
			}
		default:
			return r.at, fmt.Errorf("log %s: %w", l.slot, err)
		}
	}
	return r.at, nil
}

// written returns where what is written of a segment ends, and whether it is written no more. known is false when the log
// does not have it.
func (l *Log) written(seq uint64) (end int64, last, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil && seq == l.seq {
		return l.size, false, true
	}
	for _, s := range l.old {
		if s.seq == seq {
			return s.size, true, true
		}
	}
	return 0, false, false
}

// openNext opens the segment of the reader's position, or the first one behind it.
func (l *Log) openNext() bool {
	r := &l.reader
	for {
		l.mu.Lock()
		next, found := uint64(0), false
		for _, s := range l.old {
			if s.seq >= r.at.seq {
				next, found = s.seq, true
				break
			}
		}
		if !found && l.file != nil && l.seq >= r.at.seq {
			next, found = l.seq, true
		}
		l.mu.Unlock()
		if !found {
			return false
		}
		if next > r.at.seq {
			r.at = Position{seq: next}
		}
		end, _, _ := l.written(next)
		file, scan, err := openSegment(l.slot, next, r.at.off, end)
		if err != nil {
			l.unreadable(next, err)
			r.at = Position{seq: next + 1}
			continue
		}
		r.file, r.scan = file, scan
		return true
	}
}

// endOfSegment goes on behind the end of what was known of a segment. It returns false when there is nothing more as yet.
func (l *Log) endOfSegment() bool {
	r := &l.reader
	end, last, known := l.written(r.at.seq)
	if known && r.scan.end < end {
		r.scan.end = end
		return true
	}
	if known && !last {
		return false
	}
	if r.scan.damaged > 0 {
		l.unreadable(r.at.seq, fmt.Errorf("%d places are damaged", r.scan.damaged))
	} else if r.scan.torn > 0 {
		l.o.Logger.Warn("a row at the end of a file of the log was not written whole", "file", r.file.Name(), "bytes", r.scan.torn)
	}
	r.at = Position{seq: r.at.seq + 1}
	r.close()
	return true
}

// unreadable notes that something in a segment is lost to the reader, so that the segment is kept.
func (l *Log) unreadable(seq uint64, err error) {
	count := uint64(1)
	if l.reader.scan != nil {
		count = uint64(l.reader.scan.damaged) //nolint:gosec // never negative
	}
	l.damaged.Add(count)
	l.o.Logger.Error("a file of the log is damaged: what can be read of it is used, and the file is kept", "file", segmentName(seq)+damagedSuffix, "folder", l.slot, "error", err)
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.IndexFunc(l.old, func(s segment) bool { return s.seq == seq }); i >= 0 {
		l.old[i].damaged = true
	}
}

// Commit says that all before p is safe elsewhere: it is not handed out again after a restart, and segments that hold
// nothing else are removed. The position is written after the fact, so it can be behind, never ahead.
func (l *Log) Commit(p Position) error {
	if !l.reader.safe.before(p) {
		return nil
	}
	if _, err := l.position.WriteAt(p.bytes(), 0); err != nil {
		return fmt.Errorf("log %s: %w", l.slot, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reader.safe = p
	if l.file != nil && l.Full() && p == (Position{l.seq, l.size}) { // nothing else can make room
		l.retire()
	}
	if err := l.removeSafe(); err != nil {
		return fmt.Errorf("log %s: %w", l.slot, err)
	}
	return nil
}
