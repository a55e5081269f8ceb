package engine

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/media"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/llm"
)

// Recorder takes the record of every call; *account.Ledger is one.
type Recorder interface{ Add(account.Record) }

// Options are what an engine is made of. Catalog and Router are required.
type Options struct {
	Catalog *catalog.Catalog
	Router  *router.Router
	// Connections are the identities and endpoints that deployments name by their index.
	Connections []Connection
	// PassThrough is the deployment, none of the router's, that relays what is asked of no model; nil refuses it. With
	// PassThroughUnlisted it relays what is asked of models that no name is for, too.
	PassThrough         *router.Deployment
	PassThroughUnlisted bool
	// Recorder and Logger may be nil: nothing is then kept, or logged.
	Recorder Recorder
	Logger   *slog.Logger
	// Limits keep the budgets and limits of callers; nil lets every call through.
	Limits *account.Limits
	// LikelyOutput is how many tokens of an answer without a bound are held of limits of tokens; 0 means 4,096.
	LikelyOutput int64
	// Bodies is how long a string of what is said in a call may be, in bytes, to be kept in its record whole; 0 keeps nothing.
	Bodies int
	// Watcher is told of every finished call; nil when nobody wants to know.
	Watcher telemetry.Watcher
	// NoAddresses keeps the addresses of clients out of records; watchers see them all the same.
	NoAddresses bool
	// MaxDrains bounds how many answers of clients that have gone are read to their end at once, DrainFor how long each may
	// take. 0 means 100 and 5 minutes.
	MaxDrains int
	DrainFor  time.Duration
	// EndUsers knows the customers that requests name; nil knows none.
	EndUsers EndUsers
	// Fetcher fetches the files that clients name by URL; nil refuses them.
	Fetcher *media.Fetcher
	// MaxChoices bounds how many answers one request may ask for (n); 0 means 8.
	MaxChoices int
	// Routing says how often a call is tried, and where else.
	Routing Routing
	// ImageConcurrency is how many images of one request are made at once; 0 means 4.
	ImageConcurrency int
	// KeyHeader is a further header in which clients send their key: like the usual ones it is never forwarded.
	KeyHeader string
	// ExactCounts has tokens counted by Bedrock or not at all: nothing is estimated.
	ExactCounts bool
	// Debug logs upstream requests, without credentials.
	Debug bool
}

// Connection is one way to reach AWS: as whom, and at which endpoint.
type Connection interface {
	// Client returns the client for a region.
	Client(region string) (*wire.Client, error)
	// AgentRuntime returns the client of bedrock-agent-runtime for a region, nil where the connection cannot use that host:
	// it takes no bearer keys.
	AgentRuntime(region string) (*wire.Client, error)
	// Mantle returns the client of Mantle's host for a region.
	Mantle(region string) (*wire.Client, error)
	// Region returns the region for a model whose name, model_id and ARN say what ref and id say, and a warning for the
	// operator.
	Region(path, modelARN, idARN string) (region, warning string)
}

// Engine runs calls. It is safe for concurrent use.
type Engine struct {
	o            Options
	targets      sync.Map // targetKey → *target
	jobs         jobs
	count        atomic.Int64
	drains       chan struct{}
	pins         pins
	hedges       hedges
	news         news
	refusedFlags refusedFlags
	// uncounted are models whose tokens CountTokens has refused to count: countKey → true.
	uncounted sync.Map
	warned    sync.Map // what was logged once: deployment id and warning → true
}

