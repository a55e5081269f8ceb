package main

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/test/databases"
)

func TestOldRowsAreRemoved(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		store := d.Open(t)
		now := time.Now()
		var records []account.Record
		for i := range 2*expireBatch + 10 {
			records = append(records, account.Record{CallID: fmt.Sprint(i), Start: now.Add(-48 * time.Hour), Cost: 1, CostKnown: true})
		}
		records = append(records, account.Record{CallID: "young", Start: now.Add(-time.Hour)})
		if err := store.Append(t.Context(), records); err != nil {
			t.Fatal(err)
		}
		left := func() int {
			t.Helper()
			n, _, err := store.CountRows(t.Context(), account.RowFilter{}, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		r := &retention{store: store, logger: slog.New(slog.DiscardHandler)}
		if err := r.sweep(t.Context(), now); err != nil || left() != len(records) { // kept for ever
			t.Errorf("%d are left, %v", left(), err)
		}
		r.keep, r.every = 24*time.Hour, time.Hour
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.sweep(ended, now); err == nil {
			t.Error("a sweep went on after its end")
		}
		if err := r.sweep(t.Context(), now); err != nil || left() != 1 {
			t.Errorf("%d are left, %v", left(), err)
		}
		stop := r.start()
		stop()
	})
}
