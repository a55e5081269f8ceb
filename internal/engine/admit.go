package engine

import (
	"context"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// admit holds what a call may use of everything that limits its caller. t is where it is about to go, nil if no deployment
// can take it now. A call is admitted once, whatever is tried for it.
func (e *Engine) admit(ctx context.Context, call *Call, t *target) *llm.Error {
	if e.o.Limits == nil || call.lease != nil {
		return nil
	}
	r := call.Request
	ask := account.Ask{Caller: &call.Caller, EndUser: r.User, Tags: r.Tags, Group: r.Model, Free: call.relayed.asksForJobs()}
	if t != nil {
		if group := t.deployment.Group; !strings.Contains(group, "*") {
			ask.Group = group
		}
		e.expect(call, t, &ask)
	}
	lease, failed := e.o.Limits.Admit(ctx, &ask)
	if failed != nil {
		return failed
	}
	call.lease = lease
	return nil
}

// askedIn returns what a body in AWS's own words may use: its input by its length, and the bound of its answer, 0 if it
// has none.
func askedIn(body []byte) router.Need {
	need := router.Need{Input: (int64(len(body)) + bytesPerToken - 1) / bytesPerToken}
	bound := func(value []byte) {
		if len(value) == 0 {
			return
		}
		if n, err := strconv.ParseInt(string(value), 10, 64); err == nil && n > 0 && n < 1<<32 {
			need.Output = max(need.Output, n)
		}
	}
	for name, value := range jsonscan.Fields(body) {
		switch string(name) {
		case "max_tokens", "max_completion_tokens", "max_gen_len":
			bound(value)
		case "inferenceConfig":
			bound(jsonscan.Member(value, "maxTokens"))
			bound(jsonscan.Member(value, "max_new_tokens"))
		case "textGenerationConfig":
			bound(jsonscan.Member(value, "maxTokenCount"))
		}
	}
	return need
}

// settleLimits gives back what a call held, and has what it has used counted.
func (e *Engine) settleLimits(call *Call) {
	defer e.jobs.release(call.ended) // what it holds makes room when what it has cost is counted
	if call.lease == nil {
		return
	}
	if d := call.Deployment; d != nil {
		if o := ownerOf(d); o != nil {
			call.lease.Charge(o)
		}
	}
	call.lease.Settle(context.Background(), &call.Usage, call.cost) // a client that has gone does not end the counting
}

// Lease returns what the call held of its caller's limits; nil if it was not admitted.
func (c *Call) Lease() *account.Lease { return c.lease }

// ownerOf returns a deployment as an owner of a budget, nil if it has none.
func ownerOf(d *router.Deployment) *account.Owner {
	if d.Budget == nil {
		return nil
	}
	return &account.Owner{Scope: account.ScopeDeployment, ID: d.ID, Label: "Deployment=" + d.ID, Terms: &account.Terms{
		MaxBudget: (*account.Amount)(d.Budget), BudgetDuration: d.BudgetDuration,
	}}
}
