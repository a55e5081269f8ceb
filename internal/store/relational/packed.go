package relational

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
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
const packedColumns = `id, api_key, key_alias, user_id, team_id, organization_id, end_user, session_id, model, model_group, model_id,
	error_kind, spend_pico, total_tokens, duration_us, data`

const packedCount = 16

// packed is the JSON object of a row, as it is read. Every member's name is that of a column of the view.
type packed struct {
	CallID        string        `json:"litellm_call_id"`
	Entry         int64         `json:"entry"`
	RequestID     string        `json:"request_id"`
	Type          string        `json:"call_type"`
	Path          string        `json:"path"`
	Tags          []string      `json:"request_tags"`
	TeamAlias     string        `json:"team_alias"`
	IP            string        `json:"requester_ip_address"`
	Metadata      string        `json:"metadata"` // a text: SQLite does not read all JSON that a client may send
	CacheKey      string        `json:"cache_key"`
	CacheHit      int64         `json:"cache_hit"`
	Asked         string        `json:"model_asked"`
	Region        string        `json:"region"`
	Route         string        `json:"route"`
	Tier          string        `json:"service_tier"`
	Input         int64         `json:"input_tokens"`
	CacheRead     int64         `json:"cache_read_tokens"`
	CacheWrite5m  int64         `json:"cache_write_5m_tokens"`
	CacheWrite1h  int64         `json:"cache_write_1h_tokens"`
	Output        int64         `json:"completion_tokens"`
	Reasoning     int64         `json:"reasoning_tokens"`
	CacheSplit    int64         `json:"cache_split"`
	UsageSource   string        `json:"usage_source"`
	PriceKey      string        `json:"price_key"`
	PriceVersion  string        `json:"price_version"`
	InputPico     int64         `json:"input_pico"`
	OutputPico    int64         `json:"output_pico"`
	ReadPico      int64         `json:"cache_read_pico"`
	Write5mPico   int64         `json:"cache_write_5m_pico"`
	Write1hPico   int64         `json:"cache_write_1h_pico"`
	ImagesPico    int64         `json:"images_pico"`
	QueriesPico   int64         `json:"queries_pico"`
	MadePico      int64         `json:"images_made_pico"`
	Status        int64         `json:"http_status"`
	ErrorCode     string        `json:"error_code"`
	Message       string        `json:"error_message"`
	AWSException  string        `json:"aws_exception"`
	AWSRequestID  string        `json:"aws_request_id"`
	Stream        int64         `json:"stream"`
	ClientClosed  int64         `json:"client_closed"`
	Losses        []llm.Loss    `json:"losses"`
	FirstToken    int64         `json:"completionStartTime"`
	Upstream      int64         `json:"upstream_us"`
	Own           int64         `json:"own_us"`
	Images        int64         `json:"input_images"`
	Queries       int64         `json:"queries"`
	Made          int64         `json:"images_made"`
	Tries         string        `json:"tries"`
	VideoIn       time.Duration `json:"input_video_ns"`
	AudioIn       time.Duration `json:"input_audio_ns"`
	VideoMade     time.Duration `json:"video_made_ns"`
	Searches      int64         `json:"web_searches"`
	Time          time.Duration `json:"billed_ns"`
	Uncounted     int64         `json:"uncounted"`
	VideoInPico   int64         `json:"video_input_pico"`
	AudioInPico   int64         `json:"audio_input_pico"`
	VideoMadePico int64         `json:"video_made_pico"`
	SearchesPico  int64         `json:"searches_pico"`
	TimePico      int64         `json:"time_pico"`
}

// object writes a JSON object, member by member; number and text leave out what is empty.
type object struct{ data []byte }

func (o *object) name(name string) {
	if len(o.data) == 0 {
		o.data = append(o.data, '{', '"')
	} else {
		o.data = append(o.data, ',', '"')
	}
	o.data = append(o.data, name...)
	o.data = append(o.data, '"', ':')
}

func (o *object) number(name string, n int64) {
	if n != 0 {
		o.name(name)
		o.data = strconv.AppendInt(o.data, n, 10)
	}
}

func (o *object) text(name, s string) {
	if s != "" {
		o.name(name)
		o.quote(s)
	}
}

func (o *object) quote(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			o.value(plain(s))
			return
		}
	}
	o.data = append(append(append(o.data, '"'), s...), '"')
}

