package relational

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// million splits a sum of money in two: one alone does not hold what all customers of a large company spend in years.
const million = 1_000_000

// Sums calls yield with each sum. It implements account.SpendReader.
func (s *Store) Sums(ctx context.Context, q account.SumQuery, yield func(account.Sum) error) error {
	query, args, err := sumQuery(&q)
	if err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	return s.query(ctx, query, args, func(rows *sql.Rows) error {
		var r account.Sum
		var at, upper, lower int64
		if err := rows.Scan(&at, &r.Value, &r.Key, &r.Model, &r.Group, &r.Requests, &r.Failures, &r.Unpriced, &r.CacheHits, &upper, &lower, &r.Input, &r.CacheRead, &r.CacheWrite, &r.Completion, &r.Total); err != nil {
			return err
		}
		if q.Split.Time {
			r.At = time.Unix(at, 0).UTC()
		}
		r.Spend = money(upper, lower)
		return yield(r)
	})
}

// money puts together what million has split.
func money(upper, lower int64) account.Amount {
	if upper += lower / million; upper < math.MaxInt64/million {
		return account.Amount(upper*million + lower%million)
	}
	return math.MaxInt64
}

// Days calls yield with what rows come to by day, user, key and model. It implements account.SpendReader.
func (s *Store) Days(ctx context.Context, f account.RowFilter, yield func(account.Sum) error) error {
	q, err := s.d.selectRows(&f)
	if err != nil {
		return err
	}
	all := q.all()
	query := "SELECT " + q.at() + ` / 86400000000, user_id, api_key, model, count(*), count(error_kind), count(*) - count(spend_pico),
		CAST(coalesce(sum(spend_pico / 1000000), 0) AS BIGINT), CAST(coalesce(sum(spend_pico % 1000000), 0) AS BIGINT)` +
		q.from() + all.where() + " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
	return s.query(ctx, query, all.args, func(rows *sql.Rows) error {
		var r account.Sum
		var days, upper, lower int64
		if err := rows.Scan(&days, orEmpty{&r.Value}, orEmpty{&r.Key}, orEmpty{&r.Model}, &r.Requests, &r.Failures, &r.Unpriced, &upper, &lower); err != nil {
			return err
		}
		r.At, r.Spend = time.Unix(days*day, 0).UTC(), money(upper, lower)
		return yield(r)
	})
}

func sumQuery(q *account.SumQuery) (string, []any, error) {
	var c conditions
	span, length := spanDay, int64(day)
	if q.Hours {
		span, length = spanHour, hour
		if q.Split.Key || q.Split.Model || q.Split.Group || q.Model != "" || q.Key != "" {
			return "", nil, errors.New("sums of hours are not split by keys and models")
		}
	}
	c.add("span = ? AND dimension = ?", span, string(q.Dimension))
	switch len(q.Values) {
	case 0:
	case 1:
		c.add("value = ?", name(q.Values[0]))
	default:
		args := make([]any, len(q.Values))
		for i, v := range q.Values {
			args[i] = name(v)
		}
		c.add("value IN (?"+strings.Repeat(", ?", len(args)-1)+")", args...)
	}
	c.equals("model", q.Model)
	c.equals("api_key", q.Key)
	if !q.From.IsZero() {
		c.add("at >= ?", floor(q.From.Unix()+length-1, length))
	}
	if !q.Until.IsZero() {
		c.add("at < ?", floor(q.Until.Unix()+length-1, length))
	}
	var selected, groups []string
	for i, column := range []struct {
		name, none string
		split      bool
	}{{"at", "0", q.Split.Time}, {"value", "''", q.Split.Value}, {"api_key", "''", q.Split.Key}, {"model", "''", q.Split.Model}, {"model_group", "''", q.Split.Group}} {
		if column.split {
			selected = append(selected, column.name)
			groups = append(groups, strconv.Itoa(i+1))
		} else {
			selected = append(selected, column.none)
		}
	}
	for _, sum := range []string{
		"requests", "failures", "unpriced", "cache_hits", "spend_pico / 1000000", "spend_pico % 1000000",
		"input_tokens", "cache_read_tokens", "cache_write_tokens", "completion_tokens", "total_tokens",
	} {
		selected = append(selected, "CAST(coalesce(sum("+sum+"), 0) AS BIGINT)")
	}
	query := "SELECT " + strings.Join(selected, ", ") + " FROM spend_rollups" + c.where()
	args := c.args
	if len(groups) > 0 {
		by := strings.Join(groups, ", ")
		query += " GROUP BY " + by
		if q.Limit > 0 {
			query += " ORDER BY sum(spend_pico / 1000000) DESC, sum(spend_pico % 1000000) DESC, " + by + " LIMIT ?"
			args = append(args, q.Limit)
		} else {
			query += " ORDER BY " + by
		}
	}
	return query, args, nil
}

// Find returns those of a kind with these ids that exist. It implements account.SpendReader.
func (s *Store) Find(ctx context.Context, kind account.EntityKind, ids []string) (list []account.Entity, err error) {
	err = s.d.chunks(len(ids), func(from, to int) error {
		args := []any{string(kind)}
		for _, id := range ids[from:to] {
			args = append(args, id)
		}
		query := `SELECT ` + entityColumns + ` FROM entities WHERE deleted = 0 AND kind = ? AND id IN (?` + strings.Repeat(", ?", to-from-1) + `)`
		return s.query(ctx, query, args, func(rows *sql.Rows) error {
			e, err := scanEntity(rows)
			list = append(list, e)
			return err
		})
	})
	return list, err
}

// ResetAll sets the counters of scopes to 0. It implements account.SpendReader.
func (s *Store) ResetAll(ctx context.Context, scopes []string) error {
	return s.settled(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, scope := range scopes {
			if _, err := tx.ExecContext(ctx, s.d.bind(`UPDATE spend_counters SET pico = 0 WHERE scope = ?`), scope); err != nil {
				return err
			}
		}
		return nil
	})
}
