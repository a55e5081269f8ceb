package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// maxBody is InvokeModel's limit of 25,000,000 bytes with room for the JSON around it.
const maxBody = 32 << 20

// Server is one simulated Bedrock. It is an http.Handler, and with Start a server of its own. All methods may be called
// at the same time.
type Server struct {
	options  Options
	keys     *keyring
	signer   *v4.Signer
	requests recorder
	cache    promptCache
	counts   counter       // how often scenario rules and counted faults matched
	serial   atomic.Uint64 // numbers request ids
	fast     *fastAnswers  // nil unless Options.Fast

	mu   sync.Mutex // guards stop
	stop func()
}

// New returns a simulator for o. Nothing listens until Start is called or the Server is given to an http.Server.
func New(o Options) *Server {
	o = o.withDefaults()
	s := &Server{
		options:  o,
		keys:     newKeyring(o),
		signer:   v4.NewSigner(),
		requests: recorder{limit: o.RecordLimit},
	}
	if o.Fast {
		s.fast = newFastAnswers(o)
	}
	return s
}

// Requests returns the newest requests, oldest first (see Options.RecordLimit).
func (s *Server) Requests() []Recorded { return s.requests.all() }

// Reset forgets recorded requests, cached prompts and how often rules and faults have matched. Credentials from STS stay.
func (s *Server) Reset() {
	s.requests.reset()
	s.cache.reset()
	s.counts.reset()
}

// Start listens on a free loopback port and returns the base URL, without a slash at its end. Close ends it.
func (s *Server) Start() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		return "", errors.New("sim: Start was called twice without Close")
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := &http.Server{Handler: s, ReadHeaderTimeout: 30 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // always ErrServerClosed: Close is the only way out on a loopback listener
	}()
	s.stop = func() {
		cancel() // ends stalls and paced streams
		grace, end := context.WithTimeout(context.Background(), time.Second)
		defer end()
		if server.Shutdown(grace) != nil {
			_ = server.Close()
		}
		<-done
	}
	return "http://" + listener.Addr().String(), nil
}

// Close ends what Start began: open streams are cut. Without Start it does nothing.
func (s *Server) Close() {
	s.mu.Lock()
	stop := s.stop
	s.stop = nil
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// call is one request on its way.
type call struct {
	id        string // x-amzn-RequestId
	operation string
	model     string // decoded, without fault suffix
	asked     string // decoded, as in the path
	body      []byte
	dice      *dice
}

// The operations' names in AWS's model.
const (
	opConverse       = "Converse"
	opConverseStream = "ConverseStream"
	opInvoke         = "InvokeModel"
	opInvokeStream   = "InvokeModelWithResponseStream"
	opCountTokens    = "CountTokens"
	opRerank         = "Rerank"
)

// modelOperations are the last segments of /model/{id}/….
func modelOperation(segment string) string {
	switch segment {
	case "converse":
		return opConverse
	case "converse-stream":
		return opConverseStream
	case "invoke":
		return opInvoke
	case "invoke-with-response-stream":
		return opInvokeStream
	case "count-tokens":
		return opCountTokens
	}
	return ""
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.fast != nil {
		s.fast.serve(w, r)
		return
	}
	c := &call{id: s.requestID()}
	w.Header().Set("x-amzn-RequestId", c.id)
	raw := escapedPath(r)
	segments := strings.Split(strings.Trim(raw, "/"), "/")
	if r.Method == http.MethodPost && len(segments) == 3 && segments[0] == "model" {
		c.operation = modelOperation(segments[2])
		if id, err := url.PathUnescape(segments[1]); err == nil {
			c.asked = id
		}
	}
	if r.Method == http.MethodPost && c.operation == "" {
		c.operation = nativeOperation(raw)
	}
	if r.Method == http.MethodPost && raw == "/rerank" {
		c.operation = opRerank
	}
	service, isAgents := serviceOperation(r.Method, segments)
	if service != "" {
		c.operation = service
	}
	if raw == "/_sim/health" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "ok\n")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	c.body = body
	if isNative(c.operation) {
		c.asked = modelOf(body)
	}
	s.requests.add(Recorded{
		Method: r.Method, Path: raw, Query: r.URL.RawQuery, Header: r.Header.Clone(), Body: body,
		Operation: c.operation, Model: c.asked,
	})
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			writeError(w, &apiError{status: http.StatusRequestEntityTooLarge, code: "RequestEntityTooLargeException", message: "Request body exceeds the limit of this service."})
		}
		return // otherwise the client broke off: nobody is there to read an answer
	}
	if raw == "/" && r.Method == http.MethodPost {
		s.serveSTS(w, r, c)
		return
	}
	if _, refused := s.authenticate(r, "bedrock", body); refused != nil {
		writeError(w, refused)
		return
	}
	switch {
	case (c.operation == opRerank || isAgents) && strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "):
		writeError(w, denied("AccessDeniedException", "Bearer tokens are not supported by this service."))
	case c.operation == opRerank:
		s.serveRerank(w, r, c)
	case service != "":
		s.serveService(w, r, c, segments)
	case isNative(c.operation):
		s.serveNative(w, r, c, raw)
	case c.operation != "":
		s.serveModel(w, r, c)
	case r.Method == http.MethodGet && s.serveControl(w, r, segments):
	default:
		writeError(w, &apiError{status: http.StatusNotFound, code: "UnknownOperationException", message: "Unknown operation: " + r.Method + " " + raw})
	}
}

// requestID numbers requests; with the same seed the ids come in the same order.
func (s *Server) requestID() string {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], s.serial.Add(1))
	return newDice(s.options.Seed, "request", n[:]).uuid()
}

// pause waits for d and reports whether the client is still there.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
