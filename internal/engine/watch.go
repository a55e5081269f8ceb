package engine

import (
	"cmp"
	"net/http"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/llm"
)

// tell hands a finished call to the watcher. It is called for nothing where there is none.
func (e *Engine) tell(call *Call, r *account.Record) {
	ev := &telemetry.Event{
		Record: *r, Caller: call.Caller, Endpoint: call.Endpoint, Session: call.Session, Content: call.Content,
		Agent: header(call.Header, "User-Agent"), TraceParent: header(call.Header, "Traceparent"), TraceState: header(call.Header, "Tracestate"),
	}
	ev.Lines, ev.Reasoning = call.CostLines()
	if call.HasUsage && !r.Failed() {
		ev.Stop = stopWord(call.stop)
	}
	ev.Attempts = make([]telemetry.Attempt, 0, len(call.Tries)+1)
	for i := range call.Tries {
		t := &call.Tries[i]
		ev.Attempts = append(ev.Attempts, telemetry.Attempt{
			Deployment: t.Deployment, Group: t.Group, Model: t.Model, Region: t.Region, Status: t.Status, Error: t.Error, Start: t.Start, End: t.End,
		})
	}
	// A last try that failed stands among the tries, unless there was no other to take.
	if d := call.Deployment; d != nil && !call.sent.IsZero() && (!r.Failed() || len(call.Tries) == 0 || !call.Tries[len(call.Tries)-1].Start.Equal(call.sent)) {
		ev.Attempts = append(ev.Attempts, telemetry.Attempt{
			Deployment: d.ID, Group: d.Group, Model: call.ModelID, Region: call.Region, Status: r.Status, Error: cmp.Or(r.AWSException, r.ErrorKind),
			Start: call.sent, End: r.End,
		})
	}
	e.o.Watcher.Finished(ev)
}

// maxHeader bounds what is kept of a header of the client's.
const maxHeader = 512

// header returns a header's value, cut where it is long.
func header(h http.Header, name string) string {
	if list := h[name]; len(list) > 0 {
		return list[0][:min(len(list[0]), maxHeader)]
	}
	return ""
}

// stopWord is OpenAI's word for why a model ended its turn.
func stopWord(s llm.StopReason) string {
	switch s {
	case llm.StopLength:
		return "length"
	case llm.StopTool:
		return "tool_calls"
	case llm.StopFilter:
		return "content_filter"
	case llm.StopEnd, llm.StopSequence:
		return "stop"
	default:
		return ""
	}
}
