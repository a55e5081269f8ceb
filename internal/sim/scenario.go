package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Scenario scripts a simulator: the first rule that matches a request decides; no match means echo.
type Scenario struct {
	Rules []Rule `yaml:"rules"`
}

// Rule is one line of the script.
type Rule struct {
	Name  string `yaml:"name"` // for error messages only
	Match Match  `yaml:"match"`
	Reply *Reply `yaml:"reply"`
	Fault *Fault `yaml:"fault"`
	// The delays and the chunk size replace those of the Options.
	Latency    *time.Duration `yaml:"latency"`
	FirstEvent *time.Duration `yaml:"first_event"`
	ChunkDelay *time.Duration `yaml:"chunk_delay"`
	ChunkSize  int            `yaml:"chunk_size"`
}

// Match says which requests a rule is for; what is empty matches all.
type Match struct {
	Model     string `yaml:"model"`     // part of the model id; with * a pattern for the whole id
	Contains  string `yaml:"contains"`  // part of the last user message's text
	Operation string `yaml:"operation"` // converse, converse-stream, invoke, invoke-with-response-stream, count-tokens
	Nth       int    `yaml:"nth"`       // only the nth request that matches the rest, from 1
	Times     int    `yaml:"times"`     // only the first so many
	// Share is which share of them, from 0 to 1, drawn by their number: the same in every run. 0: all.
	Share float64 `yaml:"share"`
}

// Reply is what the model says instead of the echo. Stop sequences and token limits cut it like any answer.
type Reply struct {
	Text      string   `yaml:"text"`
	Chunks    []string `yaml:"chunks"` // the text as it is streamed; alone it is the text too
	Reasoning string   `yaml:"reasoning"`
	// Cited are texts with their sources, behind the text.
	Cited      []Cited     `yaml:"cited"`
	ToolCalls  []ToolCall  `yaml:"tool_calls"`
	StopReason string      `yaml:"stop_reason"`
	Usage      *ReplyUsage `yaml:"usage"`
	// Raw is the whole body of an answer without stream: a text as it is, anything else as JSON.
	Raw any `yaml:"raw"`
	// Events are the events of a streamed answer, as mappings of one name to a payload. For InvokeModel the name is
	// chunk and the payload the family's own object.
	Events []map[string]any `yaml:"events"`
}

// Cited is a text with its source in a Reply: an address, or a document of the request by its number.
type Cited struct {
	Text     string `yaml:"text"`
	Title    string `yaml:"title"`
	URL      string `yaml:"url"`
	Document int    `yaml:"document"`
	// Quote is the source's own text.
	Quote string `yaml:"quote"`
}

// converse is the source as Converse has it.
func (c Cited) converse() object {
	o := object{"title": c.Title, "sourceContent": []object{{"text": c.Quote}}}
	if c.URL != "" {
		domain, _, _ := strings.Cut(strings.TrimPrefix(c.URL, "https://"), "/")
		o["location"] = object{"web": object{"url": c.URL, "domain": domain}}
	} else {
		o["location"] = object{"documentChar": object{"documentIndex": c.Document, "start": 0, "end": len([]rune(c.Quote))}}
	}
	return o
}

// anthropic is the source as Claude's own API has it.
func (c Cited) anthropic() object {
	if c.URL != "" {
		return object{"type": "web_search_result_location", "url": c.URL, "title": c.Title, "cited_text": c.Quote}
	}
	return object{
		"type": "char_location", "cited_text": c.Quote, "document_index": c.Document, "document_title": c.Title,
		"start_char_index": 0, "end_char_index": len([]rune(c.Quote)),
	}
}

// ToolCall is a call in a Reply. ID is made up when empty.
type ToolCall struct {
	ID    string `yaml:"id"`
	Name  string `yaml:"name"`
	Input any    `yaml:"input"`
}

func (t ToolCall) json() json.RawMessage {
	if t.Input == nil {
		return json.RawMessage("{}")
	}
	return mustJSON(t.Input)
}

// ReplyUsage replaces the counted tokens.
type ReplyUsage struct {
	Input      int `yaml:"input"`
	Output     int `yaml:"output"`
	CacheRead  int `yaml:"cache_read"`
	CacheWrite int `yaml:"cache_write"`
}

func (u ReplyUsage) usage() usage {
	return usage{input: u.Input, output: u.Output, cacheRead: u.CacheRead, cacheWrite: u.CacheWrite}
}

