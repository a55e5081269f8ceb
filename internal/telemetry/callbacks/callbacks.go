package callbacks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// The names of callbacks, as configurations have them.
const (
	File       = "file"
	GenericAPI = "generic_api"
	Langfuse   = "langfuse"
	S3         = "s3_v2"
	Datadog    = "datadog"
	SumoLogic  = "sumologic"
)

// Wish is a callback that a configuration names.
type Wish struct {
	Name string
	// Success and Failure say which calls it is told of.
	Success, Failure bool
	// NoContents keeps what was said from it.
	NoContents bool
}

// API is an endpoint that is told of calls as generic_api's is, under a name of the configuration's own.
type API struct {
	Endpoint secret.Secret // its path or query may hold a token
	Headers  map[string]secret.Secret
	// Format is how payloads are sent: json_array, which is the default, ndjson, or single, which is one request for each.
	Format string
}

// FileOptions say where payloads are written.
type FileOptions struct {
	Path string
	// MaxSize is the size in bytes at which a new file begins (default 100 MiB), Backups how many older ones are kept.
	MaxSize int64
	Backups int
}

// Options say which callbacks there are, and how they reach whom they tell.
type Options struct {
	Wishes []Wish
	// Env are the environment's variables.
	Env func(string) (string, bool)
	// Writer makes the payloads.
	Writer Writer
	File   FileOptions
	S3     S3Options
	// WebhookHeaders are sent with every request of generic_api.
	WebhookHeaders map[string]secret.Secret
	// APIs are endpoints by the names that Wishes have.
	APIs map[string]API
	// LangfuseTags are further tags of Langfuse's traces: cache_hit, cache_key.
	LangfuseTags []string
	// Limits bound each queue.
	Limits Limits
	Logger *slog.Logger
	// Further makes sinks that are not this package's, by their names in Wishes. Those that have a method Close(ctx) are closed.
	Further map[string]func() (Sink, error)
}

func (o *Options) get(name string) string {
	if o.Env == nil {
		return ""
	}
	value, _ := o.Env(name)
	return value
}

func missing(variable string) error { return errors.New("the variable " + variable + " is not set") }

// Callbacks are told of finished calls: a telemetry.Watcher. Close ends them.
type Callbacks struct{ routes []route }

type route struct {
	Wish
	queue *Queue
	sink  Sink
}

// Check returns why callbacks cannot be used, by their names; those that can are not in it.
func Check(o Options) map[string]error {
	problems := map[string]error{}
	for _, w := range o.Wishes {
		if s, err := o.sink(w.Name); err != nil {
			problems[w.Name] = err
		} else {
			closeSink(s)
			if c, ok := s.(interface{ Close(context.Context) error }); ok {
				ctx, cancel := context.WithCancel(context.Background())
				cancel() // nothing was sent, so nothing is waited for
				_ = c.Close(ctx)
			}
		}
	}
	return problems
}

func (o *Options) sink(name string) (Sink, error) {
	if further := o.Further[name]; further != nil {
		return further()
	}
	if api, ok := o.APIs[name]; ok {
		return newAPI(o, name, api)
	}
	switch name {
	case Datadog:
		return newDatadog(o)
	case SumoLogic:
		return newSumoLogic(o)
	case File:
		return newFile(o)
	case GenericAPI:
		return newWebhook(o)
	case Langfuse:
		return newLangfuse(o)
	case S3:
		return newS3(o)
	}
	return nil, fmt.Errorf("there is no callback of the name %q", name)
}

// closeSink closes what this package's sinks keep open.
func closeSink(s Sink) {
	if c, ok := s.(interface{ close() }); ok {
		c.close()
	}
}

// New starts the callbacks. Those that cannot be used are left out, with a line in the log: a gateway answers without them,
// too.
func New(o Options) *Callbacks {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Callbacks{}
	for _, w := range o.Wishes {
		s, err := o.sink(w.Name)
		if err != nil {
			o.Logger.Error("a callback is not used", "callback", w.Name, "error", err)
			continue
		}
		c.routes = append(c.routes, route{Wish: w, queue: NewQueue(s, o.Limits, o.Logger), sink: s})
	}
	return c
}

// Used reports whether anybody is told of anything.
func (c *Callbacks) Used() bool { return c != nil && len(c.routes) > 0 }

// Finished hands an event to each callback's queue, unless the client wants that nobody is told, and may.
func (c *Callbacks) Finished(e *telemetry.Event) {
	if e.Content != nil && e.Content.NoLog {
		return
	}
	failed := e.Failed()
	var silent *telemetry.Event // the same without what was said
	for i := range c.routes {
		r := &c.routes[i]
		switch {
		case failed && !r.Failure || !failed && !r.Success:
		case r.NoContents && e.Content != nil:
			if silent == nil {
				silent = withoutContents(e)
			}
			r.queue.Add(silent)
		default:
			r.queue.Add(e)
		}
	}
}

// withoutContents returns an event that does not say what was said.
func withoutContents(e *telemetry.Event) *telemetry.Event {
	silent, content := *e, *e.Content
	content.Messages, content.Request, content.Response, content.Redacted = nil, nil, nil, true
	silent.Content = &content
	return &silent
}

// Stats returns the counters of each callback's queue.
func (c *Callbacks) Stats() map[string]Stats {
	out := make(map[string]Stats, len(c.routes))
	for i := range c.routes {
		out[c.routes[i].Name] = c.routes[i].queue.Stats()
	}
	return out
}

// Close sends what waits and ends all goroutines, at the latest when ctx ends.
func (c *Callbacks) Close(ctx context.Context) {
	var queues sync.WaitGroup
	for i := range c.routes {
		queues.Go(func() {
			r := &c.routes[i]
			r.queue.Close(ctx)
			closeSink(r.sink)
			if s, ok := r.sink.(interface{ Close(context.Context) error }); ok {
				if err := s.Close(ctx); err != nil {
					r.queue.logger.Error("a callback could not be ended", "error", err)
				}
			}
		})
	}
	queues.Wait()
}
