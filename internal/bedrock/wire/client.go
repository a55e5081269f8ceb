package wire

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

// Authenticator proves to one service in one region who calls. It is safe for concurrent use.
type Authenticator interface {
	// Authenticate sets the headers of the proof. r has the headers that a signature covers and no others, and no
	// ContentLength yet; payloadHash is the hex SHA-256 of its body. An error should be an *llm.Error.
	Authenticate(ctx context.Context, r *http.Request, payloadHash string) error
	// Invalidate says that AWS refused r for its credentials. It drops them unless others are in use already, and reports
	// whether another try may help.
	Invalidate(r *http.Request) bool
	// LearnClock says what time it was at AWS when it refused r for its time. It reports whether another try may help.
	LearnClock(r *http.Request, at time.Time) bool
}

// Anonymous is the authenticator of addresses that want no proof, or one that stands in the client's header.
type Anonymous struct{}

// Authenticate does nothing.
func (Anonymous) Authenticate(context.Context, *http.Request, string) error { return nil }

// Invalidate reports that there is nothing to renew.
func (Anonymous) Invalidate(*http.Request) bool { return false }

// LearnClock reports that the time does not matter.
func (Anonymous) LearnClock(*http.Request, time.Time) bool { return false }

// ClientOptions are what a client is made of.
type ClientOptions struct {
	Endpoint      Endpoint
	Authenticator Authenticator
	// Transport sends the calls, see [NewTransport].
	Transport http.RoundTripper
	// Header is sent on every call, in the place of our own header of that name: a deployment's extra_headers. What begins
	// with X-Amz is signed, with Content-Type. Authorization replaces the authenticator, unless it is a signature, which
	// cannot be right and is dropped.
	Header http.Header
	// UserAgent names the program, such as "outcrop/1.0".
	UserAgent string
}

// Client sends calls to one endpoint as one identity. It is safe for concurrent use.
type Client struct {
	o    ClientOptions
	base string // escaped base path of the endpoint
	// What Header says, canonical. The slices are shared by all calls and never written to.
	signed, unsigned http.Header
	own              bool // Authorization is configured: nothing is signed
}

const (
	jsonType        = "application/json"
	eventStreamType = "application/vnd.amazon.eventstream"
)

// NewClient returns a client.
func NewClient(o ClientOptions) *Client {
	c := &Client{o: o, base: o.Endpoint.URL.EscapedPath(), signed: http.Header{}, unsigned: http.Header{}}
	for name, values := range o.Header {
		name = http.CanonicalHeaderKey(name)
		switch {
		case len(values) == 0 || reserved[name]:
		case name == "Authorization":
			if !strings.HasPrefix(values[0], "AWS4-HMAC-SHA256") {
				c.unsigned[name], c.own = values, true
			}
		case isSigned(name):
			c.signed[name] = values
		default:
			c.unsigned[name] = values
		}
	}
	if o.UserAgent != "" && c.unsigned["User-Agent"] == nil {
		c.unsigned["User-Agent"] = []string{o.UserAgent}
	}
	return c
}

// reserved headers are the transport's or the signer's own: from elsewhere they would break the request or its proof.
var reserved = map[string]bool{
	"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Connection": true, "Trailer": true, "Upgrade": true,
	"X-Amz-Date": true, "X-Amz-Security-Token": true, "X-Amz-Content-Sha256": true,
}

// isSigned tells what botocore signs beside host. Everything else is added after signing, since proxies may change it.
func isSigned(name string) bool {
	return name == "Content-Type" || strings.HasPrefix(name, "X-Amz")
}

// Endpoint returns where the client's calls go.
func (c *Client) Endpoint() Endpoint { return c.o.Endpoint }

// URL returns the address of a path, for people to read.
func (c *Client) URL(path string) string {
	u := c.o.Endpoint.URL
	return u.Scheme + "://" + u.Host + c.base + path
}

