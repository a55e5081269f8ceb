package admin

import (
	"context"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// budgetBody is what is said of a budget that others name.
type budgetBody struct {
	budget account.Budget
	id     string
}

func budgets() *thing[budgetBody] {
	type body = budgetBody
	fields := on(func(b *body) *account.Terms { return &b.budget.Terms }, termsFields())
	for i := range fields {
		if fields[i].name == "budget_id" { // of the budget itself
			fields[i] = text("budget_id", func(b *body) *string { return &b.id })
		}
	}
	return &thing[body]{
		kind: account.EntityBudget, name: "budget_id", idsName: "id", made: true,
		fields: join(fields, unserved[body](noSuchLimit, "tpd_limit"), ignored[body]("budget_reset_at")),
		id:     func(b *body) *string { return &b.id },
		of:     func(h *account.Holder) body { return body{*h.Budget, h.ID} },
		data:   func(b *body) any { return &b.budget },
	}
}

// budgetAnswer tells of a budget beside what names it.
func budgetAnswer(h *account.Holder) Answer {
	v := budgetBody{*h.Budget, h.ID}
	answer := Answer{}
	show(answer, &v, budgets().fields)
	return answer
}

// NewBudget makes a budget.
func (a *API) NewBudget(ctx context.Context, r *Request) (any, *llm.Error) {
	t := budgets()
	h, failed := t.create(ctx, a, r)
	return t.described(ctx, a, h, failed)
}

// UpdateBudget changes it, for all who name it.
func (a *API) UpdateBudget(ctx context.Context, r *Request) (any, *llm.Error) {
	t := budgets()
	h, failed := t.update(ctx, a, r)
	return t.described(ctx, a, h, failed)
}

// DeleteBudget removes it. Those who name it have what they say themselves.
func (a *API) DeleteBudget(ctx context.Context, r *Request) (any, *llm.Error) {
	var id string
	if _, failed := decode(r.Body, &id, []field[string]{text("id", func(s *string) *string { return s }), text("budget_id", func(s *string) *string { return s })}); failed != nil {
		return nil, failed
	}
	if id == "" {
		return nil, missing("id")
	}
	gone, failed := budgets().remove(ctx, a, r, []string{id})
	if failed != nil {
		return nil, failed
	}
	return Answer{"budget_id": gone[0], "deleted": true}, nil
}

// BudgetInfos tells of the budgets that a request names.
func (a *API) BudgetInfos(ctx context.Context, r *Request) (any, *llm.Error) {
	ids, failed := idList(r.Body, "budgets")
	if failed != nil {
		return nil, failed
	}
	out := []Answer{}
	for _, id := range ids {
		if h := a.Directory.Get(account.EntityBudget, id); h != nil {
			answer, failed := budgets().answer(ctx, a, h)
			if failed != nil {
				return nil, failed
			}
			out = append(out, answer)
		}
	}
	if len(out) == 0 {
		return nil, notFound(account.EntityBudget, "budgets")
	}
	return out, nil
}

// ListBudgets lists all budgets.
func (a *API) ListBudgets(ctx context.Context, _ *Request) (any, *llm.Error) {
	return budgets().answers(ctx, a, nil)
}
