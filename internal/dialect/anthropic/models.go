package anthropic

import (
	"strconv"

	"github.com/outcrop-ai/outcrop/llm"
)

// AppendModels appends the list of models as Anthropic's clients read it.
func AppendModels(dst []byte, ids []string) []byte {
	dst = append(dst, `{"data":[`...)
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendModel(dst, id)
	}
	dst = append(dst, `],"has_more":false,"first_id":`...)
	first, last := []byte("null"), []byte("null")
	if len(ids) > 0 {
		first, last = llm.AppendString(nil, ids[0]), llm.AppendString(nil, ids[len(ids)-1])
	}
	dst = append(append(append(dst, first...), `,"last_id":`...), last...)
	return append(dst, '}')
}

// created is when all models began, since nobody says when theirs did.
const created = "2024-01-01T00:00:00Z"

// AppendModel appends one model.
func AppendModel(dst []byte, id string) []byte {
	dst = llm.AppendString(append(dst, `{"type":"model","id":`...), id)
	dst = llm.AppendString(append(dst, `,"display_name":`...), id)
	return append(dst, `,"created_at":"`+created+`"}`...)
}

// AppendCount appends the answer of a count of tokens.
func AppendCount(dst []byte, tokens int64) []byte {
	return append(strconv.AppendInt(append(dst, `{"input_tokens":`...), tokens, 10), '}')
}