// Call is one request to AWS.
type Call struct {
	// Method is POST when empty.
	Method string
	// Path is escaped and begins with a slash, see [ModelPath]. It is sent as it is.
	Path string
	// Query is added to the path.
	Query url.Values
	// Body is read, and kept alive as long as the transport needs it; the caller releases its own hold. nil is no body.
	Body *Body
	// Stream asks for an event stream.
	Stream bool
	// ContentType and Accept are application/json when empty; Accept of a stream is that of event streams.
	ContentType, Accept string
	// Header is what this call adds, such as headers of a client that are passed on. The client's own come first, and
	// Authorization is never taken from here: it would be somebody else's.
	Header   http.Header
	Timeouts Timeouts
	// RawQuery is added to the path as it stands, in the place of Query.
	RawQuery string
	// Refused is filled with AWS's own words when AWS refuses the call; nil is not wanted.
	Refused *Refused
}

// Refused is a refusal in AWS's own words.
type Refused struct {
	Status int
	Header http.Header
	// Body may be cut: AWS's are short.
	Body []byte
}

// refusalBody is how much of an error's body is read.
const refusalBody = 64 << 10

// Send authenticates a call, sends it and returns AWS's answer, which the caller closes. An answer other than 2xx and
// every other failure is an *llm.Error: KindUpstream when no connection came about or it broke, KindGatewayTimeout when
// one of the call's bounds or ctx's deadline was reached, KindCanceled when ctx ended. Redirects are not followed.
//
// A call that AWS refuses because the credentials have expired is sent once more with new ones, and one that AWS refuses
// because the clocks differ once more with AWS's time.
func (c *Client) Send(ctx context.Context, call *Call) (*Reply, error) {
	start := time.Now()
	var payload []byte
	if call.Body != nil {
		payload = call.Body.B
	}
	sum := sha256.Sum256(payload)
	hash := hex.EncodeToString(sum[:])
	credentialsTried, clockTried := c.own, c.own
	for {
		reply, refusal, err := c.attempt(ctx, call, hash, start)
		switch {
		case refusal == nil || err == nil:
			return reply, orNil(err)
		case !credentialsTried && isExpired(err):
			if credentialsTried = true; c.o.Authenticator.Invalidate(refusal.request) {
				continue
			}
		case !clockTried && isSkewed(err):
			if at, bad := http.ParseTime(refusal.header.Get("Date")); bad == nil {
				if clockTried = true; c.o.Authenticator.LearnClock(refusal.request, at) {
					continue
				}
			}
		}
		return nil, err
	}
}

