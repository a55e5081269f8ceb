package openai

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Responses is what a request of the Responses API says beside what the model is asked: what its answer repeats, what is
// kept of it, and what calls of its tools are called there.
type Responses struct {
	// Previous is the id of the response that this one goes on from, empty if there is none. Store says that the response is
	// to be kept.
	Previous string
	Store    bool
	// Input are the items of the request's own input, in the client's spelling; a text alone has become a message.
	Input []json.RawMessage
	// sealed says that the input has reasoning under a seal of this gateway's, which only it can open.
	sealed bool
	// encrypted says that reasoning is to be given in a form in which it can be sent back.
	encrypted bool
	// tools are the tools that are no plain functions, by the names under which the model knows them.
	tools map[string]responseTool
	// places are where the tools stand in the body, in the order of the request's.
	places []string
	// echo are the members that the answer repeats, in the client's spelling.
	echo []llm.Field
	// members are the spans of what is read when the whole body is known.
	members struct{ input, tools, toolChoice, include []byte }
	// before are the items that came with the previous response; fields are the members in the client's own words.
	before []json.RawMessage
	fields []llm.Field
}

// History returns the items of the conversation that a response ended: what was said before it, and its output.
type History func(id string) ([]json.RawMessage, error)

// DecodeResponses reads the body of a request of the Responses API. history is asked once, if the body names a previous
// response; a nil one refuses it. The request aliases body and what history returns. Errors are *llm.Error of KindInvalid
// that name the member at fault.
func DecodeResponses(body []byte, history History) (*llm.Request, *Control, *Responses, error) {
	r := &Responses{Store: true}
	d := decoder{s: read.New(body), req: &llm.Request{}, control: &Control{}, responses: r}
	if err := d.document(d.responsesMember); err != nil {
		return nil, nil, nil, err
	}
	if err := d.conversation(history); err != nil {
		return nil, nil, nil, err
	}
	if d.req.Model == "" {
		return nil, nil, nil, read.Missing("model")
	}
	d.original()
	return d.req, d.control, r, nil
}

// original keeps the request in its own words, for models that speak them: nothing that has been lost so far is lost there.
func (d *decoder) original() {
	r := d.responses
	add := func(name string, value []byte) {
		r.fields = append(r.fields, llm.Field{Name: name, Value: value})
	}
	input := r.members.input
	if len(r.before) > 0 {
		items := append(r.before, r.Input...)
		input = []byte{'['}
		for i, item := range items {
			if i > 0 {
				input = append(input, ',')
			}
			input = append(input, item...)
		}
		input = append(input, ']')
	}
	if input != nil {
		add("input", input)
	}
	if r.members.tools != nil {
		add("tools", r.members.tools)
	}
	if r.members.toolChoice != nil {
		add("tool_choice", r.members.toolChoice)
	}
	include := []byte(`["reasoning.encrypted_content"`) // nothing is kept at AWS
	for value := range jsonscan.Elements(r.members.include) {
		if string(value) != `"reasoning.encrypted_content"` {
			include = append(append(include, ','), value...)
		}
	}
	add("include", append(include, ']'))
	d.req.Original = &llm.Original{Dialect: llm.DialectResponses, Fields: r.fields, Losses: d.req.Losses, Changed: r.sealed || d.namesFiles()}
	d.req.Losses = nil
}

// namesFiles reports whether a file is named by its address: the gateway fetches it, and nobody else.
func (d *decoder) namesFiles() bool {
	for i := range d.blocks {
		if m := d.blocks[i].Media; m != nil && m.URL != "" {
			return true
		}
	}
	return false
}

// conversation reads what can be understood only when the whole body is known: tools first, then what was said before.
func (d *decoder) conversation(history History) error {
	r := d.responses
	if r.members.tools != nil {
		d.s = read.New(r.members.tools)
		if err := d.responseTools(); err != nil {
			return err
		}
	}
	if r.members.toolChoice != nil {
		d.s = read.New(r.members.toolChoice)
		if err := d.toolChoice("tool_choice"); err != nil {
			return err
		}
	}
	if r.Previous != "" {
		if history == nil {
			return llm.Invalid("previous_response_id", "previous_response_id cannot be used here")
		}
		items, err := history(r.Previous)
		if err != nil {
			return err
		}
		r.before = items
		d.calls.message = 0
		d.items = itemsOfHistory
		for _, item := range items {
			d.s = read.New(item)
			if err := d.item(); err != nil {
				return within(err, "previous_response_id")
			}
		}
	}
	if err := d.ownInput(); err != nil {
		return err
	}
	if len(d.req.Messages) == 0 && len(d.req.System) == 0 {
		if r.members.input == nil {
			return read.Missing("input")
		}
		return &llm.Error{Kind: llm.KindInvalid, Code: "empty_input", Param: "input", Message: "input must not be empty"}
	}
	d.seen.add(memberMessages) // a chosen tool must be there
	return d.finishTools()
}

