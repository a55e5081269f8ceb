package gateway

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// spendRow is a row of the book, in the words of LiteLLM's table SpendLogs, and after them Outcrop's own.
type spendRow struct {
	RequestID       string          `json:"request_id"`
	CallID          string          `json:"litellm_call_id"`
	CallType        string          `json:"call_type"`
	APIKey          string          `json:"api_key"`
	Spend           *usd            `json:"spend"` // null is a price that is not known
	TotalTokens     int64           `json:"total_tokens"`
	PromptTokens    int64           `json:"prompt_tokens"`
	Completion      int64           `json:"completion_tokens"`
	StartTime       string          `json:"startTime"`
	EndTime         string          `json:"endTime"`
	CompletionStart *string         `json:"completionStartTime"`
	Milliseconds    int64           `json:"request_duration_ms"`
	Model           string          `json:"model"`
	ModelID         string          `json:"model_id"`
	ModelGroup      string          `json:"model_group"`
	Provider        string          `json:"custom_llm_provider"`
	APIBase         string          `json:"api_base"`
	User            string          `json:"user"`
	TeamID          *string         `json:"team_id"`
	OrganizationID  *string         `json:"organization_id"`
	EndUser         string          `json:"end_user"`
	RequestTags     []string        `json:"request_tags"`
	SessionID       *string         `json:"session_id"`
	CacheHit        string          `json:"cache_hit"`
	CacheKey        string          `json:"cache_key"`
	IP              *string         `json:"requester_ip_address"`
	Status          string          `json:"status"`
	Metadata        rowMetadata     `json:"metadata"`
	Messages        json.RawMessage `json:"messages"`
	Response        json.RawMessage `json:"response"`
	ProxyRequest    json.RawMessage `json:"proxy_server_request"`

	HTTPStatus   int        `json:"http_status"`
	AskedModel   string     `json:"model_asked"`
	Region       string     `json:"region"`
	Route        string     `json:"route"`
	ServiceTier  string     `json:"service_tier"`
	AWSRequestID *string    `json:"aws_request_id"`
	PriceKey     *string    `json:"price_key"`
	PriceVersion *string    `json:"price_version"`
	UsageSource  string     `json:"usage_source"`
	Estimated    bool       `json:"estimated"`
	Stream       bool       `json:"stream"`
	ClientClosed bool       `json:"client_closed"`
	UpstreamMS   float64    `json:"upstream_ms"`
	OwnMS        float64    `json:"own_ms"`
	Tries        *string    `json:"tries"`
	Losses       []llm.Loss `json:"losses,omitempty"`
}

// rowMetadata is what LiteLLM has in a row's metadata.
type rowMetadata struct {
	KeyAlias  *string         `json:"user_api_key_alias"`
	TeamAlias *string         `json:"user_api_key_team_alias"`
	Usage     rowUsage        `json:"usage_object"`
	Costs     *rowCosts       `json:"cost_breakdown"`
	Error     *rowError       `json:"error_information,omitempty"`
	Client    json.RawMessage `json:"spend_logs_metadata"`
	IP        *string         `json:"requester_ip_address"`
}

// rowUsage are tokens, and what else is paid for, in lines of their own. Input has no cached ones.
type rowUsage struct {
	Input        int64 `json:"input_tokens"`
	CacheRead    int64 `json:"cache_read_input_tokens"`
	CacheWrite   int64 `json:"cache_creation_input_tokens"`
	CacheWrite5m int64 `json:"cache_creation_5m_input_tokens"`
	CacheWrite1h int64 `json:"cache_creation_1h_input_tokens"`
	Output       int64 `json:"completion_tokens"`
	Reasoning    int64 `json:"reasoning_tokens"`
	Images       int64 `json:"input_images,omitempty"`
	Queries      int64 `json:"queries,omitempty"`
	Made         int64 `json:"images,omitempty"`
	VideoIn      secs  `json:"input_video_seconds,omitempty"`
	AudioIn      secs  `json:"input_audio_seconds,omitempty"`
	VideoMade    secs  `json:"video_seconds,omitempty"`
	Searches     int64 `json:"web_search_requests,omitempty"`
	Time         secs  `json:"billed_seconds,omitempty"`
	Uncounted    bool  `json:"uncounted,omitempty"` // something is paid for of which nobody says how much it was
}

// secs is a time, in seconds.
type secs time.Duration

