package llm

import (
	"encoding/json"
	"slices"
	"strings"
)

// Request is one chat turn to be answered: what every dialect decodes to and every codec encodes from. Pointers and
// nil slices mean "unsaid": nothing is sent upstream for them, so AWS's own default holds.
type Request struct {
	// Model is the name that the client asked for; answers carry it back.
	Model    string
	System   []Block
	Messages []Message

	Tools         []Tool
	ToolChoice    ToolChoice
	ParallelTools *bool
	// LegacyFunctions says that the client spoke of functions and function_call, so the answer must too.
	LegacyFunctions bool

	// MaxTokens bounds the answer, in tokens. Temperature and TopP are sent as given, never clamped.
	MaxTokens   *int64
	Temperature *float64
	TopP        *float64
	// TopK goes where the model's family has it.
	TopK *int64
	// Stop holds stop sequences; blank ones have been removed.
	Stop []string

	// N is how many answers are asked for; 0 means unsaid, which is one.
	N int

	// Stream asks for events; IncludeUsage for a usage report at the end of them.
	Stream       bool
	IncludeUsage bool

	// Effort is how hard to think: none, minimal, low, medium, high, xhigh or max; empty means unsaid.
	Effort string
	// Thinking is Anthropic's thinking object as the client wrote it.
	Thinking json.RawMessage
	// Format is the wanted form of the answer.
	Format *Format

	// Metadata are pairs that AWS writes into its invocation log (requestMetadata).
	Metadata []Pair
	// Latency is AWS's performanceConfig.latency: standard or optimized.
	Latency string
	// Tier is AWS's service tier: default, priority, flex or reserved; empty means unsaid.
	Tier string
	// Guardrail is AWS's guardrailConfig as written: an object.
	Guardrail json.RawMessage
	// Betas are Anthropic's feature flags.
	Betas []string

	// User is the end user, for the books; it is not sent to AWS.
	User string
	// Tags are for the books, too.
	Tags []string

	// Params are parameters of the client's dialect that Bedrock has no general counterpart for (seed, logit_bias, …):
	// a codec sends those that the model's family knows and refuses or drops the others by name.
	Params []Field
	// Extra are parameters outside the client's dialect: the provider's own, passed on untouched.
	Extra []Field

	// Embed is what an embedding model is asked, Rerank what a reranker is, Image what an image model is; the conversation
	// is empty then. Without any of them it is a chat.
	Embed  *Embed
	Rerank *Rerank
	Image  *Image
	// Original is the body as the client wrote it, of dialects that some models speak themselves; nil for all others.
	Original *Original
	// Options say how the request is to be served. They are for callers of the Go SDK; the engine is told by other ways.
	Options
	// Policy says what may be dropped or repaired. It is the deployment's.
	Policy Policy
	// Losses collects what was dropped or changed on the way, by the names that the client used.
	Losses []Loss
}

// Field is one JSON member, its value in the spelling in which it arrived. A list of fields keeps the client's order,
// so that equal requests give equal bytes upstream.
type Field struct {
	Name  string
	Value json.RawMessage
}

// Pair is one key with its value.
type Pair struct{ Key, Value string }

// Format asks for JSON.
type Format struct {
	// Type is json_object or json_schema.
	Type string
	// Name, Description and Schema describe json_schema.
	Name        string
	Description Text
	Schema      json.RawMessage
	Strict      *bool
}

// Policy says how a codec treats what the model does not take.
type Policy struct {
	// Drop leaves unsupported parameters out (LiteLLM's drop_params) instead of refusing them.
	Drop bool
	// Modify allows repairs of the conversation (LiteLLM's modify_params).
	Modify bool
	// NoNativeFormat has structured answers asked for through a tool, where the model's own way was refused.
	NoNativeFormat bool
	// Allowed names parameters that are passed on without a check (allowed_openai_params).
	Allowed []string
	// UserContinue and AssistantContinue are put where AWS demands a turn of that side.
	UserContinue, AssistantContinue *Message
	// UnknownBetas says what becomes of feature flags that are not known.
	UnknownBetas BetaPolicy
	// CacheRules put cache points into the conversation by rule.
	CacheRules []CacheRule
	// GuardLastTurn has the guardrail judge the user's last messages only, where no text is marked for it.
	GuardLastTurn bool
	// MaxTokens is the limit of an answer, in tokens, for models that demand one, where the request has none; 0 leaves it to
	// the codec.
	MaxTokens int64
	// Prompt is how a model whose body is one text wants its conversation; nil is its family's usual way.
	Prompt *Prompt
}

// BetaPolicy says what becomes of Anthropic's feature flags that a codec does not know.
type BetaPolicy uint8

// The policies. By default the flags pass: AWS knows best, and a flag that it refuses is left out at a second try.
const (
	BetasPass BetaPolicy = iota
	BetasDrop
	BetasRefuse
)

// CacheRule asks for cache points behind the last block of messages, or behind the last tool.
type CacheRule struct {
	// Tools asks for one behind the last tool; else Index, or else Role, picks messages.
	Tools bool
	// Index is the number of a message as the client counts them, system messages included; negative from the end.
	Index *int64
	// Role is system, user, assistant or tool.
	Role string
	// TTL is that of the cache points: 5m, 1h or empty.
	TTL string
}