// value writes what json.Marshal makes of a text, or of a list of texts.
func (o *object) value(v any) {
	data, _ := json.Marshal(v) // texts have no errors
	o.data = append(o.data, data...)
}

// packedData is the JSON object of a record, as packed has it.
func packedData(dst []byte, r *account.Record) []byte {
	o := object{dst}
	u, l := &r.Usage, &r.Lines
	o.name("litellm_call_id")
	o.quote(name(r.CallID))
	o.name("entry")
	o.data = strconv.AppendInt(o.data, int64(r.Entry), 10) //nolint:gosec // the bits of Entry, read back the same way
	o.text("request_id", name(r.RequestID))
	o.text("call_type", r.Type)
	o.text("path", r.Path)
	if len(r.Tags) > 0 {
		o.name("request_tags")
		o.value(r.Tags)
	}
	o.text("team_alias", r.TeamAlias)
	o.text("requester_ip_address", r.IP)
	o.text("metadata", string(r.Metadata))
	o.text("cache_key", r.CacheKey)
	o.number("cache_hit", flag(r.CacheHit))
	o.text("model_asked", r.Asked)
	o.text("region", r.Region)
	o.text("route", r.Route)
	o.text("service_tier", r.Tier)
	o.number("input_tokens", u.Input)
	o.number("cache_read_tokens", u.CacheRead)
	o.number("cache_write_5m_tokens", u.CacheWrite5m)
	o.number("cache_write_1h_tokens", u.CacheWrite1h)
	o.number("completion_tokens", u.Output)
	o.number("reasoning_tokens", u.Reasoning)
	o.number("cache_split", flag(u.CacheSplit))
	o.text("usage_source", r.UsageSource.String())
	o.text("price_key", r.PriceKey)
	o.text("price_version", r.PriceVersion)
	o.number("input_pico", int64(l.Input))
	o.number("output_pico", int64(l.Output))
	o.number("cache_read_pico", int64(l.CacheRead))
	o.number("cache_write_5m_pico", int64(l.CacheWrite5m))
	o.number("cache_write_1h_pico", int64(l.CacheWrite1h))
	o.number("images_pico", int64(l.Images))
	o.number("queries_pico", int64(l.Queries))
	o.number("images_made_pico", int64(l.Made))
	o.number("http_status", int64(r.Status))
	o.text("error_code", r.ErrorCode)
	o.text("error_message", r.Message)
	o.text("aws_exception", r.AWSException)
	o.text("aws_request_id", r.AWSRequestID)
	o.number("stream", flag(r.Stream))
	o.number("client_closed", flag(r.ClientClosed))
	if len(r.Losses) > 0 {
		o.name("losses")
		o.value(r.Losses)
	}
	if !r.FirstToken.IsZero() {
		o.number("completionStartTime", r.FirstToken.UnixMicro())
	}
	o.number("upstream_us", r.Upstream.Microseconds())
	o.number("own_us", r.Own.Microseconds())
	o.number("input_images", u.Images)
	o.number("queries", u.Queries)
	o.number("images_made", u.Made)
	o.text("tries", r.Tries)
	o.number("input_video_ns", int64(u.VideoIn))
	o.number("input_audio_ns", int64(u.AudioIn))
	o.number("video_made_ns", int64(u.VideoMade))
	o.number("web_searches", u.Searches)
	o.number("billed_ns", int64(u.Time))
	o.number("uncounted", flag(u.Uncounted))
	o.number("video_input_pico", int64(l.VideoIn))
	o.number("audio_input_pico", int64(l.AudioIn))
	o.number("video_made_pico", int64(l.VideoMade))
	o.number("searches_pico", int64(l.Searches))
	o.number("time_pico", int64(l.Time))
	return append(o.data, '}')
}

// packedValues appends what a record has in packedColumns.
func packedValues(to []any, r *account.Record, id int64) []any {
	var spend any
	if r.CostKnown {
		spend = r.Cost
	}
	var buffer [1024]byte
	return append(
		to, id, named(r.KeyHash), named(r.KeyAlias), named(r.UserID), named(r.TeamID), named(r.OrganizationID), named(r.User), named(r.Session),
		named(r.Model), named(r.Group), named(r.Deployment), text(r.ErrorKind), spend, r.Usage.Sum(), r.End.UnixMicro()-id>>placeBits, string(packedData(buffer[:0], r)),
	)
}

