package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// prompt is a checked request as the simulated model sees it: what all APIs and families have in common.
type prompt struct {
	model      string
	lastText   string   // text blocks of the last user message, one per line
	results    []string // tool results of the last user message, as text
	media      []attachment
	tools      []tool
	choice     string // "auto", "any", "none", or "tool": then choiceName
	choiceName string
	maxTokens  int // 0: no limit
	stops      []string
	thinking   bool
	signed     bool            // reasoning carries a signature (Claude)
	format     json.RawMessage // JSON schema that the answer must have; nil: free text
	guardrail  *guardrail
	fields     []string       // additionalModelResponseFieldPaths
	echoed     map[string]any // members that AWS answers back, e.g. serviceTier
	meter      *meter
}

type attachment struct {
	kind, format, name string
	bytes              int // 0: somewhere else (S3)
}

type tool struct {
	name   string
	schema any
	custom bool // takes one text, of the Responses API
}

// guardrail is the guardrail that a request names.
type guardrail struct {
	id, version string
	trace       bool
}

// offers says whether the request has a tool called name.
func (p *prompt) offers(name string) bool {
	for _, t := range p.tools {
		if t.name == name {
			return true
		}
	}
	return false
}

// caching says whether the model's usage speaks of the prompt cache.
func (p *prompt) caching() bool {
	return isClaude(p.model) || strings.Contains(p.model, "amazon.nova")
}

func isClaude(model string) bool { return strings.Contains(model, "anthropic.claude") }

// namesToolUse is true for the newer Claude models, which add "type":"tool_use" to tool use in Converse's answers.
func namesToolUse(model string) bool {
	return strings.Contains(model, "claude-sonnet-4-5") || strings.Contains(model, "claude-sonnet-5")
}

// opensEmpty is true for gpt-oss, whose streams begin with an empty text block and which always reasons.
func opensEmpty(model string) bool { return strings.Contains(model, "openai.gpt-oss") }

const mediaTokens = 258 // of each image, video or audio clip

// tokens is the documented rule: a token is four characters, the last may be short.
func tokens(characters int) int { return (characters + 3) / 4 }

func countTokens(s string) int { return tokens(utf8.RuneCountInString(s)) }

// meter counts a prompt while it is read in the order in which AWS caches it: tools, system, messages.
type meter struct {
	digest     hash.Hash
	characters int
	media      int
	points     []cachePoint
}

func newMeter(model string) *meter {
	m := &meter{digest: sha256.New()}
	m.mark(model)
	return m
}

// mark adds to the digest what is not counted: roles, names of block kinds.
func (m *meter) mark(s string) {
	m.digest.Write([]byte(s))
	m.digest.Write([]byte{0})
}

func (m *meter) text(s string) {
	m.characters += utf8.RuneCountInString(s)
	m.mark(s)
}

func (m *meter) json(v any) { m.text(string(mustJSON(v))) }

func (m *meter) document(data []byte) {
	m.characters += len(data)
	m.mark(string(data))
}

func (m *meter) attach(data []byte) {
	m.media++
	m.mark(string(data))
}

func (m *meter) tokens() int { return tokens(m.characters) + m.media*mediaTokens }

// point notes a cache point here.
func (m *meter) point(ttl string) {
	life := 5 * time.Minute
	if ttl == "1h" {
		life = time.Hour
	}
	m.points = append(m.points, cachePoint{digest: hex.EncodeToString(m.digest.Sum(nil)), tokens: m.tokens(), ttl: life})
}

// cachePoint is a place up to which a prompt may be cached, and the tokens up to there.
type cachePoint struct {
	digest string
	tokens int
	ttl    time.Duration
}

// usage is what AWS would bill. input excludes what was read from or written to the cache.
type usage struct {
	input, output, cacheRead, cacheWrite int
	written                              []cacheDetail // longest life first
}

type cacheDetail struct {
	ttl    string
	tokens int
}

func (u usage) total() int { return u.input + u.output + u.cacheRead + u.cacheWrite }

// maxCached bounds the prompt cache; beyond it the cache starts anew.
const maxCached = 10000

// promptCache remembers until when each prompt prefix is cached.
type promptCache struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (c *promptCache) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = nil
}

// bill splits the prompt's tokens: the longest cached prefix is read, what follows up to the last cache point is
// written, the rest is plain input. Reading renews a prefix, as with AWS.
func (c *promptCache) bill(m *meter, now time.Time) usage {
	u := usage{input: m.tokens()}
	if len(m.points) == 0 {
		return u
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until == nil || len(c.until) > maxCached {
		c.until = map[string]time.Time{}
	}
	hit := -1
	for i, p := range m.points {
		if now.Before(c.until[p.digest]) {
			hit = i
		}
	}
	before := 0
	if hit >= 0 {
		u.cacheRead = m.points[hit].tokens
		before = u.cacheRead
	}
	perTTL := map[string]int{}
	for i, p := range m.points {
		c.until[p.digest] = now.Add(p.ttl)
		if i > hit {
			name := "5m"
			if p.ttl == time.Hour {
				name = "1h"
			}
			perTTL[name] += p.tokens - before
			before = p.tokens
		}
	}
	u.cacheWrite = before - u.cacheRead
	u.input -= before
	for _, ttl := range []string{"1h", "5m"} {
		if perTTL[ttl] > 0 {
			u.written = append(u.written, cacheDetail{ttl: ttl, tokens: perTTL[ttl]})
		}
	}
	return u
}
