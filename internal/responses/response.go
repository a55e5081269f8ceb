package responses

import "time"

// Response is an answer that is kept.
type Response struct {
	// ID is the response's id, "resp_…". Owner is the hash of the key that asked for it, empty where nobody is asked for one.
	// Previous is the id of the response that it went on from, empty if there is none.
	ID, Owner, Previous string
	// Model is the name that was asked for.
	Model string
	// Created is when the request came in.
	Created time.Time
	// Input is the list of items of the request itself, Output that of the answer with all that the model needs to go on from
	// it, Object the response object. All three are JSON.
	Input, Output, Object []byte
}

// Size is about how much memory the response takes, in bytes.
func (r *Response) Size() int {
	const around = 256
	return len(r.ID) + len(r.Owner) + len(r.Previous) + len(r.Model) + len(r.Input) + len(r.Output) + len(r.Object) + around
}

// Retention is how long responses are kept, as at OpenAI.
const Retention = 30 * 24 * time.Hour
