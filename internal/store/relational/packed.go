package relational

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// Where a dialect is Packed a row has few columns: what rows are found by and put in order by, and all the rest as one JSON
// object. The table is spend_rows; the view spend_logs has a column for each member. SQLite takes each value of an INSERT one by
// one; a row of 63 costs five times as much as this one. (Generated columns would be computed for each row that is written.)
//
// A row's id is the time at which its call began, in microseconds, with ten bits to tell calls apart: the table itself is the
// index of the time, and grows at its end.

// placeBits are the bits of an id behind the time. lastMicro is the last time that an id holds.
const (
	placeBits = 10
	lastMicro = math.MaxInt64>>placeBits - 1
)

// idAt is the first id of a time, in microseconds.
func idAt(micro int64) int64 { return min(max(micro, 0), lastMicro) << placeBits }

// placeOf is the id that a record has unless another record has it: then it is one of the next.
func placeOf(start time.Time, entry uint64) int64 {
	return idAt(start.UnixMicro()) | int64(entry&(1<<placeBits-1))
}

// packedColumns are the stored columns of a packed row, in the order of packedValues and of scanPacked.
const packedColumns = "id, api_key, key_alias, user_id, team_id, organization_id, end_user, session_id, model, model_group, model_id, " +
	"error_kind, spend_pico, total_tokens, duration_us, data"

const packedCount = 16

// packedShape is the shape of a statement for so many rows that have these of packedColumns: a bit for each.
func packedShape(has, rows int) int { return rows<<packedCount | has }

// insertPackedRows is the statement of a shape. What it does not name costs nothing, and half of the columns are NULL in most
// rows.
func insertPackedRows(shape int) string {
	has, rows := shape&(1<<packedCount-1), shape>>packedCount
	var names []string
	for i, column := range strings.Split(packedColumns, ", ") {
		if has&(1<<i) != 0 {
			names = append(names, column)
		}
	}
	return `INSERT INTO spend_rows (` + strings.Join(names, ", ") + `) VALUES ` + places(len(names), rows) + ` ON CONFLICT (id) DO NOTHING`
}

// packedValues returns what a record has in packedColumns, without what is NULL, and which these are. What it returns is in values,
// which has room for all of them; room is for its JSON. Both may be used again.
func packedValues(values []any, room *[]byte, r *account.Record, id int64) (args []any, has int) {
	var spend any
	if r.CostKnown {
		spend = r.Cost
	}
	*room = appendMembers((*room)[:0], r)
	values = append(
		values[:0], id, named(r.KeyHash), named(r.KeyAlias), named(r.UserID), named(r.TeamID), named(r.OrganizationID), named(r.User), named(r.Session),
		named(r.Model), named(r.Group), named(r.Deployment), text(r.ErrorKind), spend, r.Usage.Sum(), r.End.UnixMicro()-id>>placeBits, string(*room),
	)
	args = values[:0]
	for i, v := range values {
		if v != nil {
			args, has = append(args, v), has|1<<i
		}
	}
	return args, has
}

// scanPacked is the reverse of packedValues, as scanRow is of appendValues. It returns the row's id, too.
func scanPacked(rows *sql.Rows) (r account.Record, id int64, err error) {
	var (
		duration int64
		spend    sql.NullInt64
		data     sql.RawBytes
	)
	if err := rows.Scan(
		&id, orEmpty{&r.KeyHash}, orEmpty{&r.KeyAlias}, orEmpty{&r.UserID}, orEmpty{&r.TeamID}, orEmpty{&r.OrganizationID}, orEmpty{&r.User}, orEmpty{&r.Session},
		orEmpty{&r.Model}, orEmpty{&r.Group}, orEmpty{&r.Deployment}, orEmpty{&r.ErrorKind}, &spend, &r.Usage.Total, &duration, &data,
	); err != nil {
		return r, 0, err
	}
	r.Cost, r.CostKnown = spend.Int64, spend.Valid
	r.Start, r.End = time.UnixMicro(id>>placeBits).UTC(), time.UnixMicro(id>>placeBits+duration).UTC()
	if err := readMembers(data, &r); err != nil {
		return r, 0, fmt.Errorf("row %d: data: %w", id, err)
	}
	return r, id, nil
}

// runRows is how many rows one INSERT takes at most, a power of two. More are no faster.
const runRows = 16

// errTaken says that the place of a row is taken.
var errTaken = errors.New("the place of a row is taken")

