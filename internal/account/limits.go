package account

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

// Owner is one of those whose terms a call has to keep: its key, the key's team, ….
type Owner struct {
	// Scope and ID name the owner's counters, see [Charge]; Label is how messages name him: Key=team-a-ci.
	Scope, ID, Label string
	// Terms are his own, with those of his budget where he says nothing.
	Terms *Terms
	// Created is when those of his budget's periods begin that do not follow the calendar.
	Created time.Time
}

// Ask is what a call is about to use.
type Ask struct {
	Caller *Caller
	// EndUser and Tags are those that the request names; some of them have terms of their own.
	EndUser string
	Tags    []string
	// Group is the model group that answers.
	Group string
	// Input are the tokens that are sent, Output those that the answer may have; Likely are those that it will have, for
	// limits of tokens, where the client has set no bound. Worst is the most that the call can cost, 0 if nobody knows.
	Input, Output, Likely int64
	Worst                 Amount
	// Free says that the call costs nothing itself, though it may find out what another has cost: no budget refuses it.
	Free bool
}

// LimitOptions say how limits are kept.
type LimitOptions struct {
	Counters Counters
	// Zone is that of budgets' calendar; nil is UTC.
	Zone *time.Location
	// Global are the terms of the whole gateway, Provider those of all calls to AWS.
	Global, Provider Terms
	// EndUsers are the terms of each end user who has none of his own; nil is none.
	EndUsers *Terms
	// Named finds those whom requests name; nil finds nobody.
	Named Named
	// Status is the HTTP status of a call over budget; 0 is 422, LiteLLM's.
	Status int
	// TokenType says what counts against limits of tokens: total, input or output.
	TokenType string
	// FailClosed refuses calls while the counters cannot be reached. Else they are let through, and logged.
	FailClosed bool
	Logger     *slog.Logger
	now        func() time.Time
}

// Named finds owners whom requests name.
type Named interface {
	// EndUser and Tag return the terms of an end user and of a tag, nil if he, or it, has none. A [Directory] does.
	EndUser(id string) *EndUser
	Tag(name string) *TagTerms
}

// Limits keeps budgets and limits: what a call may use at most is held before it is made, and what it has used is counted
// at its end. It is safe for concurrent use.
type Limits struct {
	o                LimitOptions
	global, provider Owner
}

// NewLimits returns limits. Counters are required.
func NewLimits(o LimitOptions) *Limits {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.now == nil {
		o.now = time.Now
	}
	if o.Status == 0 {
		o.Status = http.StatusUnprocessableEntity
	}
	return &Limits{
		o:        o,
		global:   Owner{Scope: scopeGlobal, ID: scopeGlobal, Label: "Proxy", Terms: &o.Global},
		provider: Owner{Scope: scopeProvider, ID: "bedrock", Label: "Provider=bedrock", Terms: &o.Provider},
	}
}

// each calls yield for all whose terms a call has to keep.
func (l *Limits) each(ask *Ask, yield func(*Owner)) {
	yield(&l.global)
	if t := &l.o.Provider; t.MaxBudget != nil {
		yield(&l.provider)
	}
	if ask.Caller != nil {
		for i := range ask.Caller.Owners {
			yield(&ask.Caller.Owners[i])
		}
	}
	if ask.EndUser != "" {
		if o, ok := l.endUser(ask.EndUser); ok {
			yield(&o)
		}
	}
	if l.o.Named == nil {
		return
	}
	for i, tag := range ask.Tags {
		if t := l.o.Named.Tag(tag); t != nil && !slices.Contains(ask.Tags[:i], tag) {
			yield(&Owner{Scope: string(EntityTag), ID: tag, Label: "Tag=" + tag, Terms: &t.Terms, Created: t.Since})
		}
	}
}

func (l *Limits) endUser(id string) (Owner, bool) {
	o := Owner{Scope: string(EntityEndUser), ID: id, Label: "ExceededBudget: User=" + id, Terms: l.o.EndUsers}
	if l.o.Named != nil {
		if u := l.o.Named.EndUser(id); u != nil {
			own := u.Terms
			if own.MaxBudget == nil && len(own.Windows) == 0 && l.o.EndUsers != nil {
				own.MaxBudget, own.BudgetDuration = l.o.EndUsers.MaxBudget, l.o.EndUsers.BudgetDuration
			}
			o.Terms, o.Created = &own, u.Since
		}
	}
	return o, o.Terms != nil
}

