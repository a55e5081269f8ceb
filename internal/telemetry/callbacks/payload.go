package callbacks

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// redacted stands in LiteLLM's records, and so in ours, where contents are kept secret.
const (
	redacted         = "redacted-by-litellm"
	redactedMessages = `[{"role":"user","content":"` + redacted + `"}]`
	redactedResponse = `{"text":"` + redacted + `"}`
)

// Writer turns events into LiteLLM's standard logging payloads. The zero value writes all that there is.
type Writer struct {
	// HideKeys leaves out whose key a call was made with (redact_user_api_key_info).
	HideKeys bool
	// Without are members that are left out (standard_logging_payload_excluded_fields).
	Without []string
}

// payload is LiteLLM's standard logging payload: litellm/types/utils.py, StandardLoggingPayload, of version 1.109. Times are
// seconds since 1970, costs USD. Members that LiteLLM always has are always there.
type payload struct {
	ID                  string          `json:"id"`
	TraceID             string          `json:"trace_id"`
	SessionID           string          `json:"session_id"`
	CallID              string          `json:"litellm_call_id"`
	CallType            string          `json:"call_type"`
	Stream              bool            `json:"stream"`
	ResponseCost        json.Number     `json:"response_cost"`
	CostBreakdown       *breakdown      `json:"cost_breakdown"`
	CostFailure         *costFailure    `json:"response_cost_failure_debug_info"`
	Status              string          `json:"status"`
	StatusFields        statusFields    `json:"status_fields"`
	Provider            string          `json:"custom_llm_provider"`
	TotalTokens         int64           `json:"total_tokens"`
	PromptTokens        int64           `json:"prompt_tokens"`
	CompletionTokens    int64           `json:"completion_tokens"`
	StartTime           json.Number     `json:"startTime"`
	EndTime             json.Number     `json:"endTime"`
	CompletionStartTime json.Number     `json:"completionStartTime"`
	ResponseTime        json.Number     `json:"response_time"`
	ModelMap            modelMap        `json:"model_map_information"`
	Model               string          `json:"model"`
	ModelID             *string         `json:"model_id"`
	ModelGroup          *string         `json:"model_group"`
	APIBase             string          `json:"api_base"`
	Metadata            metadata        `json:"metadata"`
	CacheHit            bool            `json:"cache_hit"`
	CacheKey            *string         `json:"cache_key"`
	SavedCacheCost      json.Number     `json:"saved_cache_cost"`
	RequestTags         []string        `json:"request_tags"`
	EndUser             *string         `json:"end_user"`
	RequesterIP         *string         `json:"requester_ip_address"`
	UserAgent           *string         `json:"user_agent"`
	Messages            json.RawMessage `json:"messages"`
	Response            json.RawMessage `json:"response"`
	ErrorText           *string         `json:"error_str"`
	Error               *errorInfo      `json:"error_information"`
	Parameters          json.RawMessage `json:"model_parameters"`
	Hidden              hidden          `json:"hidden_params"`
	Guardrails          json.RawMessage `json:"guardrail_information"`
	BuiltInTools        json.RawMessage `json:"standard_built_in_tools_params"`
}

type statusFields struct {
	API       string `json:"llm_api_status"`
	Guardrail string `json:"guardrail_status"`
}

type breakdown struct {
	Tier          string      `json:"service_tier,omitempty"`
	Input         json.Number `json:"input_cost"`
	CacheRead     json.Number `json:"cache_read_cost"`
	CacheCreation json.Number `json:"cache_creation_cost"`
	Output        json.Number `json:"output_cost"`
	Reasoning     json.Number `json:"reasoning_cost"`
	Tools         json.Number `json:"tool_usage_cost"`
	Total         json.Number `json:"total_cost"`
}

type costFailure struct {
	Error    string `json:"error_str"`
	Model    string `json:"model"`
	Provider string `json:"custom_llm_provider"`
	CallType string `json:"call_type"`
}

type modelMap struct {
	Key   string          `json:"model_map_key"`
	Value json.RawMessage `json:"model_map_value"`
}

type metadata struct {
	KeyHash   *string         `json:"user_api_key_hash"`
	KeyAlias  *string         `json:"user_api_key_alias"`
	TeamID    *string         `json:"user_api_key_team_id"`
	TeamAlias *string         `json:"user_api_key_team_alias"`
	OrgID     *string         `json:"user_api_key_org_id"`
	UserID    *string         `json:"user_api_key_user_id"`
	UserEmail *string         `json:"user_api_key_user_email"`
	EndUser   *string         `json:"user_api_key_end_user_id"`
	Route     *string         `json:"user_api_key_request_route"`
	SpendLogs json.RawMessage `json:"spend_logs_metadata"`
	IP        *string         `json:"requester_ip_address"`
	Agent     *string         `json:"user_agent"`
	Requester json.RawMessage `json:"requester_metadata"`
	Usage     *usage          `json:"usage_object"`
}

