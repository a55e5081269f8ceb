package relational

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// record lists what the JSON object of a packed row has of a record: the one place that says how it is written and read. What is
// empty is left out, and stays empty where it is not found. Every member's name is that of a column of the view spend_logs.
func (m *members) record(r *account.Record) {
	u, l := &r.Usage, &r.Lines
	m.always("litellm_call_id", &r.CallID)
	m.bits("entry", &r.Entry)
	m.named("request_id", &r.RequestID)
	m.text("call_type", &r.Type)
	m.text("path", &r.Path)
	m.list("request_tags", &r.Tags, len(r.Tags))
	m.text("team_alias", &r.TeamAlias)
	m.text("requester_ip_address", &r.IP)
	m.raw("metadata", &r.Metadata)
	m.text("cache_key", &r.CacheKey)
	m.truth("cache_hit", &r.CacheHit)
	m.text("model_asked", &r.Asked)
	m.text("region", &r.Region)
	m.text("route", &r.Route)
	m.text("service_tier", &r.Tier)
	m.number("input_tokens", &u.Input)
	m.number("cache_read_tokens", &u.CacheRead)
	m.number("cache_write_5m_tokens", &u.CacheWrite5m)
	m.number("cache_write_1h_tokens", &u.CacheWrite1h)
	m.number("completion_tokens", &u.Output)
	m.number("reasoning_tokens", &u.Reasoning)
	m.truth("cache_split", &u.CacheSplit)
	m.source("usage_source", r)
	m.text("price_key", &r.PriceKey)
	m.text("price_version", &r.PriceVersion)
	m.number("input_pico", (*int64)(&l.Input))
	m.number("output_pico", (*int64)(&l.Output))
	m.number("cache_read_pico", (*int64)(&l.CacheRead))
	m.number("cache_write_5m_pico", (*int64)(&l.CacheWrite5m))
	m.number("cache_write_1h_pico", (*int64)(&l.CacheWrite1h))
	m.number("images_pico", (*int64)(&l.Images))
	m.number("queries_pico", (*int64)(&l.Queries))
	m.number("images_made_pico", (*int64)(&l.Made))
	m.integer("http_status", &r.Status)
	m.text("error_code", &r.ErrorCode)
	m.text("error_message", &r.Message)
	m.text("aws_exception", &r.AWSException)
	m.text("aws_request_id", &r.AWSRequestID)
	m.truth("stream", &r.Stream)
	m.truth("client_closed", &r.ClientClosed)
	m.list("losses", &r.Losses, len(r.Losses))
	m.moment("completionStartTime", &r.FirstToken)
	m.micros("upstream_us", &r.Upstream)
	m.micros("own_us", &r.Own)
	m.number("input_images", &u.Images)
	m.number("queries", &u.Queries)
	m.number("images_made", &u.Made)
	m.text("tries", &r.Tries)
	m.number("input_video_ns", (*int64)(&u.VideoIn))
	m.number("input_audio_ns", (*int64)(&u.AudioIn))
	m.number("video_made_ns", (*int64)(&u.VideoMade))
	m.number("web_searches", &u.Searches)
	m.number("billed_ns", (*int64)(&u.Time))
	m.truth("uncounted", &u.Uncounted)
	m.number("video_input_pico", (*int64)(&l.VideoIn))
	m.number("audio_input_pico", (*int64)(&l.AudioIn))
	m.number("video_made_pico", (*int64)(&l.VideoMade))
	m.number("searches_pico", (*int64)(&l.Searches))
	m.number("time_pico", (*int64)(&l.Time))
}

// appendMembers appends the JSON object of a record.
func appendMembers(dst []byte, r *account.Record) []byte {
	m := members{writing: true, out: append(dst, '{')}
	m.record(r)
	return append(m.out, '}')
}

// readMembers is the reverse of appendMembers.
func readMembers(data []byte, r *account.Record) error {
	m := members{}
	if err := json.Unmarshal(data, &m.in); err != nil {
		return err
	}
	m.record(r)
	return m.failed
}