// LoadScenario reads a scenario file, YAML or JSON.
func LoadScenario(file string) (*Scenario, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s, err := ParseScenario(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// ParseScenario reads a scenario in YAML or JSON. Unknown keys, faults, operations and stop reasons are errors.
func ParseScenario(data []byte) (*Scenario, error) {
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(trimmed) {
		// JSON is nearly YAML; tabs and surrogate escapes are where it is not. Written anew it has neither.
		v, refused := parseJSON(trimmed)
		if refused != nil {
			return nil, refused
		}
		data = mustJSON(v)
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	var s Scenario
	if err := d.Decode(&s); err != nil {
		return nil, err
	}
	for i, r := range s.Rules {
		if err := r.check(); err != nil {
			name := r.Name
			if name == "" {
				name = fmt.Sprint(i + 1)
			}
			return nil, fmt.Errorf("rule %s: %w", name, err)
		}
	}
	return &s, nil
}

var stopReasons = []string{"end_turn", "tool_use", "max_tokens", "stop_sequence", "guardrail_intervened", "content_filtered", "malformed_model_output", "malformed_tool_use", "model_context_window_exceeded"}

func (r Rule) check() error {
	if op := r.Match.Operation; op != "" && modelOperation(op) == "" {
		return fmt.Errorf("unknown operation %q; there are converse, converse-stream, invoke, invoke-with-response-stream, count-tokens", op)
	}
	if r.Match.Share < 0 || r.Match.Share > 1 {
		return errors.New("share must be from 0 to 1")
	}
	if r.Match.Nth < 0 || r.Match.Times < 0 || r.ChunkSize < 0 {
		return errors.New("nth, times and chunk_size must not be negative")
	}
	if r.Fault != nil {
		if err := r.Fault.normalize(); err != nil {
			return err
		}
	}
	if r.Reply == nil {
		return nil
	}
	if stop := r.Reply.StopReason; stop != "" && !slices.Contains(stopReasons, stop) {
		return fmt.Errorf("unknown stop_reason %q; there are %s", stop, strings.Join(stopReasons, ", "))
	}
	for _, c := range r.Reply.Cited {
		if c.Text == "" {
			return errors.New("a cited text needs a text")
		}
	}
	for _, t := range r.Reply.ToolCalls {
		if t.Name == "" {
			return errors.New("a tool call needs a name")
		}
		if _, err := json.Marshal(t.Input); err != nil {
			return fmt.Errorf("input of tool %s: %w", t.Name, err)
		}
	}
	if _, err := json.Marshal(r.Reply.Raw); err != nil {
		return fmt.Errorf("raw: %w", err)
	}
	for _, e := range r.Reply.Events {
		if len(e) != 1 {
			return errors.New("each of events must be a mapping of one event name to its payload")
		}
		for name, payload := range e {
			if _, ok := payload.(map[string]any); !ok {
				return fmt.Errorf("event %s: the payload must be a mapping", name)
			}
			if _, err := json.Marshal(payload); err != nil {
				return fmt.Errorf("event %s: %w", name, err)
			}
		}
	}
	return nil
}

// rule returns the first rule for a request and its number, or nil. It counts the matches of rules with nth or times.
func (s *Server) rule(c *call, text string) (int, *Rule) {
	if s.options.Scenario == nil {
		return 0, nil
	}
	for i := range s.options.Scenario.Rules {
		r := &s.options.Scenario.Rules[i]
		m := r.Match
		if !matchesModel(m.Model, c.model) || !strings.Contains(text, m.Contains) || (m.Operation != "" && modelOperation(m.Operation) != c.operation) {
			continue
		}
		if m.Nth > 0 || m.Times > 0 || m.Share > 0 {
			n := s.counts.next(fmt.Sprintf("rule\x00%d", i))
			if (m.Nth > 0 && n != m.Nth) || (m.Times > 0 && n > m.Times) || (m.Share > 0 && !s.drawn(n, m.Share)) {
				continue
			}
		}
		return i, r
	}
	return 0, nil
}

// drawn reports whether the nth request is of a share of all.
func (s *Server) drawn(n int, share float64) bool {
	const resolution = 1 << 20
	d := newDice(s.options.Seed, "share", []byte(strconv.Itoa(n)))
	return float64(d.next()%resolution) < share*resolution
}

// matchesModel: without * a part of the id will do, with * the whole id must match.
func matchesModel(pattern, id string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return strings.Contains(id, pattern)
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(id) < len(first)+len(last) || !strings.HasPrefix(id, first) || !strings.HasSuffix(id, last) {
		return false
	}
	id = id[len(first) : len(id)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(id, part)
		if at < 0 {
			return false
		}
		id = id[at+len(part):]
	}
	return true
}
