package anthropic

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Answer is what is said around an answer.
type Answer struct {
	// ID is the message's id, Model the name that the client asked for. A message in Claude's own words has an id of its own,
	// which takes the place of ID when it is written.
	ID, Model string
	// Stops are the request's stop sequences: where there is one, it is known which of them was met.
	Stops []string
}

// AppendMessage appends a whole answer. One in Claude's own words is handed over as it is, under the client's name for the
// model.
func AppendMessage(dst []byte, a *Answer, r *llm.Response) []byte {
	if r.Native != nil {
		return appendNative(dst, a, r.Native)
	}
	dst = a.head(dst)
	dst = append(dst, `,"content":[`...)
	first := len(dst)
	for i := range r.Blocks {
		at := len(dst)
		if at > first {
			dst = append(dst, ',')
		}
		before := len(dst)
		if dst = appendBlock(dst, &r.Blocks[i]); len(dst) == before {
			dst = dst[:at]
		}
	}
	dst = append(dst, `],"stop_reason":`...)
	dst = a.appendStop(dst, r.Stop, r.StopRaw)
	dst = append(dst, `,"usage":`...)
	return append(AppendUsage(dst, &r.Usage, r.Tier), '}')
}

func (a *Answer) head(dst []byte) []byte {
	dst = llm.AppendString(append(dst, `{"id":`...), a.ID)
	return llm.AppendString(append(dst, `,"type":"message","role":"assistant","model":`...), a.Model)
}

// appendNative copies the members of a message but for the model's name, and without what AWS adds for its own books.
func appendNative(dst []byte, a *Answer, message []byte) []byte {
	dst = append(dst, '{')
	n := 0
	for name, value := range jsonscan.Members(message) {
		if strings.HasPrefix(name, "amazon-bedrock-") {
			continue
		}
		if n++; n > 1 {
			dst = append(dst, ',')
		}
		dst = append(llm.AppendString(dst, name), ':')
		switch name {
		case "model":
			dst = llm.AppendString(dst, a.Model)
			continue
		case "id":
			a.ID = jsonscan.Text(value)
		}
		dst = append(dst, value...)
	}
	return append(dst, '}')
}

// appendBlock appends a block, or nothing for what an answer of Anthropic's cannot hold.
func appendBlock(dst []byte, b *llm.Block) []byte {
	switch b.Kind {
	case llm.BlockText:
		return append(b.Text.AppendJSON(append(dst, `{"type":"text","text":`...)), '}')
	case llm.BlockCitations:
		dst = b.Text.AppendJSON(append(dst, `{"type":"text","text":`...))
		dst = append(dst, `,"citations":[`...)
		n := 0
		for c := range jsonscan.Elements(jsonscan.Member(b.Raw, "citations")) {
			if n++; n > 1 {
				dst = append(dst, ',')
			}
			dst = appendCitation(dst, c)
		}
		return append(dst, ']', '}')
	case llm.BlockThinking:
		dst = b.Text.AppendJSON(append(dst, `{"type":"thinking","thinking":`...))
		return append(b.Signature.AppendJSON(append(dst, `,"signature":`...)), '}')
	case llm.BlockRedacted:
		return append(b.Signature.AppendJSON(append(dst, `{"type":"redacted_thinking","data":`...)), '}')
	case llm.BlockToolUse:
		dst = llm.AppendString(append(dst, `{"type":"tool_use","id":`...), b.Tool.ID)
		dst = llm.AppendString(append(dst, `,"name":`...), b.Tool.Name)
		dst = append(dst, `,"input":`...)
		input := bytes.TrimSpace(b.Tool.Input)
		switch {
		case len(input) == 0:
			dst = append(dst, `{}`...)
		case input[0] == '{' && jsonscan.Valid(input) == nil:
			dst = append(dst, input...)
		default: // clients take an object only
			dst = append(llm.AppendString(append(dst, `{"_raw":`...), string(input)), '}')
		}
		return append(dst, '}')
	case llm.BlockOther:
		return append(dst, foreignBlock(b.Raw)...)
	default:
		return dst
	}
}

// foreignBlock is a block of Anthropic's own in the form in which a codec hands it over, nil if it is none.
func foreignBlock(raw []byte) []byte { return jsonscan.Member(raw, "anthropic") }

