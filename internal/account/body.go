package account

// Body is what was said in a call: JSON, kept apart from rows, and only where the configuration says so.
type Body struct {
	// Request is the client's request without what it has of credentials, Response the answer; empty when there was none.
	Request, Response string
}

// bodies writes what was said as two fields; a record without has neither.
func (f *fields) bodies(request, response uint64, v **Body) {
	var b Body
	if *v != nil {
		b = **v
	}
	f.text(request, &b.Request)
	f.text(response, &b.Response)
	if !f.writing && b != (Body{}) {
		*v = &b
	}
}
