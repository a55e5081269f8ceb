package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/deployment"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/gateway"
	"github.com/outcrop-ai/outcrop/internal/media"
	"github.com/outcrop-ai/outcrop/internal/store/valkey"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/internal/telemetry/alerts"
	"github.com/outcrop-ai/outcrop/internal/telemetry/callbacks"
	"github.com/outcrop-ai/outcrop/internal/telemetry/metrics"
)

// serveOptions are what the command line says about serving.
type serveOptions struct {
	config, host, port, model, alias string
	debug, detailedDebug             bool
	dropParams                       bool
	requestTimeout                   float64
	validate, version                bool
	keepAlive                        int
	dataDir                          string
	tls                              tlsOptions
}

func serveFlags(o *serveOptions, s stdio, lookup env) *flags {
	f := newFlags("serve", "[--config FILE] [--host H] [--port N]", s.out)
	from := func(name, fallback string) string {
		if v, ok := lookup(name); ok && v != "" {
			return v
		}
		return fallback
	}
	f.configFile(&o.config, from("CONFIG_FILE_PATH", ""), "the configuration, a LiteLLM config.yaml (CONFIG_FILE_PATH)")
	f.StringVar(&o.host, "host", from("HOST", ""), "address to listen on (HOST); 0.0.0.0, or 127.0.0.1 without a master key")
	f.StringVar(&o.port, "port", from("PORT", "4000"), "port to listen on (PORT); 4000")
	f.StringVar(&o.model, "model", "", "without a configuration: serve this model only")
	f.StringVar(&o.alias, "alias", "", "the name of --model towards clients")
	f.BoolVar(&o.debug, "debug", false, "log more")
	f.BoolVar(&o.detailedDebug, "detailed_debug", false, "log more, requests and answers with their bodies included")
	f.BoolVar(&o.dropParams, "drop_params", false, "as litellm_settings.drop_params")
	f.Float64Var(&o.requestTimeout, "request_timeout", 0, "as litellm_settings.request_timeout, in seconds")
	f.BoolVar(&o.validate, "validate_config", false, "check the configuration and end, as outcrop check")
	f.BoolVar(&o.version, "version", false, "print the version")
	f.BoolVar(&o.version, "v", false, "")
	f.IntVar(&o.keepAlive, "keepalive_timeout", 75, "seconds that an idle client connection is kept; 75")
	f.StringVar(&o.dataDir, "data-dir", "", "folder of the database; that of the configuration, else the current one")
	o.tls.flags(f, lookup)
	for _, name := range []string{"num_workers", "granian_threads", "max_requests_before_restart", "limit_concurrency", "timeout_graceful_shutdown"} {
		f.ignore(name, true)
	}
	for _, name := range []string{"run_gunicorn", "run_hypercorn", "run_granian", "use_prisma_db_push", "use_prisma_migrate", "reload", "skip_server_startup", "telemetry", "local", "test"} {
		f.ignore(name, false)
	}
	return f
}

// serve is the command that runs the gateway.
func serve(ctx context.Context, args []string, s stdio, lookup env) error {
	var o serveOptions
	f := serveFlags(&o, s, lookup)
	if err := f.parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: the configuration goes behind --config", f.Arg(0))
	}
	if o.version {
		fmt.Fprintln(s.out, "outcrop", currentVersion())
		return nil
	}
	if o.validate {
		return check([]string{"--config", o.config}, s, lookup)
	}
	c, err := load(&o, s, lookup)
	if err != nil {
		return err
	}
	for _, name := range f.used {
		fmt.Fprintf(s.err, "warning: --%s has no effect: Outcrop is one process that uses all cores\n", name)
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	g, err := newGatewayProcess(c, &o, s, lookup)
	if err != nil {
		return err
	}
	defer collectLess(lookup)()
	return g.run(ctx, func(address string) {
		g.logger.Info("Outcrop is ready", "address", address, "version", currentVersion())
	})
}

// errReported ends a start whose reasons have been printed, a line each.
var errReported = errors.New("the configuration has errors")