// appendStop appends the reason, and the stop sequence that was met.
func (a *Answer) appendStop(dst []byte, stop llm.StopReason, word string) []byte {
	dst = append(append(append(dst, '"'), stopReason(stop, word)...), '"')
	dst = append(dst, `,"stop_sequence":`...)
	if stop == llm.StopSequence && len(a.Stops) == 1 {
		return llm.AppendString(dst, a.Stops[0])
	}
	return append(dst, "null"...)
}

// stopReason is Anthropic's word for why a model ended.
func stopReason(stop llm.StopReason, word string) string {
	switch stop {
	case llm.StopSequence:
		return "stop_sequence"
	case llm.StopTool:
		return "tool_use"
	case llm.StopFilter:
		return "refusal"
	case llm.StopLength:
		if word == "model_context_window_exceeded" {
			return word
		}
		return "max_tokens"
	default:
		if word == "pause_turn" {
			return word
		}
		return "end_turn"
	}
}

// AppendUsage appends the counts in Anthropic's words: input excludes what came from the cache or went into it.
func AppendUsage(dst []byte, u *llm.Usage, tier string) []byte {
	add := func(name string, n int64) {
		dst = strconv.AppendInt(append(append(append(dst, '"'), name...), `":`...), n, 10)
	}
	dst = append(dst, '{')
	add("input_tokens", u.Input)
	dst = append(dst, ',')
	add("cache_creation_input_tokens", u.CacheWrite())
	dst = append(dst, ',')
	add("cache_read_input_tokens", u.CacheRead)
	dst = append(dst, `,"cache_creation":{`...)
	add("ephemeral_5m_input_tokens", u.CacheWrite5m)
	dst = append(dst, ',')
	add("ephemeral_1h_input_tokens", u.CacheWrite1h)
	dst = append(dst, '}', ',')
	add("output_tokens", u.Output)
	switch tier {
	case "":
	case "default":
		dst = append(dst, `,"service_tier":"standard"`...)
	default:
		dst = llm.AppendString(append(dst, `,"service_tier":`...), tier)
	}
	return append(dst, '}')
}

// appendCitation appends a citation of AWS's in Anthropic's words.
func appendCitation(dst, raw []byte) []byte {
	get := func(path ...string) []byte { return jsonscan.Member(raw, path...) }
	add := func(name string, value []byte, otherwise string) {
		if len(value) == 0 {
			value = []byte(otherwise)
		}
		dst = append(append(append(append(dst, ',', '"'), name...), '"', ':'), value...)
	}
	var cited []byte
	for part := range jsonscan.Elements(get("sourceContent")) {
		inner, _ := jsonscan.Inner(jsonscan.Member(part, "text"))
		cited = append(cited, inner...)
	}
	quoted := append(append([]byte{'"'}, cited...), '"')
	for kind, at := range jsonscan.Members(get("location")) {
		where := func(name string) []byte { return jsonscan.Member(at, name) }
		spans := func(kind, index, indexName, from, to string) {
			dst = append(append(append(dst, `{"type":"`...), kind...), `","cited_text":`...)
			dst = append(dst, quoted...)
			add(indexName, where(index), "0")
			add(from, where("start"), "0")
			add(to, where("end"), "0")
		}
		switch kind {
		case "documentChar":
			spans("char_location", "documentIndex", "document_index", "start_char_index", "end_char_index")
			add("document_title", get("title"), "null")
		case "documentPage":
			spans("page_location", "documentIndex", "document_index", "start_page_number", "end_page_number")
			add("document_title", get("title"), "null")
		case "documentChunk":
			spans("content_block_location", "documentIndex", "document_index", "start_block_index", "end_block_index")
			add("document_title", get("title"), "null")
		case "searchResultLocation":
			spans("search_result_location", "searchResultIndex", "search_result_index", "start_block_index", "end_block_index")
			add("title", get("title"), "null")
			add("source", get("source"), `""`)
		case "web":
			dst = append(append(dst, `{"type":"web_search_result_location","cited_text":`...), quoted...)
			add("url", where("url"), `""`)
			add("title", get("title"), "null")
			add("encrypted_index", nil, `""`)
		default:
			continue
		}
		return append(dst, '}')
	}
	dst = append(append(dst, `{"type":"char_location","cited_text":`...), quoted...)
	add("document_index", nil, "0")
	add("document_title", get("title"), "null")
	return append(dst, `,"start_char_index":0,"end_char_index":0}`...)
}
