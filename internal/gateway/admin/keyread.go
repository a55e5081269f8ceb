package admin

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// KeyInfo tells what there is to know of a key; without one, of the caller's own.
func (a *API) KeyInfo(ctx context.Context, r *Request) (any, *llm.Error) {
	name := r.Query.Get("key")
	if name == "" {
		if name = r.Caller.KeyHash; name == account.MasterKeyHash {
			return nil, missing("key")
		}
	}
	h, failed := a.keyOf(name, "")
	if failed != nil {
		return nil, failed
	}
	if failed := a.mayRead(&r.Caller, h); failed != nil {
		return nil, failed
	}
	answer, failed := a.keyAnswer(ctx, h)
	if failed != nil {
		return nil, failed
	}
	return Answer{"key": h.ID, "info": answer}, nil
}

// KeyInfos tells the same of several keys.
func (a *API) KeyInfos(ctx context.Context, r *Request) (any, *llm.Error) {
	var asked keyNames
	if _, failed := decode(r.Body, &asked, []field[keyNames]{list("keys", func(k *keyNames) *[]string { return &k.keys })}); failed != nil {
		return nil, failed
	}
	if len(asked.keys) == 0 {
		return nil, missing("keys")
	}
	ids, infos := []string{}, []Answer{}
	for _, name := range asked.keys {
		h := a.Directory.Get(account.EntityKey, keyID(name))
		if h == nil || a.mayRead(&r.Caller, h) != nil {
			continue
		}
		answer, failed := a.keyAnswer(ctx, h)
		if failed != nil {
			return nil, failed
		}
		ids, infos = append(ids, h.ID), append(infos, answer)
	}
	return Answer{"key": ids, "info": infos}, nil
}

// visibleKeys are the keys that a caller may see and that a query asks for. Old texts in their grace are none of them.
func (a *API) visibleKeys(r *Request) []*account.Holder {
	q := r.Query
	is := func(name, value string) bool { want := q.Get(name); return want == "" || want == value }
	var out []*account.Holder
	for h := range a.Directory.All(account.EntityKey) {
		if h.Key.ReplacedBy != "" || !is("user_id", h.UserID) || !is("team_id", h.TeamID) || !is("organization_id", h.OrganizationID) || !is("key_hash", h.ID) {
			continue
		}
		if alias := q.Get("key_alias"); alias != "" && h.Alias != alias && (q.Get("substring_matching") != "true" || !strings.Contains(strings.ToLower(h.Alias), strings.ToLower(alias))) {
			continue
		}
		if a.mayRead(&r.Caller, h) == nil {
			out = append(out, h)
		}
	}
	return out
}

// ListKeys lists keys, a page at a time.
func (a *API) ListKeys(ctx context.Context, r *Request) (any, *llm.Error) {
	found := a.visibleKeys(r)
	order, failed := keyOrder(r.Query.Get("sort_by"))
	if failed != nil {
		return nil, failed
	}
	descending := r.Query.Get("sort_order") != "asc"
	slices.SortFunc(found, func(x, y *account.Holder) int {
		n := order(x, y)
		if descending {
			n = -n
		}
		return cmp.Or(n, strings.Compare(x.ID, y.ID))
	})
	p, failed := pageOf(r, len(found))
	if failed != nil {
		return nil, failed
	}
	full := r.Query.Get("return_full_object") == "true" || r.Query.Get("expand") != ""
	keys := []any{}
	for _, h := range found[p.from:p.to] {
		if !full {
			keys = append(keys, h.ID)
			continue
		}
		answer, failed := a.keyAnswer(ctx, h)
		if failed != nil {
			return nil, failed
		}
		if u := a.Directory.Get(account.EntityUser, h.UserID); u != nil && slices.Contains(strings.Split(r.Query.Get("expand"), ","), "user") {
			answer["user"] = Answer{"user_id": u.ID, "user_email": orNull(u.User.Email), "user_alias": orNull(u.User.Alias)}
		}
		keys = append(keys, answer)
	}
	return Answer{"keys": keys, "total_count": len(found), "current_page": p.number, "total_pages": p.pages}, nil
}

func keyOrder(by string) (func(x, y *account.Holder) int, *llm.Error) {
	switch by {
	case "", "created_at":
		return func(x, y *account.Holder) int { return x.CreatedAt.Compare(y.CreatedAt) }, nil
	case "updated_at":
		return func(x, y *account.Holder) int { return x.UpdatedAt.Compare(y.UpdatedAt) }, nil
	case "key_alias":
		return func(x, y *account.Holder) int { return strings.Compare(x.Alias, y.Alias) }, nil
	case "user_id":
		return func(x, y *account.Holder) int { return strings.Compare(x.UserID, y.UserID) }, nil
	case "team_id":
		return func(x, y *account.Holder) int { return strings.Compare(x.TeamID, y.TeamID) }, nil
	case "expires":
		return func(x, y *account.Holder) int { return x.Key.Expires.Compare(y.Key.Expires) }, nil
	case "max_budget":
		return func(x, y *account.Holder) int { return cmp.Compare(amount(x.Key.MaxBudget), amount(y.Key.MaxBudget)) }, nil
	}
	return nil, llm.Invalid("sort_by", "sort_by must be created_at, updated_at, key_alias, user_id, team_id, expires or max_budget")
}

func amount(a *account.Amount) account.Amount {
	if a == nil {
		return -1
	}
	return *a
}

// KeyAliases lists the aliases of the keys that the caller may see.
func (a *API) KeyAliases(_ context.Context, r *Request) (any, *llm.Error) {
	names := []string{}
	for _, h := range a.visibleKeys(r) {
		if h.Alias != "" {
			names = append(names, h.Alias)
		}
	}
	slices.Sort(names)
	return Answer{"aliases": names}, nil
}

// KeyHealth tells whether the caller's key is in order. Keys have no callbacks of their own to be tried.
func (a *API) KeyHealth(context.Context, *Request) (any, *llm.Error) {
	return Answer{"key": "healthy", "logging_callbacks": nil}, nil
}

// page is a part of a list.
type page struct{ number, pages, from, to int }

const (
	usualPage = 10
	maxPage   = 100
)

// pageOf reads page and size.
func pageOf(r *Request, total int) (page, *llm.Error) {
	number, failed := whole(r, "page", 1, 1<<30)
	if failed != nil {
		return page{}, failed
	}
	name := "size"
	if r.Query.Has("page_size") {
		name = "page_size"
	}
	size, failed := whole(r, name, usualPage, maxPage)
	if failed != nil {
		return page{}, failed
	}
	from := min((number-1)*size, total)
	return page{number: number, pages: (total + size - 1) / size, from: from, to: min(from+size, total)}, nil
}

func whole(r *Request, name string, usual, most int) (int, *llm.Error) {
	text := r.Query.Get(name)
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, &llm.Error{Kind: llm.KindInvalid, HTTPStatus: 422, Code: "invalid_value", Param: name, Message: name + " must be a whole number from 1 to " + strconv.Itoa(most)}
	}
	return n, nil
}
