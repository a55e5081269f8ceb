package sqlite

import (
	"fmt"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// TestIDsThatTellTheTimeNeedNoIndex: the gateway's own ids say where a row is, a client's do not.
func TestIDsThatTellTheTimeNeedNoIndex(t *testing.T) {
	s := open(t, t.TempDir())
	start := time.UnixMilli(0x01984f3a1234)
	const own, answer, otherTime = "01984f3a-1234-7abc-9e55-000000000001", "msg_01984f3a12347abc9e55000000000001", "01984f3b-1234-7abc-9e55-000000000001"
	records := []account.Record{
		{CallID: own, RequestID: "chatcmpl-" + own, Start: start},
		{CallID: own, Entry: 1, RequestID: answer, Start: start.Add(time.Millisecond)},
		{CallID: "the client's", Entry: 2, Start: start},
		{CallID: otherTime, Entry: 3, RequestID: "resp_0a1b", Start: start},
		{CallID: "01984f3a-1234-4abc-9e55-000000000001", Entry: 4, Start: start}, // random, not of version 7
		{CallID: "01984f3a-1234-7abc-9e55-00000000000g", Entry: 5, Start: start},
	}
	appendRows(t, s, records...)
	equal(t, one(t, s, "SELECT count(*) FROM spend_ids"), "5")
	for id, want := range map[string]string{
		own: "1 0 ", "chatcmpl-" + own: "0 ", answer: "1 ", "the client's": "2 ", otherTime: "3 ", "resp_0a1b": "3 ", records[4].CallID: "4 ", records[5].CallID: "5 ", "nobody's": "",
		"chatcmpl-01984f3a-1234-7abc-9e55-000000000009": "",
	} {
		var got string
		if err := s.Rows(t.Context(), account.RowFilter{RequestID: id}, account.RowPage{Limit: 10}, func(r account.Record) error {
			got += fmt.Sprint(r.Entry, " ")
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		equal(t, got, want)
	}
	if n, err := s.Expire(t.Context(), start.Add(time.Second), 100); err != nil || n != len(records) {
		t.Fatal(n, err)
	}
	equal(t, one(t, s, "SELECT (SELECT count(*) FROM spend_ids) || ' ' || (SELECT count(*) FROM spend_slices) || ' ' || (SELECT count(*) FROM spend_rows)"), "0 0 0")
}

// TestRowsUnderLoadShareSlices: what rows are found by does not grow with the number of those that are alike.
func TestRowsUnderLoadShareSlices(t *testing.T) {
	s := open(t, t.TempDir())
	batch := make([]account.Record, 2000)
	for i := range batch {
		batch[i] = usualRecord(i)
	}
	appendRows(t, s, batch...)
	equal(t, one(t, s, `SELECT count(*) || ' ' || sum("rows") || ' ' || min(least) || ' ' || max(most) FROM spend_slices WHERE least IS NOT NULL`), "2 2000 10500000000 10500000000") // they began in two slices
	equal(t, one(t, s, "SELECT count(*) FROM spend_slices"), "10")                                                                                                                    // all, key, model, group, deployment
	equal(t, one(t, s, "SELECT count(*) FROM spend_ids"), "0")
}

// TestTimesThatNoIDHolds are kept as the nearest.
func TestTimesThatNoIDHolds(t *testing.T) {
	s := open(t, t.TempDir())
	appendRows(t, s, account.Record{CallID: "before", Start: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)}, account.Record{CallID: "after", Start: time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)}, account.Record{CallID: "never"})
	rows, err := s.Recent(t.Context(), 10)
	if err != nil || len(rows) != 3 || rows[0].CallID != "after" || rows[0].Start.Year() < 2200 || rows[2].Start.Year() != 1970 {
		t.Errorf("%+v, %v", rows, err)
	}
}
