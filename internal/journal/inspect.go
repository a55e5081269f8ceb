package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// Inspection is what was found in a log by looking at it.
type Inspection struct {
	// Files are the segments, Bytes their size, Payloads what they hold.
	Files, Payloads int
	Bytes           int64
	// Damaged counts the places that cannot be read, SetAside the damaged files that were kept when the rest of them was safe.
	Damaged, SetAside int
	// Torn counts the ends of files that were not written whole: nobody was told that these payloads are safe.
	Torn int
}

// Inspect reads every slot of the log in the folder dir, from its beginning, and changes nothing: a process may be using the
// log. take gets each payload, valid during the call, and whether the log says that it is safe elsewhere; an error of its
// ends the inspection. A folder that does not exist is an empty log.
func Inspect(dir string, take func(payload []byte, safe bool) error) (Inspection, error) {
	var found Inspection
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return found, nil
	}
	for _, e := range entries {
		if _, notSlot := strconv.Atoi(e.Name()); notSlot == nil && err == nil {
			err = found.slot(filepath.Join(dir, e.Name()), take)
		}
	}
	if err != nil {
		return found, fmt.Errorf("log %s: %w", dir, err)
	}
	return found, nil
}

func (i *Inspection) slot(slot string, take func([]byte, bool) error) error {
	// The position comes first: what lies before it was safe then, whatever is shipped while we read.
	safe := readPosition(slot)
	list, aside, err := listSegments(slot)
	if err != nil {
		return err
	}
	i.SetAside += aside
	for _, s := range list {
		file, scan, err := openSegment(slot, s.seq, 0, s.size)
		if errors.Is(err, os.ErrNotExist) {
			continue // shipped in between
		}
		if err != nil {
			return err
		}
		i.Files++
		i.Bytes += s.size
		err = i.segment(scan, s.seq, safe, take)
		_ = file.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (i *Inspection) segment(scan *scanner, seq uint64, safe Position, take func([]byte, bool) error) error {
	for {
		payload, err := scan.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		i.Payloads++
		if err := take(payload, !safe.before(Position{seq, scan.off})); err != nil {
			return err
		}
	}
	i.Damaged += scan.damaged
	if scan.torn > 0 {
		i.Torn++
	}
	return nil
}