// load reads the configuration. Its errors go to standard error, a line each, and end the start.
func load(o *serveOptions, s stdio, lookup env) (*config.Config, error) {
	loader := config.Loader{Env: lookup, KnownModel: knownModel(), Metrics: metrics.Known()}
	var c *config.Config
	var problems []config.Problem
	switch {
	case o.config != "":
		c, problems = loader.Load(o.config)
	case o.model != "":
		name := o.alias
		if name == "" {
			name = o.model
		}
		c, problems = loader.Parse("--model", []byte("model_list: [{model_name: "+strconv.Quote(name)+", litellm_params: {model: "+strconv.Quote(o.model)+"}}]"))
	default:
		c, problems = config.Default(lookup)
	}
	report := config.Warning
	if config.HasErrors(problems) {
		report = config.Error // what stops the start must not drown in what does not
	}
	for _, p := range problems {
		if p.Severity == report {
			fmt.Fprintln(s.err, p.String())
		}
	}
	if report == config.Error {
		return nil, errReported
	}
	if o.dropParams {
		c.LitellmSettings.DropParams = true
	}
	if o.requestTimeout > 0 {
		c.RouterSettings.Timeout = time.Duration(o.requestTimeout * float64(time.Second))
	}
	return c, nil
}

func knownModel() func(string) bool {
	cat, err := catalog.Default()
	if err != nil {
		return nil
	}
	return cat.Knows
}

// gatewayProcess is everything that a running gateway consists of.
type gatewayProcess struct {
	config  *config.Config
	o       *serveOptions
	env     env
	logs    *telemetry.Writer
	logger  *slog.Logger
	pool    *identity.Pool
	table   *deployment.Table
	fetcher *media.Fetcher
	books   books
	// callbacks are told of finished calls.
	callbacks *callbacks.Callbacks
	// bodies is how long a string may be that the database keeps of what is said, 0 if it keeps none.
	bodies int
	// directory knows the virtual keys, nil without a master key or a database.
	directory *account.Directory
	server    *gateway.Server
	limits    *account.Limits
	metrics   *metrics.Metrics
	engine    *engine.Engine
	// alerts tell people, nil if nobody is to be told. calling is the engine, for those who look at it from elsewhere.
	alerts  *alerts.Alerts
	calling atomic.Pointer[engine.Engine]
	// replicas are the other gateways, nil if this one is alone; silence ends the talk with them, rest the counting of limits.
	// changes are what they tell each other of changes of keys, answers where answers are kept that replicas share.
	replicas *valkey.Replicas
	changes  *valkey.Invalidations
	answers  *valkey.Replicas
	silence  func()
	rest     func()
	host     string
	out      io.Writer // for what is printed rather than logged
	// warnings are what an operator should know of the deployments, by their ids.
	warnings map[string][]string
}