// MarshalJSON writes seconds with as many digits as there are.
func (s secs) MarshalJSON() ([]byte, error) { return []byte(s.String()), nil }

// String returns seconds as a decimal number.
func (s secs) String() string {
	const digits = 9
	text := strconv.FormatInt(int64(s)/int64(time.Second), 10)
	if rest := int64(s) % int64(time.Second); rest != 0 {
		part := strconv.FormatInt(rest, 10)
		text += "." + strings.TrimRight(strings.Repeat("0", digits-len(part))+part, "0")
	}
	return text
}

// rowCosts are the parts of a cost, before a discount or margin.
type rowCosts struct {
	Input        usd `json:"input_cost"`
	Output       usd `json:"output_cost"`
	CacheRead    usd `json:"cache_read_cost"`
	CacheWrite5m usd `json:"cache_creation_5m_cost"`
	CacheWrite1h usd `json:"cache_creation_1h_cost"`
	Images       usd `json:"input_image_cost"`
	Queries      usd `json:"query_cost"`
	Made         usd `json:"image_cost"`
	VideoIn      usd `json:"input_video_cost"`
	AudioIn      usd `json:"input_audio_cost"`
	VideoMade    usd `json:"video_cost"`
	Searches     usd `json:"tool_usage_cost"`
	Time         usd `json:"time_cost"`
	Reasoning    usd `json:"reasoning_cost"` // a part of the output's
	Total        usd `json:"total_cost"`
}

type rowError struct {
	Code     string `json:"error_code"`
	Class    string `json:"error_class"`
	Provider string `json:"llm_provider"`
	Message  string `json:"error_message"`
	AWS      string `json:"aws_error_type,omitempty"`
}

// timeForm is how LiteLLM writes times.
const timeForm = "2006-01-02T15:04:05.000000Z"

func stamp(t time.Time) string { return t.UTC().Format(timeForm) }

// answerID is the id by which clients know a call: that of the answer, or of the call when there was none.
func answerID(r *account.Record) string {
	if r.RequestID != "" {
		return r.RequestID
	}
	return r.CallID
}

func rowStatus(r *account.Record) string {
	if r.Failed() {
		return "failure"
	}
	return "success"
}

func newSpendRow(r *account.Record) spendRow {
	u, l := &r.Usage, &r.Lines
	row := spendRow{
		RequestID: answerID(r), CallID: r.CallID, CallType: r.Type, APIKey: r.KeyHash,
		TotalTokens: u.Total, PromptTokens: u.Prompt(), Completion: u.Output,
		StartTime: stamp(r.Start), EndTime: stamp(r.End), Milliseconds: r.End.Sub(r.Start).Milliseconds(),
		Model: r.Model, ModelID: r.Deployment, ModelGroup: r.Group, Provider: "bedrock",
		User: r.UserID, TeamID: unsaid(r.TeamID), OrganizationID: unsaid(r.OrganizationID), EndUser: r.User, RequestTags: r.Tags, SessionID: unsaid(r.Session),
		CacheHit: "False", CacheKey: r.CacheKey, IP: unsaid(r.IP), Status: rowStatus(r),
		Metadata: rowMetadata{
			KeyAlias: unsaid(r.KeyAlias), TeamAlias: unsaid(r.TeamAlias), Client: r.Metadata, IP: unsaid(r.IP),
			Usage: rowUsage{
				u.Input, u.CacheRead, u.CacheWrite5m + u.CacheWrite1h, u.CacheWrite5m, u.CacheWrite1h, u.Output, u.Reasoning, u.Images, u.Queries, u.Made,
				secs(u.VideoIn), secs(u.AudioIn), secs(u.VideoMade), u.Searches, secs(u.Time), u.Uncounted,
			},
		},
		Messages: json.RawMessage("{}"), Response: json.RawMessage("{}"), ProxyRequest: json.RawMessage("{}"),
		HTTPStatus: r.Status, AskedModel: r.Asked, Region: r.Region, Route: r.Route, ServiceTier: r.Tier, AWSRequestID: unsaid(r.AWSRequestID),
		PriceKey: unsaid(r.PriceKey), PriceVersion: unsaid(r.PriceVersion), UsageSource: r.UsageSource.String(), Estimated: r.UsageSource == account.UsageEstimated,
		Stream: r.Stream, ClientClosed: r.ClientClosed, UpstreamMS: inMilliseconds(r.Upstream), OwnMS: inMilliseconds(r.Own), Tries: unsaid(r.Tries), Losses: r.Losses,
	}
	row.showBody(r.Body)
	if row.RequestTags == nil {
		row.RequestTags = []string{}
	}
	if r.CacheHit {
		row.CacheHit = "True"
	}
	if !r.FirstToken.IsZero() {
		row.CompletionStart = unsaid(stamp(r.FirstToken))
	}
	if r.CostKnown {
		cost := usd(r.Cost)
		row.Spend = &cost
		row.Metadata.Costs = &rowCosts{
			usd(l.Input), usd(l.Output), usd(l.CacheRead), usd(l.CacheWrite5m), usd(l.CacheWrite1h), usd(l.Images), usd(l.Queries), usd(l.Made),
			usd(l.VideoIn), usd(l.AudioIn), usd(l.VideoMade), usd(l.Searches), usd(l.Time), usd(l.Reasoning(*u)), cost,
		}
	}
	if r.Failed() {
		row.Metadata.Error = &rowError{errorCode(r), r.ErrorKind, "bedrock", r.Message, r.AWSException}
	}
	return row
}

