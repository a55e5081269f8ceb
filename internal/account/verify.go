package account

import (
	"context"
	"fmt"
	"hash/maphash"

	"github.com/outcrop-ai/outcrop/internal/journal"
)

// Book answers questions about the rows that a [Sink] has.
type Book interface {
	// ByCallID returns the rows of a call; a client may have used its id more than once.
	ByCallID(ctx context.Context, id string) ([]Record, error)
}

// Verification is what a look at a log and its database has found.
type Verification struct {
	// Log is what the log's files are like.
	Log journal.Inspection
	// Unreadable counts the rows of the log that cannot be understood.
	Unreadable int
	// Shipped rows are in the database by the log's word, Waiting ones are still to be written. Written counts those of them
	// that are there already: a process died between the two steps, and they will be skipped. Repeated counts rows that the
	// log has more than once, which are also skipped.
	Shipped, Waiting, Written, Repeated int
	// Missing are shipped rows that are not in the database, and Doubled calls that have two rows. There should be none.
	Missing, Doubled []string
}

// Sound reports whether every row of the log can be read, and is once where it should be.
func (v *Verification) Sound() bool {
	return v.Unreadable+v.Log.Damaged+v.Log.SetAside+len(v.Missing)+len(v.Doubled) == 0
}

// Verify compares the log in the folder dir with the database that its rows go to. It changes neither, and a gateway may
// be at work with both. What was shipped long ago is no longer in the log, and not looked at.
func Verify(ctx context.Context, dir string, book Book) (*Verification, error) {
	v := &Verification{}
	seed, seen := maphash.MakeSeed(), map[uint64]uint64{} // call and start → entry
	var err error
	v.Log, err = journal.Inspect(dir, func(payload []byte, safe bool) error {
		r, unreadable := decodeRecord(payload)
		if unreadable != nil {
			v.Unreadable++
			return nil //nolint:nilerr // it is counted
		}
		name := fmt.Sprintf("%s/%d", r.CallID, r.Entry)
		call := maphash.Comparable(seed, struct {
			id    string
			start int64
		}{r.CallID, r.Start.UnixNano()})
		entry, again := seen[call]
		seen[call] = r.Entry
		switch {
		case again && entry == r.Entry:
			v.Repeated++
			return nil
		case again:
			v.Doubled = append(v.Doubled, name)
		}
		rows, err := book.ByCallID(ctx, r.CallID)
		if err != nil {
			return err
		}
		found := false
		for i := range rows {
			switch {
			case rows[i].Entry == r.Entry:
				found = true
			case !again && rows[i].Start.UnixMicro() == r.Start.UnixMicro():
				v.Doubled = append(v.Doubled, name)
			}
		}
		switch {
		case !safe:
			v.Waiting++
			if found {
				v.Written++
			}
		case found:
			v.Shipped++
		default:
			v.Shipped++
			v.Missing = append(v.Missing, name)
		}
		return nil
	})
	return v, err
}