// members writes the members of an object, one after the other, or reads them.
type members struct {
	writing bool
	out     []byte
	in      map[string]json.RawMessage
	failed  error
}

// begin writes a member's name.
func (m *members) begin(name string) {
	if m.out[len(m.out)-1] != '{' {
		m.out = append(m.out, ',')
	}
	m.out = append(append(append(m.out, '"'), name...), '"', ':')
}

// read reads a member into a value, if it is there.
func (m *members) read(name string, to any) {
	if raw, found := m.in[name]; found {
		if err := json.Unmarshal(raw, to); err != nil && m.failed == nil {
			m.failed = fmt.Errorf("%s: %w", name, err)
		}
	}
}

// quote writes a text.
func (m *members) quote(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			m.value(plain(s))
			return
		}
	}
	m.out = append(append(append(m.out, '"'), s...), '"')
}

// value writes what json.Marshal makes of a text, or of a list of texts.
func (m *members) value(v any) {
	data, _ := json.Marshal(v) // texts have no errors
	m.out = append(m.out, data...)
}

func (m *members) number(member string, v *int64) {
	if m.writing {
		if *v != 0 {
			m.begin(member)
			m.out = strconv.AppendInt(m.out, *v, 10)
		}
		return
	}
	if raw, found := m.in[member]; found {
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil && m.failed == nil {
			m.failed = fmt.Errorf("%s: %w", member, err)
		}
		*v = n
	}
}

func (m *members) text(member string, v *string) {
	switch {
	case !m.writing:
		said := *v // v itself would be on the heap for those who write, too
		m.read(member, &said)
		*v = said
	case *v != "":
		m.begin(member)
		m.quote(*v)
	}
}

// named is text by which rows are found.
func (m *members) named(member string, v *string) {
	short := *v
	if m.writing {
		short = name(*v)
	}
	if m.text(member, &short); !m.writing {
		*v = short
	}
}

// always is named, and there even if it is empty.
func (m *members) always(member string, v *string) {
	if m.writing && *v == "" {
		m.begin(member)
		m.quote("")
		return
	}
	m.named(member, v)
}

// bits writes the bits of a number as those of one with a sign: SQLite knows no other. It is there even if it is 0.
func (m *members) bits(member string, v *uint64) {
	n := int64(*v) //nolint:gosec // bits
	if m.writing {
		m.begin(member)
		m.out = strconv.AppendInt(m.out, n, 10)
		return
	}
	m.number(member, &n)
	*v = uint64(n) //nolint:gosec // bits
}

func (m *members) integer(member string, v *int) {
	wide := int64(*v)
	m.number(member, &wide)
	*v = int(wide)
}

func (m *members) truth(member string, v *bool) {
	bit := flag(*v)
	m.number(member, &bit)
	*v = bit != 0
}

func (m *members) micros(member string, v *time.Duration) {
	micro := v.Microseconds()
	if m.number(member, &micro); !m.writing {
		*v = time.Duration(micro) * time.Microsecond
	}
}

// moment is a time in microseconds since 1970, absent where it is zero.
func (m *members) moment(member string, v *time.Time) {
	var micro int64
	if !v.IsZero() {
		micro = v.UnixMicro()
	}
	if m.number(member, &micro); !m.writing && micro != 0 {
		*v = time.UnixMicro(micro).UTC()
	}
}

// raw writes JSON as a text: SQLite does not read all JSON that a client may send.
func (m *members) raw(member string, v *json.RawMessage) {
	text := string(*v)
	if m.text(member, &text); !m.writing && text != "" {
		*v = json.RawMessage(text)
	}
}

// list is a pointer to a list of n elements.
func (m *members) list(member string, v any, n int) {
	switch {
	case !m.writing:
		m.read(member, v)
	case n > 0:
		m.begin(member)
		m.value(v)
	}
}

func (m *members) source(member string, r *account.Record) {
	source := r.UsageSource.String()
	if m.text(member, &source); !m.writing {
		counted(r, source)
	}
}