// ownInput reads the request's own input.
func (d *decoder) ownInput() error {
	r := d.responses
	if r.members.input == nil {
		return nil
	}
	d.items = itemsOfInput
	d.calls.message = 0
	d.s = read.New(r.members.input)
	switch d.s.Peek() {
	case jsonscan.KindString:
		text, err := d.s.Text("input")
		if err != nil {
			return err
		}
		item := append([]byte(`{"type":"message","role":"user","content":[{"type":"input_text","text":`), r.members.input...)
		r.Input = []json.RawMessage{append(item, `}]}`...)}
		d.calls.message = 1
		d.add(llm.RoleUser, []llm.Block{d.textBlock(text, -1)})
		return nil
	case jsonscan.KindArray:
		more, err := d.s.OpenArray()
		for i := 0; err == nil && more; more, err = d.s.NextElement() {
			d.s.Peek() // goes to the item
			from := d.s.Pos
			if err := d.item(); err != nil {
				return within(err, read.Index("input", i))
			}
			r.Input = append(r.Input, d.s.Data[from:d.s.Pos])
			i++
		}
		return err
	default:
		return d.s.WrongType("input", "a string or an array of items")
	}
}

// itemsOf says which list of items is being read, for the paths of errors and losses.
type itemsOf uint8

// The lists. Chat Completions has messages, which are no items.
const (
	noItems itemsOf = iota
	itemsOfInput
	itemsOfHistory
)

// responsesMember consumes a member of the body.
func (d *decoder) responsesMember(key []byte) error {
	name := string(key)
	d.s.Peek() // goes to the value
	from := d.s.Pos
	if err := d.responseMember(key, name, from); err != nil {
		return err
	}
	if staysAsItIs(name) && d.s.Data[from] != 'n' {
		d.responses.fields = append(d.responses.fields, llm.Field{Name: name, Value: d.s.Data[from:d.s.Pos]})
	}
	return nil
}

// staysAsItIs names the members that a model which speaks the Responses API gets as they stand. Who asks is the gateway's own
// business, and so is what is kept.
func staysAsItIs(name string) bool {
	switch name {
	case "instructions", "parallel_tool_calls", "reasoning", "text", "truncation", "top_logprobs", "prompt_cache_key", "prompt_cache_retention",
		"prompt_cache_options", "max_tool_calls", "context_management", "moderation", "image", "access_programs":
		return true
	}
	return false
}

