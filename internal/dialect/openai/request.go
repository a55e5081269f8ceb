package openai

import (
	"encoding/json"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// DecodeChat reads the body of a Chat Completions request. The request aliases body. Errors are *llm.Error of
// KindInvalid that name the member at fault.
func DecodeChat(body []byte) (*llm.Request, *Control, error) {
	req, control, err := decode(body, true)
	if err != nil {
		return nil, nil, err
	}
	if req.Model == "" {
		return nil, nil, missing("model")
	}
	return req, control, nil
}

// DecodeDefaults reads a deployment's default parameters: the members of a request body without model and messages.
// Connection parameters are the configuration's own business and must not be among them.
func DecodeDefaults(params []byte) (*llm.Request, *Control, error) {
	return decode(params, false)
}

func decode(body []byte, whole bool) (*llm.Request, *Control, error) {
	d := decoder{s: jsonscan.New(body), req: &llm.Request{}, control: &Control{}}
	if d.s.Peek() != jsonscan.KindObject {
		if err := jsonscan.Valid(body); err != nil {
			return nil, nil, syntax(err)
		}
		return nil, nil, llm.Invalid("request_body", "the request body must be a JSON object, not "+article(d.s.Peek()))
	}
	if err := d.members(); err != nil {
		return nil, nil, syntax(err)
	}
	if err := d.s.End(); err != nil {
		return nil, nil, syntax(err)
	}
	if whole && len(d.req.Messages) == 0 && len(d.req.System) == 0 {
		if !d.seen.has(memberMessages) {
			return nil, nil, missing("messages")
		}
		return nil, nil, &llm.Error{Kind: llm.KindInvalid, Code: "empty_messages", Param: "messages", Message: "messages must not be empty"}
	}
	if err := d.finishTools(); err != nil {
		return nil, nil, err
	}
	return d.req, d.control, nil
}

func missing(param string) *llm.Error {
	return &llm.Error{Kind: llm.KindInvalid, Code: "missing_required_parameter", Param: param, Message: param + " is missing"}
}

// The members that the decoder knows; each has a bit in the set of those seen.
const (
	memberModel uint = iota
	memberMessages
	memberTools
	memberToolChoice
	memberFunctions
	memberFunctionCall
	memberParallel
	memberMaxTokens
	memberMaxCompletionTokens
	memberTemperature
	memberTopP
	memberTopK
	memberStop
	memberStream
	memberStreamOptions
	memberFormat
	memberEffort
	memberThinking
	memberTier
	memberServiceTier
	memberUser
	memberSafety
	memberMetadata
	memberRequestMetadata
	memberPerformance
	memberGuardrail
	memberBetas
	memberExtraBody
)

func (m memberSet) has(bit uint) bool { return m&(1<<bit) != 0 }

func (d *decoder) members() error {
	more, err := d.s.OpenObject()
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		if err := d.member(key); err != nil {
			return err
		}
	}
	return err
}

// once marks a known member as seen. Null means absent: the member is consumed and absent is true.
func (d *decoder) once(bit uint, name string) (absent bool, err error) {
	if !d.seen.add(bit) {
		return false, duplicate(name)
	}
	return d.null()
}