type usage struct {
	Prompt        int64         `json:"prompt_tokens"`
	Completion    int64         `json:"completion_tokens"`
	Total         int64         `json:"total_tokens"`
	CacheCreation int64         `json:"cache_creation_input_tokens"`
	CacheRead     int64         `json:"cache_read_input_tokens"`
	Details       promptDetails `json:"prompt_tokens_details"`
	Answer        answerDetails `json:"completion_tokens_details"`
	Tools         *serverTools  `json:"server_tool_use,omitempty"`
	VideoMade     json.Number   `json:"duration_seconds,omitempty"`
	Estimated     bool          `json:"estimated,omitempty"`
}

type promptDetails struct {
	Cached int64       `json:"cached_tokens"`
	Video  json.Number `json:"video_length_seconds,omitempty"`
	Audio  json.Number `json:"audio_length_seconds,omitempty"`
}

type serverTools struct {
	Searches int64 `json:"web_search_requests"`
}

type answerDetails struct {
	Reasoning int64 `json:"reasoning_tokens"`
}

type errorInfo struct {
	Code      string `json:"error_code"`
	Class     string `json:"error_class"`
	Provider  string `json:"llm_provider"`
	Traceback string `json:"traceback"`
	Message   string `json:"error_message"`
	RequestID string `json:"error_provider_request_id,omitempty"`
}

type hidden struct {
	ModelID   *string      `json:"model_id"`
	CacheKey  *string      `json:"cache_key"`
	APIBase   *string      `json:"api_base"`
	Cost      *json.Number `json:"response_cost"`
	Overhead  json.Number  `json:"litellm_overhead_time_ms"`
	Headers   *headers     `json:"additional_headers"`
	Batch     []string     `json:"batch_models"`
	ModelName *string      `json:"litellm_model_name"`
	Usage     *usage       `json:"usage_object"`
	Tries     string       `json:"outcrop_tries,omitempty"`
	Losses    []string     `json:"outcrop_losses,omitempty"`
	Region    string       `json:"outcrop_region,omitempty"`
	Route     string       `json:"outcrop_route,omitempty"`
}

type headers struct {
	RequestID string `json:"llm_provider-x-amzn-requestid"`
}

// Payload returns the event as one JSON object without line breaks.
func (w *Writer) Payload(e *telemetry.Event) ([]byte, error) {
	data, err := json.Marshal(w.payload(e))
	if err != nil {
		return nil, err
	}
	for _, name := range w.Without {
		data, _ = jsonscan.Delete(data, name)
	}
	return data, nil
}

