package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

var start = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// fullRecord has something in every field.
func fullRecord() account.Record {
	r := account.Record{
		CallID: "8c1f0d2b-77aa-4c11-9e55-0a1b2c3d4e5f", Entry: 7, RequestID: "chatcmpl-1", Type: "acompletion", Path: "/v1/chat/completions",
		KeyHash: account.MasterKeyHash, User: "u1", Tags: []string{"a", "b"},
		Asked: "claude", Group: "claude-group", Deployment: "d1", Model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
		Region: "us-east-1", Route: "converse", Tier: "default",
		Usage:       llm.Usage{Input: 1000, Output: 500, CacheRead: 2000, CacheWrite5m: 3000, CacheWrite1h: 4000, Reasoning: 100},
		UsageSource: account.UsageAWS, Cost: 46_350_000_000, CostKnown: true, PriceKey: "p", PriceVersion: "v",
		Status: 200, AWSRequestID: "aws-1", Stream: true, ClientClosed: true,
		Losses: []llm.Loss{{Path: "seed", Why: "unsupported"}, {Path: "tools[0].strict", Why: "dropped"}},
		Start:  start, FirstToken: start.Add(250 * time.Millisecond), End: start.Add(1500 * time.Millisecond),
		Upstream: 1498766 * time.Microsecond, Own: 1234 * time.Microsecond,
	}
	r.SetError(&llm.Error{Kind: llm.KindCanceled, Code: "c", Message: "the client left", AWSType: "X"})
	return r
}

func TestRequestLine(t *testing.T) {
	f := func(format Format, r account.Record, want string) {
		t.Helper()
		var out bytes.Buffer
		RequestLine(New(&out, format, slog.LevelInfo), r)
		equal(t, out.String(), want+"\n")
	}
	f(JSON, fullRecord(), `{"time":"2026-08-01T12:00:01.5Z","level":"INFO","msg":"request","call_id":"8c1f0d2b-77aa-4c11-9e55-0a1b2c3d4e5f",`+
		`"request_id":"chatcmpl-1","path":"/v1/chat/completions","call_type":"acompletion","status":200,"error":"canceled","error_code":"c",`+
		`"aws_exception":"X","error_message":"the client left","model":"claude","model_group":"claude-group","deployment":"d1",`+
		`"upstream_model":"us.anthropic.claude-sonnet-4-5-20250929-v1:0","region":"us-east-1","route":"converse","service_tier":"default",`+
		`"key_hash":"`+account.MasterKeyHash+`","user":"u1","tags":"a,b","prompt_tokens":10000,"completion_tokens":500,`+
		`"cache_read_tokens":2000,"cache_write_tokens":7000,"reasoning_tokens":100,"usage_source":"aws","cost_usd":0.04635,"stream":true,`+
		`"client_closed":true,"dropped":"seed=unsupported,tools[0].strict=dropped","aws_request_id":"aws-1","duration_ms":1500,`+
		`"first_token_ms":250,"upstream_ms":1498.766,"own_ms":1.234}`)
	f(Text, account.Record{CallID: "c", Asked: "m\nx", Group: "m\nx", Status: 404, ErrorKind: "not_found", Start: start, End: start},
		`time=2026-08-01T12:00:00.000Z level=INFO msg=request call_id=c status=404 error=not_found model="m\nx" duration_ms=0 upstream_ms=0 own_ms=0`)
	f(Text, account.Record{Status: 200, UsageSource: account.UsageEstimated, Usage: llm.Usage{Input: 1}, Start: start, End: start},
		`time=2026-08-01T12:00:00.000Z level=INFO msg=request status=200 prompt_tokens=1 completion_tokens=0 usage_source=estimated `+
			`cost_unknown=true duration_ms=0 upstream_ms=0 own_ms=0`)
	f(Text, account.Record{Status: 200, CostKnown: true, Start: start, End: start},
		`time=2026-08-01T12:00:00.000Z level=INFO msg=request status=200 cost_usd=0 duration_ms=0 upstream_ms=0 own_ms=0`)
}

