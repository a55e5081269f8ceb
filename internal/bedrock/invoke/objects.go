package invoke

import (
	"encoding/base64"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/llm"
)

// objects are the JSON objects of a streamed answer, in whatever they travel.
type objects interface {
	// next returns the next object, valid until the next call; nil is something that holds none.
	next() ([]byte, error)
	Buffered() bool
	Close() error
}

// framed are objects in frames of InvokeModelWithResponseStream: {"bytes": base64 of the object}.
type framed struct {
	converse.Frames
	requestID string
	object    []byte
}

func (f *framed) next() ([]byte, error) {
	frame, err := f.Next()
	switch {
	case err != nil:
		return nil, err
	case !frame.IsEvent():
		return nil, wire.FrameError(frame, f.requestID)
	}
	encoded, ok := chunkBytes(frame.Payload())
	if !ok {
		return nil, nil // an event of a newer AWS
	}
	if f.object, err = base64.StdEncoding.AppendDecode(f.object[:0], encoded); err != nil {
		return nil, notJSON(f.requestID, err)
	}
	return f.object, nil
}

// Events are server-sent events; *wire.Events are some.
type Events interface {
	Next() (kind, data []byte, err error)
	Buffered() bool
	Close() error
}

// sent are objects that are the data of server-sent events.
type sent struct{ Events }

func (s sent) next() ([]byte, error) {
	_, data, err := s.Next()
	if len(data) == 0 || data[0] != '{' { // [DONE] ends OpenAI's streams
		return nil, err
	}
	return data, err
}

func notJSON(requestID string, cause error) *llm.Error {
	return &llm.Error{Kind: llm.KindUpstream, Message: "a chunk of AWS's stream is not JSON", RequestID: requestID, Cause: cause}
}