func (d *decoder) member(key []byte) error {
	r := d.req
	switch string(key) {
	case "model":
		return d.one(memberModel, "model", func() (err error) { r.Model, err = d.word("model"); return })
	case "messages":
		return d.one(memberMessages, "messages", d.messages)
	case "tools":
		return d.one(memberTools, "tools", d.tools)
	case "tool_choice":
		return d.one(memberToolChoice, "tool_choice", func() error { return d.toolChoice("tool_choice") })
	case "functions":
		return d.one(memberFunctions, "functions", d.functions)
	case "function_call":
		return d.one(memberFunctionCall, "function_call", d.functionCall)
	case "parallel_tool_calls":
		return d.one(memberParallel, "parallel_tool_calls", func() (err error) { r.ParallelTools, err = d.boolPointer("parallel_tool_calls"); return })
	case "max_tokens":
		return d.one(memberMaxTokens, "max_tokens", func() error {
			n, err := d.int("max_tokens", 1)
			if err == nil && !(d.seen.has(memberMaxCompletionTokens) && r.MaxTokens != nil) {
				r.MaxTokens = n
			}
			return err
		})
	case "max_completion_tokens":
		return d.one(memberMaxCompletionTokens, "max_completion_tokens", func() (err error) { r.MaxTokens, err = d.int("max_completion_tokens", 1); return })
	case "temperature":
		return d.one(memberTemperature, "temperature", func() (err error) { r.Temperature, err = d.float("temperature", 0, 2); return })
	case "top_p":
		return d.one(memberTopP, "top_p", func() (err error) { r.TopP, err = d.float("top_p", 0, 1); return })
	case "top_k":
		return d.one(memberTopK, "top_k", func() (err error) { r.TopK, err = d.int("top_k", 0); return })
	case "stop":
		return d.one(memberStop, "stop", d.stop)
	case "stream":
		return d.one(memberStream, "stream", func() (err error) { r.Stream, err = d.bool("stream"); return })
	case "stream_options":
		return d.one(memberStreamOptions, "stream_options", d.streamOptions)
	case "response_format":
		return d.one(memberFormat, "response_format", d.format)
	case "reasoning_effort":
		return d.one(memberEffort, "reasoning_effort", d.effort)
	case "thinking":
		return d.one(memberThinking, "thinking", func() (err error) { r.Thinking, err = d.rawObject("thinking"); return })
	case "service_tier":
		return d.one(memberTier, "service_tier", func() error { return d.tier("service_tier") })
	case "serviceTier":
		return d.one(memberServiceTier, "serviceTier", d.awsTier)
	case "user":
		return d.one(memberUser, "user", func() (err error) { r.User, err = d.word("user"); return })
	case "safety_identifier":
		return d.one(memberSafety, "safety_identifier", func() error {
			id, err := d.word("safety_identifier")
			if r.User == "" {
				r.User = id
			}
			return err
		})
	case "metadata":
		return d.one(memberMetadata, "metadata", d.metadata)
	case "requestMetadata":
		return d.one(memberRequestMetadata, "requestMetadata", d.requestMetadata)
	case "performanceConfig":
		return d.one(memberPerformance, "performanceConfig", d.performance)
	case "guardrailConfig":
		return d.one(memberGuardrail, "guardrailConfig", func() (err error) { r.Guardrail, err = d.rawObject("guardrailConfig"); return })
	case "anthropic_beta":
		return d.one(memberBetas, "anthropic_beta", d.betas)
	case "extra_body":
		return d.one(memberExtraBody, "extra_body", func() error {
			if d.s.Peek() != jsonscan.KindObject {
				return d.wrongType("extra_body", "an object")
			}
			return d.members()
		})
	}
	return d.otherMember(string(key))
}

func (d *decoder) one(bit uint, name string, read func() error) error {
	absent, err := d.once(bit, name)
	if err != nil || absent {
		return err
	}
	return read()
}

// otherMember keeps a member that has no field of its own: a parameter of OpenAI's for the codec to judge, or one of
// the provider's to pass on.
func (d *decoder) otherMember(name string) error {
	if absent, err := d.null(); absent || err != nil {
		return err
	}
	if known, err := d.controlMember(name); known || err != nil {
		return err
	}
	if llm.Lookup(d.req.Params, name) != nil || llm.Lookup(d.req.Extra, name) != nil {
		return duplicate(name)
	}
	value, err := d.s.Skip()
	if err != nil {
		return err
	}
	field := llm.Field{Name: name, Value: value}
	if isOpenAIParameter(name) {
		if kind := parameterKind(name); kind != 0 && kindOf(value) != kind {
			return llm.Invalid(name, name+" must be "+article(kind)+", not "+article(kindOf(value)))
		}
		d.req.Params = append(d.req.Params, field)
		return nil
	}
	d.req.Extra = append(d.req.Extra, field)
	return nil
}

// isOpenAIParameter tells OpenAI's own parameters, which a codec must support, drop or refuse, from the provider's.
func isOpenAIParameter(name string) bool {
	switch name {
	case "n", "seed", "logit_bias", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty", "prediction", "modalities",
		"audio", "store", "verbosity", "prompt_cache_key", "prompt_cache_retention", "web_search_options", "context_management", "moderation":
		return true
	}
	return false
}

