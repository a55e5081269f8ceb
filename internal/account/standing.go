package account

import (
	"context"
	"time"
)

// Standing is how an owner stands towards his budget.
type Standing struct {
	// Spent is what was spent in the budget's period; calls under way are not in it.
	Spent Amount
	// Max is the budget, Soft what only alerts; nil where there is none. Nothing is read, and Spent is 0, where there is neither.
	Max, Soft *Amount
	// From and Reset are the borders of the period, zero where the budget is for ever.
	From, Reset time.Time
}

// charger is what can read many counters at once; [LocalCounters] can.
type charger interface {
	Load(ctx context.Context, counters []Charge)
}

// Standings calls yield with how each owner stands, in their order. Counters that nobody has asked for yet are read together.
// Those that cannot be read are left out.
func (l *Limits) Standings(ctx context.Context, owners []Owner, yield func(i int, s Standing)) {
	now := l.o.now()
	list := make([]Standing, len(owners))
	charges := make([]Charge, len(owners))
	for i := range owners {
		o := &owners[i]
		if o.Terms == nil {
			continue
		}
		s := &list[i]
		s.Max, s.Soft = o.Terms.MaxBudget, o.Terms.SoftBudget
		charges[i] = Charge{Scope: o.Scope, ID: o.ID}
		if length := o.Terms.BudgetDuration; length != "" {
			from, to, err := Period(length, o.Created, now, l.o.Zone)
			if err != nil { // it was checked when it was set
				continue
			}
			s.From, s.Reset, charges[i].Period = from, to, from.Unix()
		}
	}
	if c, ok := l.o.Counters.(charger); ok {
		var wanted []Charge
		for i := range list {
			if list[i].counts() {
				wanted = append(wanted, charges[i])
			}
		}
		c.Load(ctx, wanted)
	}
	for i := range list {
		if list[i].counts() {
			spent, err := l.o.Counters.Spent(ctx, charges[i])
			if err != nil {
				continue
			}
			list[i].Spent = spent
		}
		yield(i, list[i])
	}
}

func (s *Standing) counts() bool { return s.Max != nil || s.Soft != nil }

// Global returns the whole gateway as an owner of a budget, Provider all calls to AWS. Nobody changes them.
func (l *Limits) Global() *Owner { return &l.global }

// Provider is described at [Limits.Global].
func (l *Limits) Provider() *Owner { return &l.provider }

// EndUser returns an end user as an owner of a budget; ok is false if nothing limits him.
func (l *Limits) EndUser(id string) (o Owner, ok bool) { return l.endUser(id) }

// CallerOf returns who calls with a key, by the key's digest; nil if there is no such key. Nobody changes it.
func (d *Directory) CallerOf(keyHash string, now time.Time) *Caller {
	if o := d.Get(EntityKey, keyHash); o != nil {
		return &d.caller(o, now).caller
	}
	return nil
}

// Owner returns an entity as an owner of a budget, with the terms of the budget that it names; ok is false if there is none.
func (d *Directory) Owner(kind EntityKind, id string, now time.Time) (owner Owner, ok bool) {
	if kind == EntityKey {
		c := d.CallerOf(id, now)
		if c == nil || len(c.Owners) == 0 {
			return Owner{}, false
		}
		return c.Owners[0], true
	}
	o := d.Get(kind, id)
	if o == nil {
		return Owner{}, false
	}
	terms := *o.Terms()
	d.withBudget(&terms)
	return Owner{Scope: string(kind), ID: id, Label: id, Terms: &terms, Created: terms.Since}, true
}
