package anthropic

import (
	"encoding/json"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Request is a decoded body.
type Request struct {
	*llm.Request
	// Further is a JSON object of the members that are none of Anthropic's: what any client may say to the gateway, and the
	// provider's own parameters. It is nil if there is none.
	Further []byte
	// Session is the client's own name for the conversation, as coding agents write it into metadata.user_id.
	Session string
	// RowMetadata is metadata's spend_logs_metadata, LiteLLM's word for what the client wants to find in the row of its
	// request; nil if there is none.
	RowMetadata json.RawMessage
}

// Decode reads the body of a Messages request. The request aliases body. Errors are *llm.Error of KindInvalid that name the
// member at fault.
func Decode(body []byte) (*Request, error) {
	d := decoder{Body: read.New(body), req: &llm.Request{N: 1}}
	d.original = &llm.Original{Dialect: llm.DialectMessages, Body: body}
	d.req.Original = d.original
	if err := d.Object(d.member); err != nil {
		return nil, err
	}
	switch {
	case d.req.Model == "":
		return nil, read.Missing("model")
	case !d.seen["messages"]:
		return nil, read.Missing("messages")
	case len(d.req.Messages) == 0:
		return nil, &llm.Error{Kind: llm.KindInvalid, Code: "empty_messages", Param: "messages", Message: "messages: at least one message is required"}
	}
	d.finish()
	return &Request{Request: d.req, Further: d.object(d.further), Session: d.session, RowMetadata: d.row}, nil
}

// decoder reads one body.
type decoder struct {
	read.Body
	req      *llm.Request
	original *llm.Original
	seen     map[string]bool
	further  []llm.Field
	session  string
	row      json.RawMessage
	// blocks is the arena from which messages take their content.
	blocks []llm.Block
	// message and part are where the decoder is, -1 in the system prompt or outside of parts.
	message, part int32
	// searches says that there is a tool which finds other tools.
	searches bool
	// cacheLast asks for a cache point behind the last block.
	cacheLast *llm.CachePoint
}

func (d *decoder) object(list []llm.Field) []byte {
	if len(list) == 0 {
		return nil
	}
	out := []byte{'{'}
	for i := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(llm.AppendString(out, list[i].Name), ':'), list[i].Value...)
	}
	return append(out, '}')
}

// span consumes a value with read and returns where it stands.
func (d *decoder) span(consume func() error) (llm.Span, error) {
	d.Peek() // white space before it
	from := d.Pos
	err := consume()
	return llm.Span{From: from, To: d.Pos}, err
}

func (d *decoder) member(key []byte) error {
	name, r := string(key), d.req
	what := fields[objRequest][name]
	if what != unknown {
		if d.seen == nil {
			d.seen = map[string]bool{}
		}
		if d.seen[name] {
			return read.Duplicate(name)
		}
		d.seen[name] = true
	}
	var err error
	switch what {
	case unknown:
		var value []byte
		if value, err = d.Skip(); err == nil {
			if llm.Lookup(d.further, name) != nil {
				return read.Duplicate(name)
			}
			d.further = append(d.further, llm.Field{Name: name, Value: value})
		}
		return err
	case dropped:
		r.Lose(name, what.why())
		_, err = d.Skip()
		return err
	case silent:
		_, err = d.Skip()
		return err
	case refused:
		var value []byte
		if value, err = d.Skip(); err == nil && !isEmpty(value) {
			r.Params = append(r.Params, llm.Field{Name: name, Value: value})
		}
		return err
	case mapped:
	}
	switch name {
	case "model":
		r.Model, err = d.Word(name)
	case "messages":
		d.original.Messages, err = d.span(d.messages)
	case "system":
		d.original.System, err = d.span(d.system)
	case "max_tokens":
		r.MaxTokens, err = d.Int(name, 1)
	case "temperature":
		r.Temperature, err = d.Float(name, 0, 1)
	case "top_p":
		r.TopP, err = d.Float(name, 0, 1)
	case "top_k":
		r.TopK, err = d.Int(name, 0)
	case "stop_sequences":
		r.Stop, err = d.stops(name)
	case "stream":
		r.Stream, err = d.Flag(name)
		r.IncludeUsage = true
	case "tools":
		d.original.Tools, err = d.span(d.tools)
	case "tool_choice":
		err = d.toolChoice()
	case "thinking":
		if r.Thinking, err = d.Raw(name); jsonscan.Text(jsonscan.Member(r.Thinking, "type")) == "between_tools" { // Claude decides by itself when
			r.Thinking = []byte(`{"type":"adaptive"}`)
			r.Lose("thinking.type", "adaptive")
		}
	case "metadata":
		err = d.metadata()
	case "service_tier":
		err = d.tier()
	case "output_config":
		err = d.outputConfig()
	case "output_format":
		err = within(d.format(), name)
	case "context_management":
		var value []byte
		value, err = d.Raw(name)
		r.Params = append(r.Params, llm.Field{Name: name, Value: value})
	case "cache_control":
		d.cacheLast, err = d.cacheControl(name)
	case "anthropic_beta", "betas":
		var flags []string
		flags, err = d.Words(name)
		r.AddBetas(strings.Join(flags, ","))
	}
	return err
}

