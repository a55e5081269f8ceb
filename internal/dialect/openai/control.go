package openai

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// Control is what a body says to the gateway and not to the model: LiteLLM's clients write it among the parameters.
type Control struct {
	// Drop and Modify are the request's own drop_params and modify_params; nil means unsaid.
	Drop, Modify *bool
	// Cache says that the request says something of the gateway's cache of answers (the member cache).
	Cache bool
	// Allowed and Remove are allowed_openai_params and additional_drop_params.
	Allowed, Remove []string
	// UserContinue and AssistantContinue are the continue messages.
	UserContinue, AssistantContinue *llm.Message
	// CacheRules are cache_control_injection_points; nil means unsaid.
	CacheRules []llm.CacheRule
	// Prompts are those of a Completions request, one message each; Echo repeats them before the answers.
	Prompts []llm.Message
	Echo    bool
	// Retries is num_retries; nil means unsaid. Fallbacks and the others replace the configuration's of that kind, and
	// NoFallbacks (disable_fallbacks) has none at all.
	Retries                                      *int
	Fallbacks, ContextFallbacks, FilterFallbacks []Fallback
	NoFallbacks                                  bool
	// Timeout replaces the deployment's total time-out, StreamTimeout the time to a stream's first event; 0 means unsaid.
	Timeout, StreamTimeout time.Duration
	// Session is litellm_session_id, the client's name for a conversation; Regions is allowed_model_region.
	Session string
	Regions []string
	// RowMetadata is the object spend_logs_metadata of metadata or litellm_metadata: what the client wants to find in the row of
	// its request. It aliases the body.
	RowMetadata json.RawMessage
	// Mock is the mock_testing_… member that asks for a failure; empty means that none is.
	Mock string
	// Connection are the connection parameters that a deployment may let clients set, by their names; the value of one that
	// is no string is unset. Whoever uses a Control must refuse those that it does not act on.
	Connection map[string]secret.Secret
}

// forClientsWithLeave are connection parameters that a deployment may let clients set. Which deployment answers is not for
// the dialect to know.
func forClientsWithLeave(name string) bool {
	switch name {
	case "api_base", "base_url", "api_key", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_region_name",
		"aws_session_name", "aws_profile_name", "aws_role_name", "aws_external_id", "aws_web_identity_token", "aws_sts_endpoint",
		"aws_bedrock_runtime_endpoint":
		return true
	}
	return false
}

// connection keeps a connection parameter for those who know the deployment.
func (d *decoder) connection(name string) error {
	if _, twice := d.control.Connection[name]; twice {
		return duplicate(name)
	}
	var value secret.Secret
	if d.s.Peek() == jsonscan.KindString {
		word, err := d.s.Word(name)
		if err != nil {
			return err
		}
		value = secret.New(word)
	} else if _, err := d.s.Skip(); err != nil {
		return err
	}
	if d.control.Connection == nil {
		d.control.Connection = map[string]secret.Secret{}
	}
	d.control.Connection[name] = value
	return nil
}

func forbidden(path string) *llm.Error {
	return &llm.Error{
		Kind: llm.KindInvalid, Code: "forbidden_parameter", Param: path,
		Message: path + " cannot be set by a client: it is part of the gateway's configuration",
	}
}

// refusedFromClients are the other connection parameters: a client that could set them would borrow the gateway's identity
// or have its credentials sent to a host of the client's choice (CVE-2024-6587).
func refusedFromClients(name string) bool {
	switch name {
	case "api_version", "model_id", "base_model", "custom_llm_provider", "model_info",
		"litellm_credential_name", "ssl_verify", "ssl_certificate":
		return true
	}
	return strings.HasPrefix(name, "aws_")
}