// TestOwnLinesAreThoseOfSlog: the short way writes what a handler of slog's own writes.
func TestOwnLinesAreThoseOfSlog(t *testing.T) {
	f := func(r account.Record) {
		t.Helper()
		for _, format := range []Format{Text, JSON} {
			var own, slogs bytes.Buffer
			RequestLine(New(&own, format, slog.LevelInfo), r)
			if format == JSON {
				RequestLine(slog.New(slog.NewJSONHandler(&slogs, nil)), r)
				var a, b any
				if err := errors.Join(json.Unmarshal(own.Bytes(), &a), json.Unmarshal(slogs.Bytes(), &b)); err != nil {
					t.Fatal(err)
				}
				equal(t, fmt.Sprint(a), fmt.Sprint(b))
				continue
			}
			RequestLine(slog.New(slog.NewTextHandler(&slogs, nil)), r)
			equal(t, own.String(), slogs.String())
		}
	}
	f(fullRecord())
	f(account.Record{Start: start, End: start})
	r := fullRecord()
	r.Asked, r.User, r.Message = "a=b c\"d\"\n\t", "plain", "<script>&\x00\x7f\xff\u2028"
	r.Cost, r.Own = 1, time.Nanosecond
	f(r)
}

func TestNumbersAreThoseOfStrconv(t *testing.T) {
	f := func(v float64) {
		t.Helper()
		equal(t, string(appendNumber(nil, v)), strconv.FormatFloat(v, 'g', -1, 64))
	}
	for _, v := range []float64{0, 0.0009, 0.001, 0.01, 0.1, 0.3, 0.999, 1, 1.5, 10, 99.999, 100, 99999.999, 99_999, 100_000, 123_456.789, 999_999, 1e6, 1e21, 0.1234, -1, -0.001, math.NaN(), math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64, math.MaxFloat64} {
		f(v)
	}
	for n := range 20_000 {
		f(float64(n) / 1000)
		f(float64(n*7919) / 1000)
		f(float64(n) / 7)
	}
}

func TestLineOfADerivedLogger(t *testing.T) {
	var out bytes.Buffer
	RequestLine(New(&out, Text, slog.LevelInfo).With("node", "n1"), account.Record{Status: 200, Start: start, End: start})
	equal(t, out.String(), "time=2026-08-01T12:00:00.000Z level=INFO msg=request node=n1 status=200 duration_ms=0 upstream_ms=0 own_ms=0\n")
}

func TestLevelOfARequest(t *testing.T) {
	f := func(status int, kind llm.Kind, left bool, want slog.Level) {
		t.Helper()
		r := account.Record{Status: status, ErrorKind: account.KindName(kind), ClientClosed: left}
		equal(t, levelOf(&r), want)
	}
	f(400, llm.KindInvalid, false, slog.LevelInfo)
	f(401, llm.KindAuth, false, slog.LevelInfo)
	f(429, llm.KindRateLimit, false, slog.LevelInfo)
	f(503, llm.KindUnavailable, false, slog.LevelWarn)
	f(200, llm.KindUpstream, false, slog.LevelWarn)
	f(200, llm.KindCanceled, true, slog.LevelInfo)
	f(500, llm.KindInternal, false, slog.LevelError)
	f(500, llm.KindUpstreamInternal, false, slog.LevelWarn)
	equal(t, levelOf(&account.Record{Status: 200}), slog.LevelInfo)

	var out bytes.Buffer
	RequestLine(New(&out, JSON, slog.LevelWarn), account.Record{Status: 200})
	equal(t, out.String(), "")
}

// TestEveryFieldOfALineIsKnown holds the list of names that are not looked at against what a line has.
func TestEveryFieldOfALineIsKnown(t *testing.T) {
	var known, unknown fieldList
	r := fullRecord()
	known.request(&r)
	r.CostKnown = false
	unknown.request(&r)
	for _, a := range append(known.list[:known.n], unknown.list[:unknown.n]...) {
		if !isOwnField(a.Key) || isCredential(a.Key) {
			t.Errorf("%s", a.Key)
		}
	}
}