func (d *decoder) responseMember(key []byte, name string, from int) error {
	r := d.responses
	switch name {
	case "input":
		return d.one(memberInput, name, func() (err error) { r.members.input, err = d.s.Skip(); return })
	case "tools":
		return d.kept(memberTools, name, func() (err error) { r.members.tools, err = d.s.Skip(); return })
	case "tool_choice":
		return d.kept(memberToolChoice, name, func() (err error) { r.members.toolChoice, err = d.s.Skip(); return })
	case "instructions":
		return d.kept(memberInstructions, name, d.instructions)
	case "max_output_tokens":
		return d.kept(memberMaxCompletionTokens, name, func() (err error) { d.req.MaxTokens, err = d.int(name, 1); return })
	case "temperature", "top_p", "parallel_tool_calls", "user", "safety_identifier":
		err := d.member(key)
		d.echo(name, from)
		return err
	case "service_tier":
		return d.member(key)
	case "model", "stream", "stream_options", "top_k", "stop", "thinking", "requestMetadata", "performanceConfig", "guardrailConfig", "anthropic_beta", "serviceTier":
		return d.member(key)
	case "extra_body":
		return d.one(memberExtraBody, name, func() error { return d.each(name, d.responsesMember) })
	case "previous_response_id":
		return d.one(memberPrevious, name, func() (err error) { r.Previous, err = d.s.Word(name); return })
	case "store":
		return d.one(memberStore, name, func() (err error) { r.Store, err = d.s.Flag(name); return })
	case "metadata":
		return d.kept(memberMetadata, name, d.keptMetadata)
	case "reasoning":
		return d.kept(memberEffort, name, d.reasoning)
	case "text":
		return d.kept(memberFormat, name, d.textConfig)
	case "include":
		err := d.one(memberInclude, name, d.include)
		r.members.include = d.s.Data[from:d.s.Pos]
		return err
	case "truncation":
		return d.one(memberTruncation, name, d.truncation)
	case "top_logprobs":
		return d.kept(memberLogprobs, name, d.topLogprobs)
	case "prompt_cache_key":
		return d.kept(memberCacheKey, name, func() error {
			session, err := d.s.Word(name)
			if d.control.Session == "" { // who shares a cached prefix should be answered by the same deployment
				d.control.Session = session
			}
			return err
		})
	case "prompt_cache_retention", "prompt_cache_options", "max_tool_calls", "client_metadata":
		return d.hint(name)
	case "background":
		return d.one(memberBackground, name, func() error {
			wanted, err := d.s.Flag(name)
			if err == nil && wanted {
				d.req.Params = append(d.req.Params, llm.Field{Name: name, Value: json.RawMessage("true")})
			}
			return err
		})
	case "background_options", "image", "access_programs": // for the codec to judge
		if absent, err := d.s.Null(); absent || err != nil {
			return err
		}
		value, err := d.s.Skip()
		d.req.Params = append(d.req.Params, llm.Field{Name: name, Value: value})
		return err
	case "conversation", "prompt": // without them the request is another one
		if absent, err := d.s.Null(); absent || err != nil {
			return err
		}
		return llm.Invalid(name, name+" names something that OpenAI keeps; Amazon Bedrock does not have it: send the input itself, or previous_response_id")
	case "messages", "functions", "function_call", "response_format", "reasoning_effort":
		return llm.Invalid(name, name+" is a parameter of Chat Completions; the Responses API has another: "+responsesWord(name))
	}
	return d.otherMember(name)
}

// responsesWord is what a parameter of Chat Completions is called in the Responses API.
func responsesWord(name string) string {
	switch name {
	case "messages":
		return "input"
	case "response_format":
		return "text.format"
	case "reasoning_effort":
		return "reasoning.effort"
	case "function_call":
		return "tool_choice"
	default:
		return "tools"
	}
}

// Param returns what the client calls a parameter that the core names in Chat Completions' words.
func (r *Responses) Param(name string) string {
	head, rest := name, ""
	if i := strings.IndexAny(name, ".["); i >= 0 {
		head, rest = name[:i], name[i:]
	}
	switch head {
	case "max_tokens", "max_completion_tokens":
		return "max_output_tokens"
	case "reasoning_effort":
		return "reasoning.effort"
	case "response_format":
		return "text.format" + strings.TrimPrefix(rest, ".json_schema")
	case "verbosity":
		return "text.verbosity"
	case "logprobs":
		return "include"
	case "system":
		return "instructions"
	case "messages":
		return "input"
	case "tools":
		n, member, ok := strings.Cut(strings.TrimPrefix(rest, "["), "]")
		if i, err := strconv.Atoi(n); ok && err == nil && i < len(r.places) {
			return r.places[i] + strings.TrimPrefix(member, ".function")
		}
	}
	return name
}

// kept is one for members that the answer repeats.
func (d *decoder) kept(bit uint, name string, read func() error) error {
	from := d.s.Pos
	err := d.one(bit, name, read)
	d.echo(name, from)
	return err
}

// echo keeps the value that began at from for the answer.
func (d *decoder) echo(name string, from int) {
	if llm.Lookup(d.responses.echo, name) == nil {
		d.responses.echo = append(d.responses.echo, llm.Field{Name: name, Value: d.s.Data[from:d.s.Pos]})
	}
}

// hint passes over a member that changes nothing in the answer, and says so.
func (d *decoder) hint(name string) error {
	if absent, err := d.s.Null(); absent || err != nil {
		return err
	}
	return d.ignore(name)
}

func (d *decoder) instructions() error {
	text, err := d.s.Text("instructions")
	if err == nil && !text.IsEmpty() {
		d.req.System = append(d.req.System, llm.Block{Kind: llm.BlockText, Text: text, Path: llm.Path{Message: -1, Part: -1}})
	}
	return err
}

// The bounds that OpenAI has for metadata.
const (
	maxMetadataPairs = 16
	maxMetadataKey   = 64
	maxMetadataValue = 512
)

