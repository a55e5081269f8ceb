package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/gateway/admin"
	"github.com/outcrop-ai/outcrop/internal/responses"
	"github.com/outcrop-ai/outcrop/llm"
)

// Options are what a server is made of. Engine, Keys and Logger are required.
type Options struct {
	Engine *engine.Engine
	Keys   *account.Keys
	Logger *slog.Logger
	// Spend reads the book; nil is that there is none.
	Spend account.SpendReader
	// Admin manages keys and their owners; nil where there is no store of them.
	Admin *admin.API
	// UserHeader is a further header that names the end user, in its canonical form; EnforceUser refuses requests that name none.
	UserHeader  string
	EnforceUser bool
	// AdminRoutes need an administrator beside those of the admin API. AllowedRoutes are the only ones for all others; none is
	// all. Both are paths, which may end in /*.
	AdminRoutes, AllowedRoutes []string
	// Limits are the engine's; nil where nobody is limited.
	Limits *account.Limits
	// Caching says which answers are kept and given again.
	Caching Caching
	// MaxBody bounds request bodies, in bytes; 0 means 32 MiB.
	MaxBody int64
	// KeepAlive is the silence after which a stream gets a comment; 0 means 10 s.
	KeepAlive time.Duration
	// ImageModel answers image requests that name no model; empty refuses them.
	ImageModel string
	// IncludeCallID adds the call's id to error bodies.
	IncludeCallID bool
	// DebugBodies logs request and answer bodies, cut and without secrets, at debug level.
	DebugBodies bool
	// Version is Outcrop's own, for headers and the start page.
	Version string
	// NoAgentRuntime refuses to relay what is of bedrock-agent-runtime: agents, knowledge bases, flows, Rerank.
	NoAgentRuntime bool
	// TrustClientRegion has what is relayed to no deployment go to the region that the client has signed for.
	TrustClientRegion bool
	// Responses keeps the responses of the Responses API; nil keeps them in memory, within bounds.
	Responses ResponseStore
	// Observe is told of every call of a model, when it is over; nil is nobody. It is for programs that hold a server
	// themselves.
	Observe func(context.Context, account.Record)
	// Metrics serves the page that Prometheus reads, nil if there is none; OpenMetrics asks nobody for a key there.
	Metrics     http.Handler
	OpenMetrics bool
	// StoreReady reports whether the store can be written; nil means that there is none.
	StoreReady func() bool
	// Watch says what those want to know who are told of finished calls; nil when there are none.
	Watch *Watch
	// Refusal returns why the record of a call could not be kept, so that the call is refused; nil means that calls are made
	// in any case.
	Refusal func() error
}

// Server answers HTTP requests. It is safe for concurrent use.
type Server struct {
	Options
	routes   map[string]map[string]*Route // path → method → route
	rights   map[*Route]*account.Route
	table    []Route
	version  []string
	draining atomic.Bool
	inFlight atomic.Int64
}

// New returns a server.
func New(o Options) *Server {
	if o.MaxBody <= 0 {
		o.MaxBody = 32 << 20
	}
	if o.KeepAlive <= 0 {
		o.KeepAlive = 10 * time.Second
	}
	if o.Responses == nil {
		o.Responses = responses.NewMemory()
	}
	s := &Server{Options: o, routes: map[string]map[string]*Route{}, rights: map[*Route]*account.Route{}, table: routeTable(), version: []string{o.Version}}
	for i := range s.table {
		r := &s.table[i]
		if r.Path == "/metrics" && o.OpenMetrics {
			r.Access = Open
		}
		if s.routes[r.Path] == nil {
			s.routes[r.Path] = map[string]*Route{}
		}
		s.routes[r.Path][r.Method], s.rights[r] = r, rightsOf(r)
	}
	return s
}

// Routes returns the route table.
func (s *Server) Routes() []Route { return s.table }

// Drain makes readiness fail, so that load balancers send no more requests; those that come are still served.
func (s *Server) Drain() { s.draining.Store(true) }

// exchange is one HTTP request with its answer.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	call   *engine.Call
	server *Server
	// keeping is the answer on its way into the cache, nil if it is not kept.
	keeping *keeping
	// saysOfCache says that the request says something of the cache of answers.
	saysOfCache bool
	// name is the model or id in the path.
	name string
	// status is what the client got; failure is why, when it is no success.
	status  int
	failure *llm.Error
	// voice is how the client is told of failures and silences.
	voice *voice
	// native says that AWS's own words are spoken; cut that the connection is broken off in the end.
	native, cut bool
	// booked says that the call's row has been made.
	booked bool
	// param gives the client's own names for parameters that the core names in Chat Completions' words; nil leaves them.
	param func(string) string

	// values is room for the values of headers of the answer, one each, of which used are taken: see one.
	values [20]string
	used   int
}