// Bounds reports whether anybody limits the tokens or the money of a call: else nobody needs to know how much it may use.
func (l *Limits) Bounds(ask *Ask) bool {
	bound := false
	l.each(ask, func(o *Owner) {
		if t := o.Terms; t != nil {
			bound = bound || t.MaxBudget != nil || t.TPM != nil || len(t.Windows)+len(t.ModelBudgets)+len(t.ModelTPM) > 0
		}
	})
	return bound
}

// Exhausted reports whether an owner's budget is spent, by what is known here: nothing is asked of anybody.
func (l *Limits) Exhausted(o *Owner) bool {
	now := l.o.now()
	lease := &Lease{limits: l}
	lease.owner(o, &Ask{}, now)
	for i := range lease.claims {
		c := &lease.claims[i]
		if c.Resource != Money {
			continue
		}
		if spent, err := l.o.Counters.Spent(context.Background(), c.Charge); err == nil && int64(spent) >= c.Limit {
			return true
		}
	}
	return false
}

// Reset has a counter of money go on from an amount: the word of an administrator, which the store has heard before.
func (l *Limits) Reset(ctx context.Context, counter Charge, to Amount) error {
	return l.o.Counters.Reset(ctx, counter, to)
}

// Spent returns what was spent on a counter of money, calls whose rows are still on their way to a store included.
func (l *Limits) Spent(ctx context.Context, counter Charge) (Amount, error) {
	return l.o.Counters.Spent(ctx, counter)
}

// Spend returns what was spent on an owner's counter: in the period of its budget, and when that ends (zero: never).
func (l *Limits) Spend(ctx context.Context, o *Owner) (spent Amount, reset time.Time, err error) {
	period := int64(0)
	if o.Terms != nil && o.Terms.BudgetDuration != "" {
		start, end, err := Period(o.Terms.BudgetDuration, o.Created, l.o.now(), l.o.Zone)
		if err != nil {
			return 0, reset, err
		}
		period, reset = start.Unix(), end
	}
	spent, err = l.o.Counters.Spent(ctx, Charge{o.Scope, o.ID, period})
	return spent, reset, err
}

const (
	scopeGlobal   = "global"
	scopeProvider = "provider"
)

// Scopes of owners that are no entities.
const (
	// ScopeMember is a user in a team, ScopeModel a group of models of another owner: its id is the owner's scope and id and
	// the group. ScopeDeployment is a deployment.
	ScopeMember     = "member"
	ScopeModel      = "model"
	ScopeDeployment = "deployment"
)

// Lease is what a call holds until it is settled. A nil lease holds nothing.
type Lease struct {
	limits *Limits
	at     int64
	claims []Claim
	owners []claimOwner
	used   []int64
	// charges are the counters that the call's cost is added to.
	charges []Charge
	settled bool
}

// claimOwner says whose a claim is, and when its period ends.
type claimOwner struct {
	scope, label string
	end          time.Time
}

// Admit holds what a call may use of everything that limits it, or refuses it. The lease must be settled.
func (l *Limits) Admit(ctx context.Context, ask *Ask) (*Lease, *llm.Error) {
	now := l.o.now()
	lease := &Lease{limits: l}
	l.each(ask, func(o *Owner) { lease.owner(o, ask, now) })
	if len(lease.claims) == 0 {
		return lease, nil
	}
	if ask.Free {
		lease.ungate()
	}
	taken, err := l.o.Counters.Take(ctx, now, lease.claims)
	if err != nil {
		lease.claims = nil
		if l.o.FailClosed {
			return nil, &llm.Error{
				Kind: llm.KindUnavailable, Code: "limits_unavailable", RetryAfter: time.Second, Cause: err,
				Message: "The counters of limits cannot be read just now, and calls are not let through without them (fail_closed_rate_limit_enforcement)",
			}
		}
		l.o.Logger.Warn("limits are not kept: their counters cannot be reached", "error", err)
		return lease, nil
	}
	if taken.Refused >= 0 {
		return nil, l.refuse(lease, &taken, now)
	}
	lease.at, lease.used = taken.At, taken.Used
	return lease, nil
}

