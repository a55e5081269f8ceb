package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// A segment is a file with a head of 16 bytes, then frames without a gap. A frame is:
//
//	4 bytes  mark, by which a reader finds the next frame behind a damaged one
//	4 bytes  length of the payload, little endian
//	4 bytes  CRC-32C of the length and the payload
//	n bytes  payload
const (
	// Head is how many bytes a frame has before its payload.
	Head = 12
	// version is that of the segment's format. A reader takes it and all before it.
	version     = 1
	segmentHead = 16
)

var (
	mark     = []byte{0xF5, 'r', 'o', 'w'} // 0xF5 is in no UTF-8 text
	headText = []byte("outcrop\n")
)

// castagnoli is the polynomial that processors compute. The table is made once, by the package crc32.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// ErrNewer is the error of a log that a newer version of the program has written.
var ErrNewer = errors.New("the log was written by a newer version")

// errNoSegment says that a file does not begin as a segment does.
var errNoSegment = errors.New("not a segment of a log")

func newSegmentHead() []byte {
	head := make([]byte, segmentHead)
	copy(head, headText)
	binary.LittleEndian.PutUint32(head[8:], version)
	return head
}

func checkSegmentHead(head []byte) error {
	switch {
	case !bytes.HasPrefix(head, headText):
		return errNoSegment
	case binary.LittleEndian.Uint32(head[8:]) > version:
		return ErrNewer
	}
	return nil
}

// seal fills in the head of a frame: its first Head bytes.
func seal(frame []byte) {
	copy(frame, mark)
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(frame)-Head)) //nolint:gosec // Append bounds it
	binary.LittleEndian.PutUint32(frame[8:], checksum(frame))
}

func checksum(frame []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli(), frame[4:8]), castagnoli(), frame[Head:])
}

// frameAt returns the length of the whole frame that begins data, 0 if none does. rest is how many bytes there are with
// those that data does not hold.
func frameAt(data []byte, rest int64) int64 {
	if len(data) < Head || !bytes.HasPrefix(data, mark) {
		return 0
	}
	n := Head + int64(binary.LittleEndian.Uint32(data[4:]))
	if n > rest || n == Head {
		return 0
	}
	return n
}

func whole(frame []byte) bool { return binary.LittleEndian.Uint32(frame[8:]) == checksum(frame) }

// scanner reads the frames of one segment.
type scanner struct {
	r io.ReaderAt
	// off is where the next frame begins, end where what is known to be written ends.
	off, end int64
	// buf holds the bytes from start on.
	buf   []byte
	start int64
	// damaged counts the places where something else than a frame is; torn is how many bytes at the end are the beginning
	// of a frame, or were never written.
	damaged int
	torn    int64
}

// readAhead is how much is read from disk at once.
const readAhead = 128 << 10

// window returns n bytes from off on, all of them before end. They are valid until the next call.
func (s *scanner) window(off int64, n int64) ([]byte, error) {
	if off < s.start || off+n > s.start+int64(len(s.buf)) {
		size := min(max(n, readAhead), s.end-off)
		if int64(cap(s.buf)) < size {
			s.buf = make([]byte, size)
		}
		s.buf, s.start = s.buf[:size], off
		if _, err := s.r.ReadAt(s.buf, off); err != nil && !errors.Is(err, io.EOF) {
			s.buf = s.buf[:0]
			return nil, err
		}
	}
	return s.buf[off-s.start:][:n], nil
}

// next returns the next payload, valid until the next call, and io.EOF at the end. What is no frame is counted and passed
// over.
func (s *scanner) next() ([]byte, error) {
	for {
		rest := s.end - s.off
		if rest <= 0 {
			return nil, io.EOF
		}
		head, err := s.window(s.off, min(Head, rest))
		if err != nil {
			return nil, err
		}
		if n := frameAt(head, rest); n > 0 {
			frame, err := s.window(s.off, n)
			if err != nil {
				return nil, err
			}
			if whole(frame) {
				s.off += n
				return frame[Head:], nil
			}
		}
		if err := s.resync(); err != nil {
			return nil, err
		}
	}
}

// resync looks for the next whole frame behind the bad place at off.
func (s *scanner) resync() error {
	rest := s.end - s.off
	data, err := s.window(s.off, rest)
	if err != nil {
		return err
	}
	for at := 1; at < len(data); at++ {
		found := bytes.Index(data[at:], mark)
		if found < 0 {
			break
		}
		at += found
		if n := frameAt(data[at:], int64(len(data)-at)); n > 0 && whole(data[at:at+int(n)]) {
			s.damaged++
			s.off += int64(at)
			return nil
		}
	}
	if isTorn(data) {
		s.torn = rest
	} else {
		s.damaged++
	}
	s.off = s.end
	return nil
}

// isTorn reports whether the end of a segment looks like a write that did not come to its end: a frame longer than what is
// there, or zeros, which file systems leave where nothing was written before a crash of the machine.
func isTorn(tail []byte) bool {
	if len(tail) < Head {
		return bytes.HasPrefix(tail, mark) || bytes.HasPrefix(mark, tail) || isZero(tail)
	}
	return bytes.HasPrefix(tail, mark) && int64(binary.LittleEndian.Uint32(tail[4:])) > int64(len(tail)-Head) || isZero(tail)
}

func isZero(data []byte) bool { return len(bytes.TrimLeft(data, "\x00")) == 0 }
