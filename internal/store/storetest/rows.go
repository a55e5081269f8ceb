package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/llm"
)

// notKept are fields of a record that a store uses and does not give back.
const notKept = "Charges"

// FullRecord has something in every field.
func FullRecord() account.Record {
	start := time.Date(2026, 8, 1, 12, 0, 0, 123456000, time.UTC)
	r := account.Record{
		CallID: "call", Entry: 1<<64 - 1, RequestID: "chatcmpl-1", Type: "acompletion", Path: "/v1/chat/completions",
		KeyHash: account.MasterKeyHash, User: "u'1é", Tags: []string{"a", `b"`},
		KeyAlias: "ci", UserID: "u", TeamID: "t", TeamAlias: "Team", OrganizationID: "o", Session: "s", IP: "::1", Metadata: json.RawMessage(`{"a":"\u0000"}`),
		CacheKey: "k", CacheHit: true,
		Asked: "claude", Group: "group", Deployment: "d1", Model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
		Region: "us-east-1", Route: "converse", Tier: "default",
		Usage: llm.Usage{
			Input: 1000, Output: 500, CacheRead: 2000, CacheWrite5m: 3000, CacheWrite1h: 4000, Reasoning: 100, Total: 10500, CacheSplit: true, Estimated: true,
			Images: 2, Queries: 3, Made: 4, VideoIn: 5 * time.Second, AudioIn: 6 * time.Second, VideoMade: 7 * time.Second, Searches: 8, Time: 9 * time.Second, Uncounted: true,
		},
		UsageSource: account.UsageEstimated, Cost: 46_350_000_001, CostKnown: true, PriceKey: "p", PriceVersion: "v",
		Lines:   account.Lines{Input: 1, Output: 2, CacheRead: 3, CacheWrite5m: 4, CacheWrite1h: 5, Images: 6, Queries: 7, VideoIn: 8, AudioIn: 9, VideoMade: 10, Searches: 11, Time: 12, Made: 46_350_000_001 - 78},
		Charges: []account.Charge{{Scope: "key", ID: account.MasterKeyHash}},
		Status:  200, AWSRequestID: "aws-1", Stream: true, ClientClosed: true,
		Tries:  "d0;status=429",
		Losses: []llm.Loss{{Path: "seed", Why: "unsupported"}},
		Body:   &account.Body{Request: `{"messages":"hi"}`, Response: `{"a":1}`},
		Start:  start, FirstToken: start.Add(250 * time.Millisecond), End: start.Add(1500 * time.Millisecond),
		Upstream: 1498766 * time.Microsecond, Own: 1234 * time.Microsecond,
	}
	r.SetError(&llm.Error{Kind: llm.KindUpstream, Code: "c", Message: "m", AWSType: "X"})
	return r
}