// owner collects what a call claims of one owner: money first, so that who has none left is told so.
func (l *Lease) owner(o *Owner, ask *Ask, now time.Time) {
	t := o.Terms
	if t == nil {
		return
	}
	zone := l.limits.o.Zone
	claim := func(r Resource, charge Charge, limit, amount int64, end time.Time) {
		l.claims = append(l.claims, Claim{r, charge, limit, amount})
		l.owners = append(l.owners, claimOwner{o.Scope, o.Label, end})
	}
	budget := func(scope, id, length string, most *Amount) {
		start, end := int64(0), time.Time{}
		if length != "" {
			from, to, err := Period(length, o.Created, now, zone)
			if err != nil { // it was checked when it was set
				return
			}
			start, end = from.Unix(), to
		}
		charge := Charge{scope, id, start}
		if start != 0 || scope != o.Scope {
			l.charges = append(l.charges, charge)
		}
		if most != nil {
			claim(Money, charge, int64(*most), int64(ask.Worst), end)
		}
	}
	l.charges = append(l.charges, Charge{o.Scope, o.ID, 0})
	switch {
	case t.MaxBudget == nil && t.SoftBudget != nil: // nothing is refused, but what is spent must be known
		unbounded := Amount(math.MaxInt64)
		budget(o.Scope, o.ID, t.BudgetDuration, &unbounded)
	case t.MaxBudget != nil || t.BudgetDuration != "":
		budget(o.Scope, o.ID, t.BudgetDuration, t.MaxBudget)
	}
	for i := range t.Windows {
		if t.Windows[i].Duration != t.BudgetDuration || t.MaxBudget == nil {
			budget(o.Scope, o.ID, t.Windows[i].Duration, &t.Windows[i].MaxBudget)
		}
	}
	model := Charge{}
	if len(t.ModelBudgets)+len(t.ModelRPM)+len(t.ModelTPM) > 0 {
		model = ModelCharge(o.Scope, o.ID, ask.Group, 0)
	}
	ofModel, ok := t.ModelBudgets[ask.Group]
	if ok && ofModel.MaxBudget != nil {
		budget(model.Scope, model.ID, ofModel.Duration, ofModel.MaxBudget)
	}
	own := Charge{o.Scope, o.ID, 0}
	minute := now.Add(time.Minute)
	if t.Parallel != nil {
		claim(Parallel, own, *t.Parallel, 1, minute)
	}
	tokens := ask.tokens(l.limits.o.TokenType)
	for _, limit := range [...]struct {
		charge   Charge
		rpm, tpm *int64
	}{{own, t.RPM, t.TPM}, {model, entry(t.ModelRPM, ask.Group), entry(t.ModelTPM, ask.Group)}, {model, ofModel.RPM, ofModel.TPM}} {
		if limit.rpm != nil {
			claim(Requests, limit.charge, *limit.rpm, 1, minute)
		}
		if limit.tpm != nil {
			claim(Tokens, limit.charge, *limit.tpm, tokens, minute)
		}
	}
}

// ModelCharge is the counter of what an owner uses of one group of models, in the period that begins at a second since 1970.
func ModelCharge(scope, id, group string, period int64) Charge {
	return Charge{ScopeModel, scope + "/" + id + "/" + group, period}
}

func entry(m map[string]int64, key string) *int64 {
	if v, ok := m[key]; ok {
		return &v
	}
	return nil
}

// tokens returns what a call claims of a limit of tokens.
func (a *Ask) tokens(kind string) int64 {
	switch kind {
	case "input":
		return a.Input
	case "output":
		return a.Likely
	default:
		return a.Input + a.Likely
	}
}

// usedTokens returns what a call has used of a limit of tokens.
func usedTokens(u *llm.Usage, kind string) int64 {
	switch kind {
	case "input":
		return u.Prompt()
	case "output":
		return u.Output
	default:
		return u.Prompt() + u.Output
	}
}

// Charge has a settled call's cost added to an owner who did not limit it before: the deployment that answered.
func (l *Lease) Charge(o *Owner) {
	if l == nil {
		return
	}
	other := Lease{limits: l.limits}
	other.owner(o, &Ask{}, l.limits.o.now())
	for i := range other.claims {
		other.claims[i].Amount = 0
	}
	l.claims, l.owners = append(l.claims, other.claims...), append(l.owners, other.owners...)
	l.charges = append(l.charges, other.charges...)
}

// ungate has no claim to money refused: the counters are there for what the call finds out to be spent.
func (l *Lease) ungate() {
	for i := range l.claims {
		if c := &l.claims[i]; c.Resource == Money {
			c.Limit = math.MaxInt64
		}
	}
}

// Detach takes the money that a lease holds out of it, for a call that goes on costing when it has been answered: it stays held
// until the lease that is returned is settled. That is nil where none is held.
func (l *Lease) Detach() *Lease {
	if l == nil || l.settled || len(l.used) < len(l.claims) {
		return nil
	}
	held := &Lease{limits: l.limits, at: l.at}
	rest := *l
	rest.claims, rest.owners, rest.used = nil, nil, nil
	for i, c := range l.claims {
		to := &rest
		if c.Resource == Money {
			to = held
		}
		to.claims, to.owners, to.used = append(to.claims, c), append(to.owners, l.owners[i]), append(to.used, l.used[i])
	}
	if len(held.claims) == 0 {
		return nil
	}
	*l = rest
	return held
}

