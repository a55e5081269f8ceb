package storetest

import (
	"context"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
)

// Open opens a database that no other test uses; again opens the same one once more, as another process would. Both are
// closed with the test.
type Open func(t *testing.T) (s *relational.Store, again func() *relational.Store)

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Helper()
	for _, test := range []struct {
		name string
		f    func(*testing.T, Open)
	}{
		{"EveryFieldComesBack", everyFieldComesBack},
		{"RowsAreWrittenOnce", rowsAreWrittenOnce},
		{"BatchIsWrittenWholeOrNotAtAll", batchIsWrittenWholeOrNotAtAll},
		{"TextsThatNoDatabaseTakes", textsThatNoDatabaseTakes},
		{"CountersFollowRows", countersFollowRows},
		{"CountersFromManySides", countersFromManySides},
		{"EntitiesComeBack", entitiesComeBack},
		{"EntitiesOfOtherVersionsConflict", entitiesOfOtherVersionsConflict},
		{"ChangesAreTold", changesAreTold},
		{"ChangesFromManySides", changesFromManySides},
		{"SchemaIsMadeOnce", schemaIsMadeOnce},
		{"LedgersWriteEachRowOnce", ledgersWriteEachRowOnce},
		{"RowsAreFiltered", rowsAreFiltered},
		{"RowsArePaged", rowsArePaged},
		{"RowsAreThoseOfTheFilter", rowsAreThoseOfTheFilter},
		{"CountsEndEarly", countsEndEarly},
		{"SumsAreThoseOfRows", sumsAreThoseOfRows},
		{"OwnersAreFound", ownersAreFound},
		{"OldRowsGoAndSumsStay", oldRowsGoAndSumsStay},
		{"ResponsesAreTheirOwners", responsesAreTheirOwners},
		{"ClosedStoresSaySo", closedStoresSaySo},
	} {
		t.Run(test.name, func(t *testing.T) { test.f(t, open) })
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func appendRows(t *testing.T, s *relational.Store, records ...account.Record) {
	t.Helper()
	ok(t, s.Append(t.Context(), records))
}

func recent(t *testing.T, s *relational.Store) []account.Record {
	t.Helper()
	records, err := s.Recent(t.Context(), 1000)
	ok(t, err)
	return records
}

func spent(t *testing.T, s *relational.Store, counters ...account.Charge) []account.Amount {
	t.Helper()
	amounts, err := s.Spent(context.Background(), counters)
	ok(t, err)
	return amounts
}
