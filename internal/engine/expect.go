package engine

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// expect works out what a call may use and cost at most.
func (e *Engine) expect(call *Call, t *target, ask *account.Ask) {
	if !e.o.Limits.Bounds(ask) { // nobody asks
		return
	}
	r := call.Request
	n := int64(call.choices())
	most := llm.Usage{Input: inputOf(r), Output: outputOf(r, t)}
	bounded := r.MaxTokens != nil
	if n := call.relayed; n != nil {
		asked := askedIn(n.Body)
		most.Input, bounded = asked.Input, asked.Output > 0
		if bounded {
			most.Output = asked.Output
		}
		call.expectNative(t, &most)
	}
	ask.Input, ask.Output = most.Input*n, most.Output*n
	ask.Likely = ask.Output
	if !bounded {
		ask.Likely = min(ask.Output, e.o.LikelyOutput*n)
	}
	if !t.priced {
		return
	}
	switch {
	case call.relayed != nil:
	case r.Image != nil:
		most.Made = 1
	case r.Rerank != nil:
		const unit = 100 // documents
		most.Queries = int64(len(r.Rerank.Documents)+unit-1) / unit
		most.Input, most.Output = 0, 0
	case r.Embed != nil:
		t.embedded(r.Embed, &most)
	default:
		t.watched(r, &most)
		if t.searches() {
			most.Searches = t.searchesOf(r)
		}
	}
	onlyPriced(&most, &t.price, r.Tier)
	if worst, err := account.Cost(most, t.price, r.Tier); err == nil {
		ask.Worst = worst * account.Amount(n)
	}
}

// onlyPriced leaves out of a usage what has no price, and that something may not be counted: the rest is known all the same, and
// is held.
func onlyPriced(u *llm.Usage, p *catalog.Price, tier string) {
	rates := p.At(u.Prompt(), tier)
	for _, part := range [...]struct {
		n    *int64
		rate catalog.Rate
	}{{&u.Input, rates.Input}, {&u.Output, rates.Output}, {&u.Images, p.Units[catalog.UnitInputImage]}, {&u.Searches, p.Units[catalog.UnitWebSearch]}} {
		if !part.rate.Known {
			*part.n = 0
		}
	}
	if !p.Units[catalog.UnitVideoSecond].Known {
		u.VideoIn = 0
		if !p.Units[catalog.UnitMadeVideoSecond].Known {
			u.VideoMade = 0
		}
	}
	if !p.Units[catalog.UnitAudioSecond].Known {
		u.AudioIn = 0
	}
	u.Uncounted = false
}

// embedded adds the seconds and the images of what is to be embedded.
func (t *target) embedded(r *llm.Embed, u *llm.Usage) {
	for _, blocks := range r.Inputs {
		for i := range blocks {
			if blocks[i].Kind == llm.BlockImage {
				u.Images++
			}
		}
		if t.price.ByMedia() {
			addSeconds(blocks, u)
		}
	}
}

// reading is what a body in AWS's own words has a model read by the second, and how many of its bytes that is.
type reading struct {
	usage llm.Usage
	media int
}

// read returns what the body of a relayed call has its model read. It is worked out once: the bodies are large.
func (c *Call) read() *reading {
	if c.reads == nil {
		c.reads = &reading{}
		c.reads.media = readBy(c.relayed.Body, &c.reads.usage)
	}
	return c.reads
}

// expectNative puts into a usage what a body in AWS's own words says of seconds and searches.
func (c *Call) expectNative(t *target, most *llm.Usage) {
	n := c.relayed
	switch {
	case !t.priced:
	case n.startsJob():
		*most = jobUsage(jsonscan.Member(n.Body, "modelInput"))
	case t.price.ByMedia():
		read := c.read()
		most.Input = int64(len(n.Body)-read.media+bytesPerToken-1) / bytesPerToken
		most.VideoIn, most.AudioIn = read.usage.VideoIn, read.usage.AudioIn
	case t.searches():
		most.Searches = n.searches()
	}
}

// startsJob reports whether a request starts an asynchronous call, asksForJobs whether it asks about such calls: which costs
// nothing, and is how what they have cost is found out.
func (n *Native) startsJob() bool { return n.Operation == asyncInvoke && n.Method == http.MethodPost }

func (n *Native) asksForJobs() bool {
	return n != nil && n.Operation == asyncInvoke && n.Method == http.MethodGet
}

const asyncInvoke = "async-invoke"

// usualSearches is how many searches are expected of a request that may search as often as it likes: AWS has no bound.
const usualSearches = 10

// searches reports whether searches of the target's model cost something.
func (t *target) searches() bool {
	return len(t.price.Units) > 0 && t.price.Units[catalog.UnitWebSearch].Pico > 0
}

// searchesOf returns how often a request may search. Nova is told of no bound.
func (t *target) searchesOf(r *llm.Request) int64 {
	if llm.Lookup(r.Params, "web_search_options") != nil {
		return usualSearches
	}
	for i := range r.Tools {
		if tool := &r.Tools[i]; isSearchTool(tool.Type) {
			if m := t.deployment.Ref.Model; m != nil && m.Provider == "amazon" {
				return usualSearches
			}
			return boundOf(tool.Raw, "max_uses")
		}
	}
	return 0
}

// searches returns how often a request in AWS's own words may search: Claude's tools say how often at most, the Responses API how
// many tools are called in all, and Nova's grounding nothing.
func (n *Native) searches() int64 {
	if jsonscan.Valid(n.Body) != nil {
		return 0
	}
	for tool := range jsonscan.Elements(jsonscan.Member(n.Body, "tools")) {
		if isSearchTool(jsonscan.Text(jsonscan.Member(tool, "type"))) {
			return min(boundOf(tool, "max_uses"), boundOf(n.Body, "max_tool_calls"))
		}
	}
	for tool := range jsonscan.Elements(jsonscan.Member(n.Body, "toolConfig", "tools")) {
		if isSearchTool(jsonscan.Text(jsonscan.Member(tool, "systemTool", "name"))) {
			return usualSearches
		}
	}
	return 0
}

func isSearchTool(name string) bool {
	return strings.HasPrefix(name, "web_search") || name == grounding
}

// boundOf reads a number of searches.
func boundOf(object []byte, name string) int64 {
	n, err := strconv.ParseInt(string(jsonscan.Member(object, name)), 10, 32)
	if err != nil || n < 0 {
		return usualSearches
	}
	return n
}