// notForModels are members that belong to LiteLLM's proxy or its SDK. They never go upstream; those that Outcrop does
// not act on are listed as losses.
func notForModels(name string) bool {
	switch name {
	case "default_fallbacks", "request_timeout", "force_timeout", "caching", "no-log", "no_log",
		"guardrails", "ttl", "rpm", "tpm", "weight", "order", "max_parallel_requests", "headers",
		"extra_headers", "proxy_server_request", "client_metadata", "hf_model_name", "roles", "initial_prompt_value",
		"final_prompt_value", "bos_token", "eos_token", "prompt_id", "prompt_variables", "secret_fields", "logger_fn", "verbose",
		"id", "acompletion", "preset_cache_key", "model_list", "organization", "input_cost_per_token", "output_cost_per_token":
		return true
	}
	for _, prefix := range []string{"litellm_", "mock_", "input_cost_per_", "output_cost_per_", "cache_read_input_", "cache_creation_input_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// controlMember decodes a member that concerns the gateway; it reports whether the name was one.
func (d *decoder) controlMember(name string) (bool, error) {
	c := d.control
	var err error
	switch name {
	case "drop_params":
		c.Drop, err = d.boolPointer(name)
	case "modify_params":
		c.Modify, err = d.boolPointer(name)
	case "allowed_openai_params":
		c.Allowed, err = d.strings(name)
	case "additional_drop_params":
		c.Remove, err = d.strings(name)
	case "user_continue_message":
		c.UserContinue, err = d.continueMessage(name, llm.RoleUser)
	case "assistant_continue_message":
		c.AssistantContinue, err = d.continueMessage(name, llm.RoleAssistant)
	case "cache_control_injection_points":
		c.CacheRules, err = d.cacheRules(name)
	case "num_retries", "max_retries":
		var n *int64
		if n, err = d.int(name, 0); err == nil {
			c.Retries = new(int(min(*n, maxRetries)))
		}
	case "fallbacks":
		c.Fallbacks, err = d.fallbacks(name)
	case "context_window_fallbacks":
		c.ContextFallbacks, err = d.fallbacks(name)
	case "content_policy_fallbacks":
		c.FilterFallbacks, err = d.fallbacks(name)
	case "disable_fallbacks":
		c.NoFallbacks, err = d.s.Flag(name)
	case "timeout":
		c.Timeout, err = d.seconds(name)
	case "stream_timeout":
		c.StreamTimeout, err = d.seconds(name)
	case "litellm_session_id":
		c.Session, err = d.s.Word(name)
	case "allowed_model_region":
		if d.s.Peek() == jsonscan.KindString {
			var region string
			region, err = d.s.Word(name)
			c.Regions = []string{region}
		} else {
			c.Regions, err = d.strings(name)
		}
	case "litellm_metadata":
		err = d.litellmMetadata()
	case "mock_testing_fallbacks", "mock_testing_context_fallbacks", "mock_testing_content_policy_fallbacks", "mock_testing_rate_limit_error":
		var wanted bool
		if wanted, err = d.s.Flag(name); wanted {
			c.Mock = name
		}
	case "cache":
		c.Cache = true
		_, err = d.s.Skip()
	case "tags":
		var tags []string
		tags, err = d.strings(name)
		d.req.Tags = append(d.req.Tags, tags...)
	case "extra_headers":
		err = d.extraHeaders(name)
	default:
		if forClientsWithLeave(name) {
			return true, d.connection(name)
		}
		if refusedFromClients(name) {
			return true, forbidden(name)
		}
		if !notForModels(name) {
			return false, nil
		}
		err = d.ignore(name)
	}
	return true, err
}

func (d *decoder) seconds(path string) (time.Duration, error) {
	seconds, err := d.s.Float(path, 0.001, 86400)
	if err != nil {
		return 0, err
	}
	return time.Duration(*seconds * float64(time.Second)), nil
}

// maxRetries bounds what a client may ask for.
const maxRetries = 20

// Fallback is a model that a client wants asked in the place of the one that fails.
type Fallback struct {
	Model string
	// For is the model in whose place it is asked; empty and "*" are any.
	For string
	// Request holds what replaces the client's own words for that model; nil is nothing.
	Request *llm.Request
}

// fallbacks reads a list of names, of {"model": …, parameter: …}, and of {"asked model": [names]}, LiteLLM's other form.
func (d *decoder) fallbacks(path string) ([]Fallback, error) {
	var list []Fallback
	more, err := d.array(path)
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		at := read.Index(path, i)
		i++
		if d.s.Peek() == jsonscan.KindString {
			name, err := d.s.Word(at)
			if err != nil {
				return nil, err
			}
			list = append(list, Fallback{Model: name})
			continue
		}
		raw, err := d.s.Raw(at)
		if err != nil {
			return nil, err
		}
		found, err := fallbacksOf(at, raw)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return list, err
}

// fallbacksOf reads an object of a list of fallbacks.
func fallbacksOf(path string, raw []byte) ([]Fallback, error) {
	if jsonscan.Member(raw, "model") != nil {
		one, err := fallback(path, raw)
		return []Fallback{one}, err
	}
	var list []Fallback
	for asked, models := range jsonscan.Members(raw) {
		i := 0
		for element := range jsonscan.Elements(models) {
			one, err := fallback(read.Index(path+"."+asked, i), element)
			if err != nil {
				return nil, err
			}
			i++
			one.For = asked
			list = append(list, one)
		}
	}
	if len(list) == 0 {
		return nil, llm.Invalid(path, path+" names no model")
	}
	return list, nil
}

// fallback reads a name, or an object with a model and what replaces the client's words for it.
func fallback(path string, raw []byte) (Fallback, error) {
	if name := jsonscan.Text(raw); name != "" {
		return Fallback{Model: name}, nil
	}
	name := jsonscan.Text(jsonscan.Member(raw, "model"))
	if name == "" {
		return Fallback{}, llm.Invalid(path, path+" names no model")
	}
	rest, _ := jsonscan.Delete(raw, "model")
	said, _, err := DecodeDefaults(rest)
	if err != nil {
		return Fallback{}, within(err, path)
	}
	return Fallback{Model: name, Request: said}, nil
}

func (d *decoder) boolPointer(path string) (*bool, error) {
	v, err := d.s.Flag(path)
	return &v, err
}

func (d *decoder) strings(path string) ([]string, error) {
	var list []string
	more, err := d.array(path)
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		word, err := d.s.Word(read.Index(path, i))
		if err != nil {
			return nil, err
		}
		list = append(list, word)
		i++
	}
	return list, err
}

// continueMessage reads a message that fills a missing turn: a message object, or just its text.
func (d *decoder) continueMessage(path string, role llm.Role) (*llm.Message, error) {
	if d.s.Peek() == jsonscan.KindString {
		text, err := d.s.Text(path)
		return &llm.Message{Role: role, Blocks: []llm.Block{{Kind: llm.BlockText, Text: text, Path: llm.Path{Message: -1, Part: -1}}}}, err
	}
	from := len(d.req.Messages)
	if err := d.message(); err != nil {
		return nil, within(err, path)
	}
	if len(d.req.Messages) != from+1 || d.req.Messages[from].Role != role {
		return nil, llm.Invalid(path, path+" must be one "+role.String()+" message")
	}
	m := d.req.Messages[from]
	d.req.Messages = d.req.Messages[:from]
	return &m, nil
}

// extraHeaders reads headers that SDK users write into the body: anthropic-beta is honoured, others are not forwarded.
func (d *decoder) extraHeaders(path string) error {
	return d.each(path, func(key []byte) error {
		name := string(key)
		switch {
		case strings.EqualFold(name, "authorization"):
			return forbidden(path + "." + name)
		case strings.EqualFold(name, "anthropic-beta"):
			value, err := d.s.Word(path + "." + name)
			d.req.AddBetas(value)
			return err
		default:
			return d.ignore(path + "." + name)
		}
	})
}