// Prompt says how a conversation becomes one text, for imported models: by the name of a usual way, or by LiteLLM's
// settings for one's own.
type Prompt struct {
	// Template is the name of a way: llama2, llama3, llama4, chatml, r1 or mistral. ModelName is a model's name at Hugging
	// Face, which tells the way, too.
	Template, ModelName string
	// Roles holds own marks around the texts of each role: system, user, assistant. Initial and Final stand before and behind
	// the conversation, BOS begins it, EOS ends an answer.
	Roles          map[string]PromptMarks
	Initial, Final string
	BOS, EOS       string
	// RawTokens leaves a template's marks in texts as they are. They let whoever writes a text speak in another role.
	RawTokens bool
}

// PromptMarks stand before and behind a role's text.
type PromptMarks struct {
	Before string `json:"pre_message"`
	After  string `json:"post_message"`
}

// Loss names one thing that was asked for and not done.
type Loss struct {
	// Path is the parameter, or the place in the conversation: "seed", "messages[0].content[1].detail".
	Path string
	// Why is one word: unsupported, dropped, repaired, ….
	Why string
}

// Lose records that path was dropped or changed, once per path and reason.
func (r *Request) Lose(path, why string) {
	for _, l := range r.Losses {
		if l.Path == path && l.Why == why {
			return
		}
	}
	r.Losses = append(r.Losses, Loss{Path: path, Why: why})
}

// Unsupported deals with a parameter that the model does not take: it is dropped by name if the policy allows, else
// the returned error refuses the request. model is named in the message.
func (r *Request) Unsupported(param, model string) *Error {
	if r.Policy.Drop {
		r.Lose(param, "unsupported")
		return nil
	}
	return &Error{
		Kind: KindInvalid, Code: "unsupported_parameter", Param: param,
		Message: param + " is not supported by " + model +
			". Leave it out, set drop_params: true, or allow it with allowed_openai_params.",
	}
}

// AddBetas adds the flags of an anthropic-beta value, a comma list or a JSON array, each once, in the order in which they
// are first seen.
func (r *Request) AddBetas(value string) {
	for flag := range strings.SplitSeq(value, ",") {
		flag = strings.Trim(flag, " \t\"[]")
		if flag != "" && !slices.Contains(r.Betas, flag) {
			r.Betas = append(r.Betas, flag)
		}
	}
}

// ApplyDefaults fills what the client left unsaid from d, the deployment's defaults. Objects are replaced whole, lists
// of fields and metadata pairs are merged by name; the client's value wins everywhere.
func (r *Request) ApplyDefaults(d *Request) {
	if d == nil {
		return
	}
	if len(r.Tools) == 0 {
		r.Tools = d.Tools
	}
	if r.ToolChoice.Mode == ToolUnset {
		r.ToolChoice = d.ToolChoice
	}
	setDefault(&r.ParallelTools, d.ParallelTools)
	setDefault(&r.MaxTokens, d.MaxTokens)
	setDefault(&r.Temperature, d.Temperature)
	setDefault(&r.TopP, d.TopP)
	setDefault(&r.TopK, d.TopK)
	if r.Stop == nil {
		r.Stop = d.Stop
	}
	if r.Effort == "" && r.Thinking == nil {
		r.Effort, r.Thinking = d.Effort, d.Thinking
	}
	setDefault(&r.Format, d.Format)
	if r.N == 0 {
		r.N = d.N
	}
	for _, p := range d.Metadata {
		if !hasPair(r.Metadata, p.Key) {
			r.Metadata = append(r.Metadata, p)
		}
	}
	if r.Latency == "" {
		r.Latency = d.Latency
	}
	if r.Tier == "" {
		r.Tier = d.Tier
	}
	if r.Guardrail == nil {
		r.Guardrail = d.Guardrail
	}
	if len(d.Betas) > 0 { // the configuration's flags come first
		own := r.Betas
		r.Betas = append([]string(nil), d.Betas...)
		for _, b := range own {
			r.AddBetas(b)
		}
	}
	if r.User == "" {
		r.User = d.User
	}
	if r.Image != nil {
		r.Image.Defaults = append(d.Params[:len(d.Params):len(d.Params)], d.Extra...)
		return
	}
	r.Params = mergeFields(r.Params, d.Params)
	r.Extra = mergeFields(r.Extra, d.Extra)
}

func setDefault[T any](dst **T, d *T) {
	if *dst == nil {
		*dst = d
	}
}

func mergeFields(client, defaults []Field) []Field {
	for _, f := range defaults {
		if Lookup(client, f.Name) == nil {
			client = append(client, f)
		}
	}
	return client
}

// Lookup returns the value of the named field, or nil.
func Lookup(fields []Field, name string) json.RawMessage {
	for i := range fields {
		if fields[i].Name == name {
			return fields[i].Value
		}
	}
	return nil
}

func hasPair(pairs []Pair, key string) bool {
	for i := range pairs {
		if pairs[i].Key == key {
			return true
		}
	}
	return false
}
