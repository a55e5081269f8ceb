package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// segment is a file of a log that is written no more.
type segment struct {
	seq  uint64
	size int64
	// damaged says that something in it could not be read: it is kept aside when the rest of it is safe.
	damaged bool
}

const (
	segmentSuffix = ".log"
	// damagedSuffix is put behind the name of a segment in which something could not be read.
	damagedSuffix = ".damaged"
	positionName  = "shipped"
	lockName      = "lock"
)

func segmentName(seq uint64) string { return fmt.Sprintf("%016x", seq) + segmentSuffix }

// listSegments returns the segments of a slot, oldest first, and how many damaged ones were put aside.
func listSegments(slot string) (list []segment, aside int, err error) {
	entries, err := os.ReadDir(slot)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasSuffix(name, damagedSuffix) {
			aside++
		}
		digits, ok := strings.CutSuffix(name, segmentSuffix)
		seq, err := strconv.ParseUint(digits, 16, 64)
		if !ok || err != nil || name != segmentName(seq) {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // shipped in between
		}
		if err != nil {
			return nil, 0, err
		}
		list = append(list, segment{seq: seq, size: info.Size()})
	}
	slices.SortFunc(list, func(a, b segment) int {
		if a.seq < b.seq {
			return -1
		}
		return 1
	})
	return list, aside, nil
}

// openSegment opens a segment to be read from off on, up to its byte end. A segment without a head is empty: the process
// died when it was made.
func openSegment(slot string, seq uint64, off, end int64) (*os.File, *scanner, error) {
	path := filepath.Join(slot, segmentName(seq))
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	s := &scanner{r: f, off: max(off, segmentHead), end: end}
	if end < segmentHead {
		s.torn, s.off = end, end
		return f, s, nil
	}
	head := make([]byte, segmentHead)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, segmentHead), head); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	switch err := checkSegmentHead(head); {
	case errors.Is(err, ErrNewer):
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	case err != nil && isZero(head):
		s.torn, s.off = end, end // made just before the machine went down
	case err != nil: // its frames may still be whole
		s.damaged++
	}
	return f, s, nil
}

// Position is a place in a log. The zero value is its beginning.
type Position struct {
	seq uint64
	off int64
}

// before reports whether p lies before q.
func (p Position) before(q Position) bool { return p.seq < q.seq || p.seq == q.seq && p.off < q.off }

const positionSize = 24

// bytes is the position as the file "shipped" holds it: number of the segment, offset in it, CRC-32C of both, and 4 bytes
// for later.
func (p Position) bytes() []byte {
	b := make([]byte, positionSize)
	binary.LittleEndian.PutUint64(b, p.seq)
	binary.LittleEndian.PutUint64(b[8:], uint64(p.off)) //nolint:gosec // never negative
	binary.LittleEndian.PutUint32(b[16:], crc32.Checksum(b[:16], castagnoli()))
	return b
}

// readPosition returns the position up to which a slot's payloads are safe. One that cannot be read is the beginning:
// everything that is still there is handed out again, which harms nobody.
func readPosition(slot string) Position {
	b, err := os.ReadFile(filepath.Join(slot, positionName))
	if err != nil || len(b) < positionSize || binary.LittleEndian.Uint32(b[16:]) != crc32.Checksum(b[:16], castagnoli()) {
		return Position{}
	}
	p := Position{seq: binary.LittleEndian.Uint64(b), off: int64(binary.LittleEndian.Uint64(b[8:]))} //nolint:gosec // see below
	if p.off < 0 {
		return Position{}
	}
	return p
}
