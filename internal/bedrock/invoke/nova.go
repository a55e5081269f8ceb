package invoke

import (
	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
)

// nova is Amazon Nova, whose body is Converse's with small differences.
var nova = family{
	name:   "nova",
	body:   func(catalog.Ref) converse.Body { return converse.Body{Params: []string{"web_search_options"}} },
	encode: (*encoder).nova,
	answer: func(a *answer, body []byte) {
		content := jsonscan.Member(body, "output", "message", "content")
		if len(content) < 2 || content[0] != '[' {
			a.shape()
			return
		}
		a.blocks = append(a.blocks, content[1:len(content)-1]...)
		a.stopWord(jsonscan.Member(body, "stopReason"))
		a.usage.nova(jsonscan.Member(body, "usage"))
	},
	chunk: func(c *chunks, chunk []byte) {
		for name, value := range jsonscan.Members(chunk) {
			switch name {
			case "contentBlockStart":
				c.add(eventBlockStart, value)
			case "contentBlockDelta":
				c.add(eventDelta, value)
			case "contentBlockStop":
				c.add(eventBlockStop, value)
			case "messageStop":
				c.finishWith(jsonscan.Member(value, "stopReason"))
			case "metadata":
				c.usage.nova(jsonscan.Member(value, "usage"))
				if trace := jsonscan.Member(value, "trace"); len(trace) > 2 {
					c.trace = append([]byte(nil), trace...)
				}
			}
		}
	},
}

// nova takes over Converse's counts; the cache's come under two names.
func (u *usage) nova(raw []byte) {
	u.counts(raw, "inputTokens", "outputTokens")
	for _, name := range [...]string{"cacheReadInputTokens", "cacheReadInputTokenCount"} {
		set(&u.read, jsonscan.Member(raw, name))
	}
	for _, name := range [...]string{"cacheWriteInputTokens", "cacheWriteInputTokenCount"} {
		set(&u.written, jsonscan.Member(raw, name))
	}
}

func (e *encoder) nova() {
	d := &e.doc
	e.string("schemaVersion", "messages-v1")
	if len(d.system) > 0 {
		e.name("system")
		e.novaBlocks(d.system)
	}
	e.messages(e.novaBlocks)
	inference := d.field("inferenceConfig") // topK, and what the client says there itself
	if inference != nil || d.maxTokens != nil || d.temperature != nil || d.topP != nil || len(d.stops) > 0 {
		e.object("inferenceConfig", func() {
			e.raw("maxTokens", d.maxTokens)
			e.raw("temperature", d.temperature)
			e.raw("topP", d.topP)
			e.strings("stopSequences", d.stops)
			for name, value := range jsonscan.Members(inference) {
				e.raw(name, value)
			}
		})
	}
	e.novaTools()
	e.rest()
}

// novaBlocks writes content. A cache point is a member of the text block that it stands behind.
func (e *encoder) novaBlocks(blocks []block) {
	e.list(len(blocks), func(i int) {
		b := &blocks[i]
		switch b.kind {
		case kindText:
			e.dst = append(append(e.dst, `{"text":`...), b.value...)
		case kindGuarded:
			e.dst = append(e.dst, `{"text":`...)
			e.guardedText(b)
		default:
			e.dst = append(append(append(e.dst, '{', '"'), b.kind...), '"', ':')
			e.dst = append(append(e.dst, b.value...), '}')
			if b.cache != nil {
				e.req.Lose("messages.cache_control", "unsupported")
			}
			return
		}
		if b.cache != nil {
			e.dst = append(append(e.dst, `,"cachePoint":`...), b.cache...)
		}
		e.dst = append(e.dst, '}')
	})
}

func (e *encoder) novaTools() {
	d := &e.doc
	if len(d.tools) == 0 {
		return
	}
	e.name("toolConfig")
	e.dst = append(e.dst, `{"tools":`...)
	e.list(len(d.tools), func(i int) { e.dst = append(e.dst, d.tools[i].raw...) })
	if d.choice != nil {
		e.dst = append(append(e.dst, `,"toolChoice":`...), d.choice...)
	}
	e.dst = append(e.dst, '}')
}
