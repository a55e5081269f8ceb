package account

// Body is what was said in a call: JSON, kept apart from rows, and only where the configuration says so.
type Body struct {
	// Request is the client's request without what it has of credentials, Response the answer; empty when there was none.
	Request, Response string
}

// bodies writes what was said as two fields; a record without has neither.
func (f *fields) bodies(request, response uint64, v **Body) {
	var b Body
	if f.writing {
		if *v != nil {
			b = **v
		}
		f.text(request, &b.Request)
		f.text(response, &b.Response)
		return
	}
	f.text(request, &b.Request)
	f.text(response, &b.Response)
	if b != (Body{}) {
		*v = &Body{b.Request, b.Response} // not b itself, for which every record would need room
	}
}