// scanPacked is the reverse of packedValues, as scanRow is of appendValues. It returns the row's id, too.
func scanPacked(rows *sql.Rows) (r account.Record, id int64, err error) {
	var (
		p        packed
		duration int64
		spend    sql.NullInt64
		data     sql.RawBytes
	)
	u, l := &r.Usage, &r.Lines
	if err := rows.Scan(
		&id, orEmpty{&r.KeyHash}, orEmpty{&r.KeyAlias}, orEmpty{&r.UserID}, orEmpty{&r.TeamID}, orEmpty{&r.OrganizationID}, orEmpty{&r.User}, orEmpty{&r.Session},
		orEmpty{&r.Model}, orEmpty{&r.Group}, orEmpty{&r.Deployment}, orEmpty{&r.ErrorKind}, &spend, &u.Total, &duration, &data,
	); err != nil {
		return r, 0, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return r, 0, fmt.Errorf("row %d: data: %w", id, err)
	}
	r.CallID, r.Entry, r.RequestID, r.Type, r.Path, r.Tags = p.CallID, uint64(p.Entry), p.RequestID, p.Type, p.Path, p.Tags //nolint:gosec // see packedValues
	r.TeamAlias, r.IP, r.CacheKey, r.CacheHit = p.TeamAlias, p.IP, p.CacheKey, p.CacheHit != 0
	r.Asked, r.Region, r.Route, r.Tier = p.Asked, p.Region, p.Route, p.Tier
	u.Input, u.CacheRead, u.CacheWrite5m, u.CacheWrite1h, u.Output, u.Reasoning = p.Input, p.CacheRead, p.CacheWrite5m, p.CacheWrite1h, p.Output, p.Reasoning
	u.CacheSplit, u.Images, u.Queries, u.Made = p.CacheSplit != 0, p.Images, p.Queries, p.Made
	r.PriceKey, r.PriceVersion, r.Cost, r.CostKnown = p.PriceKey, p.PriceVersion, spend.Int64, spend.Valid
	l.Input, l.Output, l.CacheRead, l.CacheWrite5m, l.CacheWrite1h = account.Amount(p.InputPico), account.Amount(p.OutputPico), account.Amount(p.ReadPico), account.Amount(p.Write5mPico), account.Amount(p.Write1hPico)
	l.Images, l.Queries, l.Made = account.Amount(p.ImagesPico), account.Amount(p.QueriesPico), account.Amount(p.MadePico)
	u.VideoIn, u.AudioIn, u.VideoMade, u.Searches, u.Time, u.Uncounted = p.VideoIn, p.AudioIn, p.VideoMade, p.Searches, p.Time, p.Uncounted != 0
	l.VideoIn, l.AudioIn, l.VideoMade = account.Amount(p.VideoInPico), account.Amount(p.AudioInPico), account.Amount(p.VideoMadePico)
	l.Searches, l.Time = account.Amount(p.SearchesPico), account.Amount(p.TimePico)
	r.Status, r.ErrorCode, r.Message, r.AWSException, r.AWSRequestID = int(p.Status), p.ErrorCode, p.Message, p.AWSException, p.AWSRequestID
	r.Stream, r.ClientClosed, r.Losses, r.Tries = p.Stream != 0, p.ClientClosed != 0, p.Losses, p.Tries
	r.Start, r.End = time.UnixMicro(id>>placeBits).UTC(), time.UnixMicro(id>>placeBits+duration).UTC()
	if p.FirstToken != 0 {
		r.FirstToken = time.UnixMicro(p.FirstToken).UTC()
	}
	r.Upstream, r.Own = time.Duration(p.Upstream)*time.Microsecond, time.Duration(p.Own)*time.Microsecond
	counted(&r, p.UsageSource)
	if p.Metadata != "" {
		r.Metadata = json.RawMessage(p.Metadata)
	}
	return r, id, nil
}

