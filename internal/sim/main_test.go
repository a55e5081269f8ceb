package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	claude = "anthropic.claude-3-haiku-20240307-v1:0"
	llama  = "meta.llama3-1-8b-instruct-v1:0"
)

// bedrock is a started simulator and a client that has the right to use it.
type bedrock struct {
	*testing.T
	sim    *Server
	url    string
	client *http.Client
}

func start(t *testing.T, o Options) *bedrock {
	t.Helper()
	s := New(o)
	base, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(func() { transport.CloseIdleConnections(); s.Close() })
	return &bedrock{T: t, sim: s, url: base, client: &http.Client{Transport: transport}}
}

func open(t *testing.T) *bedrock { t.Helper(); return start(t, Options{}) }

// request is signed with the bearer token unless it has its own Authorization.
func (b *bedrock) request(method, path, body string, headers ...string) *http.Request {
	b.Helper()
	r, err := http.NewRequest(method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+BearerToken)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

type reply struct {
	status int
	header http.Header
	body   []byte
	err    error // of reading the body
}

func (b *bedrock) send(r *http.Request) reply {
	b.Helper()
	res, err := b.client.Do(r)
	if err != nil {
		return reply{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return reply{status: res.StatusCode, header: res.Header, body: body, err: err}
}

func modelPath(model, operation string) string {
	return "/model/" + strings.ReplaceAll(url.PathEscape(model), ":", "%3A") + "/" + operation
}

func (b *bedrock) post(model, operation, body string, headers ...string) reply {
	b.Helper()
	return b.send(b.request(http.MethodPost, modelPath(model, operation), body, headers...))
}

// converse posts and wants an answer.
func (b *bedrock) converse(model, body string) tree {
	b.Helper()
	r := b.post(model, "converse", body)
	if r.status != http.StatusOK {
		b.Fatalf("status %d: %s", r.status, r.body)
	}
	return r.tree(b.T)
}

// tree is any JSON with a short way in.
type tree struct{ v any }

func (r reply) tree(t *testing.T) tree {
	t.Helper()
	return parse(t, r.body)
}

func parse(t *testing.T, data []byte) tree {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("no JSON: %v: %q", err, data)
	}
	return tree{v}
}

// at follows a dotted path; nil when it leads nowhere.
func (t tree) at(path string) any {
	v := t.v
	for _, step := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			i := 0
			for _, c := range step {
				i = i*10 + int(c-'0')
			}
			if i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func contains(t *testing.T, s, part string) {
	t.Helper()
	if !strings.Contains(s, part) {
		t.Errorf("%q does not contain %q", s, part)
	}
}

// user is a conversation of one text.
func user(text string) string {
	return string(mustJSON(object{"messages": []object{{"role": "user", "content": []object{{"text": text}}}}}))
}

// with adds members to a JSON object.
func with(body string, members string) string {
	return strings.TrimSuffix(body, "}") + "," + members + "}"
}

const weatherTools = `"toolConfig":{"tools":[
 {"toolSpec":{"name":"get_weather","description":"Weather","inputSchema":{"json":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":2}},"required":["city","days"]}}}},
 {"toolSpec":{"name":"get_time","inputSchema":{"json":{"type":"object","properties":{}}}}}]}`

// message is one decoded frame.
type decoded struct {
	headers map[string]string
	order   []string
	payload []byte
}

func (d decoded) kind() string {
	if e := d.headers[":event-type"]; e != "" {
		return e
	}
	return d.headers[":message-type"] + ":" + d.headers[":exception-type"] + d.headers[":error-code"]
}

// frames decodes with the SDK's decoder until the body ends; err is nil at a clean end.
func frames(body io.Reader) ([]decoded, error) {
	var all []decoded
	decoder := eventstream.NewDecoder()
	for {
		m, err := decoder.Decode(body, nil)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		d := decoded{headers: map[string]string{}, payload: bytes.Clone(m.Payload)}
		for _, h := range m.Headers {
			d.headers[h.Name] = h.Value.String()
			d.order = append(d.order, h.Name)
		}
		all = append(all, d)
	}
}

func (b *bedrock) stream(model, body string, headers ...string) []decoded {
	b.Helper()
	r := b.post(model, "converse-stream", body, headers...)
	if r.status != http.StatusOK || r.err != nil {
		b.Fatalf("status %d, %v: %s", r.status, r.err, r.body)
	}
	all, err := frames(bytes.NewReader(r.body))
	if err != nil {
		b.Fatal(err)
	}
	return all
}

func kinds(all []decoded) string {
	var names []string
	for _, f := range all {
		names = append(names, f.kind())
	}
	return strings.Join(names, " ")
}

// signed signs r as the SDK does.
func signed(t *testing.T, r *http.Request, c Credential, service, region string, at time.Time) *http.Request {
	t.Helper()
	var body []byte
	if r.GetBody != nil {
		rc, err := r.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		body, _ = io.ReadAll(rc)
	}
	r.Header.Del("Authorization")
	sum := sha256.Sum256(body)
	creds := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	if err := v4.NewSigner().SignHTTP(context.Background(), creds, r, hex.EncodeToString(sum[:]), service, region, at); err != nil {
		t.Fatal(err)
	}
	return r
}

var pixel = func() string {
	png := append([]byte("\x89PNG\r\n\x1a\n"), bytes.Repeat([]byte{0}, 22)...)
	return base64.StdEncoding.EncodeToString(png)
}()