func everyFieldComesBack(t *testing.T, open Open) {
	full := FullRecord()
	for _, whole := range []reflect.Value{reflect.ValueOf(full), reflect.ValueOf(full.Usage), reflect.ValueOf(full.Lines)} {
		for i := range whole.NumField() {
			if whole.Field(i).IsZero() {
				t.Errorf("the test's record lacks %s", whole.Type().Field(i).Name)
			}
		}
	}
	bare := account.Record{CallID: "bare", Start: full.Start.Add(1), End: full.End}
	bare.Start = bare.Start.Add(time.Microsecond - 1)
	free := account.Record{CallID: "free", CostKnown: true, UsageSource: account.UsageAWS, Start: full.Start.Add(2 * time.Microsecond), End: full.End}
	s, _ := open(t)
	appendRows(t, s, full, bare, free)
	reflect.ValueOf(&full).Elem().FieldByName(notKept).SetZero()
	body := full.Body
	full.Body = nil // rows come without
	if got := recent(t, s); !reflect.DeepEqual(got, []account.Record{free, bare, full}) {
		t.Errorf("got  %+v\nwant %+v", got, []account.Record{free, bare, full})
	}
	if got, err := s.ByCallID(t.Context(), "call"); err != nil || !reflect.DeepEqual(got, []account.Record{full}) {
		t.Errorf("got %+v, %v", got, err)
	}
	said := []account.Record{full, bare}
	ok(t, s.Bodies(t.Context(), said))
	if said[0].Body == nil || *said[0].Body != *body || said[1].Body != nil {
		t.Errorf("bodies: %+v, %+v", said[0].Body, said[1].Body)
	}
	n, err := s.Expire(t.Context(), full.Start.Add(time.Hour), 10)
	ok(t, err)
	equal(t, n, 3)
	said[0].Body = nil
	ok(t, s.Bodies(t.Context(), said))
	if said[0].Body != nil {
		t.Error("a body has outlived its row")
	}
	if got, err := s.ByCallID(t.Context(), "nobody's"); err != nil || len(got) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func rowsAreWrittenOnce(t *testing.T, open Open) {
	s, _ := open(t)
	a, b := account.Record{CallID: "a", Entry: 1}, account.Record{CallID: "b", Entry: 2}
	appendRows(t, s, a, b)
	changed := a
	changed.Model = "other"
	appendRows(t, s, changed, b, account.Record{CallID: "c", Entry: 3}, account.Record{CallID: "c", Entry: 3})
	rows := recent(t, s)
	equal(t, len(rows), 3)
	for _, r := range rows {
		equal(t, r.Model, "")
	}
	// A client that uses one id for many calls pays for each.
	appendRows(t, s, account.Record{CallID: "a", Entry: 4})
	rows, err := s.ByCallID(t.Context(), "a")
	ok(t, err)
	equal(t, len(rows), 2)
	appendRows(t, s)
	equal(t, len(recent(t, s)), 4)
}

func batchIsWrittenWholeOrNotAtAll(t *testing.T, open Open) {
	s, _ := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Append(ctx, []account.Record{{CallID: "a"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// A part that cannot be written, behind the rows.
	ok(t, s.Exec(t.Context(), `ALTER TABLE spend_pending RENAME TO away`))
	err := s.Append(t.Context(), []account.Record{{CallID: "a", Tries: "x"}, {CallID: "b", Tries: "x"}, {CallID: "c"}})
	if err == nil || !strings.Contains(err.Error(), s.Name()) {
		t.Errorf("got %v", err)
	}
	equal(t, len(recent(t, s)), 0)
	ok(t, s.Exec(t.Context(), `ALTER TABLE away RENAME TO spend_pending`))
	appendRows(t, s, account.Record{CallID: "b", Losses: []llm.Loss{{Path: "a"}}}, account.Record{CallID: "c"}) // the store goes on
	equal(t, len(recent(t, s)), 2)
}

// textsThatNoDatabaseTakes must not hold up the rows behind them.
func textsThatNoDatabaseTakes(t *testing.T, open Open) {
	s, _ := open(t)
	long := strings.Repeat("né", 4000)
	r := account.Record{
		CallID: "a", User: "a\x00b\xff", Session: long, Tags: []string{long, "\x00", long}, Asked: long, Message: "\xc3", Model: long,
		TeamID: long + "1", Cost: 5, CostKnown: true, Charges: []account.Charge{{Scope: "end_user", ID: long + "1"}, {Scope: "end_user", ID: long + "2"}, {Scope: "tag", ID: "\x00"}},
	}
	appendRows(t, s, r)
	got := recent(t, s)[0]
	equal(t, got.User, "a\uFFFDb\uFFFD")
	equal(t, got.Message, "\uFFFD")
	if len(got.Session) > 512 || len(got.TeamID) > 512 || got.Asked != long {
		t.Errorf("got %d, %d and %d bytes", len(got.Session), len(got.TeamID), len(got.Asked))
	}
	equal(t, fmt.Sprint(spent(t, s, r.Charges[0], r.Charges[1], r.Charges[2], account.Charge{Scope: "end_user", ID: long})), "[0.000000000005 0.000000000005 0.000000000005 0]")
}

// ledgersWriteEachRowOnce: two gateways write at once, under ids of calls that clients have chosen, and chosen the same.
func ledgersWriteEachRowOnce(t *testing.T, open Open) {
	s, again := open(t)
	var all sync.WaitGroup
	for side, store := range []*relational.Store{s, again()} {
		all.Go(func() {
			ledger := account.NewLedger(store, account.LedgerOptions{Batch: 32})
			var callers sync.WaitGroup
			for caller := range 4 {
				callers.Go(func() {
					for i := range 125 {
						ledger.Add(account.Record{CallID: "the client's own", Start: time.Unix(1785542400, int64(side*500+caller*125+i)*1000), Cost: 3, CostKnown: true, Charges: []account.Charge{{Scope: "key", ID: "k"}}})
					}
				})
			}
			callers.Wait()
			if err := ledger.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	n, _, err := s.CountRows(t.Context(), account.RowFilter{}, 1<<20)
	ok(t, err)
	equal(t, n, 1000)
	equal(t, spent(t, s, account.Charge{Scope: "key", ID: "k"})[0], 3000)
	ok(t, s.Ping(t.Context()))
}
