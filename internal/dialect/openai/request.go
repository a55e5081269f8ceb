package openai

import (
	"github.com/outcrop-ai/outcrop/internal/dialect/read"
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
		return nil, nil, read.Missing("model")
	}
	return req, control, nil
}

// DecodeDefaults reads a deployment's default parameters: the members of a request body without model and messages.
// Connection parameters are the configuration's own business and must not be among them.
func DecodeDefaults(params []byte) (*llm.Request, *Control, error) {
	req, control, err := decode(params, false)
	if err == nil {
		for name := range control.Connection { // any one
			return nil, nil, forbidden(name)
		}
	}
	return req, control, err
}

// DecodeFurther reads members that a client of another dialect has sent beside its own: what LiteLLM's clients say to the
// gateway, parameters of OpenAI's, and the provider's own.
func DecodeFurther(members []byte) (*llm.Request, *Control, error) { return decode(members, false) }

func decode(body []byte, whole bool) (*llm.Request, *Control, error) {
	d := decoder{s: read.New(body), req: &llm.Request{}, control: &Control{}}
	if err := d.document(d.member); err != nil {
		return nil, nil, err
	}
	if whole && len(d.req.Messages) == 0 && len(d.req.System) == 0 {
		if !d.seen.has(memberMessages) {
			return nil, nil, read.Missing("messages")
		}
		return nil, nil, &llm.Error{Kind: llm.KindInvalid, Code: "empty_messages", Param: "messages", Message: "messages must not be empty"}
	}
	if err := d.finishTools(); err != nil {
		return nil, nil, err
	}
	return d.req, d.control, nil
}

// document reads the whole body, an object whose members member consumes.
func (d *decoder) document(member func(key []byte) error) error {
	if d.s.Peek() != jsonscan.KindObject {
		if err := jsonscan.Valid(d.s.Data); err != nil {
			return read.Syntax(err)
		}
		return llm.Invalid("request_body", "the request body must be a JSON object, not "+read.Article(d.s.Peek()))
	}
	if err := d.each("request_body", member); err != nil {
		return read.Syntax(err)
	}
	if err := d.s.End(); err != nil {
		return read.Syntax(err)
	}
	return nil
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
	memberN
	memberEcho
	memberInput
	memberEncoding
	memberDimensions
	memberQuery
	memberDocuments
	memberTopN
	memberReturnDocuments
	memberRankFields
	memberPrompt
	memberSize
	memberQuality
	memberStyle
	memberOutput
	memberMask
	memberInstructions
	memberPrevious
	memberStore
	memberInclude
	memberTruncation
	memberLogprobs
	memberCacheKey
	memberBackground
)

func (m memberSet) has(bit uint) bool { return m&(1<<bit) != 0 }

// once marks a known member as seen. Null means absent: the member is consumed and absent is true.
func (d *decoder) once(bit uint, name string) (absent bool, err error) {
	if !d.seen.add(bit) {
		return false, duplicate(name)
	}
	return d.s.Null()
}

func (d *decoder) member(key []byte) error {
	r := d.req
	switch string(key) {
	case "model":
		return d.one(memberModel, "model", func() (err error) { r.Model, err = d.s.Word("model"); return })
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
		return d.one(memberTemperature, "temperature", func() (err error) { r.Temperature, err = d.s.Float("temperature", 0, 2); return })
	case "top_p":
		return d.one(memberTopP, "top_p", func() (err error) { r.TopP, err = d.s.Float("top_p", 0, 1); return })
	case "top_k":
		return d.one(memberTopK, "top_k", func() (err error) { r.TopK, err = d.int("top_k", 0); return })
	case "stop":
		return d.one(memberStop, "stop", d.stop)
	case "n":
		return d.one(memberN, "n", d.choices)
	case "stream":
		return d.one(memberStream, "stream", func() (err error) { r.Stream, err = d.s.Flag("stream"); return })
	case "stream_options":
		return d.one(memberStreamOptions, "stream_options", d.streamOptions)
	case "response_format":
		return d.one(memberFormat, "response_format", d.format)
	case "reasoning_effort":
		return d.one(memberEffort, "reasoning_effort", d.effort)
	case "thinking":
		return d.one(memberThinking, "thinking", func() (err error) { r.Thinking, err = d.s.Raw("thinking"); return })
	case "service_tier":
		return d.one(memberTier, "service_tier", func() error { return d.tier("service_tier") })
	case "serviceTier":
		return d.one(memberServiceTier, "serviceTier", d.awsTier)
	case "user":
		return d.one(memberUser, "user", func() (err error) { r.User, err = d.s.Word("user"); return })
	case "safety_identifier":
		return d.one(memberSafety, "safety_identifier", func() error {
			id, err := d.s.Word("safety_identifier")
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
		return d.one(memberGuardrail, "guardrailConfig", func() (err error) { r.Guardrail, err = d.s.Raw("guardrailConfig"); return })
	case "anthropic_beta":
		return d.one(memberBetas, "anthropic_beta", d.betas)
	case "extra_body":
		return d.one(memberExtraBody, "extra_body", func() error { return d.each("extra_body", d.member) })
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

// sharedMember consumes a member of a request that is no chat: what every endpoint has, and parameters of the provider's.
// self is the endpoint's own reader of members, for those in extra_body.
func (d *decoder) sharedMember(key []byte, self func(key []byte) error) error {
	r := d.req
	switch string(key) {
	case "model":
		return d.one(memberModel, "model", func() (err error) { r.Model, err = d.s.Word("model"); return })
	case "user":
		return d.one(memberUser, "user", func() (err error) { r.User, err = d.s.Word("user"); return })
	case "metadata":
		return d.one(memberMetadata, "metadata", d.metadata)
	case "guardrailConfig":
		return d.one(memberGuardrail, "guardrailConfig", func() (err error) { r.Guardrail, err = d.s.Raw("guardrailConfig"); return })
	case "extra_body":
		return d.one(memberExtraBody, "extra_body", func() error { return d.each("extra_body", self) })
	}
	if absent, err := d.s.Null(); absent || err != nil {
		return err
	}
	if known, err := d.controlMember(string(key)); known || err != nil {
		return err
	}
	if llm.Lookup(r.Extra, string(key)) != nil {
		return duplicate(string(key))
	}
	value, err := d.s.Skip()
	r.Extra = append(r.Extra, llm.Field{Name: string(key), Value: value})
	return err
}

// otherMember keeps a member that has no field of its own: a parameter of OpenAI's for the codec to judge, or one of
// the provider's to pass on.
func (d *decoder) otherMember(name string) error {
	if absent, err := d.s.Null(); absent || err != nil {
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
			return llm.Invalid(name, name+" must be "+read.Article(kind)+", not "+read.Article(kindOf(value)))
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
	case "seed", "logit_bias", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty", "prediction", "modalities",
		"audio", "store", "verbosity", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "web_search_options", "context_management", "moderation":
		return true
	}
	return false
}

// parameterKind is the JSON kind of those of OpenAI's parameters that have one kind only, 0 for the others.
func parameterKind(name string) jsonscan.Kind {
	switch name {
	case "seed", "top_logprobs", "presence_penalty", "frequency_penalty":
		return jsonscan.KindNumber
	case "logit_bias", "audio", "prediction", "prompt_cache_options", "web_search_options":
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