// New returns an engine.
func New(o Options) *Engine {
	if o.MaxDrains <= 0 {
		o.MaxDrains = 100
	}
	if o.DrainFor <= 0 {
		o.DrainFor = 5 * time.Minute
	}
	if o.MaxChoices <= 0 {
		o.MaxChoices = 8
	}
	if o.ImageConcurrency <= 0 {
		o.ImageConcurrency = 4
	}
	if o.LikelyOutput <= 0 {
		o.LikelyOutput = 4096
	}
	if o.Routing.Strategy == "" {
		o.Routing.Strategy = router.Shuffle
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Engine{o: o, drains: make(chan struct{}, o.MaxDrains), pins: pins{seed: maphash.MakeSeed()}}
}

// maxAnswer bounds a whole answer of AWS's: the largest hold images.
const maxAnswer = 64 << 20

// Chat answers a call. The response may alias memory that lives as long as it does.
func (e *Engine) Chat(ctx context.Context, call *Call) (*llm.Response, *llm.Error) {
	p, failed := e.prepare(ctx, call)
	if failed != nil {
		return nil, failed
	}
	defer p.body.Release()
	ctx, leave := e.upstream(ctx, call)
	defer leave()
	if call.choices() > 1 {
		return e.chatAll(ctx, call, p)
	}
	return e.answer(ctx, call, p)
}

// answer makes upstream calls until one is answered, the first of them by a plan that is there already.
func (e *Engine) answer(ctx context.Context, call *Call, p *plan) (*llm.Response, *llm.Error) {
	return race(ctx, e, call, p, e.answerAlone, func(_ *llm.Response, end context.CancelFunc) { end() }, func(*llm.Response) {})
}

// answerAlone makes one upstream call after the other until one is answered.
func (e *Engine) answerAlone(ctx context.Context, call *Call, p *plan) (resp *llm.Response, failed *llm.Error) {
	failed = e.attempt(ctx, call, false, e.planned(call, p, func(p *plan) (failed *llm.Error) {
		resp, failed = e.answerOnce(ctx, call, p)
		return failed
	}))
	return resp, failed
}

// planned returns work that is done by the first plan at first, then by plans for what the call has become.
func (e *Engine) planned(call *Call, first *plan, work func(*plan) *llm.Error) func() *llm.Error {
	return func() *llm.Error {
		if p := first; p != nil && p.target == call.target {
			first = nil
			return work(p)
		}
		p, failed := e.encode(call, call.target, call.Request)
		if failed != nil {
			return failed
		}
		defer p.body.Release()
		return work(p)
	}
}

// answerOnce makes one upstream call and reads its answer.
func (e *Engine) answerOnce(ctx context.Context, call *Call, p *plan) (*llm.Response, *llm.Error) {
	call.sent = time.Now()
	reply, p, err := e.send(ctx, call, p, false)
	if err != nil {
		return nil, e.failed(call, err)
	}
	resp, err := read(call, p, reply)
	if err != nil {
		return nil, e.failed(call, err)
	}
	call.firstToken = call.answered
	call.target.watched(call.Request, &resp.Usage)
	call.Usage, call.HasUsage, call.Tier, call.stop = resp.Usage, true, resp.Tier, resp.Stop
	call.Filtered = call.Filtered || resp.Stop == llm.StopFilter
	e.price(call)
	resp.Usage.Time = call.Usage.Time
	return resp, nil
}

// read reads a whole answer.
func read(call *Call, p *plan, reply *wire.Reply) (*llm.Response, error) {
	data, err := reply.ReadAll(maxAnswer)
	call.answered = time.Now()
	if err != nil {
		return nil, err
	}
	resp, err := p.decode(data, reply.Header)
	if err != nil {
		return nil, err
	}
	if resp.Usage == (llm.Usage{}) { // nobody counted, as on InvokeModel of some families
		resp.Usage = estimate(call.Request, int64(len(resp.Text())))
	}
	return resp, nil
}

// ChatStream starts a streamed answer. The stream must be closed.
func (e *Engine) ChatStream(ctx context.Context, call *Call) (Stream, *llm.Error) {
	p, failed := e.prepare(ctx, call)
	if failed != nil {
		return nil, failed
	}
	ctx, leave := e.upstream(ctx, call)
	if call.choices() > 1 {
		return e.streamAll(ctx, call, p, leave)
	}
	defer p.body.Release()
	s, failed := e.open(ctx, call, p)
	if failed != nil {
		leave()
		return nil, failed
	}
	done := s.leave
	s.leave = func() {
		done()
		leave()
	}
	return s, nil
}

// open makes upstream calls until one is answered by a stream that has begun to say something: one that breaks before that
// is tried elsewhere, since the client has seen nothing of it.
func (e *Engine) open(ctx context.Context, call *Call, p *plan) (*stream, *llm.Error) {
	return race(ctx, e, call, p, e.openAlone, func(s *stream, end context.CancelFunc) {
		if s == nil {
			end()
			return
		}
		s.call = call
		s.leave = func() {
			call.done()
			end()
		}
	}, func(s *stream) { _ = s.Close() })
}

// openAlone makes one upstream call after the other.
func (e *Engine) openAlone(ctx context.Context, call *Call, p *plan) (s *stream, failed *llm.Error) {
	failed = e.attempt(ctx, call, true, e.planned(call, p, func(p *plan) *llm.Error {
		opened, failed := e.openOnce(ctx, call, p)
		if failed != nil {
			return failed
		}
		if !e.o.Routing.tries(call) && e.o.Routing.Hedge.After <= 0 { // then nothing is gained by waiting
			s = opened
			return nil
		}
		if failed := opened.begin(); failed != nil {
			_ = opened.Close()
			return failed
		}
		s = opened
		return nil
	}))
	if failed == nil {
		s.leave, s.heard = call.done, true
	}
	return s, failed
}

// openOnce makes one upstream call whose answer is a stream.
func (e *Engine) openOnce(ctx context.Context, call *Call, p *plan) (*stream, *llm.Error) {
	call.sent = time.Now()
	reply, answered, err := e.send(ctx, call, p, p.target.streams)
	if err != nil {
		return nil, e.failed(call, err)
	}
	inner, err := events(call, answered, reply)
	if err != nil {
		return nil, e.failed(call, err)
	}
	s := &stream{inner: inner, engine: e, call: call, leave: func() {}}
	if answered == p && mendable(call.Request) { // not mended yet
		s.again = func(refusal error) (llm.Stream, error) {
			reply, answered, err := e.resend(ctx, call, p, true, refusal)
			if err != nil {
				return nil, err
			}
			return events(call, answered, reply)
		}
	}
	return s, nil
}

// events returns the answer's events. An endpoint that cannot stream answers whole.
func events(call *Call, p *plan, reply *wire.Reply) (llm.Stream, error) {
	if reply.IsEventStream() || reply.IsEvents() && p.invoked != nil {
		return p.stream(reply), nil
	}
	resp, err := read(call, p, reply)
	if err != nil {
		return nil, err
	}
	return newReplay(resp), nil
}

// failed notes why a call failed.
func (e *Engine) failed(call *Call, err error) *llm.Error {
	if call.answered.IsZero() {
		call.answered = time.Now()
	}
	var known *llm.Error
	if !errors.As(err, &known) {
		known = &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS cannot be read", Cause: err}
	}
	if known.RequestID == "" {
		known.RequestID = call.RequestID
	} else {
		call.RequestID = known.RequestID
	}
	if known.Kind == llm.KindCanceled {
		call.ClientClosed = true
	}
	if call.Upstream == nil {
		call.Upstream = call.refused.Header
	}
	nameProfiles(known, call)
	return nameDeployment(blame(known, call), call)
}

// nameDeployment says whose credentials are missing or refused, where AWS itself has said nothing: an operator has many.
func nameDeployment(failed *llm.Error, call *Call) *llm.Error {
	if failed.Code != wire.CodeCredentials || failed.AWSType != "" || call.brought || call.Deployment == nil {
		return failed
	}
	name := "the deployment " + call.Deployment.ID + " of " + call.Deployment.Group + ": "
	if call.Deployment.Group == "" {
		name = "requests that are for no model (general_settings.bedrock_passthrough_credential): "
	}
	if strings.HasPrefix(failed.Message, name) { // said by a part of the call
		return failed
	}
	other := *failed // others may wait for the same credentials
	other.Message = name + failed.Message
	return &other
}

// forwarded returns the client's headers that the deployment lets through: those that begin with x-, but none that
// speaks to the gateway, to AWS's front end, or of the network between. They are not signed.
func forwarded(client http.Header, keyHeader string) http.Header {
	var out http.Header
next:
	for name, values := range client {
		if !strings.HasPrefix(name, "X-") || strings.EqualFold(name, keyHeader) {
			continue
		}
		for _, prefix := range []string{"X-Stainless-", "X-Litellm-", "X-Api-Key", "X-Amz-", "X-Amzn-", "X-Forwarded-", "X-Real-Ip", "X-Goog-Api-Key", "X-Outcrop-"} {
			if strings.HasPrefix(name, prefix) {
				continue next
			}
		}
		if out == nil {
			out = http.Header{}
		}
		out[name] = values
	}
	return out
}
