package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// batch is what the rows of a batch add to sums and counters. It is one value in spend_pending, written with the rows: to add
// each row at once would cost more than the rows themselves, and a thousand rows add to the same few sums.
type batch struct {
	Postings []posting `json:"rows"`
	Charges  []charged `json:"charges"`
}

// UnmarshalJSON also reads what was written before rows were put together: a list of postings with their own charges.
func (b *batch) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '[' {
		type plain batch
		return json.Unmarshal(data, (*plain)(b))
	}
	var old []struct {
		posting
		Charges []account.Charge `json:"x"`
	}
	if err := json.Unmarshal(data, &old); err != nil {
		return err
	}
	for i := range old {
		p := &old[i]
		b.Postings = append(b.Postings, p.posting)
		for _, c := range p.Charges {
			if p.Cost != nil {
				b.Charges = append(b.Charges, charged{c, *p.Cost})
			}
		}
	}
	return nil
}

// charged is what is charged to a counter.
type charged struct {
	account.Charge
	Pico int64
}

// posting is what rows that are alike add to sums.
type posting struct {
	Start        int64    `json:"s"` // seconds; the hour counts
	Key          string   `json:"k,omitempty"`
	User         string   `json:"u,omitempty"`
	Team         string   `json:"t,omitempty"`
	Organization string   `json:"o,omitempty"`
	EndUser      string   `json:"e,omitempty"`
	Tags         []string `json:"g,omitempty"`
	Model        string   `json:"m,omitempty"`
	Group        string   `json:"mg,omitempty"`
	Deployment   string   `json:"d,omitempty"`
	Failed       bool     `json:"f,omitempty"`
	Cached       bool     `json:"h,omitempty"`
	Rows         int64    `json:"r,omitempty"` // 0 is one
	Cost         *int64   `json:"c,omitempty"` // nil is not known
	Tokens       [5]int64 `json:"n"`           // input, cache read, cache write, completion, total
}

// newBatch returns what rows add.
func newBatch(groups []*group, fresh []*account.Record) batch {
	b := batch{Postings: make([]posting, len(groups))}
	for i, g := range groups {
		p := posting{
			Start: g.hour, Key: g.key, User: g.user, Team: g.team, Organization: g.organization, EndUser: g.endUser, Tags: g.first.Tags,
			Model: g.model, Group: g.alike.group, Deployment: g.deployment, Failed: g.failed, Cached: g.cached, Rows: g.rows, Tokens: g.tokens,
		}
		if g.priced {
			p.Cost = &g.pico
		}
		b.Postings[i] = p
	}
	amounts := map[account.Charge]int64{}
	for _, r := range fresh {
		if r.CostKnown && r.Cost != 0 {
			for _, c := range r.Charges {
				amounts[c] = sum(amounts[c], r.Cost)
			}
		}
	}
	for c, pico := range amounts {
		b.Charges = append(b.Charges, charged{c, pico})
	}
	return b
}

// maxCount bounds a count of tokens in sums, so that these never overflow.
const maxCount = 1 << 40

func tokens(u *llm.Usage) [5]int64 {
	return [5]int64{
		min(u.Input, maxCount), min(u.CacheRead, maxCount), min(u.CacheWrite5m, maxCount) + min(u.CacheWrite1h, maxCount),
		min(u.Output, maxCount), min(u.Sum(), maxCount),
	}
}

// post keeps what rows add, to be added later.
func (s *Store) post(ctx context.Context, tx *sql.Tx, groups []*group, fresh []*account.Record) error {
	data, err := json.Marshal(newBatch(groups, fresh))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, s.d.bind(`INSERT INTO spend_pending (postings) VALUES (?)`), string(data))
	return err
}

// settleBatches is how many batches are added in one transaction.
const settleBatches = 100

// lastPending is the last batch that is pending, 0 for none.
const lastPending = `SELECT coalesce(max(id), 0) FROM spend_pending`

// settle adds what is pending to sums and counters. What comes meanwhile can wait: under load there is always more.
func (s *Store) settle(ctx context.Context) error {
	var last int64
	if err := s.query(ctx, lastPending, nil, func(rows *sql.Rows) error { return rows.Scan(&last) }); err != nil {
		return err
	}
	for {
		pending := false
		err := s.query(ctx, `SELECT 1 FROM spend_pending WHERE id <= ? LIMIT 1`, []any{last}, func(*sql.Rows) error { pending = true; return nil })
		if err != nil || !pending {
			return err
		}
		if err := s.change(ctx, s.settleSome); err != nil {
			return err
		}
	}
}

// settleSome adds some batches. It also is how others keep sums and counters to themselves: until the transaction ends
// nobody else adds to them, so two transactions never wait for each other.
func (s *Store) settleSome(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `UPDATE spend_settled SET batches = batches + 1`); err != nil {
		return err
	}
	texts, err := s.takePending(ctx, tx)
	if err != nil {
		return err
	}
	charges, all := map[account.Charge]int64{}, map[bucket]*sums{}
	for _, text := range texts {
		var b batch
		if err := json.Unmarshal([]byte(text), &b); err != nil {
			s.o.Logger.Error("a batch of spend cannot be read and is left out of reports", "database", s.o.Name, "error", err)
			continue
		}
		for _, c := range b.Charges {
			to := stored(c.Charge)
			charges[to] = sum(charges[to], c.Pico)
		}
		for i := range b.Postings {
			b.Postings[i].rollUp(all)
		}
	}
	if err := s.insertMany(ctx, tx, insertCounters, 4, counterArgs(charges), addToCounters); err != nil {
		return err
	}
	return s.insertMany(ctx, tx, insertRollups, rollupWidth, rollupArgs(all), addToRollups)
}

func (s *Store) takePending(ctx context.Context, tx *sql.Tx) (texts []string, err error) {
	rows, err := tx.QueryContext(ctx, s.d.bind(`DELETE FROM spend_pending WHERE id IN (SELECT id FROM spend_pending ORDER BY id LIMIT ?) RETURNING postings`), settleBatches)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, rows.Err()
}

// settleAfter is how long what rows add waits at most, while nobody asks for sums.
const settleAfter = 5 * time.Second

// keepSettled settles some time after rows were written, until ctx ends. What is left then is settled by the next start.
func (s *Store) keepSettled(ctx context.Context) {
	for {
		select {
		case <-s.posted:
		case <-ctx.Done():
			return
		}
		timer := time.NewTimer(settleAfter)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if err := s.settle(ctx); err != nil && ctx.Err() == nil {
			s.o.Logger.Warn("sums of spend cannot be brought up to date, trying again", "database", s.o.Name, "error", err)
			s.wake()
		}
	}
}

// wake says that there is something to settle.
func (s *Store) wake() {
	select {
	case s.posted <- struct{}{}:
	default:
	}
}
