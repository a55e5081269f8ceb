package gateway

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// limitWords are LiteLLM's words for what is limited, in headers.
func limitWord(r account.Resource) string {
	switch r {
	case account.Requests:
		return "Requests"
	case account.Tokens:
		return "Tokens"
	default:
		return "Max_parallel_requests"
	}
}

// descriptor is LiteLLM's word for whose limit it is.
func descriptor(l *account.Left) string {
	word := l.Scope
	switch word {
	case "key":
		word = "api_key"
	case account.ScopeMember:
		word = "team_member"
	}
	if l.OfModel {
		return "model_per_" + strings.TrimPrefix(word, "api_")
	}
	return word
}

// limitHeaders says what is left of the caller's limits: the tightest of each kind by OpenAI's headers, each of them by
// LiteLLM's. It reports whether there are any. Call it before the answer begins.
func (x *exchange) limitHeaders() bool {
	h, found := x.w.Header(), false
	tightest := map[account.Resource]int64{}
	x.call.Lease().Left(func(l account.Left) {
		found = true
		what := limitWord(l.Resource)
		name := "X-Ratelimit-" + descriptor(&l) + "-"
		h.Set(name+"Remaining-"+what, strconv.FormatInt(l.Left, 10))
		h.Set(name+"Limit-"+what, strconv.FormatInt(l.Limit, 10))
		if l.Resource == account.Parallel {
			return
		}
		if left, ok := tightest[l.Resource]; !ok || l.Left < left {
			tightest[l.Resource] = l.Left
			rateLimit(h, what, l.Limit, l.Left, l.Reset)
		}
	})
	return found
}

// keyHeaders says what the caller's key has spent, this call included, and what limits it.
func (x *exchange) keyHeaders() {
	if x.server.Limits == nil {
		return
	}
	for i := range x.call.Caller.Owners {
		o := &x.call.Caller.Owners[i]
		if o.Scope != string(account.EntityKey) || o.Terms == nil {
			continue
		}
		h := x.w.Header()
		if spent, _, err := x.server.Limits.Spend(context.WithoutCancel(x.r.Context()), o); err == nil {
			h.Set("X-Litellm-Key-Spend", (spent + x.call.Charged()).String())
		}
		if most := o.Terms.MaxBudget; most != nil {
			h.Set("X-Litellm-Key-Max-Budget", most.String())
		}
		for name, limit := range map[string]*int64{"X-Litellm-Key-Tpm-Limit": o.Terms.TPM, "X-Litellm-Key-Rpm-Limit": o.Terms.RPM} {
			if limit != nil {
				h.Set(name, strconv.FormatInt(*limit, 10))
			}
		}
	}
}

// overLimit says in LiteLLM's headers which kind of limit a refused call has met.
func overLimit(h http.Header, err *llm.Error, now time.Time) {
	kind := map[string]string{account.CodeRequests: "requests", account.CodeTokens: "tokens", account.CodeParallel: "max_parallel_requests"}[err.Code]
	if kind == "" || err.RetryAfter <= 0 || err.AWSType != "" {
		return
	}
	h.Set("Rate_limit_type", kind)
	h.Set("Reset_at", now.Add(err.RetryAfter).UTC().Format("2006-01-02 15:04:05 UTC"))
}
