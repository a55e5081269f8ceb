package callbacks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// langfuse posts a trace and a generation for each call to Langfuse's ingestion API: langfuse.com/docs/api, POST
// /api/public/ingestion. Langfuse knows an event by its id, so sending one twice leaves one.
type langfuse struct {
	client         *http.Client
	address        string
	public         string
	secret         secret.Secret
	tags           []string
	release, place string
	writer         *Writer
}

// newLangfuse makes one of LANGFUSE_HOST (or LANGFUSE_BASE_URL), LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY (or
// LANGFUSE_SECRET).
func newLangfuse(o *Options) (*langfuse, error) {
	host := cmp.Or(o.get("LANGFUSE_HOST"), o.get("LANGFUSE_BASE_URL"), "https://cloud.langfuse.com")
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	if _, err := checkURL("LANGFUSE_HOST", host); err != nil {
		return nil, err
	}
	l := &langfuse{
		client: newClient(), address: strings.TrimRight(host, "/") + "/api/public/ingestion", public: o.get("LANGFUSE_PUBLIC_KEY"),
		secret: secret.New(cmp.Or(o.get("LANGFUSE_SECRET_KEY"), o.get("LANGFUSE_SECRET"))), tags: o.LangfuseTags,
		release: o.get("LANGFUSE_RELEASE"), place: o.get("LANGFUSE_TRACING_ENVIRONMENT"), writer: &o.Writer,
	}
	switch {
	case l.public == "":
		return nil, missing("LANGFUSE_PUBLIC_KEY")
	case !l.secret.IsSet():
		return nil, missing("LANGFUSE_SECRET_KEY")
	}
	return l, nil
}

func (*langfuse) Name() string { return Langfuse }

func (l *langfuse) close() { l.client.CloseIdleConnections() }

// langfuseEvent is one element of a batch.
type langfuseEvent struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Body      any    `json:"body"`
}

