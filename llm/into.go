package llm

import (
	"context"
	"encoding/json"
)

// Chatter answers requests, as the Go SDK's client does.
type Chatter interface {
	Chat(ctx context.Context, r Request) (*Response, error)
}

// Into asks for an answer in the form of a T and decodes it. A format that the request has stays. The error is that of the
// call, else an *[Error] of [KindUpstream] for an answer that is no T, with what encoding/json says as its cause.
func Into[T any](ctx context.Context, c Chatter, r Request) (T, error) {
	var out T
	if r.Format == nil {
		r.Format = FormatOf[T]()
	}
	answer, err := c.Chat(ctx, r)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal([]byte(answer.Text()), &out); err != nil {
		e := &Error{Kind: KindUpstream, Code: "invalid_answer", Message: "the model's answer does not have the form that was asked for", RequestID: answer.RequestID, Cause: err}
		if answer.Stop == StopLength {
			e.Message += ": it was cut at the token limit"
		}
		return out, e
	}
	return out, nil
}

// ToolFunc is a tool that the model may call: the call's arguments in, what the model is told out. An error is told to the
// model as the tool's failure.
type ToolFunc func(ctx context.Context, input json.RawMessage) (string, error)

// Func makes a [ToolFunc] of a function that takes its arguments decoded. A result that is no string is told to the model
// as JSON.
func Func[Args, Result any](f func(context.Context, Args) (Result, error)) ToolFunc {
	return func(ctx context.Context, input json.RawMessage) (string, error) {
		var args Args
		if len(input) > 0 {
			if err := json.Unmarshal(input, &args); err != nil {
				return "", err
			}
		}
		result, err := f(ctx, args)
		if err != nil {
			return "", err
		}
		if text, ok := any(result).(string); ok {
			return text, nil
		}
		text, err := json.Marshal(result)
		return string(text), err
	}
}
