package main

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/gateway"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/internal/telemetry/callbacks"
	"github.com/outcrop-ai/outcrop/internal/telemetry/traces"
)

// callbackOptions says which callbacks a configuration asks for, and how they reach whom they tell.
func callbackOptions(c *config.Config, dataDir string, lookup env, pool *identity.Pool, logger *slog.Logger) (callbacks.Options, error) {
	l := &c.LitellmSettings
	o := callbacks.Options{
		Env:            c.LookupEnv(lookup),
		Writer:         callbacks.Writer{HideKeys: l.RedactUserAPIKeyInfo, Without: l.StandardLoggingPayloadExcludedFields},
		File:           callbacks.FileOptions{Path: cmp.Or(l.FileCallbackParams.Path, filepath.Join(dataDir, "calls.jsonl")), MaxSize: int64(l.FileCallbackParams.MaxSizeMB * (1 << 20)), Backups: 5},
		WebhookHeaders: l.GenericLoggerHeaders, LangfuseTags: l.LangfuseDefaultTags,
	}
	o.Further = map[string]func() (callbacks.Sink, error){
		traces.Name: func() (callbacks.Sink, error) {
			return traces.New(context.Background(), traces.Options{Env: o.Env, Version: currentVersion(), HideKeys: l.RedactUserAPIKeyInfo, Logger: logger})
		},
	}
	if n := l.FileCallbackParams.MaxBackups; n != nil {
		o.File.Backups = *n
	}
	for _, w := range l.CallbackList() {
		o.Wishes = append(o.Wishes, callbacks.Wish{Name: w.Name, Success: w.Success, Failure: w.Failure})
		if w.Name == callbacks.S3 {
			var err error
			if o.S3, err = s3Options(c, o.Env, pool); err != nil {
				return o, err
			}
		}
	}
	return o, nil
}

func s3Options(c *config.Config, lookup env, pool *identity.Pool) (callbacks.S3Options, error) {
	p := &c.LitellmSettings.S3CallbackParams
	region := p.Region
	for _, name := range []string{"AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		if value, _ := lookup(name); region == "" {
			region = value
		}
	}
	who, err := pool.For(identity.Options{
		AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey, SessionToken: p.SessionToken, Profile: p.ProfileName,
		RoleARN: p.RoleName, SessionName: p.SessionName, WebIdentity: p.WebIdentityToken, STSEndpoint: p.STSEndpoint, STSRegion: region,
		Signing: true, AllowProcess: c.GeneralSettings.AllowCredentialProcess,
	})
	if err != nil {
		return callbacks.S3Options{}, err
	}
	return callbacks.S3Options{
		Bucket: p.Bucket, Region: region, Path: p.Path, Endpoint: p.EndpointURL, VirtualHosted: p.VirtualHosted, TeamPrefix: p.TeamPrefix, KeyPrefix: p.KeyPrefix,
		Hourly: p.Partition == "hour", Encryption: p.Encryption, KMSKey: p.KMSKeyID, Signer: who.For("s3", region),
	}, nil
}

// callbackWarnings says which callbacks of a configuration cannot be used, and why.
func callbackWarnings(c *config.Config, lookup env) []string {
	pool := identity.NewPool(c.LookupEnv(lookup))
	defer pool.Close()
	o, err := callbackOptions(c, "", lookup, pool, nil)
	if err != nil {
		return []string{"warning: the callback " + callbacks.S3 + " cannot be used: " + err.Error()}
	}
	var list []string
	problems := callbacks.Check(o)
	for _, w := range o.Wishes {
		if err := problems[w.Name]; err != nil {
			list = append(list, "warning: the callback "+w.Name+" cannot be used: "+err.Error())
		}
	}
	return list
}

// openCallbacks starts the callbacks that the configuration asks for. It returns who watches calls, and what of them: nothing
// where nobody does.
func (g *gatewayProcess) openCallbacks(logger *slog.Logger) (telemetry.Watcher, *gateway.Watch) {
	l := &g.config.LitellmSettings
	o, err := callbackOptions(g.config, g.dataDir(), g.env, g.pool, logger)
	if err != nil {
		logger.Error("a callback is not used", "callback", callbacks.S3, "error", err)
	}
	o.Logger = logger
	g.callbacks = callbacks.New(o)
	g.bodies = g.longestString()
	contents := g.bodies > 0 || slices.ContainsFunc(o.Wishes, func(w callbacks.Wish) bool { return w.Name != traces.Name }) // which tells of none
	watch := &gateway.Watch{Contents: contents, Redact: l.TurnOffMessageLogging, IgnoreNoLog: l.GlobalDisableNoLogParam}
	var told watchers
	if g.callbacks.Used() {
		told = append(told, g.callbacks)
	}
	if g.metrics.Watches() {
		told = append(told, g.metrics)
	}
	switch {
	case len(told) > 0:
		return told, watch
	case g.bodies > 0: // the database wants to know what was said
		return nil, watch
	default:
		return nil, nil
	}
}

// longestString is how long a string may be that the database keeps of a body, 0 if it keeps none.
func (g *gatewayProcess) longestString() int {
	if !g.config.GeneralSettings.StorePrompts {
		return 0
	}
	const name = "MAX_STRING_LENGTH_PROMPT_IN_DB"
	text, _ := g.config.LookupEnv(g.env)(name)
	if text == "" {
		return telemetry.MaxString
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		g.logger.Warn("the variable "+name+" is no length, and is left out", "used", telemetry.MaxString)
		return telemetry.MaxString
	}
	return n
}

// callbackTime bounds how long the last calls may take to reach the callbacks.
const callbackTime = 5 * time.Second

func (g *gatewayProcess) closeCallbacks() {
	if g.callbacks == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), callbackTime)
	defer cancel()
	g.callbacks.Close(ctx)
}