// Charges are the counters that the call's cost is to be added to by the store that writes its row. A nil lease has none.
func (l *Lease) Charges() []Charge {
	if l == nil {
		return nil
	}
	return l.charges
}

// Settle ends a lease with what the call has used and cost. Only the first call has an effect.
func (l *Lease) Settle(ctx context.Context, used *llm.Usage, cost Amount) {
	if l == nil || l.settled {
		return
	}
	l.settled = true
	if len(l.claims) == 0 {
		return
	}
	tokens := usedTokens(used, l.limits.o.TokenType)
	actual := make([]int64, len(l.claims))
	for i := range l.claims {
		switch l.claims[i].Resource {
		case Tokens:
			actual[i] = tokens
		case Money:
			actual[i] = int64(cost)
		case Requests, Parallel:
			actual[i] = 1
		}
	}
	l.limits.o.Counters.Give(ctx, l.limits.o.now(), l.at, l.claims, actual)
}

// Left is what is left of one limit when a call was admitted.
type Left struct {
	Resource Resource
	// Scope is the owner's; OfModel says that the limit is for one group of models.
	Scope       string
	OfModel     bool
	Limit, Left int64
	// Reset is how long it takes until all of the limit is there again, at most.
	Reset time.Duration
}

// Left calls yield for each limit of requests, tokens and requests under way that the lease holds of.
func (l *Lease) Left(yield func(Left)) {
	if l == nil || l.used == nil {
		return
	}
	for i := range l.claims {
		if c := &l.claims[i]; c.Resource != Money {
			yield(Left{c.Resource, l.owners[i].scope, c.Scope == ScopeModel, c.Limit, max(c.Limit-l.used[i], 0), time.Minute})
		}
	}
}

// refuse says why a call is not admitted.
func (l *Limits) refuse(lease *Lease, taken *Taken, now time.Time) *llm.Error {
	claim, of := &lease.claims[taken.Refused], lease.owners[taken.Refused]
	label := of.label
	if claim.Scope == ScopeModel {
		label += " Model"
	}
	switch claim.Resource {
	case Money:
		if !taken.Spent {
			return &llm.Error{
				Kind: llm.KindRateLimit, Type: typeRateLimit, Code: CodeReserved, RetryAfter: time.Second,
				Message: "What is left of the budget may be needed by requests under way. " + label + " Max budget: " + Amount(claim.Limit).String(),
			}
		}
		spent, err := l.o.Counters.Spent(context.Background(), claim.Charge)
		if err != nil {
			spent = Amount(claim.Limit)
		}
		failed := &llm.Error{
			Kind: llm.KindRateLimit, HTTPStatus: l.o.Status, Type: TypeBudget, Code: strconv.Itoa(l.o.Status),
			Message: "Budget has been exceeded! " + label + " Current cost: " + spent.String() + ", Max budget: " + Amount(claim.Limit).String(),
		}
		if !of.end.IsZero() {
			failed.RetryAfter = of.end.Sub(now)
		}
		return failed
	case Parallel:
		return &llm.Error{
			Kind: llm.KindRateLimit, Type: typeRateLimit, Code: CodeParallel, RetryAfter: time.Second,
			Message: "Rate limit exceeded for " + label + ". Limit type: max_parallel_requests. Current limit: " + strconv.FormatInt(claim.Limit, 10) + ", Remaining: 0. Try again when a request under way has ended.",
		}
	default:
		kind, code := "requests", CodeRequests
		if claim.Resource == Tokens {
			kind, code = "tokens", CodeTokens
		}
		return &llm.Error{
			Kind: llm.KindRateLimit, Type: typeRateLimit, Code: code, RetryAfter: max(taken.Wait, time.Second),
			Message: "Rate limit exceeded for " + label + ". Limit type: " + kind + ". Current limit: " + strconv.FormatInt(claim.Limit, 10) +
				" a minute, Remaining: 0. Limit resets at: " + now.Add(taken.Wait).UTC().Format("2006-01-02 15:04:05 UTC"),
		}
	}
}

// TypeBudget is the type of the error of a call over budget: LiteLLM's word.
const TypeBudget = "budget_exceeded"

const typeRateLimit = "rate_limit_error"

// Codes of calls over a limit, by what was too much. That of requests is OpenAI's word; CodeReserved is that of a budget of
// which calls under way may need what is left.
const (
	CodeReserved = "budget_reserved"
	CodeRequests = "rate_limit_exceeded"
	CodeTokens   = "tokens_limit_exceeded"
	CodeParallel = "parallel_limit_exceeded"
)
