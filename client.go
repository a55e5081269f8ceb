package outcrop

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/deployment"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/media"
	"github.com/outcrop-ai/outcrop/llm"
)

// Version is the version of this module, which goes into the User-Agent of its calls.
const Version = "0.1.0"

// Client calls the models of Amazon Bedrock. It is safe for concurrent use. The zero value is a client with default
// settings, set up at its first call.
type Client struct {
	once sync.Once
	core *core
	err  error
}

// core is what a client is made of.
type core struct {
	engine  *engine.Engine
	catalog *catalog.Catalog
	table   *deployment.Table
	pool    *identity.Pool
	fetcher *media.Fetcher
	logger  *slog.Logger
	o       *settings
	// imageModel answers image requests that name no model; empty refuses them.
	imageModel string
}

// New returns a client. Nothing is sent yet: credentials that do not work are found out by the first call. Its errors name
// the option, or the place in the configuration file, that is wrong. The context bounds New alone.
func New(ctx context.Context, options ...Option) (*Client, error) {
	c := &Client{}
	c.once.Do(func() { c.core, c.err = newCore(ctx, options) })
	if c.err != nil {
		return nil, c.err
	}
	return c, nil
}

// ready returns what the client is made of.
func (c *Client) ready(ctx context.Context) (*core, error) {
	c.once.Do(func() { c.core, c.err = newCore(ctx, nil) })
	return c.core, c.err
}

func newCore(ctx context.Context, options []Option) (*core, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o := &settings{}
	for _, option := range options {
		option(o)
	}
	o.complete()
	cat, err := catalog.Default()
	if err != nil {
		return nil, err
	}
	conf, err := o.configuration(cat)
	if err != nil {
		return nil, err
	}
	env := conf.LookupEnv(o.env)
	k := &core{catalog: cat, o: o, pool: identity.NewPool(env), logger: o.logger}
	if k.logger == nil {
		k.logger = slog.New(slog.DiscardHandler)
	}
	k.table, err = deployment.NewTable(conf, deployment.Options{
		Catalog: cat, Pool: k.pool, Env: env, UserAgent: "outcrop-go/" + Version, Credentials: o.credentials, Token: o.token, Transport: o.transport,
	})
	if err != nil {
		return nil, invalid("", err)
	}
	routing, err := deployment.NewRouting(conf)
	if err != nil {
		return nil, invalid("", err)
	}
	k.imageModel = conf.GeneralSettings.ImageGenerationModel
	k.fetcher = media.NewFetcher(media.FetchOptions{AllowedHosts: append(o.hosts, conf.LitellmSettings.UserURLAllowedHosts...)})
	k.engine = engine.New(engine.Options{
		Catalog: cat, Router: k.table.Router, Connections: k.table.Connections, PassThrough: k.table.PassThrough, Logger: k.logger, Fetcher: k.fetcher, Routing: routing, Debug: o.logger != nil,
		MaxChoices: conf.GeneralSettings.MaxChoices, ImageConcurrency: conf.GeneralSettings.ImageConcurrency,
	})
	return k, nil
}

func invalid(option string, err error) *llm.Error {
	return &llm.Error{Kind: llm.KindInvalid, Code: "invalid_configuration", Param: option, Message: err.Error()}
}

// Close ends idle connections and whatever renews credentials. Calls that are under way are not ended: their contexts are.
func (c *Client) Close() error {
	c.once.Do(func() { c.err = errors.New("the client is closed") })
	if k := c.core; k != nil {
		k.table.Close()
		k.fetcher.Close()
		k.pool.Close()
	}
	return nil
}

// call begins a call of a verb. kind is LiteLLM's word for it, which log lines have.
func (k *core) call(verb, kind string, r *llm.Request) (*engine.Call, *llm.Error) {
	call := &engine.Call{ID: engine.NewID(), Type: kind, Path: verb, Start: now(), Request: r, Owner: true}
	o := &r.Options
	call.Drop, call.Modify, call.Remove, call.UserContinue, call.AssistantContinue = o.Drop, o.Modify, o.Remove, o.UserContinue, o.AssistantContinue
	call.Retries, call.NoFallbacks, call.Session, call.Regions, call.OwnModelID = o.Retries, o.NoFallbacks, o.Session, o.Regions, o.ModelID
	call.Fallbacks, call.ContextFallbacks, call.FilterFallbacks = fallbacks(o.Fallbacks), fallbacks(o.ContextFallbacks), fallbacks(o.FilterFallbacks)
	r.Policy = llm.Policy{Allowed: o.Allowed, CacheRules: r.Policy.CacheRules}
	if o.Retries != nil && *o.Retries < 0 {
		return call, llm.Invalid("Retries", "Retries must not be negative")
	}
	for name, value := range o.Headers {
		switch name = http.CanonicalHeaderKey(name); name {
		case "Authorization":
			return call, llm.Invalid("Headers", "Authorization cannot be a header of a request: say whom it goes as in Identity, or use WithHeader")
		case "Anthropic-Beta": // travels in the body
			r.AddBetas(value)
		default:
			if call.Headers == nil {
				call.Headers = http.Header{}
			}
			call.Headers[name] = []string{value}
		}
	}
	if o.Identity != nil {
		call.Connection = connection(o.Identity)
	}
	return call, nil
}

func fallbacks(models []string) []engine.Fallback {
	var list []engine.Fallback
	for _, model := range models {
		list = append(list, engine.Fallback{Model: model})
	}
	return list
}

// settle ends a call and tells the observer of it.
func (k *core) settle(ctx context.Context, call *engine.Call, failed *llm.Error) {
	status := http.StatusOK
	if failed != nil {
		status = failed.Status()
		call.ClientClosed = call.ClientClosed || failed.Kind == llm.KindCanceled
	}
	record := k.engine.Settle(call, status, failed)
	if k.o.observe != nil {
		k.observe(ctx, &record, failed)
	}
}

// observe tells the observer of a call that is over.
func (k *core) observe(ctx context.Context, r *account.Record, failed *llm.Error) {
	c := llm.Call{
		ID: r.CallID, Verb: r.Path, Usage: r.Usage, Tier: r.Tier, User: r.User, Tags: r.Tags, Start: r.Start, FirstToken: r.FirstToken, End: r.End,
		Upstream: r.Upstream, Stream: r.Stream, Abandoned: r.ClientClosed, Tries: r.Tries, Err: failed,
		Served: llm.Served{Model: r.Asked, ModelID: r.Model, Deployment: r.Deployment, Region: r.Region, RequestID: r.AWSRequestID, Losses: r.Losses},
	}
	if r.CostKnown {
		c.Cost = llm.NewCost(r.Cost)
	}
	k.o.observe(ctx, c)
}

// served says how a call was answered.
func served(call *engine.Call) llm.Served {
	s := llm.Served{
		Model: call.Request.Model, ModelID: call.ModelID, Region: call.Region, RequestID: call.RequestID, Losses: call.Request.Losses,
		Cost: call.Cost(), Fallback: call.Fallback, Retries: call.Retried,
	}
	if call.Deployment != nil {
		s.Deployment = call.Deployment.ID
	}
	return s
}
