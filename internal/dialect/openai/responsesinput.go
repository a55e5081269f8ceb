package openai

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Kept returns the request's own input as a list of items in the form in which the API lists them: each with a type and an
// id, a message's text as a part. responseID is the id of the response.
func (r *Responses) Kept(responseID string) []byte {
	dst := []byte{'['}
	for i, raw := range r.Input {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendKeptItem(dst, raw, strings.TrimPrefix(responseID, "resp_")+"i"+strconv.Itoa(i))
	}
	return append(dst, ']')
}

func appendKeptItem(dst, raw []byte, id string) []byte {
	member := func(name string) []byte { return jsonscan.Member(raw, name) }
	kind, role := jsonscan.Text(member("type")), jsonscan.Text(member("role"))
	content := member("content")
	isMessage := kind == "" || kind == itemMessage
	hasID := jsonscan.Text(member("id")) != ""
	if hasID && kind != "" && (!isMessage || len(content) > 0 && content[0] == '[') {
		return append(dst, raw...)
	}
	dst = append(dst, '{')
	start := len(dst)
	for name, value := range jsonscan.Members(raw) {
		if name == "id" && !hasID {
			continue
		}
		dst = append(llm.AppendString(append(dst, ','), name), ':')
		if name == "content" && isMessage && value[0] == '"' {
			part := `[{"type":"input_text","text":`
			if role == "assistant" {
				part = `[{"type":"output_text","annotations":[],"text":`
			}
			dst = append(append(append(dst, part...), value...), '}', ']')
			continue
		}
		dst = append(dst, value...)
	}
	if kind == "" {
		dst = append(dst, `,"type":"message"`...)
	}
	if !hasID {
		dst = llm.AppendString(append(dst, `,"id":`...), inputPrefix(kind)+id)
	}
	if isMessage && member("status") == nil {
		dst = append(dst, `,"status":"completed"`...)
	}
	return append(append(dst[:start], bytes.TrimPrefix(dst[start:], []byte{','})...), '}')
}

// inputPrefix begins the ids of items of a kind.
func inputPrefix(kind string) string {
	switch kind {
	case "", itemMessage, itemReasoning, itemCustom, itemShell, itemCall:
		if kind == "" {
			kind = itemMessage
		}
		return itemPrefix(kind)
	default:
		return "item_"
	}
}

// InputList is a page of a response's input items.
type InputList struct {
	// Limit is how many items there may be, After the id of the item before the first, empty for the beginning. Descending
	// begins with the last item, as the API does if it is not told otherwise.
	Limit      int
	After      string
	Descending bool
}

// Append appends the page of items, an array, as a list object. It reports false if there is no item After.
func (l *InputList) Append(dst []byte, items json.RawMessage) ([]byte, bool) {
	var all [][]byte
	for item := range jsonscan.Elements(items) {
		all = append(all, item)
	}
	if l.Descending {
		for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
			all[i], all[j] = all[j], all[i]
		}
	}
	id := func(item []byte) string { return jsonscan.Text(jsonscan.Member(item, "id")) }
	if l.After != "" {
		at := -1
		for i := range all {
			if id(all[i]) == l.After {
				at = i
				break
			}
		}
		if at < 0 {
			return dst, false
		}
		all = all[at+1:]
	}
	more := len(all) > l.Limit
	if more {
		all = all[:l.Limit]
	}
	dst = append(dst, `{"object":"list","data":[`...)
	dst = append(dst, bytes.Join(all, []byte{','})...)
	dst = append(dst, `],"first_id":`...)
	if len(all) == 0 {
		dst = append(dst, `null,"last_id":null`...)
	} else {
		dst = llm.AppendString(dst, id(all[0]))
		dst = llm.AppendString(append(dst, `,"last_id":`...), id(all[len(all)-1]))
	}
	return append(strconv.AppendBool(append(dst, `,"has_more":`...), more), '}'), true
}