type langfuseTrace struct {
	ID          string          `json:"id"`
	Timestamp   string          `json:"timestamp"`
	Name        string          `json:"name"`
	UserID      string          `json:"userId,omitempty"`
	SessionID   string          `json:"sessionId,omitempty"`
	Input       json.RawMessage `json:"input,omitempty"`
	Output      json.RawMessage `json:"output,omitempty"`
	Tags        []string        `json:"tags,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
	Release     string          `json:"release,omitempty"`
	Environment string          `json:"environment,omitempty"`
}

type langfuseGeneration struct {
	ID            string                 `json:"id"`
	TraceID       string                 `json:"traceId"`
	Name          string                 `json:"name"`
	StartTime     string                 `json:"startTime"`
	EndTime       string                 `json:"endTime"`
	FirstToken    string                 `json:"completionStartTime,omitempty"`
	Model         string                 `json:"model,omitempty"`
	Parameters    json.RawMessage        `json:"modelParameters,omitempty"`
	Input         json.RawMessage        `json:"input,omitempty"`
	Output        json.RawMessage        `json:"output,omitempty"`
	Usage         map[string]int64       `json:"usageDetails,omitempty"`
	Cost          map[string]json.Number `json:"costDetails,omitempty"`
	Level         string                 `json:"level"`
	StatusMessage string                 `json:"statusMessage,omitempty"`
	Metadata      langfuseMetadata       `json:"metadata"`
	Environment   string                 `json:"environment,omitempty"`
}

type langfuseMetadata struct {
	CallID    string          `json:"litellm_call_id"`
	Group     string          `json:"model_group,omitempty"`
	ModelID   string          `json:"model_id,omitempty"`
	Region    string          `json:"aws_region_name,omitempty"`
	KeyHash   string          `json:"user_api_key_hash,omitempty"`
	KeyAlias  string          `json:"user_api_key_alias,omitempty"`
	TeamID    string          `json:"user_api_key_team_id,omitempty"`
	UserID    string          `json:"user_api_key_user_id,omitempty"`
	RequestID string          `json:"aws_request_id,omitempty"`
	IP        string          `json:"requester_ip_address,omitempty"`
	SpendLogs json.RawMessage `json:"spend_logs_metadata,omitempty"`
	Requester json.RawMessage `json:"requester_metadata,omitempty"`
}

// stamp is a time as Langfuse takes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// events returns the trace and the generation of a call.
func (l *langfuse) events(e *telemetry.Event) [2]langfuseEvent {
	r := &e.Record
	said := func(string) string { return "" }
	var requester json.RawMessage
	var content telemetry.Content
	if e.Content != nil {
		content = *e.Content
		requester = content.Metadata
		said = func(name string) string {
			if raw := jsonscan.Member(requester, name); len(raw) > 0 && raw[0] == '"' {
				return jsonscan.Text(raw)
			}
			return ""
		}
	}
	if content.Redacted {
		content.Messages, content.Response = json.RawMessage(`"`+redacted+`"`), json.RawMessage(`"`+redacted+`"`)
	}
	name := "litellm-" + r.Type
	meta := langfuseMetadata{CallID: r.CallID, Group: r.Group, ModelID: r.Deployment, Region: r.Region, RequestID: r.AWSRequestID, IP: r.IP, SpendLogs: r.Metadata, Requester: requester}
	if !l.writer.HideKeys {
		c := &e.Caller
		meta.KeyHash, meta.KeyAlias, meta.TeamID, meta.UserID = r.KeyHash, c.KeyAlias, c.TeamID, c.UserID
		if c.KeyAlias != "" {
			name = "litellm:" + c.KeyAlias
		}
	}
	trace := langfuseTrace{
		ID: cmp.Or(said("trace_id"), r.CallID), Timestamp: stamp(r.Start), Name: cmp.Or(said("trace_name"), name),
		UserID: cmp.Or(said("trace_user_id"), r.User), SessionID: cmp.Or(said("session_id"), e.Session),
		Input: content.Messages, Output: content.Response, Tags: telemetry.LangfuseTags(r, l.tags), Release: l.release, Environment: l.place,
	}
	if raw := jsonscan.Member(requester, "trace_metadata"); len(raw) > 0 && raw[0] == '{' {
		trace.Metadata = raw
	}
	g := langfuseGeneration{
		ID: cmp.Or(said("generation_id"), r.CallID+"-generation"), TraceID: trace.ID, Name: cmp.Or(said("generation_name"), name), StartTime: stamp(r.Start), EndTime: stamp(r.End),
		Model: cmp.Or(r.Model, r.Asked), Parameters: flatParameters(content.Parameters), Input: content.Messages, Output: content.Response, Level: "DEFAULT",
		Metadata: meta, Environment: l.place,
	}
	if !r.FirstToken.IsZero() {
		g.FirstToken = stamp(r.FirstToken)
	}
	if r.UsageSource != account.UsageNone {
		u := &r.Usage
		g.Usage = map[string]int64{
			"input": u.Input, "output": u.Output, "total": u.Sum(), "cache_read_input_tokens": u.CacheRead, "cache_creation_input_tokens": u.CacheWrite(),
		}
	}
	if r.CostKnown {
		g.Cost = map[string]json.Number{"total": usd(account.Amount(r.Cost))}
	}
	if r.Failed() {
		g.Level, g.StatusMessage = "ERROR", r.Message
	}
	return [2]langfuseEvent{
		{ID: r.CallID + "-trace-event", Type: "trace-create", Timestamp: stamp(r.End), Body: trace},
		{ID: r.CallID + "-generation-event", Type: "generation-create", Timestamp: stamp(r.End), Body: g},
	}
}

// flatParameters keeps what Langfuse takes as a parameter of a model: texts, numbers and switches. Others become their JSON.
func flatParameters(object json.RawMessage) json.RawMessage {
	if object == nil {
		return nil
	}
	flat := map[string]any{}
	for name, value := range jsonscan.Members(object) {
		switch value[0] {
		case '{', '[':
			flat[name] = string(value)
		case 'n':
		default:
			flat[name] = json.RawMessage(value)
		}
	}
	data, err := json.Marshal(flat)
	if err != nil {
		return nil
	}
	return data
}

// Send posts a batch. Langfuse answers for each event on its own.
func (l *langfuse) Send(ctx context.Context, batch []*telemetry.Event) ([]*telemetry.Event, error) {
	var body struct {
		Batch []langfuseEvent `json:"batch"`
	}
	for _, e := range batch {
		two := l.events(e)
		body.Batch = append(body.Batch, two[:]...)
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, &refusedError{len(batch), err}
	}
	r, err := telemetry.NewRequest(ctx, http.MethodPost, l.address, data)
	if err != nil {
		return nil, &refusedError{len(batch), err}
	}
	r.SetBasicAuth(l.public, l.secret.Reveal())
	answer, err := do(l.client, r)
	switch {
	case err != nil && isFinal(err):
		return nil, &refusedError{len(batch), err}
	case err != nil:
		return batch, err
	}
	return l.sort(batch, answer)
}

// sort looks which calls Langfuse refused, and which it could not take now.
func (*langfuse) sort(batch []*telemetry.Event, answer []byte) ([]*telemetry.Event, error) {
	var said struct {
		Errors []struct {
			ID     string `json:"id"`
			Status int    `json:"status"`
		} `json:"errors"`
	}
	_ = json.Unmarshal(answer, &said) // a success in other words is a success
	status := map[string]int{}
	for _, x := range said.Errors {
		id := strings.TrimSuffix(strings.TrimSuffix(x.ID, "-trace-event"), "-generation-event")
		status[id] = max(status[id], x.Status)
	}
	var left []*telemetry.Event
	lost, worst := 0, 0
	for _, e := range batch {
		code, failed := status[e.CallID]
		switch {
		case !failed:
			continue
		case code >= http.StatusInternalServerError || code == http.StatusTooManyRequests:
			left = append(left, e)
		default:
			lost++
		}
		worst = max(worst, code)
	}
	if len(left)+lost == 0 {
		return nil, nil
	}
	err := errors.New("Langfuse answers " + strconv.Itoa(worst) + " for some calls")
	if lost > 0 {
		return left, &refusedError{lost, err}
	}
	return left, err
}