// insertPacked writes rows and returns the records that were not there before.
func (s *Store) insertPacked(ctx context.Context, tx *sql.Tx, records []account.Record) (fresh []*account.Record, err error) {
	fresh = make([]*account.Record, 0, len(records))
	statement := s.repeated(tx, func(int) string {
		return `INSERT INTO spend_rows (` + packedColumns + `) VALUES ` + places(packedCount, 1) + ` ON CONFLICT (id) DO NOTHING`
	})
	defer func() { err = errors.Join(err, statement.close()) }()
	args := make([]any, 0, packedCount)
	var ids []any
	for _, r := range inPlace(records) {
		args = packedValues(args[:0], r, placeOf(r.Start, r.Entry))
		id, there, err := insertAt(ctx, tx, statement, r, args)
		if err != nil {
			return nil, err
		}
		if there {
			continue
		}
		fresh = append(fresh, r)
		ids = appendIDs(ids, r, id)
	}
	return fresh, s.insertMany(ctx, tx, `INSERT INTO spend_ids (hash, id) VALUES `, 2, ids, ` ON CONFLICT DO NOTHING`)
}

// inPlace returns records in the order of their places: they come in the order in which their calls ended, and a table that
// grows at its end has fuller pages, fewer of them changed.
func inPlace(records []account.Record) []*account.Record {
	list := make([]*account.Record, len(records))
	for i := range records {
		list[i] = &records[i]
	}
	slices.SortStableFunc(list, func(a, b *account.Record) int {
		return cmp.Compare(placeOf(a.Start, a.Entry), placeOf(b.Start, b.Entry))
	})
	return list
}

// insertAt writes a row at its place, or at the next that is free. It returns the row's id, and whether it was there.
func insertAt(ctx context.Context, tx *sql.Tx, statement *repeated, r *account.Record, args []any) (id int64, there bool, err error) {
	id, _ = args[0].(int64)
	result, err := statement.exec(ctx, 1, args)
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
	_, err = statement.exec(ctx, 1, packedValues(args[:0], r, id))
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

// nearby is how far the beginning of a call may be from the time that its id tells, so that it is found by that.
const nearby = 100 * time.Millisecond

// idTime returns the time in an id that ends with a UUID of version 7 (RFC 9562, section 5.7), with its hyphens or without:
// those that Outcrop gives to calls and answers do.
func idTime(id string) (time.Time, bool) {
	const whole, bare = 36, 32
	var digits string
	switch {
	case len(id) >= whole && id[len(id)-whole+8] == '-':
		digits = strings.ReplaceAll(id[len(id)-whole:], "-", "")
	case len(id) >= bare:
		digits = id[len(id)-bare:]
	}
	if len(digits) != bare || digits[12] != '7' {
		return time.Time{}, false
	}
	var b [16]byte
	if _, err := hex.Decode(b[:], []byte(digits)); err != nil {
		return time.Time{}, false
	}
	var ms int64
	for _, c := range b[:6] {
		ms = ms<<8 | int64(c)
	}
	return time.UnixMilli(ms), true
}

// appendIDs appends what spend_ids has of a row: the ids that do not tell where it is. A random id costs an index as much as
// the row itself.
func appendIDs(to []any, r *account.Record, id int64) []any {
	if !tells(r.CallID, r.Start) {
		to = append(to, hashOf(name(r.CallID)), id)
	}
	if r.RequestID != "" && !tells(r.RequestID, r.Start) {
		to = append(to, hashOf(name(r.RequestID)), id)
	}
	return to
}

// tells reports whether an id tells when its call began.
func tells(id string, start time.Time) bool {
	at, ok := idTime(id)
	return ok && start.Sub(at).Abs() < nearby
}

func hashOf(id string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return int64(h.Sum64()) //nolint:gosec // bits
}

// withID is the condition that rows have an id, of the call or of the answer.
func (q *selection) withID(id string) {
	stored := name(id)
	if !q.d.Packed {
		q.index.add("(request_id = ? OR litellm_call_id = ?)", stored, stored)
		return
	}
	candidates, args := "SELECT id FROM spend_ids WHERE hash = ?", []any{hashOf(stored)}
	if at, ok := idTime(id); ok {
		candidates += " UNION SELECT id FROM spend_rows WHERE id BETWEEN ? AND ?"
		args = append(args, idAt(at.Add(-nearby).UnixMicro()), idAt(at.Add(nearby).UnixMicro()))
	}
	q.index.add("spend_logs.id IN ("+candidates+")", args...)
	q.index.add("(request_id = ? OR litellm_call_id = ?)", stored, stored)
}
