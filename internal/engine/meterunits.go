package engine

import (
	"bytes"
	"errors"
	"io"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// things counts what is paid for beside tokens: images made and read, queries of rerankers and embedders.
func (m *meter) things() {
	asked := func(path ...string) []byte { return jsonscan.Member(m.asked, path...) }
	length := func(array []byte) (n int64) {
		for range jsonscan.Elements(array) {
			n++
		}
		return n
	}
	u := &m.body
	switch {
	case m.made.results != nil: // a reranker: InvokeModel's body has documents, that of Rerank sources
		const unit = 100
		u.Queries = (length(asked("documents")) + length(asked("sources")) + unit - 1) / unit
		for result := range jsonscan.Elements(m.made.results) { // or Titan's texts
			var n int64
			most(&n, jsonscan.Member(result, "tokenCount"))
			u.Output += n
		}
	case m.made.embeddings: // Cohere's repeat the images
		m.embedded(asked, length)
	case m.made.artifacts != nil:
		u.Made = length(m.made.artifacts)
	case m.made.images != nil:
		u.Made = length(m.made.images)
	}
}

// embedded counts the images and texts that were embedded. Titan and Nova name one image, Cohere a list of them or of mixed
// inputs, Marengo's texts are paid for by the piece.
func (m *meter) embedded(asked func(path ...string) []byte, length func([]byte) int64) {
	u := &m.body
	u.Images = length(asked("images"))
	for _, at := range [][]string{{"inputImage"}, {"singleEmbeddingParams", "image"}, {"image", "mediaSource"}} {
		if asked(at...) != nil {
			u.Images++
		}
	}
	for input := range jsonscan.Elements(asked("inputs")) {
		for part := range jsonscan.Elements(jsonscan.Member(input, "content")) {
			if jsonscan.Text(jsonscan.Member(part, "type")) == "image_url" {
				u.Images++
			}
		}
	}
	switch jsonscan.Text(asked("inputType")) { // Marengo's
	case "text":
		u.Queries = 1
	case "image":
		u.Images = max(u.Images, 1)
	case "text_image":
		u.Images, u.Queries = max(u.Images, 1), 1
	}
}

// trace reads what an agent says of the models that it asks. The model stands in the event before the one with its usage:
// {"trace":{"orchestrationTrace":{"modelInvocationOutput":{"metadata":{"usage":{"inputTokens":1,"outputTokens":2}}}}}}.
func (m *meter) trace(payload []byte) {
	if jsonscan.Valid(payload) != nil {
		return
	}
	for _, step := range jsonscan.Members(jsonscan.Member(payload, "trace")) {
		if model := jsonscan.Text(jsonscan.Member(step, "modelInvocationInput", "foundationModel")); model != "" {
			m.invoking = model
		}
		output := jsonscan.Member(step, "modelInvocationOutput", "metadata")
		if output == nil {
			continue
		}
		one := meter{}
		one.object(output)
		if u, ok := one.usage(); ok {
			m.invoked = append(m.invoked, invocation{m.invoking, u})
		}
	}
}

// longestLine bounds the line of a text stream that is read for its counts.
const longestLine = 1 << 20

// text reads a stream of server-sent events to its end.
func (m *meter) text(r io.Reader) error {
	var line []byte
	buf := make([]byte, firstRead)
	for {
		n, err := r.Read(buf)
		m.bytes += int64(n)
		for rest := buf[:n]; len(rest) > 0; {
			piece, after, ended := bytes.Cut(rest, []byte("\n"))
			if rest = after; len(line)+len(piece) <= longestLine {
				line = append(line, piece...)
			}
			if !ended {
				break
			}
			m.line(line)
			line = line[:0]
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			var known *llm.Error
			if errors.As(err, &known) {
				return err
			}
			return &llm.Error{Kind: llm.KindUpstream, Message: "upstream stream ended early", Cause: err}
		}
	}
}

// firstRead is how much of a text stream is read at once.
const firstRead = 8 << 10

func (m *meter) line(line []byte) {
	data, isData := bytes.CutPrefix(bytes.TrimRight(line, "\r"), []byte("data:"))
	if isData && m.hear != nil {
		m.hear("", bytes.TrimSpace(data))
	}
	if isData && !m.direct && (bytes.Contains(data, []byte(`"usage"`)) || bytes.Contains(data, []byte("invocationMetrics"))) {
		m.object(bytes.TrimSpace(data))
	}
}
