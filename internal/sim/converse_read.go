package sim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
)

// converseRequest is the body of Converse, ConverseStream and CountTokens' converse after the shape check.
type converseRequest struct {
	Messages        []message
	System          []block
	InferenceConfig struct {
		MaxTokens     *int
		Temperature   *float64
		TopP          *float64
		StopSequences []string
	}
	ToolConfig                        *toolConfig
	GuardrailConfig                   *guardrailConfig
	AdditionalModelRequestFields      json.RawMessage
	AdditionalModelResponseFieldPaths []string
	PerformanceConfig                 any
	ServiceTier                       any
	OutputConfig                      struct {
		TextFormat *struct {
			Structure struct{ JSONSchema struct{ Schema string } }
		}
	}
}

type toolConfig struct {
	Tools []struct {
		ToolSpec *struct {
			Name, Description string
			InputSchema       struct{ JSON json.RawMessage }
		}
		SystemTool *struct{ Name string }
		CachePoint *cacheMark
	}
	ToolChoice *struct {
		Auto, Any *struct{}
		Tool      *struct{ Name string }
	}
}

type guardrailConfig struct{ GuardrailIdentifier, GuardrailVersion, Trace string }

type message struct {
	Role    string
	Content []block
}

type cacheMark struct{ TTL string }

type source struct {
	Bytes      []byte
	Text       *string
	Content    []struct{ Text string }
	S3Location any
}

type mediaBlock struct {
	Format, Name, Context string
	Source                source
}

// block is a content block, a system block or a block inside a tool result: their members have the same names.
type block struct {
	Text         *string
	JSON         json.RawMessage
	Image        *mediaBlock
	Document     *mediaBlock
	Video        *mediaBlock
	Audio        *mediaBlock
	ToolUse      *toolUse
	ToolResult   *toolResult
	CachePoint   *cacheMark
	SearchResult *searchResult
	GuardContent *struct {
		Text  *struct{ Text string }
		Image *mediaBlock
	}
	ReasoningContent *struct {
		ReasoningText   *struct{ Text, Signature string }
		RedactedContent string
	}
	CitationsContent *struct{ Content []struct{ Text string } }
}

type searchResult struct {
	Title   string
	Content []struct{ Text string }
}

type toolUse struct {
	ToolUseID, Name string
	Input           json.RawMessage
}

type toolResult struct {
	ToolUseID, Status string
	Content           []block
}

// parseJSON reads one JSON value as the shape check wants it.
func parseJSON(body []byte) (any, *apiError) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, serializationError("The request body is not valid JSON: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, serializationError("The request body is not valid JSON: more follows after the first value")
	}
	return v, nil
}

// readConverse checks body and returns it as a prompt.
func readConverse(model string, body []byte, stream bool) (*prompt, *apiError) {
	table := shapes().converse
	if stream {
		table = shapes().converseStream
	}
	v, refused := parseJSON(body)
	if refused != nil {
		return nil, refused
	}
	if refused := bedrockWords(table.check(v)); refused != nil {
		return nil, refused
	}
	return converseTree(model, v)
}

// converseTree reads a request that has passed the shape check.
func converseTree(model string, v any) (*prompt, *apiError) {
	var req converseRequest
	if err := json.Unmarshal(mustJSON(v), &req); err != nil {
		return nil, serializationError("The request could not be read: %v", err)
	}
	if refused := req.checkRules(model); refused != nil {
		return nil, refused
	}
	return req.prompt(model), nil
}

// prompt gathers what the model sees. The order of metering is the order of caching.
func (req *converseRequest) prompt(model string) *prompt {
	p := &prompt{
		model: model, meter: newMeter(model), choice: "auto", stops: req.InferenceConfig.StopSequences,
		fields: req.AdditionalModelResponseFieldPaths, echoed: map[string]any{},
	}
	if n := req.InferenceConfig.MaxTokens; n != nil {
		p.maxTokens = *n
	}
	if req.PerformanceConfig != nil {
		p.echoed["performanceConfig"] = req.PerformanceConfig
	}
	if req.ServiceTier != nil {
		p.echoed["serviceTier"] = req.ServiceTier
	}
	if f := req.OutputConfig.TextFormat; f != nil {
		p.format = json.RawMessage(f.Structure.JSONSchema.Schema)
	}
	if g := req.GuardrailConfig; g != nil && g.GuardrailIdentifier != "" {
		p.guardrail = &guardrail{id: g.GuardrailIdentifier, version: g.GuardrailVersion, trace: strings.HasPrefix(g.Trace, "enabled")}
	}
	p.thinking = req.thinks() || opensEmpty(model)
	p.signed = isClaude(model)
	req.readTools(p)
	for _, b := range req.System {
		b.meterInto(p.meter)
	}
	last := -1
	for i, m := range req.Messages {
		p.meter.mark(m.Role)
		for _, b := range m.Content {
			b.meterInto(p.meter)
		}
		if m.Role == "user" {
			last = i
		}
	}
	if last >= 0 {
		p.readLast(req.Messages[last].Content)
	}
	return p
}