// showBody has a row show what was said, where it is kept.
func (row *spendRow) showBody(b *account.Body) {
	if b == nil {
		return
	}
	show := func(to *json.RawMessage, text []byte) {
		if len(text) > 0 && json.Valid(text) {
			*to = text
		}
	}
	show(&row.ProxyRequest, []byte(b.Request))
	show(&row.Response, []byte(b.Response))
	for _, name := range []string{"messages", "input", "prompt", "query", "inputText", "inputPrompt"} {
		show(&row.Messages, jsonscan.Member([]byte(b.Request), name))
	}
}

func inMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// errorCode is what LiteLLM has there: the HTTP status as text.
func errorCode(r *account.Record) string {
	if r.Status >= 400 {
		return strconv.Itoa(r.Status)
	}
	return r.ErrorCode
}

// rowColumns are the columns of rows as CSV, in this order for ever: new ones are put at the end.
func rowColumns() []string {
	return []string{
		"request_id", "litellm_call_id", "call_type", "api_key", "key_alias", "user", "team_id", "team_alias", "organization_id", "end_user", "session_id", "request_tags",
		"model_group", "model", "model_id", "region", "service_tier", "startTime", "completionStartTime", "endTime", "request_duration_ms", "status", "http_status", "error_class",
		"spend", "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "completion_tokens", "reasoning_tokens", "total_tokens",
		"input_images", "queries", "images", "price_key", "price_version", "usage_source", "cache_hit", "client_closed", "requester_ip_address", "aws_request_id",
		"input_video_seconds", "input_audio_seconds", "video_seconds", "web_searches", "billed_seconds", "spend_logs_metadata",
	}
}

// rowValues are a row's values under rowColumns.
func rowValues(r *account.Record) []string {
	spend, first, tags := "", "", ""
	if r.CostKnown {
		spend = account.Amount(r.Cost).String()
	}
	if !r.FirstToken.IsZero() {
		first = stamp(r.FirstToken)
	}
	if len(r.Tags) > 0 {
		if data, err := json.Marshal(r.Tags); err == nil {
			tags = string(data)
		}
	}
	n := func(n int64) string { return strconv.FormatInt(n, 10) }
	u := &r.Usage
	return []string{
		answerID(r), r.CallID, r.Type, r.KeyHash, r.KeyAlias, r.UserID, r.TeamID, r.TeamAlias, r.OrganizationID, r.User, r.Session, tags,
		r.Group, r.Model, r.Deployment, r.Region, r.Tier, stamp(r.Start), first, stamp(r.End), n(r.End.Sub(r.Start).Milliseconds()), rowStatus(r), strconv.Itoa(r.Status), r.ErrorKind,
		spend, n(u.Input), n(u.CacheRead), n(u.CacheWrite5m), n(u.CacheWrite1h), n(u.Output), n(u.Reasoning), n(u.Total),
		n(u.Images), n(u.Queries), n(u.Made), r.PriceKey, r.PriceVersion, r.UsageSource.String(), strconv.FormatBool(r.CacheHit), strconv.FormatBool(r.ClientClosed), r.IP, r.AWSRequestID,
		secs(u.VideoIn).String(), secs(u.AudioIn).String(), secs(u.VideoMade).String(), n(u.Searches), secs(u.Time).String(), string(r.Metadata),
	}
}