func TestSecretsDoNotReachTheLog(t *testing.T) {
	const canary = "sk-canary-3f9a1c77e0b24d58"
	hidden := secret.New(canary)
	header := http.Header{"Authorization": {"Bearer " + canary}, "X-Api-Key": {canary}, "X-Odd": {canary}, "Our-Header": {"plain"}}
	address, err := url.Parse("postgres://user:" + canary + "@host/db")
	if err != nil {
		t.Fatal(err)
	}
	inside := struct {
		Name string
		key  secret.Secret
	}{"n", hidden}
	for _, format := range []Format{Text, JSON} {
		var out bytes.Buffer
		log := New(&out, format, slog.LevelDebug)
		log.Info("x", "value", hidden, "inside", inside, "pointer", &inside, "header", header, "url", address, "noURL", (*url.URL)(nil))
		log.Info("x", "error", fmt.Errorf("with %v and %s", hidden, hidden))
		log.With("api_key", canary).WithGroup("g").Info("x", slog.Group("aws", "aws_secret_access_key", canary, "AWS-Session-Token", canary))
		for _, name := range []string{
			"authorization", "Authorization", "api_key", "x-api-key", "X-Goog-Api-Key", "password", "aws_secret_access_key", "aws_access_key_id",
			"aws_session_token", "AWS_BEARER_TOKEN_BEDROCK", "master_key", "Cookie", "Set-Cookie", "Proxy-Authorization", "client_secret",
			"database_url", "apiKey", "secretAccessKey", "X-Amz-Security-Token", "Ocp-Apim-Subscription-Key", strings.Repeat("long-", 40) + "token",
		} {
			log.Info("x", name, canary)
			log.Info("x", name, []string{canary})
			log.Debug("x", "body", Body(`{"model": "m", "`+name+`" : "`+canary+`"}`))
		}
		if strings.Contains(out.String(), canary) {
			t.Errorf("the log shows a secret:\n%s", out.String())
		}
		if strings.Count(out.String(), secret.Mask) < 60 {
			t.Errorf("the log lacks masks:\n%s", out.String())
		}
	}
}

func TestRedact(t *testing.T) {
	h := http.Header{
		"Authorization": {"Bearer a", "b"}, "X-Our-Key": {"c"}, "Content-Type": {"application/json"}, "X-Amzn-Bedrock-Input-Token-Count": {"12"},
		"X-Custom": {"Bearer d"}, "Traceparent": {"00-1"}, "Openai-Organization": {"SK-x"}, "Cookie": {"a=b"}, "X-Ratelimit-Remaining-Tokens": {"5"},
	}
	got := Redact(h, "x-our-key")
	want := http.Header{
		"Authorization": {"****", "****"}, "X-Our-Key": {"****"}, "Content-Type": {"application/json"}, "X-Amzn-Bedrock-Input-Token-Count": {"12"},
		"X-Custom": {"****"}, "Traceparent": {"00-1"}, "Openai-Organization": {"****"}, "Cookie": {"****"}, "X-Ratelimit-Remaining-Tokens": {"5"},
	}
	equal(t, fmt.Sprint(got), fmt.Sprint(want))
	equal(t, h.Get("Authorization"), "Bearer a")
}

func TestBody(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		equal(t, Body(body).LogValue().String(), want)
	}
	f(`{"model":"m","messages":[]}`, `{"model":"m","messages":[]}`)
	f("", "")
	f("not JSON: \" at all", "not JSON: \" at all")
	f(`{"api_key":"k"}`, `{"api_key":"****"}`)
	f("{\"api_key\" :\n \"k\\\"k\", \"a\": \"b\"}", "{\"api_key\" :\n \"****\", \"a\": \"b\"}")
	f(`{"a":{"aws_secret_access_key":"k","aws_session_token":"l"},"b":"c"}`, `{"a":{"aws_secret_access_key":"****","aws_session_token":"****"},"b":"c"}`)
	f(`{"api\u005fkey":"k","aws_external\u005Fid" : "e","a\"b":"c"}`, `{"api\u005fkey":"****","aws_external\u005Fid" : "****","a\"b":"c"}`)
	f(`{"password":"cut of`, `{"password":"****`)
	f(`{"password":"cut\`, `{"password":"****`)
	f(`{"password":12,"token":null}`, `{"password":12,"token":null}`)
	f(`{"content":"say \"password\": \"x\""}`, `{"content":"say \"password\": \"x\""}`)
	f(`["password","x"]`, `["password","x"]`)
	f("\xff\xfe", "(2 bytes that are no text)")
	long := strings.Repeat("é", MaxBody)
	f("x"+long, "x"+long[:MaxBody-2]+fmt.Sprintf("… (%d bytes in all)", len(long)+1))
	f(long[:MaxBody], long[:MaxBody])
}

func FuzzBody(f *testing.F) {
	for _, s := range []string{`{"api_key":"k"}`, `"password":"`, `"token"  :"\`, `{"a":"b","secret":"c"`, `"`, `"":""`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		Body(body).LogValue()
		if len(body) > MaxBody || !json.Valid([]byte(body)) {
			return
		}
		if masked := maskMembers([]byte(body)); !json.Valid(masked) {
			t.Errorf("%q became %q", body, masked)
		}
	})
}

func TestParseFormat(t *testing.T) {
	f := func(name string, want Format, bad bool) {
		t.Helper()
		got, err := ParseFormat(name)
		equal(t, got, want)
		equal(t, err != nil, bad)
	}
	f("", Text, false)
	f("text", Text, false)
	f("json", JSON, false)
	f("xml", "", true)
}

// output counts the writes that reach it.
type output struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
	err    error
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	o.writes++
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return fmt.Sprint(o.writes, " ", o.text.String())
}

