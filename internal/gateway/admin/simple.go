package admin

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// thing is how entities are managed that are nothing but a name, terms and some words: budgets, customers, tags and
// organizations.
type thing[T any] struct {
	kind account.EntityKind
	// name is the field with the id; idsName that of a request which names several.
	name, idsName string
	// made gives one without an id a new one.
	made   bool
	fields []field[T]
	id     func(*T) *string
	spend  func(*T) **account.Amount
	// of reads what is stored; data is what is to be; columns fills in those that it is found by.
	of      func(*account.Holder) T
	data    func(*T) any
	columns func(*T, *account.Entity)
	// check says what does not go with the rest of what there is; nil is nothing.
	check func(*API, *T) *llm.Error
}

func (t *thing[T]) request() []field[T] {
	if t.spend == nil {
		return nil
	}
	f := dollars("spend", t.spend)
	f.get = nil
	return []field[T]{f}
}

// create makes a new one.
func (t *thing[T]) create(ctx context.Context, a *API, r *Request) (*account.Holder, *llm.Error) {
	var v T
	if failed := onlyAdmin(r, "make a "+string(t.kind)); failed != nil {
		return nil, failed
	}
	if _, failed := decode(r.Body, &v, t.fields, t.request()); failed != nil {
		return nil, failed
	}
	id := t.id(&v)
	if *id == "" && t.made {
		*id = newID()
	}
	if *id == "" {
		return nil, missing(t.name)
	}
	if a.Directory.Get(t.kind, *id) != nil {
		return nil, taken(t.name, "one with the "+t.name+" '"+clip(*id)+"'")
	}
	return t.store(ctx, a, r, "new", account.Entity{Kind: t.kind, ID: *id}, &v)
}

// update changes one: null takes a word back, what is absent stays.
func (t *thing[T]) update(ctx context.Context, a *API, r *Request) (*account.Holder, *llm.Error) {
	if failed := onlyAdmin(r, "change a "+string(t.kind)); failed != nil {
		return nil, failed
	}
	var asked T
	if _, failed := decode(r.Body, &asked, t.fields, t.request()); failed != nil {
		return nil, failed
	}
	h, failed := a.find(t.kind, *t.id(&asked), t.name)
	if failed != nil {
		return nil, failed
	}
	v := t.of(h)
	if _, failed := decode(r.Body, &v, t.fields, t.request()); failed != nil {
		return nil, failed
	}
	return t.store(ctx, a, r, "update", h.Entity, &v)
}

func (t *thing[T]) store(ctx context.Context, a *API, r *Request, what string, e account.Entity, v *T) (*account.Holder, *llm.Error) {
	if t.check != nil {
		if failed := t.check(a, v); failed != nil {
			return nil, failed
		}
	}
	if t.columns != nil {
		t.columns(v, &e)
	}
	e, failed := entity(e, t.data(v))
	if failed != nil {
		return nil, failed
	}
	if failed := a.put(ctx, e); failed != nil {
		return nil, failed
	}
	h, failed := a.find(t.kind, e.ID, t.name)
	if failed != nil {
		return nil, failed
	}
	if t.spend != nil && *t.spend(v) != nil {
		if err := a.Spend.Reset(ctx, t.kind, h.ID, h.Terms(), **t.spend(v)); err != nil {
			return nil, storeError(err)
		}
	}
	a.changed(r, what, t.kind, h.ID)
	return h, nil
}

// remove deletes those that a request names.
func (t *thing[T]) remove(ctx context.Context, a *API, r *Request, ids []string) ([]string, *llm.Error) {
	if failed := onlyAdmin(r, "delete a "+string(t.kind)); failed != nil {
		return nil, failed
	}
	return a.deleted(ctx, r, t.kind, t.idsName, ids)
}

// answer tells what there is to know of one.
func (t *thing[T]) answer(ctx context.Context, a *API, h *account.Holder) (Answer, *llm.Error) {
	v := t.of(h)
	answer := Answer{"created_at": when(h.CreatedAt), "updated_at": when(h.UpdatedAt)}
	show(answer, &v, t.fields)
	if t.spend == nil {
		return answer, nil
	}
	return answer, a.spend(ctx, answer, h)
}

// answers describes all of them that show wants, in the order of their ids.
func (t *thing[T]) answers(ctx context.Context, a *API, wanted func(*account.Holder) bool) ([]Answer, *llm.Error) {
	var found []*account.Holder
	for h := range a.Directory.All(t.kind) {
		if wanted == nil || wanted(h) {
			found = append(found, h)
		}
	}
	slices.SortFunc(found, newest)
	out := []Answer{}
	for _, h := range found {
		answer, failed := t.answer(ctx, a, h)
		if failed != nil {
			return nil, failed
		}
		out = append(out, answer)
	}
	return out, nil
}

// described is the answer to a request that has made or changed one.
func (t *thing[T]) described(ctx context.Context, a *API, h *account.Holder, failed *llm.Error) (any, *llm.Error) {
	if failed != nil {
		return nil, failed
	}
	return t.answer(ctx, a, h)
}

// idList reads a body with a list of ids, or with one id under the same name.
func idList(body []byte, name string) ([]string, *llm.Error) {
	var ids []string
	if _, failed := decode(body, &ids, []field[[]string]{list(name, func(l *[]string) *[]string { return l })}); failed != nil {
		return nil, failed
	}
	if len(ids) == 0 {
		return nil, missing(name)
	}
	return ids, nil
}

// newID returns a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: see crypto/rand
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
