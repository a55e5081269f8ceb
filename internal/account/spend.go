package account

import (
	"context"
	"time"
)

// Dimension is what spend is summed by.
type Dimension string

// The dimensions of spend.
const (
	// ByAll is one sum of everything.
	ByAll          Dimension = "all"
	ByKey          Dimension = "key"
	ByUser         Dimension = "user"
	ByTeam         Dimension = "team"
	ByOrganization Dimension = "organization"
	ByEndUser      Dimension = "end_user"
	ByTag          Dimension = "tag"
	// ByModel is by the id in AWS's URL, ByGroup by the model group.
	ByModel      Dimension = "model"
	ByGroup      Dimension = "group"
	ByDeployment Dimension = "deployment"
)

// RowFilter says which rows of the book are meant. A zero field means all of them.
type RowFilter struct {
	// RequestID matches the id of the answer and that of the call.
	RequestID                                                           string
	KeyHash, KeyAlias, UserID, TeamID, OrganizationID, EndUser, Session string
	Tag, Model, Group, Deployment                                       string
	// Status is success or failure; ErrorCode what the client was told, a word or the HTTP status.
	Status, ErrorCode string
	// CacheHit says whether a cache answered.
	CacheHit *bool
	// MinSpend and MaxSpend bound the cost, themselves included. A row without a price has none.
	MinSpend, MaxSpend *Amount
	// From is the earliest beginning of a call, Until is after the latest.
	From, Until time.Time
}

// RowOrder is what rows are read in the order of.
type RowOrder string

// The orders of rows. All but the first look at every row that the filter lets through.
const (
	ByStart    RowOrder = "startTime"
	ByEnd      RowOrder = "endTime"
	BySpend    RowOrder = "spend"
	ByTokens   RowOrder = "total_tokens"
	ByDuration RowOrder = "request_duration_ms"
	ByModelID  RowOrder = "model"
)

// RowPage says which rows of those that a filter lets through, the latest first unless Ascending says otherwise.
type RowPage struct {
	Order     RowOrder // ByStart if it is empty
	Ascending bool
	// After is the last row of the page before; it needs the order ByStart. Offset counts rows to be left out instead.
	After  *RowCursor
	Offset int
	Limit  int
}

// RowCursor is the place of a row in the order of time.
type RowCursor struct {
	Start  time.Time
	CallID string
	Entry  uint64
}

// Cursor returns the record's place.
func (r *Record) Cursor() RowCursor { return RowCursor{r.Start, r.CallID, r.Entry} }

// SumQuery asks for sums of rows. They are there for rows that have been deleted, too.
type SumQuery struct {
	// Dimension is whose sums; Values are its values that are meant, none is all. Model and Key narrow that further where
	// Dimension is split by them: Model everywhere but by hours, Key for users, teams and organizations by days.
	Dimension  Dimension
	Values     []string
	Model, Key string
	// From and Until bound the beginnings of days, or of hours where Hours is set; the zero time is no bound.
	From, Until time.Time
	Hours       bool
	// Split says what of a sum's name is told apart.
	Split Split
	// Limit is how many sums are wanted, those that cost most first; 0 is all, by time, value, key and model.
	Limit int
}

// Split says what sums are split by.
type Split struct{ Time, Value, Key, Model, Group bool }

// Sum is a sum of rows. What it is not split by is empty.
type Sum struct {
	At                       time.Time
	Value, Key, Model, Group string
	// Unpriced counts rows whose price is not known; Spend is that of the others.
	Requests, Failures, Unpriced, CacheHits int64
	Spend                                   Amount
	// Input counts uncached tokens.
	Input, CacheRead, CacheWrite, Completion, Total int64
}

// Prompt returns the tokens of the prompts, those of caches included.
func (s *Sum) Prompt() int64 { return s.Input + s.CacheRead + s.CacheWrite }

// SpendReader reads the book. SQLite's store and Postgres's implement it.
type SpendReader interface {
	// Rows calls yield with the rows of a page. The record is the caller's.
	Rows(ctx context.Context, f RowFilter, p RowPage, yield func(Record) error) error
	// CountRows counts rows up to a limit, and no further than can be done at once: whole says that there are no more.
	CountRows(ctx context.Context, f RowFilter, limit int) (n int, whole bool, err error)
	// Bodies fills in the bodies of records that were read, where they are kept.
	Bodies(ctx context.Context, records []Record) error
	// Sums calls yield with each sum.
	Sums(ctx context.Context, q SumQuery, yield func(Sum) error) error
	// Days calls yield with the spend of rows by day, user (Value), key and model. Unlike Sums it looks at each of the rows.
	Days(ctx context.Context, f RowFilter, yield func(Sum) error) error
	// Find returns those of a kind with these ids that exist, in any order.
	Find(ctx context.Context, kind EntityKind, ids []string) ([]Entity, error)
	// Spent and ResetSpent are those of an EntityStore.
	Spent(ctx context.Context, counters []Charge) ([]Amount, error)
	// ResetAll sets the counters of scopes to 0.
	ResetAll(ctx context.Context, scopes []string) error
}
