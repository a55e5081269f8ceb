package admin

import (
	"context"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// tagBody is what is said of a tag.
type tagBody struct {
	tag   account.TagTerms
	name  string
	spend *account.Amount
}

func tags() *thing[tagBody] {
	type body = tagBody
	terms := on(func(b *body) *account.Terms { return &b.tag.Terms }, termsFields())
	for i := range terms {
		if terms[i].name == "models" {
			get := terms[i].get
			terms[i] = unserved[body]("tag the deployments themselves, in litellm_params.tags", "models")[0]
			terms[i].get = get
		}
	}
	return &thing[body]{
		kind: account.EntityTag, name: "name", idsName: "name",
		fields: join(terms, []field[body]{
			text("name", func(b *body) *string { return &b.name }),
			text("description", func(b *body) *string { return &b.tag.Description }),
		}, unserved[body](noSuchLimit, "tpd_limit")),
		id:    func(b *body) *string { return &b.name },
		spend: func(b *body) **account.Amount { return &b.spend },
		of:    func(h *account.Holder) body { return body{tag: *h.Tag, name: h.ID} },
		data:  func(b *body) any { return &b.tag },
		check: func(a *API, b *body) *llm.Error {
			if b.tag.BudgetID == "" {
				return nil
			}
			_, failed := a.find(account.EntityBudget, b.tag.BudgetID, "budget_id")
			return failed
		},
	}
}

// NewTag says something of a tag for the first time.
func (a *API) NewTag(ctx context.Context, r *Request) (any, *llm.Error) {
	t := tags()
	h, failed := t.create(ctx, a, r)
	answer, failed := t.described(ctx, a, h, failed)
	if failed != nil {
		return nil, failed
	}
	return Answer{"message": "Tag " + h.ID + " created successfully", "tag": answer}, nil
}

// UpdateTag changes it.
func (a *API) UpdateTag(ctx context.Context, r *Request) (any, *llm.Error) {
	t := tags()
	h, failed := t.update(ctx, a, r)
	answer, failed := t.described(ctx, a, h, failed)
	if failed != nil {
		return nil, failed
	}
	return Answer{"message": "Tag " + h.ID + " updated successfully", "tag": answer}, nil
}

// DeleteTag forgets it.
func (a *API) DeleteTag(ctx context.Context, r *Request) (any, *llm.Error) {
	var name string
	if _, failed := decode(r.Body, &name, []field[string]{text("name", func(s *string) *string { return s })}); failed != nil {
		return nil, failed
	}
	if name == "" {
		return nil, missing("name")
	}
	if _, failed := tags().remove(ctx, a, r, []string{name}); failed != nil {
		return nil, failed
	}
	return Answer{"message": "Tag " + name + " deleted successfully"}, nil
}

// TagInfos tells of the tags that a request names, by their names.
func (a *API) TagInfos(ctx context.Context, r *Request) (any, *llm.Error) {
	list, failed := idList(r.Body, "names")
	if failed != nil {
		return nil, failed
	}
	out := Answer{}
	for _, name := range list {
		if h := a.Directory.Get(account.EntityTag, name); h != nil {
			answer, failed := tags().answer(ctx, a, h)
			if failed != nil {
				return nil, failed
			}
			out[name] = answer
		}
	}
	if len(out) == 0 {
		return nil, notFound(account.EntityTag, "names")
	}
	return out, nil
}

// ListTags lists all tags of which something was said.
func (a *API) ListTags(ctx context.Context, _ *Request) (any, *llm.Error) {
	return tags().answers(ctx, a, nil)
}