// one is the value of a header, without room of its own.
func (x *exchange) one(value string) []string {
	if x.used == len(x.values) {
		return []string{value}
	}
	x.values[x.used] = value
	x.used++
	return x.values[x.used-1 : x.used : x.used]
}

// inClientsWords names the field at fault as the client does.
func (x *exchange) inClientsWords(err *llm.Error) *llm.Error {
	if x.param == nil || err.Param == "" {
		return err
	}
	param := x.param(err.Param)
	if param == err.Param {
		return err
	}
	other := *err
	other.Param, other.Message = param, strings.Replace(err.Message, err.Param, param, 1)
	return &other
}

// ServeHTTP serves one request. Limits that need no knowledge of the caller come first, then the key, then the route.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w, r: r, server: s, voice: &openAIVoice}
	x.call = &engine.Call{ID: callID(r), Start: time.Now(), Path: withoutKeys(r.URL.Path), Header: r.Header}
	header := w.Header()
	header["X-Litellm-Call-Id"] = x.one(x.call.ID)
	header["X-Litellm-Version"] = s.version
	defer s.finish(x)

	native, isNative := nativeOf(r)
	x.native = isNative
	var path, name string
	ok := true
	if !isNative {
		path, name, ok = canonical(r.URL.EscapedPath())
		if speaksAnthropic(path, r.Header) {
			x.voice = &anthropicVoice
			header["Request-Id"] = header["X-Litellm-Call-Id"]
		}
	}
	if err := tooLarge(r, s.MaxBody); err != nil {
		x.fail(err)
		return
	}
	if isNative {
		if !s.enter(x, nil, &account.Route{Path: "/bedrock" + strings.TrimPrefix(r.URL.Path, "/bedrock"), Groups: []string{account.RoutesLLM}}) {
			return
		}
		s.serveNative(x, &native)
		return
	}
	methods := s.routes[path]
	route := methods[r.Method]
	if route == nil && r.Method == http.MethodHead {
		route = methods[http.MethodGet]
	}
	x.name = name
	if (route == nil || route.Access != Open) && !s.enter(x, route, s.rights[route]) {
		return
	}
	switch {
	case !ok:
		x.fail(llm.Invalid("path", "the path holds an escape that is none"))
	case methods == nil:
		x.fail(&llm.Error{Kind: llm.KindNotFound, Code: "unknown_url", Message: "Unknown request URL: " + r.Method + " " + clipPath(r.URL.Path)})
	case route == nil:
		w.Header().Set("Allow", allowed(methods))
		x.fail(&llm.Error{
			Kind: llm.KindInvalid, HTTPStatus: http.StatusMethodNotAllowed, Code: "method_not_allowed",
			Message: "Not allowed to " + r.Method + " on " + clipPath(r.URL.Path),
		})
	default:
		route.serve(s, x)
	}
}

// callID takes the client's own call id if it is a plausible one.
func callID(r *http.Request) string {
	if v := r.Header["X-Litellm-Call-Id"]; len(v) == 1 && len(v[0]) >= 8 && len(v[0]) <= 64 {
		for _, c := range v[0] {
			if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return engine.NewID()
			}
		}
		return v[0]
	}
	return engine.NewID()
}

func allowed(methods map[string]*Route) string {
	var list []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		if methods[m] != nil {
			list = append(list, m)
		}
	}
	return strings.Join(list, ", ")
}

func clipPath(path string) string {
	path = withoutKeys(path)
	if len(path) > 200 {
		return path[:200] + "…"
	}
	return path
}

// fail answers with an error, as JSON in the shape of the client's dialect.
func (x *exchange) fail(err *llm.Error) {
	if x.native {
		x.failNative(err)
		return
	}
	err = x.inClientsWords(err)
	x.failure = err
	x.status = x.voice.status(err)
	h := x.w.Header()
	if err.RequestID != "" {
		h["Llm_provider-X-Amzn-Requestid"] = []string{err.RequestID}
	}
	if err.RetryAfter > 0 {
		seconds := int64((err.RetryAfter + time.Second - 1) / time.Second)
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	} else if err.Kind == llm.KindRateLimit {
		h.Set("Retry-After", "1")
	}
	overLimit(h, err, time.Now())
	if err.Retryable() {
		h.Set("X-Should-Retry", "true")
	} else {
		h.Set("X-Should-Retry", "false")
	}
	if err.Kind == llm.KindTooLarge {
		h.Set("Connection", "close") // what is left of the body is not read
	}
	x.write(x.status, x.voice.appendError(nil, x, err))
}

func (x *exchange) callIDForBody() string {
	if x.server.IncludeCallID {
		return x.call.ID
	}
	return ""
}

var jsonType = []string{"application/json"}

// write sends a whole JSON answer.
func (x *exchange) write(status int, data []byte) {
	x.status = status
	x.watched(status, data)
	x.book()
	h := x.w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(data))}
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(data) // a client that left is found out by the server
	}
}