func within(err error, prefix string) error { return read.Within(err, prefix) }

// isEmpty reports whether a value asks for nothing.
func isEmpty(value []byte) bool {
	compact := jsonscan.AppendCompact(nil, value)
	return string(compact) == "[]" || string(compact) == "{}" || string(compact) == "null"
}

// stops leaves blank sequences out: they mean nothing and AWS refuses them.
func (d *decoder) stops(path string) ([]string, error) {
	list, err := d.Words(path)
	kept := list[:0]
	for _, stop := range list {
		if strings.TrimSpace(stop) != "" {
			kept = append(kept, stop)
		}
	}
	return kept, err
}

// metadata reads who the end user is, and what goes to the books. Coding agents write their session into the same text.
func (d *decoder) metadata() error {
	return d.Each("metadata", func(name []byte) (err error) {
		if string(name) == "spend_logs_metadata" && d.Peek() == jsonscan.KindObject {
			d.row, err = d.Skip()
			return err
		}
		if string(name) != "user_id" {
			d.req.Lose("metadata."+string(name), "unsupported")
			_, err := d.Skip()
			return err
		}
		user, err := d.Word("metadata.user_id")
		d.req.User, d.session = user, sessionOf(user)
		return err
	})
}

// sessionOf finds the session in a user id of Claude Code's: user_…_account_…_session_ID, or an object with session_id.
func sessionOf(user string) string {
	if strings.HasPrefix(user, "{") {
		return jsonscan.Text(jsonscan.Member([]byte(user), "session_id"))
	}
	if _, id, found := strings.Cut(user, "_session_"); found {
		return id
	}
	return ""
}

// tier reads service_tier. Anthropic's words ask for its own reserved capacity or for none of it; AWS has its own words,
// which pass.
func (d *decoder) tier() error {
	word, err := d.Word("service_tier")
	if err != nil {
		return err
	}
	switch word {
	case "auto":
	case "standard_only", "standard":
		d.req.Tier = "default"
	case "default", "priority", "flex", "reserved":
		d.req.Tier = word
	default:
		return llm.Invalid("service_tier", `service_tier must be auto or standard_only, or one of AWS's own: default, priority, flex, reserved; not "`+read.Clip(word)+`"`)
	}
	return nil
}

// outputConfig reads how hard to think, and the form of the answer.
func (d *decoder) outputConfig() error {
	var rest []llm.Field
	err := d.Each("output_config", func(name []byte) error {
		if string(name) == "format" {
			return within(d.format(), "output_config.format")
		}
		value, err := d.Skip()
		rest = append(rest, llm.Field{Name: string(name), Value: value})
		return err
	})
	if len(rest) > 0 {
		d.req.Params = append(d.req.Params, llm.Field{Name: "output_config", Value: d.object(rest)})
	}
	return err
}

// format reads {"type":"json_schema","schema":…}.
func (d *decoder) format() error {
	f := &llm.Format{}
	err := d.Each("", func(name []byte) (err error) {
		switch string(name) {
		case "type":
			f.Type, err = d.Word("type")
		case "schema":
			f.Schema, err = d.Raw("schema")
		case "name":
			f.Name, err = d.Word("name")
		default:
			d.req.Lose("output_config.format."+string(name), unknown.why())
			_, err = d.Skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	if f.Type != "json_schema" {
		return llm.Invalid("type", `type must be json_schema, not "`+read.Clip(f.Type)+`"`)
	}
	if d.req.Format != nil {
		return read.Duplicate("")
	}
	d.req.Format = f
	return nil
}

// finish settles what depends on the whole body.
func (d *decoder) finish() {
	if last := &d.req.Messages[len(d.req.Messages)-1]; last.Role == llm.RoleAssistant {
		last.Prefix = true // it is there to be continued
	}
	if d.cacheLast != nil { // Anthropic puts it behind the last block by itself; Bedrock must be told where
		last := int64(-1)
		d.req.Policy.CacheRules = []llm.CacheRule{{Index: &last, TTL: d.cacheLast.TTL}}
	}
}