func (w *Writer) payload(e *telemetry.Event) *payload {
	r := &e.Record
	cost := account.Amount(r.Cost)
	p := &payload{
		ID: cmp.Or(r.RequestID, r.CallID), TraceID: cmp.Or(e.Session, r.CallID), SessionID: e.Session, CallID: r.CallID, CallType: r.Type, Stream: r.Stream,
		ResponseCost: "0", Status: status(r), Provider: "bedrock",
		TotalTokens: r.Usage.Sum(), PromptTokens: r.Usage.Prompt(), CompletionTokens: r.Usage.Output,
		StartTime: unix(r.Start), EndTime: unix(r.End), CompletionStartTime: unix(r.End), ResponseTime: seconds(r.End.Sub(r.Start)),
		ModelMap: modelMap{Key: r.Model}, Model: cmp.Or(r.Model, r.Asked), ModelID: maybe(r.Deployment), ModelGroup: maybe(cmp.Or(r.Group, r.Asked)),
		APIBase: e.Endpoint, SavedCacheCost: "0", RequestTags: r.Tags, EndUser: maybe(r.User), UserAgent: maybe(e.Agent),
		Parameters: json.RawMessage("{}"), CacheHit: r.CacheHit, CacheKey: maybe(r.CacheKey), RequesterIP: maybe(r.IP),
	}
	p.StatusFields = statusFields{API: p.Status, Guardrail: "not_run"}
	if p.RequestTags == nil {
		p.RequestTags = []string{}
	}
	if !r.FirstToken.IsZero() {
		p.CompletionStartTime = unix(r.FirstToken)
		if r.Stream { // as LiteLLM has it: how long the client waited for something to read
			p.ResponseTime = seconds(r.FirstToken.Sub(r.Start))
		}
	}
	used := usageOf(r)
	p.Hidden = hidden{
		ModelID: p.ModelID, CacheKey: p.CacheKey, APIBase: maybe(e.Endpoint), Overhead: number(float64(r.Own) / float64(time.Millisecond)),
		ModelName: maybe(r.Model), Usage: used, Tries: r.Tries, Region: r.Region, Route: r.Route,
	}
	for _, l := range r.Losses {
		p.Hidden.Losses = append(p.Hidden.Losses, l.Path+";why="+l.Why)
	}
	if r.AWSRequestID != "" {
		p.Hidden.Headers = &headers{RequestID: r.AWSRequestID}
	}
	switch {
	case r.CostKnown:
		p.ResponseCost = json.Number(cost.String())
		p.Hidden.Cost = &p.ResponseCost
		l := &e.Lines
		p.CostBreakdown = &breakdown{
			Tier: r.Tier, Input: usd(l.Read()), CacheRead: usd(l.CacheRead), CacheCreation: usd(l.CacheWrite5m + l.CacheWrite1h),
			Output: usd(l.Written()), Reasoning: usd(e.Reasoning), Tools: usd(l.Searches), Total: usd(cost),
		}
	case r.UsageSource != account.UsageNone:
		p.CostFailure = &costFailure{Error: "the price of the model is not known", Model: r.Model, Provider: "bedrock", CallType: r.Type}
	}
	if r.Failed() {
		p.ErrorText = &r.Message
		p.Error = &errorInfo{Code: strconv.Itoa(r.Status), Class: cmp.Or(r.AWSException, r.ErrorKind), Provider: "bedrock", Message: r.Message, RequestID: r.AWSRequestID}
	}
	p.Metadata = metadata{EndUser: maybe(r.User), Route: maybe(r.Path), SpendLogs: r.Metadata, IP: p.RequesterIP, Agent: maybe(e.Agent), Usage: used}
	if !w.HideKeys {
		c := &e.Caller
		p.Metadata.KeyHash, p.Metadata.KeyAlias, p.Metadata.TeamID, p.Metadata.UserID = maybe(r.KeyHash), maybe(c.KeyAlias), maybe(c.TeamID), maybe(c.UserID)
		p.Metadata.TeamAlias, p.Metadata.OrgID = maybe(c.TeamAlias), maybe(c.OrganizationID)
		if c.User != nil {
			p.Metadata.UserEmail = maybe(c.User.Email)
		}
	}
	if c := e.Content; c != nil {
		p.Messages, p.Response, p.Metadata.Requester = c.Messages, c.Response, c.Metadata
		if logs := jsonscan.Member(c.Metadata, "spend_logs_metadata"); len(logs) > 0 && logs[0] == '{' {
			p.Metadata.SpendLogs = logs
		}
		if c.Parameters != nil {
			p.Parameters = c.Parameters
		}
		if c.Redacted {
			p.Messages, p.Response = json.RawMessage(redactedMessages), json.RawMessage(redactedResponse)
		}
	}
	return p
}

func status(r *account.Record) string {
	if r.Failed() {
		return "failure"
	}
	return "success"
}

func usageOf(r *account.Record) *usage {
	if r.UsageSource == account.UsageNone {
		return nil
	}
	u := &r.Usage
	long := func(d time.Duration) json.Number { // nothing where nothing was read or made
		if d == 0 {
			return ""
		}
		return seconds(d)
	}
	out := &usage{
		Prompt: u.Prompt(), Completion: u.Output, Total: u.Sum(), CacheCreation: u.CacheWrite(), CacheRead: u.CacheRead,
		Details: promptDetails{u.CacheRead, long(u.VideoIn), long(u.AudioIn)}, Answer: answerDetails{u.Reasoning}, VideoMade: long(u.VideoMade), Estimated: u.Estimated,
	}
	if u.Searches > 0 {
		out.Tools = &serverTools{u.Searches}
	}
	return out
}

func usd(a account.Amount) json.Number { return json.Number(a.String()) }

// unix returns seconds since 1970, to the microsecond.
func unix(t time.Time) json.Number {
	if t.IsZero() {
		return "0"
	}
	return number(float64(t.UnixMicro()) / 1e6)
}

func seconds(d time.Duration) json.Number { return number(max(d, 0).Seconds()) }

func number(f float64) json.Number {
	text := strconv.FormatFloat(f, 'f', 6, 64)
	return json.Number(strings.TrimSuffix(strings.TrimRight(text, "0"), "."))
}

// maybe returns null for an empty text.
func maybe(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
