package engine

import (
	"net/http"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// book tells the call what was used and what that costs. data is the answer if it came in one piece.
func (r *NativeReply) book(data []byte) {
	call, n := r.call, r.native
	switch {
	case n.Operation == "count-tokens" || n.Service == wire.ServiceControl:
		call.costKnown = true // it is free
	case n.startsJob():
		r.started(data)
	case n.Operation == asyncInvoke:
		r.finished(data)
	case n.Operation == "guardrail":
		r.guarded(data)
	case r.meter.direct:
		r.direct()
	default:
		r.model()
	}
}

// model books a call of a model.
func (r *NativeReply) model() {
	call := r.call
	usage, counted := r.meter.usage()
	var read llm.Usage
	media := 0
	if call.target.price.ByMedia() || r.meter.made.embeddings {
		read, media = call.read().usage, call.read().media
	}
	if !counted && !(r.meter.made.embeddings && read != (llm.Usage{})) { // who embeds a video has no tokens
		usage = llm.Usage{Input: int64(len(r.native.Body)-media+bytesPerToken-1) / bytesPerToken, Output: r.meter.bytes / bytesPerToken, Estimated: true}
	}
	call.Usage, call.HasUsage = usage.Plus(read), true
	if r.meter.tier != "" {
		call.Tier = r.meter.tier
	}
	r.engine.price(call)
}

// direct books what is of no model: sessions, tags and whatever is only read cost nothing; of agents the models are known
// that they say they have asked. All else costs what nobody says.
func (r *NativeReply) direct() {
	call, n := r.call, r.native
	usage, counted := r.meter.usage()
	if !counted {
		call.costKnown = n.Method != http.MethodPost || n.Operation == "sessions" || n.Operation == "tags"
		return
	}
	call.Usage, call.HasUsage, call.costKnown = usage, true, true
	for _, i := range r.meter.invoked {
		model := i.model
		if model == "" { // an inline agent's request has it
			model = jsonscan.Text(jsonscan.Member(n.Body, "foundationModel"))
		}
		ref, err := r.engine.o.Catalog.Resolve(model)
		price, priced := r.engine.o.Catalog.Price(ref, call.Region)
		lines, noPrice := account.CostLines(i.usage, price, "")
		if err != nil || !priced || noPrice != nil {
			call.costKnown = false
			return
		}
		call.cost += lines.Total()
		call.lines = call.lines.Plus(lines)
		next := *call.target
		next.price, next.priced = price, true
		call.target = &next
	}
}

// guardrails is the catalogue's name of what guardrails cost.
const guardrails = "guardrails"

// guarded books the units of a guardrail: {"usage":{"contentPolicyUnits":1,…}}.
func (r *NativeReply) guarded(data []byte) {
	call := r.call
	ref, err := r.engine.o.Catalog.Resolve(guardrails)
	price, priced := r.engine.o.Catalog.Price(ref, call.Region)
	usage := jsonscan.Member(data, "usage")
	if err != nil || !priced || usage == nil {
		return
	}
	var cost account.Amount
	for policy, raw := range jsonscan.Members(usage) {
		units, err := strconv.ParseInt(string(raw), 10, 32)
		if err != nil || units < 0 || units > 0 && !price.Guardrail[policy].Known {
			return // unknown, and never zero
		}
		cost += account.Amount(units * price.Guardrail[policy].Pico)
	}
	next := *call.target
	next.price, next.priced = price, true
	call.target, call.cost, call.costKnown = &next, cost, true
	call.lines.Queries = cost
}
