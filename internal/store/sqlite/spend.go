package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// columns are the stored columns of spend_logs, in the order of values and of scan.
const columns = `litellm_call_id, entry, request_id, call_type, path, api_key, end_user, request_tags,
	model, model_asked, model_group, model_id, region, route, service_tier,
	input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, completion_tokens, reasoning_tokens, total_tokens,
	cache_split, usage_source, spend_pico, price_key, price_version,
	http_status, error_kind, error_code, error_message, aws_exception, aws_request_id, stream, client_closed, losses,
	startTime, completionStartTime, endTime, upstream_us, own_us,
	input_images, queries, images_made, tries`

const columnCount = 45

// insertRow skips a row that is there already: a batch may be written again when nobody knows whether it was committed.
//
//nolint:gosec,gochecknoglobals // made of constants, and a constant but for strings.Repeat
var insertRow = `INSERT INTO spend_logs (` + columns + `) VALUES (?` + strings.Repeat(", ?", columnCount-1) + `)
	ON CONFLICT (litellm_call_id, entry) DO NOTHING`

// Append writes the records in one transaction, all or none. A record with the CallID and Entry of a row that exists is
// skipped. It implements account.Sink.
func (s *Store) Append(ctx context.Context, records []account.Record) error {
	if err := s.append(ctx, records); err != nil {
		return fmt.Errorf("database %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) append(ctx context.Context, records []account.Record) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	insert := tx.StmtContext(ctx, s.insert) //nolint:sqlclosecheck // the end of the transaction closes it
	// A context that can end costs the driver a goroutine per row. It is looked at before the commit instead: a batch
	// is written in milliseconds.
	row := context.WithoutCancel(ctx)
	args := make([]any, columnCount)
	for i := range records {
		if err = values(args, &records[i]); err != nil {
			break
		}
		if _, err = insert.ExecContext(row, args...); err != nil {
			break
		}
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// values fills in what row r has in columns.
func values(to []any, r *account.Record) error {
	tags, err := jsonOrNull(r.Tags, len(r.Tags) == 0)
	if err != nil {
		return err
	}
	losses, err := jsonOrNull(r.Losses, len(r.Losses) == 0)
	if err != nil {
		return err
	}
	var spend, firstToken any
	if r.CostKnown {
		spend = r.Cost
	}
	if !r.FirstToken.IsZero() {
		firstToken = r.FirstToken.UnixMicro()
	}
	u := &r.Usage
	n := copy(to, []any{
		r.CallID, int64(r.Entry), text(r.RequestID), text(r.Type), text(r.Path), text(r.KeyHash), text(r.User), tags, //nolint:gosec // the bits of Entry, read back the same way
		text(r.Model), text(r.Asked), text(r.Group), text(r.Deployment), text(r.Region), text(r.Route), text(r.Tier),
		u.Input, u.CacheRead, u.CacheWrite5m, u.CacheWrite1h, u.Output, u.Reasoning, u.Sum(),
		u.CacheSplit, r.UsageSource.String(), spend, text(r.PriceKey), text(r.PriceVersion),
		int64(r.Status), text(r.ErrorKind), text(r.ErrorCode), text(r.Message), text(r.AWSException), text(r.AWSRequestID),
		r.Stream, r.ClientClosed, losses,
		r.Start.UnixMicro(), firstToken, r.End.UnixMicro(), r.Upstream.Microseconds(), r.Own.Microseconds(),
		u.Images, u.Queries, u.Made, text(r.Tries),
	})
	if n != columnCount {
		return fmt.Errorf("%d values for %d columns", n, columnCount)
	}
	return nil
}

// text is NULL for what was not said.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// orEmpty scans a text, "" for NULL.
type orEmpty struct{ to *string }

// Scan implements sql.Scanner.
func (o orEmpty) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*o.to = ""
	case string:
		*o.to = v
	default:
		return fmt.Errorf("want text, got %T", v)
	}
	return nil
}

func jsonOrNull(v any, empty bool) (any, error) {
	if empty {
		return nil, nil
	}
	text, err := json.Marshal(v)
	return string(text), err
}

// Recent returns the last rows in the order in which they were written, newest first.
func (s *Store) Recent(ctx context.Context, limit int) ([]account.Record, error) {
	return s.read(ctx, `SELECT `+columns+` FROM spend_logs ORDER BY rowid DESC LIMIT ?`, limit)
}

// ByCallID returns the rows of a call in the order in which they were written; a client may have used its id again.
func (s *Store) ByCallID(ctx context.Context, id string) ([]account.Record, error) {
	return s.read(ctx, `SELECT `+columns+` FROM spend_logs WHERE litellm_call_id = ? ORDER BY rowid`, id)
}

func (s *Store) read(ctx context.Context, query string, arg any) (records []account.Record, err error) {
	rows, err := s.db.QueryContext(ctx, query, arg)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", s.path, err)
	}
	defer func() {
		if err = errors.Join(err, rows.Close()); err != nil {
			records, err = nil, fmt.Errorf("database %s: %w", s.path, err)
		}
	}()
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, rows.Err()
}

// scan is the reverse of values. Usage.Total is the sum of the parts where AWS gave no total.
func scan(rows *sql.Rows) (account.Record, error) {
	var (
		r                                account.Record
		entry, start, end, upstream, own int64
		spend, firstToken                sql.NullInt64
		tags, losses                     sql.NullString
		source                           string
	)
	u := &r.Usage
	if err := rows.Scan(
		&r.CallID, &entry, orEmpty{&r.RequestID}, orEmpty{&r.Type}, orEmpty{&r.Path}, orEmpty{&r.KeyHash}, orEmpty{&r.User}, &tags,
		orEmpty{&r.Model}, orEmpty{&r.Asked}, orEmpty{&r.Group}, orEmpty{&r.Deployment}, orEmpty{&r.Region}, orEmpty{&r.Route}, orEmpty{&r.Tier},
		&u.Input, &u.CacheRead, &u.CacheWrite5m, &u.CacheWrite1h, &u.Output, &u.Reasoning, &u.Total,
		&u.CacheSplit, &source, &spend, orEmpty{&r.PriceKey}, orEmpty{&r.PriceVersion},
		&r.Status, orEmpty{&r.ErrorKind}, orEmpty{&r.ErrorCode}, orEmpty{&r.Message}, orEmpty{&r.AWSException}, orEmpty{&r.AWSRequestID},
		&r.Stream, &r.ClientClosed, &losses,
		&start, &firstToken, &end, &upstream, &own,
		&u.Images, &u.Queries, &u.Made, orEmpty{&r.Tries},
	); err != nil {
		return r, err
	}
	r.Entry = uint64(entry) //nolint:gosec // see values
	r.Cost, r.CostKnown = spend.Int64, spend.Valid
	r.Start, r.End = time.UnixMicro(start).UTC(), time.UnixMicro(end).UTC()
	if firstToken.Valid {
		r.FirstToken = time.UnixMicro(firstToken.Int64).UTC()
	}
	r.Upstream, r.Own = time.Duration(upstream)*time.Microsecond, time.Duration(own)*time.Microsecond
	for _, s := range []account.UsageSource{account.UsageAWS, account.UsageEstimated} {
		if source == s.String() {
			r.UsageSource = s
		}
	}
	u.Estimated = r.UsageSource == account.UsageEstimated
	if tags.Valid {
		if err := json.Unmarshal([]byte(tags.String), &r.Tags); err != nil {
			return r, fmt.Errorf("row %s: request_tags: %w", r.CallID, err)
		}
	}
	if losses.Valid {
		var list []llm.Loss
		if err := json.Unmarshal([]byte(losses.String), &list); err != nil {
			return r, fmt.Errorf("row %s: losses: %w", r.CallID, err)
		}
		r.Losses = list
	}
	return r, nil
}