// keptMetadata reads metadata, which the answer repeats. Tags and spend_logs_metadata in it go to the books, as with every
// endpoint.
func (d *decoder) keptMetadata() error {
	n := 0
	return d.each("metadata", func(key []byte) error {
		path := "metadata." + string(key)
		if string(key) == "tags" && d.s.Peek() == jsonscan.KindArray {
			tags, err := d.strings(path)
			d.req.Tags = append(d.req.Tags, tags...)
			return err
		}
		if string(key) == memberRow && d.s.Peek() == jsonscan.KindObject {
			return d.rowMetadata(true)
		}
		value, err := d.s.Text(path)
		n++
		switch {
		case err != nil:
			return err
		case n > maxMetadataPairs:
			return llm.Invalid("metadata", "metadata may have 16 pairs at most")
		case len(key) > maxMetadataKey || value.Runes() > maxMetadataValue:
			return llm.Invalid(path, path+" is too long: a key may have 64 characters, a value 512")
		}
		return nil
	})
}

func (d *decoder) reasoning() error {
	return d.s.Each("reasoning", func(name []byte) error {
		path := "reasoning." + string(name)
		switch string(name) {
		case "effort":
			return d.effortWord(path)
		case "summary", "generate_summary":
			word, err := d.s.Word(path)
			switch {
			case err != nil || word == "auto" || word == "concise" || word == "detailed":
				return err
			case word == "none":
				return nil
			}
			return llm.Invalid(path, path+` must be auto, concise or detailed, not "`+read.Clip(word)+`"`)
		default:
			return d.ignore(path)
		}
	})
}

// textConfig reads text: the format of the answer, and how wordy it shall be.
func (d *decoder) textConfig() error {
	return d.s.Each("text", func(name []byte) error {
		switch string(name) {
		case "format":
			return d.textFormat("text.format")
		case "verbosity":
			word, err := d.s.Word("text.verbosity")
			switch {
			case err != nil:
			case word == "low" || word == "medium" || word == "high":
				d.req.Params = append(d.req.Params, llm.Field{Name: "verbosity", Value: llm.AppendString(nil, word)})
			default:
				err = llm.Invalid("text.verbosity", `text.verbosity must be low, medium or high, not "`+read.Clip(word)+`"`)
			}
			return err
		default:
			return d.ignore("text." + string(name))
		}
	})
}

func (d *decoder) textFormat(path string) error {
	f := llm.Format{}
	err := d.s.Each(path, func(name []byte) error {
		if string(name) == "type" {
			var err error
			f.Type, err = d.s.Word(path + ".type")
			return err
		}
		return d.schemaMember(path, string(name), &f)
	})
	switch {
	case err != nil:
		return err
	case f.Type == "text":
		return nil
	case f.Type == "json_schema" && f.Schema == nil:
		return read.Missing(path + ".schema")
	case f.Type == "json_object", f.Type == "json_schema":
		d.req.Format = &f
		return nil
	case f.Type == "":
		return read.Missing(path + ".type")
	}
	return llm.Invalid(path+".type", path+`.type must be text, json_object or json_schema, not "`+read.Clip(f.Type)+`"`)
}

func (d *decoder) include() error {
	more, err := d.array("include")
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		word, err := d.s.Word(read.Index("include", i))
		if err != nil {
			return err
		}
		switch word {
		case "reasoning.encrypted_content":
			d.responses.encrypted = true
		case "message.output_text.logprobs":
			d.logprobs()
		default:
			d.req.Lose(read.Index("include", i), "unsupported")
		}
		i++
	}
	return err
}

func (d *decoder) topLogprobs() error {
	const name = "top_logprobs"
	n, err := d.int(name, 0)
	if err != nil {
		return err
	}
	const most = 20
	if *n > most {
		return llm.Invalid(name, name+" must be between 0 and 20")
	}
	if *n > 0 {
		d.logprobs()
		d.req.Params = append(d.req.Params, llm.Field{Name: name, Value: strconv.AppendInt(nil, *n, 10)})
	}
	return nil
}

// logprobs asks for the probabilities of the answer's tokens.
func (d *decoder) logprobs() {
	if llm.Lookup(d.req.Params, "logprobs") == nil {
		d.req.Params = append(d.req.Params, llm.Field{Name: "logprobs", Value: json.RawMessage("true")})
	}
}

func (d *decoder) truncation() error {
	word, err := d.s.Word("truncation")
	switch {
	case err != nil:
	case word == "auto":
		d.req.Lose("truncation", "unsupported")
	case word != "disabled":
		err = llm.Invalid("truncation", `truncation must be auto or disabled, not "`+read.Clip(word)+`"`)
	}
	return err
}