// newGatewayProcess puts the parts together. This is the one place where they meet.
func newGatewayProcess(c *config.Config, o *serveOptions, s stdio, lookup env) (*gatewayProcess, error) {
	g := &gatewayProcess{out: s.out, config: c, o: o, env: c.LookupEnv(lookup)}
	if err := g.chooseHost(); err != nil {
		return nil, err
	}
	cat, err := catalog.Default()
	if err != nil {
		return nil, err
	}
	g.newLogger(s)
	g.pool = identity.NewPool(g.env)
	if g.table, err = deployment.NewTable(c, deployment.Options{Catalog: cat, Pool: g.pool, Env: g.env, UserAgent: "outcrop/" + currentVersion()}); err != nil {
		_ = g.logs.Close()
		return nil, err
	}
	routing, err := deployment.NewRouting(c)
	if err != nil {
		_ = g.logs.Close()
		return nil, err
	}
	g.fetcher = media.NewFetcher(media.FetchOptions{AllowedHosts: c.LitellmSettings.UserURLAllowedHosts})
	if err := g.books.open(c, g.dataDir(), g.logger); err != nil {
		return nil, errors.Join(err, g.close())
	}
	g.metrics = g.newMetrics()
	kept, refusal := g.books.recorder()
	var recorder recorders
	if !g.metrics.Watches() {
		recorder = append(recorder, g.metrics)
	}
	if kept != nil {
		recorder = append(recorder, kept)
	}
	if err := g.openReplicas(); err != nil {
		return nil, errors.Join(err, g.close())
	}
	g.openDirectory()
	var endUsers engine.EndUsers
	if g.directory != nil {
		endUsers = g.directory
	}
	g.limits = g.newLimits()
	if g.openAlerts(); g.alerts != nil {
		recorder = append(recorder, g.alerts)
	}
	manages, err := g.admin()
	if err != nil {
		return nil, errors.Join(err, g.close())
	}
	watcher, watch := g.openCallbacks(g.logger)
	e := engine.New(engine.Options{
		Limits: g.limits, LikelyOutput: int64(c.LitellmSettings.DefaultEstimatedOutputTokens),
		EndUsers: endUsers, NoAddresses: c.GeneralSettings.NoAddressLogging,
		Catalog: cat, Router: g.table.Router, Connections: g.table.Connections, PassThrough: g.table.PassThrough, PassThroughUnlisted: c.PassThroughUnlisted(), Recorder: recorder, Watcher: watcher, Bodies: g.bodies, Logger: g.logger, Debug: o.detailedDebug,
		KeyHeader: c.GeneralSettings.KeyHeaderName, Fetcher: g.fetcher, Routing: routing, MaxChoices: c.GeneralSettings.MaxChoices, ExactCounts: !c.EstimatesTokens(), ImageConcurrency: c.GeneralSettings.ImageConcurrency,
	})
	g.engine = e
	g.calling.Store(e)
	g.joinReplicas(e)
	g.warnings = e.Warnings()
	for _, id := range g.table.Unverified() {
		g.warnings[id] = append(g.warnings[id], "ssl_verify is off: whoever is between here and AWS can read credentials and prompts")
	}
	caching, err := g.caching()
	if err != nil {
		return nil, errors.Join(err, g.close())
	}
	g.server = gateway.New(gateway.Options{
		Caching: caching,
		Spend:   g.books.reader(), Responses: g.books.responses(),
		Engine: e, Limits: g.limits, Keys: account.NewKeys(c.GeneralSettings.MasterKey, c.GeneralSettings.KeyHeaderName), Logger: g.logger,
		MaxBody: c.MaxRequestBytes(), IncludeCallID: c.GeneralSettings.IncludeCallID, ImageModel: c.GeneralSettings.ImageGenerationModel, DebugBodies: o.detailedDebug, Version: currentVersion(),
		Watch: watch, StoreReady: g.books.ready, Refusal: refusal, NoAgentRuntime: c.GeneralSettings.NoAgentRuntime, TrustClientRegion: c.GeneralSettings.TrustClientRegion,
		Metrics: g.metrics.Handler(), OpenMetrics: isFalse(c.LitellmSettings.RequireAuthForMetrics),
	})
	g.guard(manages)
	return g, nil
}

func (g *gatewayProcess) newLogger(s stdio) {
	format, level := telemetry.Text, slog.LevelInfo
	if g.config.LitellmSettings.JSONLogs {
		format = telemetry.JSON
	}
	name, _ := g.env("LITELLM_LOG")
	if g.o.debug || g.o.detailedDebug || g.config.LitellmSettings.SetVerbose || strings.EqualFold(name, "debug") {
		level = slog.LevelDebug
	}
	g.logs = telemetry.NewWriter(s.err)
	g.logger = telemetry.New(g.logs, format, level)
}

// chooseHost decides where to listen. Without a master key of its own a gateway is open to whoever reaches it, so then
// only this machine does, unless the configuration permits more in so many words.
func (g *gatewayProcess) chooseHost() error {
	g.host = g.o.host
	master := g.config.GeneralSettings.MasterKey
	if !account.IsWeak(master) || g.config.GeneralSettings.PermitWeakMasterKey {
		if g.host == "" {
			g.host = "0.0.0.0"
		}
		return nil
	}
	if g.host == "" {
		g.host = "127.0.0.1"
	}
	if isLoopback(g.host) {
		return nil
	}
	what := "no master key is set"
	if master.IsSet() {
		what = "the master key is a publicly known one"
	}
	return fmt.Errorf("%s, so Outcrop does not listen on %s: set general_settings.master_key, or dangerously_permit_weak_or_unset_master_key: true", what, g.host)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}

func (g *gatewayProcess) dataDir() string { return g.o.folder() }

