package relational

import (
	"context"
	"database/sql"
	"encoding/hex"
	"hash/fnv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// Packed rows are found by the id of a call or of its answer in two ways: an id of Outcrop's own tells when its call began, and so
// where its row is; for all others the table spend_ids has the place.

// nearby is how far the beginning of a call may be from the time that its id tells, so that it is found by that.
const nearby = 100 * time.Millisecond

// idTime returns the time in an id that ends with a UUID of version 7 (RFC 9562, section 5.7), with its hyphens or without:
// those that Outcrop gives to calls and answers do.
func idTime(id string) (time.Time, bool) {
	const whole, bare = 36, 32
	var digits string
	switch {
	case len(id) >= whole && id[len(id)-whole+8] == '-':
		digits = strings.ReplaceAll(id[len(id)-whole:], "-", "")
	case len(id) >= bare:
		digits = id[len(id)-bare:]
	}
	if len(digits) != bare || digits[12] != '7' {
		return time.Time{}, false
	}
	var b [16]byte
	if _, err := hex.Decode(b[:], []byte(digits)); err != nil {
		return time.Time{}, false
	}
	var ms int64
	for _, c := range b[:6] {
		ms = ms<<8 | int64(c)
	}
	return time.UnixMilli(ms), true
}

// appendIDs appends what spend_ids has of a row: the ids that do not tell where it is. A random id costs an index as much as
// the row itself.
func appendIDs(to []any, r *account.Record, id int64) []any {
	if !tells(r.CallID, r.Start) {
		to = append(to, hashOf(name(r.CallID)), id)
	}
	if r.RequestID != "" && !tells(r.RequestID, r.Start) {
		to = append(to, hashOf(name(r.RequestID)), id)
	}
	return to
}

// insertIDs writes what appendIDs has appended.
func (s *Store) insertIDs(ctx context.Context, tx *sql.Tx, ids []any) error {
	return s.insertMany(ctx, tx, `INSERT INTO spend_ids (hash, id) VALUES `, 2, ids, ` ON CONFLICT DO NOTHING`)
}

// tells reports whether an id tells when its call began.
func tells(id string, start time.Time) bool {
	at, ok := idTime(id)
	return ok && start.Sub(at).Abs() < nearby
}

func hashOf(id string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return int64(h.Sum64()) //nolint:gosec // bits
}

// withID is the condition that rows have an id, of the call or of the answer.
func (q *selection) withID(id string) {
	stored := name(id)
	if !q.d.Packed {
		q.index.add("(request_id = ? OR litellm_call_id = ?)", stored, stored)
		return
	}
	candidates, args := "SELECT id FROM spend_ids WHERE hash = ?", []any{hashOf(stored)}
	if at, ok := idTime(id); ok {
		candidates += " UNION SELECT id FROM spend_rows WHERE id BETWEEN ? AND ?"
		args = append(args, idAt(at.Add(-nearby).UnixMicro()), idAt(at.Add(nearby).UnixMicro()))
	}
	q.index.add("spend_logs.id IN ("+candidates+")", args...)
	q.index.add("(request_id = ? OR litellm_call_id = ?)", stored, stored)
}