// orNil keeps a nil *llm.Error from becoming an error that is not nil.
func orNil(e *llm.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// refusal is what AWS refused, and the headers that it did so with.
type refusal struct {
	request *http.Request
	header  http.Header
}

// attempt sends a call once. A refusal is given when AWS answered, and then goes with an error.
func (c *Client) attempt(parent context.Context, call *Call, hash string, start time.Time) (*Reply, *refusal, *llm.Error) {
	ctx, cancel := context.WithCancelCause(parent)
	r, err := c.request(ctx, call, hash)
	if err != nil {
		failed := failure(parent, ctx, err)
		cancel(nil)
		return nil, nil, failed
	}
	w := newWatch(cancel, call.Timeouts, call.Stream, start)
	resp, err := c.o.Transport.RoundTrip(r) //nolint:bodyclose // the reply closes it
	if err != nil {
		w.stop()
		failed := failure(parent, ctx, err)
		cancel(nil)
		return nil, nil, failed
	}
	reply := &Reply{
		Status: resp.StatusCode, Header: resp.Header, RequestID: RequestID(resp.Header),
		body: resp.Body, length: resp.ContentLength, parent: parent, ctx: ctx, cancel: cancel, watch: w,
	}
	if resp.StatusCode/100 != 2 {
		defer reply.Close()
		w.enter(readingRefusal)
		// What could be read of the body serves; only when the caller has gone there is something else to say.
		body, err := io.ReadAll(io.LimitReader(resp.Body, refusalBody))
		if err != nil && parent.Err() != nil {
			return nil, nil, failure(parent, ctx, err)
		}
		if call.Refused != nil {
			*call.Refused = Refused{resp.StatusCode, resp.Header, body}
		}
		return nil, &refusal{r, resp.Header}, ErrorFrom(resp.StatusCode, resp.Header, body)
	}
	if call.Stream {
		w.enter(waitingForEvent)
	} else {
		w.enter(readingAnswer)
	}
	return reply, nil, nil
}

// request builds and authenticates the HTTP request of a call. Its error may be the authenticator's.
func (c *Client) request(ctx context.Context, call *Call, hash string) (*http.Request, error) {
	u := *c.o.Endpoint.URL
	u.RawPath = c.base + call.Path
	plain, err := url.PathUnescape(u.RawPath)
	if err != nil {
		return nil, &llm.Error{Kind: llm.KindInternal, Message: "the path of an upstream call is not escaped", Cause: err}
	}
	u.Path = plain
	if u.RawQuery = call.RawQuery; len(call.Query) > 0 {
		u.RawQuery = call.Query.Encode()
	}
	// Three of the six that every call has are mostly among the others. A map of eight is a quarter of the next larger one.
	header := make(http.Header, len(c.signed)+len(c.unsigned)+len(call.Header)+3)
	r := &http.Request{
		Method: call.Method, URL: &u, Host: u.Host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if r.Method == "" {
		r.Method = http.MethodPost
	}
	if call.Body != nil {
		header["Content-Type"] = []string{cmp.Or(call.ContentType, jsonType)}
	}
	for name, values := range c.signed {
		header[name] = values
	}
	c.addCallHeader(header, call, true)
	if !c.own {
		if err := c.o.Authenticator.Authenticate(ctx, r, hash); err != nil {
			return nil, err
		}
		if raw := call.RawQuery; raw != "" && sorted(raw) == u.RawQuery { // the signer has put it in order, which AWS does itself
			u.RawQuery = raw
		}
	}
	// After signing: the signature covers neither the length (nor does botocore's) nor what proxies may change.
	accept := call.Accept
	if accept == "" && call.Stream {
		accept = eventStreamType
	}
	header["Accept"] = []string{cmp.Or(accept, jsonType)}
	for name, values := range c.unsigned {
		header[name] = values
	}
	c.addCallHeader(header, call, false)
	// Present and empty, this header is not sent. It tells net/http that it may send the request again when a connection
	// that was idle turns out to be closed before a byte came back: asking a model again changes nothing.
	if _, set := header["Idempotency-Key"]; !set {
		header["Idempotency-Key"] = nil
	}
	if body := call.Body; body != nil && len(body.B) > 0 {
		r.ContentLength = int64(len(body.B))
		r.Body = body.reader()
		r.GetBody = func() (io.ReadCloser, error) { return body.reader(), nil }
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			WroteRequest: func(httptrace.WroteRequestInfo) { body.Release() },
		})
	}
	return r.WithContext(ctx), nil
}

// sorted returns a query with its parts in the order in which they are signed.
func sorted(query string) string {
	parts := strings.Split(query, "&")
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

// addCallHeader adds what the call's own header has beyond what is set.
func (c *Client) addCallHeader(header http.Header, call *Call, signed bool) {
	for name, values := range call.Header {
		name = http.CanonicalHeaderKey(name)
		if isSigned(name) == signed && name != "Authorization" && !reserved[name] && header[name] == nil {
			header[name] = values
		}
	}
}

// failure says why a call brought no answer. Addresses stay in the cause, which clients never see.
func failure(parent, ctx context.Context, err error) *llm.Error {
	var known *llm.Error
	if errors.As(err, &known) {
		return known
	}
	var p *patience
	if errors.As(context.Cause(ctx), &p) || errors.As(err, &p) {
		return p.llmError(err)
	}
	switch {
	case errors.Is(parent.Err(), context.DeadlineExceeded):
		return &llm.Error{Kind: llm.KindGatewayTimeout, Code: "timeout", Message: "the time that the caller gave the request is over", Cause: context.Cause(parent)}
	case parent.Err() != nil:
		return &llm.Error{Kind: llm.KindCanceled, Code: "client_closed_request", Message: "the client closed the request", Cause: context.Cause(parent)}
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return &llm.Error{Kind: llm.KindGatewayTimeout, Code: "timeout", Message: "AWS could not be reached in time", Cause: err}
	}
	return &llm.Error{Kind: llm.KindUpstream, Code: "upstream_unreachable", Message: "the connection to AWS failed", Cause: err}
}