// insertRuns is insertPacked for records of which none was written before, as it nearly always is: neighbours that have the same
// columns are written together. Where a place is taken, nobody knows which of the rows are there: it returns errTaken, and the
// transaction must be rolled back.
func (s *Store) insertRuns(ctx context.Context, tx *sql.Tx, records []account.Record) (fresh []*account.Record, err error) {
	fresh = make([]*account.Record, 0, len(records))
	statement := s.repeated(tx, insertPackedRows)
	defer func() { err = errors.Join(err, statement.close()) }()
	var ids []any
	var room []byte
	values, run, has := make([]any, 0, packedCount), make([]any, 0, runRows*packedCount), 0
	write := func() error {
		width := bits.OnesCount(uint(has))
		for left := run; len(left) > 0; {
			rows := 1 << (bits.Len(uint(len(left)/width)) - 1) // a power of two: few statements serve all
			result, err := statement.exec(ctx, packedShape(has, rows), left[:rows*width])
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); err != nil || n != int64(rows) {
				return errors.Join(err, errTaken)
			}
			left = left[rows*width:]
		}
		run = run[:0]
		return nil
	}
	rows := 0
	for _, one := range inPlace(records) {
		r := one.Record
		args, columns := packedValues(values, &room, r, one.place)
		if rows == runRows || columns != has {
			if err := write(); err != nil {
				return nil, err
			}
			rows, has = 0, columns
		}
		run = append(run, args...)
		rows++
		fresh = append(fresh, r)
		ids = appendIDs(ids, r, one.place)
	}
	if err := write(); err != nil {
		return nil, err
	}
	return fresh, s.insertIDs(ctx, tx, ids)
}

// insertPacked writes rows one by one and returns the records that were not there before.
func (s *Store) insertPacked(ctx context.Context, tx *sql.Tx, records []account.Record) (fresh []*account.Record, err error) {
	fresh = make([]*account.Record, 0, len(records))
	statement := s.repeated(tx, insertPackedRows)
	defer func() { err = errors.Join(err, statement.close()) }()
	values := make([]any, 0, packedCount)
	var ids []any
	var room []byte
	for _, one := range inPlace(records) {
		r := one.Record
		args, has := packedValues(values, &room, r, one.place)
		id, there, err := insertAt(ctx, tx, statement, r, args, has)
		if err != nil {
			return nil, err
		}
		if there {
			continue
		}
		fresh = append(fresh, r)
		ids = appendIDs(ids, r, id)
	}
	return fresh, s.insertIDs(ctx, tx, ids)
}

// placed is a record with the id that it has unless another has it.
type placed struct {
	*account.Record
	place int64
}

// inPlace returns records in the order of their places: they come in the order in which their calls ended, and a table that
// grows at its end has fuller pages, fewer of them changed.
func inPlace(records []account.Record) []placed {
	list := make([]placed, len(records))
	for i := range records {
		r := &records[i]
		list[i] = placed{r, placeOf(r.Start, r.Entry)}
	}
	slices.SortStableFunc(list, func(a, b placed) int { return cmp.Compare(a.place, b.place) })
	return list
}

// insertAt writes a row at its place, or at the next that is free. It returns the row's id, and whether it was there.
func insertAt(ctx context.Context, tx *sql.Tx, statement *repeated, r *account.Record, args []any, has int) (id int64, there bool, err error) {
	id, _ = args[0].(int64)
	result, err := statement.exec(ctx, packedShape(has, 1), args)
	if err != nil {
		return 0, false, err
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return id, false, err
	}
	id, there, err = nextFree(ctx, tx, id, idOf(r))
	if err != nil || there {
		return id, there, err
	}
	args, has = packedValues(args, new([]byte), r, id)
	_, err = statement.exec(ctx, packedShape(has, 1), args)
	return id, false, err
}

// nextFree returns the first id from another on that no row has, or the id of a row that stands before it.
func nextFree(ctx context.Context, tx *sql.Tx, from int64, row rowID) (id int64, there bool, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, litellm_call_id, entry FROM spend_logs WHERE id >= ? ORDER BY id`, from)
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for id = from; rows.Next(); id++ {
		var at int64
		var have rowID
		if err := rows.Scan(&at, &have.call, &have.entry); err != nil {
			return 0, false, err
		}
		if at != id {
			break
		}
		if have == row {
			return id, true, nil
		}
	}
	return id, false, rows.Err()
}
