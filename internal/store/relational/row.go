package relational

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// columns are the stored columns of spend_logs, in the order of values and of scanRow.
const columns = `litellm_call_id, entry, request_id, call_type, path, api_key, end_user, request_tags,
	key_alias, user_id, team_id, team_alias, organization_id, session_id, requester_ip_address, metadata, cache_key, cache_hit,
	model, model_asked, model_group, model_id, region, route, service_tier,
	input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, completion_tokens, reasoning_tokens, total_tokens,
	cache_split, usage_source, spend_pico, price_key, price_version,
	input_pico, output_pico, cache_read_pico, cache_write_5m_pico, cache_write_1h_pico, images_pico, queries_pico, images_made_pico,
	http_status, error_kind, error_code, error_message, aws_exception, aws_request_id, stream, client_closed, losses,
	"startTime", "completionStartTime", "endTime", upstream_us, own_us,
	input_images, queries, images_made, tries,
	input_video_ns, input_audio_ns, video_made_ns, web_searches, billed_ns, uncounted, video_input_pico, audio_input_pico, video_made_pico, searches_pico, time_pico`

const columnCount = 74

// maxName bounds, in bytes, a name by which rows are found: no database has an index of longer ones.
const maxName = 512

// name is a text by which rows are found. One that is too long is cut, and told from others by a digest.
func name(s string) string {
	s = plain(s)
	if len(s) <= maxName {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	cut := maxName - 2*len(sum) - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…" + hex.EncodeToString(sum[:])
}

// plain is a text that every database takes: valid UTF-8 without the character 0. A batch that a database refuses would be
// tried for ever.
func plain(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// text is NULL for what was not said.
func text(s string) any {
	if s == "" {
		return nil
	}
	return plain(s)
}

// named is text by which rows are found.
func named(s string) any {
	if s == "" {
		return nil
	}
	return name(s)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func jsonOrNull(v any, empty bool) (any, error) {
	if empty {
		return nil, nil
	}
	text, err := json.Marshal(v)
	return string(text), err
}

// micros is a time in microseconds, NULL for none.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// appendValues appends what row r has in columns.
func appendValues(to []any, r *account.Record) ([]any, error) {
	tags, err := jsonOrNull(r.Tags, len(r.Tags) == 0)
	if err != nil {
		return nil, err
	}
	losses, err := jsonOrNull(r.Losses, len(r.Losses) == 0)
	if err != nil {
		return nil, err
	}
	var spend any
	if r.CostKnown {
		spend = r.Cost
	}
	u, l := &r.Usage, &r.Lines
	return append(
		to,
		name(r.CallID), int64(r.Entry), named(r.RequestID), text(r.Type), text(r.Path), named(r.KeyHash), named(r.User), tags, //nolint:gosec // the bits of Entry, read back the same way
		named(r.KeyAlias), named(r.UserID), named(r.TeamID), text(r.TeamAlias), named(r.OrganizationID), named(r.Session), text(r.IP), text(string(r.Metadata)), text(r.CacheKey), flag(r.CacheHit),
		named(r.Model), text(r.Asked), named(r.Group), named(r.Deployment), text(r.Region), text(r.Route), text(r.Tier),
		u.Input, u.CacheRead, u.CacheWrite5m, u.CacheWrite1h, u.Output, u.Reasoning, u.Sum(),
		flag(u.CacheSplit), r.UsageSource.String(), spend, text(r.PriceKey), text(r.PriceVersion),
		int64(l.Input), int64(l.Output), int64(l.CacheRead), int64(l.CacheWrite5m), int64(l.CacheWrite1h), int64(l.Images), int64(l.Queries), int64(l.Made),
		int64(r.Status), text(r.ErrorKind), text(r.ErrorCode), text(r.Message), text(r.AWSException), text(r.AWSRequestID), flag(r.Stream), flag(r.ClientClosed), losses,
		r.Start.UnixMicro(), micros(r.FirstToken), r.End.UnixMicro(), r.Upstream.Microseconds(), r.Own.Microseconds(),
		u.Images, u.Queries, u.Made, text(r.Tries),
		int64(u.VideoIn), int64(u.AudioIn), int64(u.VideoMade), u.Searches, int64(u.Time), flag(u.Uncounted),
		int64(l.VideoIn), int64(l.AudioIn), int64(l.VideoMade), int64(l.Searches), int64(l.Time),
	), nil
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
	case []byte:
		*o.to = string(v)
	default:
		return fmt.Errorf("want text, got %T", v)
	}
	return nil
}

// counted sets who has counted a row's usage.
func counted(r *account.Record, source string) {
	for _, s := range []account.UsageSource{account.UsageAWS, account.UsageEstimated} {
		if source == s.String() {
			r.UsageSource = s
		}
	}
	r.Usage.Estimated = r.UsageSource == account.UsageEstimated
}

// scan reads a row of a query for a dialect's columns.
func (d *Dialect) scan(rows *sql.Rows) (account.Record, error) {
	if d.Packed {
		r, _, err := scanPacked(rows)
		return r, err
	}
	return scanRow(rows)
}

// scanRow is the reverse of appendValues. Usage.Total is the sum of the parts where AWS gave no total; Charges are not kept.
func scanRow(rows *sql.Rows) (account.Record, error) {
	var (
		r                                          account.Record
		entry, start, end, upstream, own           int64
		spend, firstToken                          sql.NullInt64
		tags, losses                               sql.NullString
		source, metadata                           string
		cacheHit, cacheSplit, stream, clientClosed int64
		uncounted                                  int64
	)
	u, l := &r.Usage, &r.Lines
	if err := rows.Scan(
		&r.CallID, &entry, orEmpty{&r.RequestID}, orEmpty{&r.Type}, orEmpty{&r.Path}, orEmpty{&r.KeyHash}, orEmpty{&r.User}, &tags,
		orEmpty{&r.KeyAlias}, orEmpty{&r.UserID}, orEmpty{&r.TeamID}, orEmpty{&r.TeamAlias}, orEmpty{&r.OrganizationID}, orEmpty{&r.Session}, orEmpty{&r.IP}, orEmpty{&metadata}, orEmpty{&r.CacheKey}, &cacheHit,
		orEmpty{&r.Model}, orEmpty{&r.Asked}, orEmpty{&r.Group}, orEmpty{&r.Deployment}, orEmpty{&r.Region}, orEmpty{&r.Route}, orEmpty{&r.Tier},
		&u.Input, &u.CacheRead, &u.CacheWrite5m, &u.CacheWrite1h, &u.Output, &u.Reasoning, &u.Total,
		&cacheSplit, &source, &spend, orEmpty{&r.PriceKey}, orEmpty{&r.PriceVersion},
		&l.Input, &l.Output, &l.CacheRead, &l.CacheWrite5m, &l.CacheWrite1h, &l.Images, &l.Queries, &l.Made,
		&r.Status, orEmpty{&r.ErrorKind}, orEmpty{&r.ErrorCode}, orEmpty{&r.Message}, orEmpty{&r.AWSException}, orEmpty{&r.AWSRequestID}, &stream, &clientClosed, &losses,
		&start, &firstToken, &end, &upstream, &own,
		&u.Images, &u.Queries, &u.Made, orEmpty{&r.Tries},
		&u.VideoIn, &u.AudioIn, &u.VideoMade, &u.Searches, &u.Time, &uncounted,
		&l.VideoIn, &l.AudioIn, &l.VideoMade, &l.Searches, &l.Time,
	); err != nil {
		return r, err
	}
	r.Entry = uint64(entry) //nolint:gosec // see appendValues
	r.Cost, r.CostKnown = spend.Int64, spend.Valid
	r.CacheHit, u.CacheSplit, r.Stream, r.ClientClosed, u.Uncounted = cacheHit != 0, cacheSplit != 0, stream != 0, clientClosed != 0, uncounted != 0
	r.Start, r.End = time.UnixMicro(start).UTC(), time.UnixMicro(end).UTC()
	if firstToken.Valid {
		r.FirstToken = time.UnixMicro(firstToken.Int64).UTC()
	}
	r.Upstream, r.Own = time.Duration(upstream)*time.Microsecond, time.Duration(own)*time.Microsecond
	counted(&r, source)
	if metadata != "" {
		r.Metadata = json.RawMessage(metadata)
	}
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