func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if n, err := io.WriteString(w, text); err != nil || n != len(text) {
		t.Errorf("wrote %d, %v", n, err)
	}
}

func TestWriterFlushesInTimeAndAtClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &output{}
		w := NewWriter(out)
		write(t, w, "a")
		write(t, w, "b")
		time.Sleep(flushDelay - time.Millisecond) // on the bubble's clock
		equal(t, out.String(), "0 ")
		time.Sleep(2 * time.Millisecond)
		equal(t, out.String(), "1 ab")
		write(t, w, "c")
		equal(t, w.Close(), nil)
		equal(t, out.String(), "2 abc")
		write(t, w, "d") // late, but not lost
		equal(t, out.String(), "3 abcd")
		equal(t, w.Close(), nil)
	})
}

func TestWriterPassesOnWhatIsTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &output{}
		w := NewWriter(out)
		write(t, w, strings.Repeat("x", flushSize-1))
		equal(t, out.String(), "0 ")
		write(t, w, "yz")
		equal(t, out.text.Len(), flushSize+1)
		write(t, w, strings.Repeat("x", 3*flushSize))
		equal(t, out.text.Len(), 4*flushSize+1)
		equal(t, w.Close(), nil)
	})
}

func TestUrgentLinesAreFlushedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &output{}
		w := NewWriter(out)
		log := New(w, Text, slog.LevelInfo).With("a", "b").WithGroup("g")
		log.Info("calm")
		equal(t, out.writes, 0)
		log.Warn("urgent", "c", "d")
		equal(t, out.writes, 1)
		equal(t, strings.Contains(out.text.String(), "msg=calm a=b\n"), true)
		equal(t, strings.Contains(out.text.String(), "msg=urgent a=b g.c=d\n"), true)
		log.Error("more")
		equal(t, out.writes, 2)
		equal(t, w.Close(), nil)
	})
}

func TestWriterGoesOnAfterAnError(t *testing.T) {
	out := &output{err: errors.New("pipe closed")}
	w := NewWriter(out)
	write(t, w, "lost")
	if err := w.Flush(); err == nil {
		t.Error("no error")
	}
	out.mu.Lock()
	out.err = nil
	out.mu.Unlock()
	write(t, w, "kept")
	if err := w.Close(); err == nil || err.Error() != "pipe closed" {
		t.Errorf("got %v", err)
	}
	equal(t, out.String(), "1 kept")
}

func TestWriterKeepsLinesWhole(t *testing.T) {
	out := &output{}
	w := NewWriter(out)
	log := New(w, JSON, slog.LevelInfo)
	const writers, each = 8, 500
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for n := range each {
				if log.Info("line", "writer", i, "n", n); n%100 == 0 {
					log.Warn("line", "writer", i, "n", n)
				}
			}
		})
	}
	all.Wait()
	equal(t, w.Close(), nil)
	lines := strings.Split(strings.TrimSuffix(out.text.String(), "\n"), "\n")
	equal(t, len(lines), writers*(each+each/100))
	last := map[int]int{}
	for _, line := range lines {
		var l struct{ Writer, N int }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if l.N < last[l.Writer] {
			t.Fatalf("out of order: %s", line)
		}
		last[l.Writer] = l.N
	}
}

func BenchmarkRequestLine(b *testing.B) {
	for _, format := range []Format{Text, JSON} {
		b.Run(string(format), func(b *testing.B) {
			w := NewWriter(io.Discard)
			log := New(w, format, slog.LevelInfo)
			r := fullRecord()
			r.ErrorKind, r.Losses, r.Tags, r.User = "", nil, nil, ""
			b.ReportAllocs()
			for b.Loop() {
				RequestLine(log, r)
			}
			if err := w.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}