func (req *converseRequest) readTools(p *prompt) {
	if req.ToolConfig == nil {
		return
	}
	for _, t := range req.ToolConfig.Tools {
		switch {
		case t.ToolSpec != nil:
			var schema any
			_ = json.Unmarshal(t.ToolSpec.InputSchema.JSON, &schema) // it is part of a body that was read before
			p.tools = append(p.tools, tool{name: t.ToolSpec.Name, schema: schema})
			p.meter.text(t.ToolSpec.Name)
			p.meter.text(t.ToolSpec.Description)
			p.meter.json(schema)
		case t.SystemTool != nil:
			p.meter.text(t.SystemTool.Name)
		case t.CachePoint != nil:
			p.meter.point(t.CachePoint.TTL)
		}
	}
	if c := req.ToolConfig.ToolChoice; c != nil {
		switch {
		case c.Any != nil:
			p.choice = "any"
		case c.Tool != nil:
			p.choice, p.choiceName = "tool", c.Tool.Name
		}
	}
}

// readLast takes what the answer will speak of from the last user message.
func (p *prompt) readLast(content []block) {
	var lines []string
	for _, b := range content {
		switch {
		case b.Text != nil:
			lines = append(lines, *b.Text)
		case b.GuardContent != nil && b.GuardContent.Text != nil:
			lines = append(lines, b.GuardContent.Text.Text)
		case b.ToolResult != nil:
			p.results = append(p.results, b.ToolResult.plain())
		}
		for kind, m := range b.attachments() {
			p.media = append(p.media, attachment{kind: kind, format: m.Format, name: m.Name, bytes: m.size()})
		}
	}
	p.lastText = strings.Join(lines, "\n")
}

// attachments returns the one media block of b, by the name of its kind.
func (b *block) attachments() map[string]*mediaBlock {
	for kind, m := range map[string]*mediaBlock{"image": b.Image, "document": b.Document, "video": b.Video, "audio": b.Audio} {
		if m != nil {
			return map[string]*mediaBlock{kind: m}
		}
	}
	return nil
}

func (m *mediaBlock) size() int { return len(m.data()) }

// data is what was sent of m: bytes or text.
func (m *mediaBlock) data() []byte {
	switch {
	case m.Source.Text != nil:
		return []byte(*m.Source.Text)
	case m.Source.Content != nil:
		var b bytes.Buffer
		for _, c := range m.Source.Content {
			b.WriteString(c.Text)
		}
		return b.Bytes()
	}
	return m.Source.Bytes
}

// plain is a tool result as one text.
func (r *toolResult) plain() string {
	var parts []string
	for _, b := range r.Content {
		switch {
		case b.Text != nil:
			parts = append(parts, *b.Text)
		case b.JSON != nil:
			parts = append(parts, compact(b.JSON))
		case b.SearchResult != nil:
			parts = append(parts, b.SearchResult.Title)
		}
		for kind, m := range b.attachments() {
			parts = append(parts, kind+"/"+m.Format)
		}
	}
	return strings.Join(parts, " ")
}

func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

func (b *block) meterInto(m *meter) {
	switch {
	case b.Text != nil:
		m.text(*b.Text)
	case b.JSON != nil:
		m.text(compact(b.JSON))
	case b.ToolUse != nil:
		m.text(b.ToolUse.Name)
		m.text(compact(b.ToolUse.Input))
	case b.ToolResult != nil:
		for _, inner := range b.ToolResult.Content {
			inner.meterInto(m)
		}
	case b.CachePoint != nil:
		m.point(b.CachePoint.TTL)
	case b.Document != nil:
		m.document(b.Document.data())
	case b.GuardContent != nil && b.GuardContent.Text != nil:
		m.text(b.GuardContent.Text.Text)
	case b.GuardContent != nil && b.GuardContent.Image != nil:
		m.attach(b.GuardContent.Image.Source.Bytes)
	case b.ReasoningContent != nil && b.ReasoningContent.ReasoningText != nil:
		m.text(b.ReasoningContent.ReasoningText.Text)
	case b.CitationsContent != nil:
		for _, c := range b.CitationsContent.Content {
			m.text(c.Text)
		}
	case b.SearchResult != nil:
		m.text(b.SearchResult.Title)
		for _, c := range b.SearchResult.Content {
			m.text(c.Text)
		}
	default:
		for _, media := range b.attachments() {
			m.attach(media.Source.Bytes)
		}
	}
}

// modelFields are the members of additionalModelRequestFields that change the answer.
type modelFields struct {
	Thinking struct {
		Type         string
		BudgetTokens int `json:"budget_tokens"`
	}
	ReasoningConfig struct{ Type string } // Nova
}

func (req *converseRequest) modelFields() modelFields {
	var f modelFields
	if json.Unmarshal(req.AdditionalModelRequestFields, &f) != nil {
		return modelFields{} // another family's members of other types
	}
	return f
}

func (req *converseRequest) thinks() bool {
	f := req.modelFields()
	return f.Thinking.Type == "enabled" || f.Thinking.Type == "adaptive" || f.ReasoningConfig.Type == "enabled"
}

// readCountTokens returns the prompt whose tokens are to be counted.
func readCountTokens(model string, body []byte) (*prompt, *apiError) {
	v, refused := parseJSON(body)
	if refused != nil {
		return nil, refused
	}
	if refused := bedrockWords(shapes().countTokens.check(v)); refused != nil {
		return nil, refused
	}
	input, _ := v.(map[string]any)["input"].(map[string]any)
	if c, ok := input["converse"]; ok && c != nil {
		return converseTree(model, c)
	}
	inner, _ := input["invokeModel"].(map[string]any)
	encoded, _ := inner["body"].(string)
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, serializationError("Invalid base64 encoding at input.invokeModel.body")
	}
	f := familyOf(model, raw)
	if f == nil {
		return nil, unknownFamily(model)
	}
	return f.read(model, raw)
}
