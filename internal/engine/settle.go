package engine

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/llm"
)

// price works out what a call costs, once its usage is known.
func (e *Engine) price(call *Call) {
	t := call.target
	if t == nil || !t.priced || !call.HasUsage {
		return
	}
	if t.price.ByTime() {
		call.Usage.Time = call.UpstreamTime()
	}
	lines, err := account.CostLines(call.Usage, t.price, call.Tier)
	if err != nil {
		if !errors.Is(err, account.ErrNoPrice) && !errors.Is(err, account.ErrUncounted) {
			e.o.Logger.Error("a cost cannot be computed", "call_id", call.ID, "error", err)
		}
		return
	}
	call.cost, call.lines, call.costKnown = lines.Total(), lines, true
}

// CostUSD returns what the call costs, as a decimal number of USD, and whether that is known.
func (c *Call) CostUSD() (string, bool) { return c.cost.String(), c.costKnown }

// CostLines returns of what the cost is made. Reasoning is the part of Output that was thinking, where AWS says so.
func (c *Call) CostLines() (lines account.Lines, reasoning account.Amount) {
	return c.lines, c.lines.Reasoning(c.Usage)
}

// Bound returns the time-out that the call was made with: until a stream's first event, or until a whole answer; 0 is none.
func (c *Call) Bound() time.Duration {
	stream := c.Request != nil && c.Request.Stream
	switch {
	case stream && c.StreamTimeout > 0:
		return c.StreamTimeout
	case c.Timeout > 0:
		return c.Timeout
	case c.Deployment == nil:
		return 0
	case stream:
		return c.Deployment.Timeouts.FirstEvent
	}
	return c.Deployment.Timeouts.Total
}

// Cost returns what the call costs.
func (c *Call) Cost() llm.Cost {
	if !c.costKnown {
		return llm.Cost{}
	}
	return llm.NewCost(int64(c.cost))
}

// Charged returns what the call's caller is charged, 0 where that is not known.
func (c *Call) Charged() account.Amount { return c.cost }

// UpstreamTime returns how long the call has been in AWS's hands.
func (c *Call) UpstreamTime() time.Duration {
	switch {
	case c.sent.IsZero():
		return 0
	case c.answered.IsZero():
		return time.Since(c.sent)
	default:
		return c.answered.Sub(c.sent)
	}
}

// Settle ends a call: one record for the books, unless Book has made it, which it returns, and one line for the log. status is
// what the client got.
func (e *Engine) Settle(call *Call, status int, failure *llm.Error) account.Record {
	call.leave()
	e.Book(call, status, failure)
	telemetry.RequestLine(e.o.Logger, call.record)
	return call.record
}

// Book makes the call's record and hands it to the books, once: before the last byte of the answer goes out, so that a
// client never has an answer of which a process that dies keeps no row. status is what the client gets.
func (e *Engine) Book(call *Call, status int, failure *llm.Error) {
	if call.booked {
		return
	}
	call.booked = true
	e.settleLimits(call)
	end := time.Now()
	r := account.Record{
		CallID: call.ID, Type: call.Type, Path: call.Path, KeyHash: call.Caller.KeyHash,
		KeyAlias: call.Caller.KeyAlias, UserID: call.Caller.UserID, TeamID: call.Caller.TeamID, TeamAlias: call.Caller.TeamAlias, OrganizationID: call.Caller.OrganizationID,
		Usage: call.Usage, Status: status, ClientClosed: call.ClientClosed,
		AWSRequestID: call.RequestID, Start: call.Start, FirstToken: call.firstToken, End: end, Tier: call.Tier,
	}
	if req := call.Request; req != nil {
		r.User, r.Tags, r.Asked, r.Stream, r.Losses = req.User, req.Tags, req.Model, req.Stream, req.Losses
	}
	if failure == nil && call.AnswerID != "" {
		r.RequestID = call.AnswerID
	}
	if d := call.Deployment; d != nil {
		r.Group, r.Deployment, r.Model, r.Region, r.Route = d.Group, d.ID, call.ModelID, call.Region, d.Ref.RouteName()
	}
	tries := call.Tries
	if d := call.Deployment; d != nil && call.Why != "" && (failure == nil || len(tries) == 0) { // there was a choice
		tries = append(slices.Clip(tries), Try{Deployment: d.ID, Group: d.Group, Status: status, Why: call.Why})
	}
	r.Tries = TriesText(tries)
	if call.HasUsage {
		r.UsageSource = account.UsageAWS
		if call.Usage.Estimated {
			r.UsageSource = account.UsageEstimated
		}
	}
	if t := call.target; t != nil && t.priced {
		r.PriceKey, r.PriceVersion = t.price.Key, t.price.Version
	}
	r.Cost, r.CostKnown, r.Lines, r.Charges = int64(call.cost), call.costKnown, call.lines, call.lease.Charges()
	r.KeyAlias, r.UserID, r.TeamID = call.Caller.KeyAlias, call.Caller.UserID, call.Caller.TeamID
	r.Session, r.CacheKey, r.CacheHit = call.Session, call.CacheKey, call.CacheHit
	r.IP, r.Metadata = call.IP, rowMetadata(call.Metadata, call.Caller.Metadata)
	if call.CacheHit {
		r.Group = call.group
	}
	r.Upstream = call.UpstreamTime()
	r.Own = end.Sub(call.Start) - r.Upstream
	r.SetError(failure)
	if e.o.Recorder != nil && call.Type != "" {
		kept := r
		if e.o.NoAddresses {
			kept.IP = ""
		}
		if e.o.Bodies > 0 {
			kept.Body = call.Content.Stored(r.Asked, saidAs(call.Type), e.o.Bodies)
		}
		e.o.Recorder.Add(kept)
	}
	if e.o.Watcher != nil && call.Type != "" {
		e.tell(call, &r)
	}
	call.record = r
}

// rowMetadata returns what a row has of what its client wants to find in it, with those of the caller's own members that the
// client says nothing of. Of few calls there is anything, and of fewer both.
func rowMetadata(client, caller json.RawMessage) json.RawMessage {
	const braces = "{}"
	switch {
	case len(caller) <= len(braces):
		return client
	case len(client) <= len(braces):
		return caller
	}
	said := map[string]bool{}
	for name := range jsonscan.Members(client) {
		said[name] = true
	}
	all := slices.Clip(client[:len(client)-1])
	for name, value := range jsonscan.Members(caller) {
		if !said[name] {
			all = append(append(llm.AppendString(append(all, ','), name), ':'), value...)
		}
	}
	return append(all, '}')
}

// saidAs is the name that what a client says has in requests of a type.
func saidAs(callType string) string {
	switch callType {
	case "aembedding", "aresponses":
		return "input"
	case "atext_completion", "aimage_generation", "aimage_edit":
		return "prompt"
	case "arerank":
		return "query"
	default:
		return "messages"
	}
}