// parameterKind is the JSON kind of those of OpenAI's parameters that have one kind only, 0 for the others.
func parameterKind(name string) jsonscan.Kind {
	switch name {
	case "n", "seed", "top_logprobs", "presence_penalty", "frequency_penalty":
		return jsonscan.KindNumber
	case "logit_bias", "audio", "prediction", "web_search_options":
		return jsonscan.KindObject
	case "modalities":
		return jsonscan.KindArray
	case "verbosity", "prompt_cache_key":
		return jsonscan.KindString
	}
	return 0
}

func kindOf(value []byte) jsonscan.Kind {
	s := jsonscan.New(value)
	return s.Peek()
}

func (d *decoder) stop() error {
	if d.s.Peek() == jsonscan.KindString {
		word, err := d.word("stop")
		d.req.Stop = appendStop([]string{}, word)
		return err
	}
	if d.s.Peek() != jsonscan.KindArray {
		return d.wrongType("stop", "a string or an array of strings")
	}
	d.req.Stop = []string{}
	more, err := d.s.OpenArray()
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		if absent, err := d.null(); err != nil {
			return err
		} else if !absent {
			word, err := d.word(index("stop", i))
			if err != nil {
				return err
			}
			d.req.Stop = appendStop(d.req.Stop, word)
		}
		i++
	}
	return err
}

// appendStop leaves blank sequences out: they mean nothing and AWS refuses them.
func appendStop(list []string, word string) []string {
	if strings.TrimSpace(word) == "" {
		return list
	}
	return append(list, word)
}

func (d *decoder) streamOptions() error {
	more, err := d.object("stream_options")
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		if string(key) != "include_usage" {
			name := "stream_options." + string(key)
			if string(key) != "include_obfuscation" { // padding against traffic analysis: leaving it out loses nothing asked for
				d.req.Lose(name, "ignored")
			}
			if _, err := d.s.Skip(); err != nil {
				return err
			}
			continue
		}
		if absent, err := d.null(); err != nil {
			return err
		} else if !absent {
			if d.req.IncludeUsage, err = d.bool("stream_options.include_usage"); err != nil {
				return err
			}
		}
	}
	return err
}

func (d *decoder) effort() error {
	const path = "reasoning_effort"
	if d.s.Peek() == jsonscan.KindObject { // the Responses API's shape
		more, err := d.s.OpenObject()
		for ; err == nil && more; more, err = d.s.NextMember() {
			key, err := d.s.Key()
			if err != nil {
				return err
			}
			if absent, err := d.null(); err != nil || absent {
				if err != nil {
					return err
				}
				continue
			}
			if string(key) == "effort" {
				if err := d.effortWord(path + ".effort"); err != nil {
					return err
				}
				continue
			}
			d.req.Lose(path+"."+string(key), "ignored")
			if _, err := d.s.Skip(); err != nil {
				return err
			}
		}
		return err
	}
	return d.effortWord(path)
}

func (d *decoder) effortWord(path string) error {
	word, err := d.word(path)
	if err != nil {
		return err
	}
	switch word {
	case "none", "minimal", "low", "medium", "high", "xhigh", "max":
		d.req.Effort = word
	case "default":
	default:
		return llm.Invalid(path, path+` must be one of none, minimal, low, medium, high, xhigh, max, not "`+clip([]byte(word))+`"`)
	}
	return nil
}

func (d *decoder) tier(path string) error {
	word, err := d.word(path)
	if err != nil {
		return err
	}
	switch word {
	case "auto", "default":
		d.req.Tier = "default"
	case "flex", "priority", "reserved":
		d.req.Tier = word
	default:
		return llm.Invalid(path, path+` must be one of auto, default, flex, priority, reserved, not "`+clip([]byte(word))+`"`)
	}
	return nil
}

// awsTier reads Converse's own {"type": "flex"}.
func (d *decoder) awsTier() error {
	return d.soleMember("serviceTier", "type", func() error { return d.tier("serviceTier.type") })
}

