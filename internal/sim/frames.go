package sim

import (
	"bytes"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// frame is one message of an event stream.
type frame struct {
	headers eventstream.Headers
	payload []byte
	corrupt bool   // its checksum is wrong
	text    []byte // a server-sent event in the place of a frame
}

func header(pairs ...string) eventstream.Headers {
	var h eventstream.Headers
	for i := 0; i+1 < len(pairs); i += 2 {
		h = append(h, eventstream.Header{Name: pairs[i], Value: eventstream.StringValue(pairs[i+1])})
	}
	return h
}

// eventFrame has its headers in the recorded order.
func eventFrame(name string, payload []byte) frame {
	return frame{headers: header(":event-type", name, ":content-type", "application/json", ":message-type", "event"), payload: payload}
}

// exceptionFrame is a modelled exception; member is its name in lower camel case.
func exceptionFrame(member string, payload []byte) frame {
	return frame{headers: header(":exception-type", member, ":content-type", "application/json", ":message-type", "exception"), payload: payload}
}

// errorFrame is an error that the service model does not know.
func errorFrame(code, message string) frame {
	return frame{headers: header(":message-type", "error", ":error-code", code, ":error-message", message)}
}

// encode gives the frame's bytes with both checksums, by the SDK's encoder.
func (f frame) encode() ([]byte, error) {
	if f.text != nil {
		return f.text, nil
	}
	var b bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&b, eventstream.Message{Headers: f.headers, Payload: f.payload}); err != nil {
		return nil, err
	}
	data := b.Bytes()
	if f.corrupt {
		data[len(data)-1] ^= 0xff
	}
	return data, nil
}

// framed turns events into frames; each payload gets its padding.
func framed(events []event, d *dice) []frame {
	frames := make([]frame, 0, len(events))
	for _, e := range events {
		payload := object{"p": d.padding()}
		for name, v := range e.payload {
			payload[name] = v
		}
		frames = append(frames, eventFrame(e.name, mustJSON(payload)))
	}
	return frames
}
