package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
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
	exporter := traces.Options{Env: o.Env, Version: currentVersion(), HideKeys: l.RedactUserAPIKeyInfo, Logger: logger}
	o.Further = map[string]func() (callbacks.Sink, error){
		traces.LangfuseName: func() (callbacks.Sink, error) {
			own := exporter
			own.Langfuse, own.LangfuseTags = true, l.LangfuseDefaultTags
			return traces.New(context.Background(), own)
		},
	}
	o.APIs = map[string]callbacks.API{}
	if n := l.FileCallbackParams.MaxBackups; n != nil {
		o.File.Backups = *n
	}
	for _, w := range c.Callbacks() {
		o.Wishes = append(o.Wishes, callbacks.Wish{Name: w.Name, Success: w.Success, Failure: w.Failure, NoContents: !w.TellsContents()})
		switch {
		case w.Settings.CallbackType != "":
			o.APIs[w.Name] = callbacks.API{Endpoint: w.Settings.Endpoint, Headers: w.Settings.Headers, Format: w.Settings.LogFormat}
		case w.Name == traces.Name:
			own := exporter
			own.Contents = w.TellsContents()
			o.Further[traces.Name] = func() (callbacks.Sink, error) { return traces.New(context.Background(), own) }
		case w.Name == callbacks.S3:
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
	verify, err := s3Certificates(p.Verify)
	if err != nil {
		return callbacks.S3Options{}, err
	}
	return callbacks.S3Options{
		TLS: verify, StripBase64: p.StripBase64,
		Bucket: p.Bucket, Region: region, Path: p.Path, Endpoint: p.EndpointURL, VirtualHosted: p.VirtualHosted, TeamPrefix: p.TeamPrefix, KeyPrefix: p.KeyPrefix,
		Hourly: p.Partition == "hour", Encryption: p.Encryption, KMSKey: p.KMSKeyID, Signer: who.For("s3", region),
	}, nil
}

// s3Certificates says which certificates of S3 are trusted, nil for the usual ones.
func s3Certificates(verify config.TLSVerify) (*tls.Config, error) {
	switch verify {
	case "", "true":
		return nil, nil //nolint:nilnil // there is nothing to say
	case "false":
		return &tls.Config{InsecureSkipVerify: true}, nil //nolint:gosec // the operator says so, and check warns of it
	}
	roots, err := wire.RootCAs(string(verify))
	if err != nil {
		return nil, fmt.Errorf("s3_callback_params.s3_verify: %w", err)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
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
	contents := g.bodies > 0 || slices.ContainsFunc(o.Wishes, func(w callbacks.Wish) bool { return !w.NoContents })
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
