package traces

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// LangfuseName is the name in the configuration of the callback that sends spans to Langfuse.
const LangfuseName = "langfuse_otel"

// redacted stands where contents are kept secret: LiteLLM's words.
const redacted = "redacted-by-litellm"

// langfuse is what spans say to Langfuse beyond the conventions: langfuse.com/integrations/native/opentelemetry.
type langfuse struct {
	release, environment string
	tags                 []string
}

// langfuseTarget returns where Langfuse takes spans, by LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_OTEL_HOST or
// LANGFUSE_HOST.
func (o *Options) langfuseTarget() (*target, error) {
	public, private := o.get("LANGFUSE_PUBLIC_KEY"), o.get("LANGFUSE_SECRET_KEY", "LANGFUSE_SECRET")
	switch {
	case public == "":
		return nil, errors.New("the variable LANGFUSE_PUBLIC_KEY is not set")
	case private == "":
		return nil, errors.New("the variable LANGFUSE_SECRET_KEY is not set")
	}
	host := cmp.Or(o.get("LANGFUSE_OTEL_HOST", "LANGFUSE_HOST", "LANGFUSE_BASE_URL"), "https://us.cloud.langfuse.com")
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	if u, err := url.Parse(host); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("LANGFUSE_HOST must be an http:// or https:// URL")
	}
	return newTarget(strings.TrimRight(host, "/")+"/api/public/otel/v1/traces", map[string]secret.Secret{
		"Authorization":                secret.New("Basic " + base64.StdEncoding.EncodeToString([]byte(public+":"+private))),
		"x-langfuse-ingestion-version": secret.New("4"),
	}), nil
}

// attributes returns what Langfuse is told of a call: its trace and its one observation, a generation.
func (l *langfuse) attributes(e *telemetry.Event, hideKeys bool) []attribute.KeyValue {
	r := &e.Record
	var content telemetry.Content
	if e.Content != nil {
		content = *e.Content
	}
	said := func(name string) string {
		if raw := jsonscan.Member(content.Metadata, name); len(raw) > 0 && raw[0] == '"' {
			return jsonscan.Text(raw)
		}
		return ""
	}
	var list []attribute.KeyValue
	add := func(name, value string) {
		if value != "" {
			list = append(list, attribute.String(name, value))
		}
	}
	name := "litellm-" + r.Type
	if !hideKeys {
		c := &e.Caller
		if c.KeyAlias != "" {
			name = "litellm:" + c.KeyAlias
		}
		add("langfuse.trace.metadata.user_api_key_hash", r.KeyHash)
		add("langfuse.trace.metadata.user_api_key_alias", c.KeyAlias)
		add("langfuse.trace.metadata.user_api_key_team_id", c.TeamID)
		add("langfuse.trace.metadata.user_api_key_user_id", c.UserID)
	}
	add("langfuse.observation.type", "generation")
	add("langfuse.trace.name", cmp.Or(said("trace_name"), name))
	add("langfuse.generation.name", said("generation_name"))
	add("langfuse.trace.id", strings.ReplaceAll(said("trace_id"), "-", ""))
	add("user.id", cmp.Or(said("trace_user_id"), r.User))
	add("session.id", cmp.Or(said("session_id"), e.Session))
	add("langfuse.version", cmp.Or(said("trace_version"), said("version")))
	add("langfuse.release", cmp.Or(said("trace_release"), l.release))
	add("langfuse.environment", l.environment)
	if raw := jsonscan.Member(content.Metadata, "trace_metadata"); len(raw) > 0 && raw[0] == '{' {
		add("langfuse.trace.metadata", string(raw))
	}
	if tags := telemetry.LangfuseTags(r, l.tags); len(tags) > 0 {
		list = append(list, attribute.StringSlice("langfuse.trace.tags", tags))
	}
	input, output := string(content.Messages), string(answerOf(content.Response))
	if content.Redacted {
		input, output = redacted, redacted
	}
	for _, of := range [...]string{"langfuse.observation.", "langfuse.trace."} {
		add(of+"input", input)
		add(of+"output", output)
	}
	add("langfuse.observation.model.name", cmp.Or(r.Model, r.Asked))
	if len(content.Parameters) > 2 {
		add("langfuse.observation.model.parameters", string(content.Parameters))
	}
	if !r.FirstToken.IsZero() {
		add("langfuse.observation.completion_start_time", strconv.Quote(r.FirstToken.UTC().Format(time.RFC3339Nano)))
	}
	if r.UsageSource != account.UsageNone {
		u := &r.Usage
		usage, _ := json.Marshal(map[string]int64{ // which numbers never fail
			"input": u.Input, "output": u.Output, "total": u.Sum(), "cache_read_input_tokens": u.CacheRead, "cache_creation_input_tokens": u.CacheWrite(),
		})
		add("langfuse.observation.usage_details", string(usage))
	}
	if r.CostKnown {
		add("langfuse.observation.cost_details", `{"total":`+account.Amount(r.Cost).String()+`}`)
	}
	if r.Failed() {
		add("langfuse.observation.level", "ERROR")
		add("langfuse.observation.status_message", r.Message)
	}
	return list
}

// answerOf returns what a model has said: the message of an answer that has one choice, all of an answer otherwise.
func answerOf(response json.RawMessage) json.RawMessage {
	choices := jsonscan.Member(response, "choices")
	if len(choices) == 0 || choices[0] != '[' {
		return response
	}
	var said []json.RawMessage
	for choice := range jsonscan.Elements(choices) {
		message := jsonscan.Member(choice, "message")
		if message == nil {
			return response
		}
		said = append(said, message)
	}
	if len(said) == 1 {
		return said[0]
	}
	return response
}
