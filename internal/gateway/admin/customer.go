package admin

import (
	"context"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// customerBody is what is said of an end user: a customer of whoever calls.
type customerBody struct {
	user  account.EndUser
	id    string
	spend *account.Amount
}

func customers() *thing[customerBody] {
	type body = customerBody
	return &thing[body]{
		kind: account.EntityEndUser, name: "user_id", idsName: "user_ids",
		fields: join(on(func(b *body) *account.Terms { return &b.user.Terms }, termsFields()), []field[body]{
			text("user_id", func(b *body) *string { return &b.id }),
			text("alias", func(b *body) *string { return &b.user.Alias }),
			flag("blocked", func(b *body) *bool { return &b.user.Blocked }),
			text("allowed_model_region", func(b *body) *string { return &b.user.Region }),
			text("default_model", func(b *body) *string { return &b.user.DefaultModel }),
		}, unserved[body](noTools, "object_permission"), unserved[body](noSuchLimit, "tpd_limit"), ignored[body]("budget_reset_at")),
		id:    func(b *body) *string { return &b.id },
		spend: func(b *body) **account.Amount { return &b.spend },
		of:    func(h *account.Holder) body { return body{user: *h.EndUser, id: h.ID} },
		data:  func(b *body) any { return &b.user },
		check: func(a *API, b *body) *llm.Error {
			if b.user.BudgetID == "" {
				return nil
			}
			if b.user.MaxBudget != nil {
				return llm.Invalid("max_budget", "set max_budget or budget_id, not both")
			}
			_, failed := a.find(account.EntityBudget, b.user.BudgetID, "budget_id")
			return failed
		},
	}
}

// NewCustomer says something of an end user for the first time.
func (a *API) NewCustomer(ctx context.Context, r *Request) (any, *llm.Error) {
	t := customers()
	h, failed := t.create(ctx, a, r)
	return t.described(ctx, a, h, failed)
}

// UpdateCustomer changes it.
func (a *API) UpdateCustomer(ctx context.Context, r *Request) (any, *llm.Error) {
	t := customers()
	h, failed := t.update(ctx, a, r)
	return t.described(ctx, a, h, failed)
}

// BlockCustomers refuses the requests of end users, of whom nothing need be known yet.
func (a *API) BlockCustomers(ctx context.Context, r *Request) (any, *llm.Error) {
	return a.blockCustomers(ctx, r, true)
}

// UnblockCustomers lets them be served again.
func (a *API) UnblockCustomers(ctx context.Context, r *Request) (any, *llm.Error) {
	return a.blockCustomers(ctx, r, false)
}

func (a *API) blockCustomers(ctx context.Context, r *Request, blocked bool) (any, *llm.Error) {
	if failed := onlyAdmin(r, "block customers"); failed != nil {
		return nil, failed
	}
	ids, failed := idList(r.Body, "user_ids")
	if failed != nil {
		return nil, failed
	}
	var changes []account.Entity
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		e, user := account.Entity{Kind: account.EntityEndUser, ID: id}, account.EndUser{}
		if h := a.Directory.Get(account.EntityEndUser, id); h != nil {
			e, user = h.Entity, *h.EndUser
		}
		user.Blocked = blocked
		if e, failed = entity(e, &user); failed != nil {
			return nil, failed
		}
		changes = append(changes, e)
	}
	if failed := a.put(ctx, changes...); failed != nil {
		return nil, failed
	}
	what := "unblock"
	if blocked {
		what = "block"
	}
	a.changed(r, what, account.EntityEndUser, ids...)
	list, failed := customers().answers(ctx, a, func(h *account.Holder) bool { return slices.Contains(ids, h.ID) })
	if blocked {
		return Answer{"blocked_users": list}, failed
	}
	return Answer{"unblocked_users": list}, failed
}

// DeleteCustomers forgets what was said of end users.
func (a *API) DeleteCustomers(ctx context.Context, r *Request) (any, *llm.Error) {
	ids, failed := idList(r.Body, "user_ids")
	if failed != nil {
		return nil, failed
	}
	gone, failed := customers().remove(ctx, a, r, ids)
	if failed != nil {
		return nil, failed
	}
	return Answer{"deleted_customers": gone, "message": "Successfully deleted customers with ids: " + strings.Join(gone, ", ")}, nil
}

// CustomerInfo tells what was said of an end user.
func (a *API) CustomerInfo(ctx context.Context, r *Request) (any, *llm.Error) {
	h, failed := a.find(account.EntityEndUser, r.Query.Get("end_user_id"), "end_user_id")
	return customers().described(ctx, a, h, failed)
}

// ListCustomers lists all end users of whom something was said.
func (a *API) ListCustomers(ctx context.Context, _ *Request) (any, *llm.Error) {
	return customers().answers(ctx, a, nil)
}