// folder is where the gateway keeps what it keeps.
func (o *serveOptions) folder() string {
	if o.dataDir == "" && o.config != "" {
		return filepath.Dir(o.config)
	}
	return o.dataDir
}

// run serves until ctx ends, then drains. ready is called with the address when requests are taken.
func (g *gatewayProcess) run(ctx context.Context, ready func(address string)) error {
	cert, authority, err := g.o.tls.certificate(g.dataDir(), g.host, g.logger)
	if err != nil {
		return errors.Join(err, g.close())
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(strings.Trim(g.host, "[]"), g.o.port))
	if err != nil {
		return errors.Join(listenError(g.host, g.o.port, err), g.close())
	}
	if master := g.config.GeneralSettings.MasterKey; account.IsWeak(master) {
		text := "no master key is set: whoever reaches this address can use it"
		if master.IsSet() {
			text = "the master key is a publicly known one: whoever reaches this address can use it"
		}
		g.logger.Warn(text, "host", g.host)
	}
	for id, warnings := range g.warnings { // not before: a start that fails says why, and nothing else
		for _, w := range warnings {
			g.logger.Warn(w, "deployment", id)
		}
	}
	requests, cut := context.WithCancelCause(context.Background())
	defer cut(nil)
	server := &http.Server{
		Handler:           g.server,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Duration(g.o.keepAlive) * time.Second,
		MaxHeaderBytes:    64<<10 - 4<<10, // net/http adds 4 KiB of its own
		ErrorLog:          slog.NewLogLogger(g.logger.Handler(), slog.LevelDebug),
	}
	protocols(server, cert)
	served := make(chan error, 1)
	scheme := "http://"
	if cert == nil {
		go func() { served <- server.Serve(listener) }()
	} else {
		scheme = "https://"
		go func() { served <- server.ServeTLS(listener, "", "") }()
	}
	if authority != "" {
		fmt.Fprintln(g.out, "AWS_CA_BUNDLE="+authority)
	}
	ready(scheme + listener.Addr().String())
	select {
	case err := <-served:
		return errors.Join(err, g.close())
	case <-ctx.Done():
	}
	err = g.shutdown(server, cut)
	if stopped := <-served; !errors.Is(stopped, http.ErrServerClosed) {
		err = errors.Join(err, stopped)
	}
	return errors.Join(err, g.close())
}

// lastWords is how long requests have to tell their clients that the grace period is over.
const lastWords = 2 * time.Second

// shutdown lets running requests finish within the grace period; what runs longer is ended with an error of its own.
func (g *gatewayProcess) shutdown(server *http.Server, cut context.CancelCauseFunc) error {
	g.server.Drain()
	settings := g.config.GeneralSettings
	g.logger.Info("shutting down", "grace_period", settings.GracefulShutdownTimeout.String())
	if settings.ShutdownDelay > 0 {
		<-time.After(settings.ShutdownDelay) // load balancers see readiness fail and send no more
	}
	grace, cancel := context.WithTimeout(context.Background(), settings.GracefulShutdownTimeout)
	defer cancel()
	if server.Shutdown(grace) == nil {
		return nil
	}
	g.logger.Warn("requests were still running at the end of the grace period and were ended")
	cut(gateway.ErrShuttingDown)
	words, cancelWords := context.WithTimeout(context.Background(), lastWords)
	defer cancelWords()
	if server.Shutdown(words) == nil {
		return nil
	}
	return server.Close()
}

// close ends everything in the order in which work flows.
func (g *gatewayProcess) close() error {
	var errs []error
	g.table.Close()
	g.fetcher.Close()
	g.closeCallbacks()
	g.closeAlerts()
	g.pool.Close()
	if g.rest != nil {
		g.rest()
	}
	if g.directory != nil {
		g.directory.Close()
	}
	errs = append(errs, g.leaveReplicas(), g.books.close())
	if g.answers != nil {
		errs = append(errs, g.answers.Close())
	}
	return errors.Join(append(errs, g.logs.Close())...)
}

func listenError(host, port string, err error) error {
	address := net.JoinHostPort(host, port)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %s is in use: another program listens on %s (choose one with --port)", port, address)
	}
	return fmt.Errorf("cannot listen on %s: %w", address, err)
}