func (d *decoder) performance() error {
	return d.soleMember("performanceConfig", "latency", func() error {
		word, err := d.word("performanceConfig.latency")
		if err == nil && word != "standard" && word != "optimized" {
			return llm.Invalid("performanceConfig.latency", `performanceConfig.latency must be standard or optimized, not "`+clip([]byte(word))+`"`)
		}
		d.req.Latency = word
		return err
	})
}

// soleMember reads an object that has one known member; AWS refuses any other.
func (d *decoder) soleMember(path, name string, read func() error) error {
	more, err := d.object(path)
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		if string(key) != name {
			return llm.Invalid(path+"."+string(key), path+" has no member "+string(key))
		}
		if err := read(); err != nil {
			return err
		}
	}
	return err
}

// metadata is OpenAI's: it stays in the gateway's books. Its tags are the request's tags, as with LiteLLM.
func (d *decoder) metadata() error {
	more, err := d.object("metadata")
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		if string(key) == "tags" && d.s.Peek() == jsonscan.KindArray {
			tags, err := d.strings("metadata.tags")
			if err != nil {
				return err
			}
			d.req.Tags = append(d.req.Tags, tags...)
			continue
		}
		if _, err := d.s.Skip(); err != nil {
			return err
		}
	}
	return err
}

func (d *decoder) requestMetadata() error {
	const path = "requestMetadata"
	more, err := d.object(path)
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		name := string(key)
		for _, p := range d.req.Metadata {
			if p.Key == name {
				return duplicate(path + "." + name)
			}
		}
		value, err := d.word(path + "." + name)
		if err != nil {
			return err
		}
		d.req.Metadata = append(d.req.Metadata, llm.Pair{Key: name, Value: value})
	}
	return err
}

func (d *decoder) betas() error {
	if d.s.Peek() == jsonscan.KindString {
		word, err := d.word("anthropic_beta")
		d.req.AddBetas(word)
		return err
	}
	list, err := d.strings("anthropic_beta")
	for _, flag := range list {
		d.req.AddBetas(flag)
	}
	return err
}

func (d *decoder) format() error {
	const path = "response_format"
	f := llm.Format{}
	more, err := d.object(path)
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		if absent, err := d.null(); err != nil || absent {
			if err != nil {
				return err
			}
			continue
		}
		switch string(key) {
		case "type":
			f.Type, err = d.word(path + ".type")
		case "json_schema":
			err = d.jsonSchema(path+".json_schema", &f)
		case "response_schema":
			f.Schema, err = d.rawObject(path + ".response_schema")
		default:
			d.req.Lose(path+"."+string(key), "ignored")
			_, err = d.s.Skip()
		}
		if err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	switch {
	case f.Type == "text":
		return nil
	case f.Type == "json_object" && f.Schema != nil:
		f.Type = "json_schema"
	case f.Type == "json_object":
	case f.Type == "json_schema" && f.Schema == nil:
		return llm.Invalid(path+".json_schema.schema", "response_format of type json_schema needs json_schema.schema")
	case f.Type == "json_schema":
	case f.Type == "":
		return missing(path + ".type")
	default:
		return llm.Invalid(path+".type", path+`.type must be text, json_object or json_schema, not "`+clip([]byte(f.Type))+`"`)
	}
	d.req.Format = &f
	return nil
}

func (d *decoder) jsonSchema(path string, f *llm.Format) error {
	more, err := d.object(path)
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		if absent, err := d.null(); err != nil || absent {
			if err != nil {
				return err
			}
			continue
		}
		switch string(key) {
		case "name":
			f.Name, err = d.word(path + ".name")
		case "description":
			f.Description, err = d.text(path + ".description")
		case "schema":
			f.Schema, err = d.rawObject(path + ".schema")
		case "strict":
			f.Strict, err = d.boolPointer(path + ".strict")
		default:
			d.req.Lose(path+"."+string(key), "ignored")
			_, err = d.s.Skip()
		}
		if err != nil {
			return err
		}
	}
	return err
}

// rawJSON makes a span a json.RawMessage without a copy.
func rawJSON(span []byte) json.RawMessage { return span }
