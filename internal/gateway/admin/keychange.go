package admin

import (
	"context"
	"encoding/json"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// UpdateKey changes what is said of a key: null takes a word back, what is absent stays.
func (a *API) UpdateKey(ctx context.Context, r *Request) (any, *llm.Error) {
	return a.updateKey(ctx, r, r.Body)
}

func (a *API) updateKey(ctx context.Context, r *Request, body []byte) (Answer, *llm.Error) {
	var asked keyBody
	named, failed := decode(body, &asked, keyFields(), keyRequestFields())
	if failed != nil {
		return nil, failed
	}
	h, failed := a.keyOf(asked.own, asked.alias)
	if failed != nil {
		return nil, failed
	}
	return a.changeKey(ctx, r, h, "update", func(b *keyBody) *llm.Error {
		if _, failed := decode(body, b, keyFields(), keyRequestFields()); failed != nil {
			return failed
		}
		if !r.Caller.Admin() && (b.organization != h.OrganizationID || b.spend != nil || b.user != h.UserID || b.team != h.TeamID) {
			return denied("A user may not change whose a key is, nor what it has spent.")
		}
		if b.alias != h.Alias && b.alias != "" && a.byAlias(account.EntityKey, b.alias) != nil {
			return taken("key_alias", "a key with the alias '"+clip(b.alias)+"'")
		}
		if failed := a.checkKey(b, named); failed != nil {
			return failed
		}
		if failed := b.expire(a.Now()); failed != nil {
			return failed
		}
		return a.keepWithin(&r.Caller, b)
	})
}

// changeKey stores a key as change leaves it.
func (a *API) changeKey(ctx context.Context, r *Request, h *account.Holder, what string, change func(*keyBody) *llm.Error) (Answer, *llm.Error) {
	if failed := a.mayChange(&r.Caller, h); failed != nil {
		return nil, failed
	}
	b := bodyOf(h)
	if failed := change(&b); failed != nil {
		return nil, failed
	}
	b.key.UpdatedBy = r.actor()
	e := h.Entity
	e.Alias, e.TeamID, e.UserID, e.OrganizationID = b.alias, b.team, b.user, b.organization
	e, failed := entity(e, &b.key)
	if failed != nil {
		return nil, failed
	}
	if failed := a.put(ctx, e); failed != nil {
		return nil, failed
	}
	fresh, failed := a.find(account.EntityKey, h.ID, "key")
	if failed != nil {
		return nil, failed
	}
	if b.spend != nil {
		if err := a.Spend.Reset(ctx, account.EntityKey, h.ID, fresh.Terms(), *b.spend); err != nil {
			return nil, storeError(err)
		}
	}
	a.changed(r, what, account.EntityKey, h.ID)
	answer, failed := a.keyAnswer(ctx, fresh)
	if failed == nil {
		answer["key"] = h.ID
	}
	return answer, failed
}

// BulkUpdateKeys changes several keys, each as far as it goes.
func (a *API) BulkUpdateKeys(ctx context.Context, r *Request) (any, *llm.Error) {
	var asked struct{ keys []json.RawMessage }
	if _, failed := decode(r.Body, &asked, []field[struct{ keys []json.RawMessage }]{{name: "keys", set: func(v *struct{ keys []json.RawMessage }, raw json.RawMessage) string {
		return value(&v.keys, raw, "a list of objects")
	}}}); failed != nil {
		return nil, failed
	}
	const most = 500
	if len(asked.keys) == 0 || len(asked.keys) > most {
		return nil, llm.Invalid("keys", "keys must hold 1 to 500 keys")
	}
	done, refused := []Answer{}, []Answer{}
	for _, body := range asked.keys {
		var named keyBody
		_, failed := decode(body, &named, keyFields(), keyRequestFields())
		var answer Answer
		if failed == nil {
			answer, failed = a.updateKey(ctx, r, body)
		}
		name := named.alias
		if named.own != "" {
			name = keyID(named.own)
		}
		if failed != nil {
			refused = append(refused, Answer{"key": name, "failed_reason": failed.Message})
			continue
		}
		done = append(done, Answer{"key": name, "key_info": answer})
	}
	return Answer{"total_requested": len(asked.keys), "successful_updates": done, "failed_updates": refused}, nil
}

// BlockKey and UnblockKey stop a key, and let it call again.
func (a *API) BlockKey(ctx context.Context, r *Request) (any, *llm.Error) {
	return a.setBlocked(ctx, r, true)
}

// UnblockKey lets a blocked key call again.
func (a *API) UnblockKey(ctx context.Context, r *Request) (any, *llm.Error) {
	return a.setBlocked(ctx, r, false)
}

func (a *API) setBlocked(ctx context.Context, r *Request, blocked bool) (any, *llm.Error) {
	var name string
	if _, failed := decode(r.Body, &name, []field[string]{text("key", func(s *string) *string { return s })}); failed != nil {
		return nil, failed
	}
	h, failed := a.keyOf(name, "")
	if failed != nil {
		return nil, failed
	}
	what := "unblock"
	if blocked {
		what = "block"
	}
	return a.changeKey(ctx, r, h, what, func(b *keyBody) *llm.Error {
		b.key.Blocked = blocked
		return nil
	})
}

// keyNames are the keys that a request names.
type keyNames struct{ keys, aliases []string }

// DeleteKeys removes keys. They are refused at once.
func (a *API) DeleteKeys(ctx context.Context, r *Request) (any, *llm.Error) {
	var asked keyNames
	if _, failed := decode(r.Body, &asked, []field[keyNames]{list("keys", func(k *keyNames) *[]string { return &k.keys }), list("key_aliases", func(k *keyNames) *[]string { return &k.aliases })}); failed != nil {
		return nil, failed
	}
	if len(asked.keys)+len(asked.aliases) == 0 {
		return nil, missing("keys")
	}
	var ids []string
	add := func(h *account.Holder) *llm.Error {
		if h == nil {
			return nil
		}
		if failed := a.mayChange(&r.Caller, h); failed != nil {
			return failed
		}
		ids = append(ids, h.ID)
		return nil
	}
	for _, name := range asked.keys {
		if failed := add(a.Directory.Get(account.EntityKey, keyID(name))); failed != nil {
			return nil, failed
		}
	}
	for _, alias := range asked.aliases {
		if failed := add(a.byAlias(account.EntityKey, alias)); failed != nil {
			return nil, failed
		}
	}
	if len(ids) == 0 {
		return nil, notFound(account.EntityKey, "keys")
	}
	gone, failed := a.deleteKeys(ctx, ids)
	if failed != nil {
		return nil, failed
	}
	a.changed(r, "delete", account.EntityKey, gone...)
	return Answer{"deleted_keys": gone}, nil
}

// deleteKeys removes keys, with those that are their old texts.
func (a *API) deleteKeys(ctx context.Context, ids []string) ([]string, *llm.Error) {
	for h := range a.Directory.All(account.EntityKey) {
		for _, id := range ids {
			if h.Key.ReplacedBy == id {
				ids = append(ids, h.ID)
				break
			}
		}
	}
	return a.remove(ctx, account.EntityKey, ids...)
}

// RegenerateKey gives a key a new text, which is in the answer. The old one ends at once, or after grace_period.
func (a *API) RegenerateKey(ctx context.Context, r *Request) (any, *llm.Error) {
	var asked keyBody
	fields := append(keyRequestFields(), text("new_key", func(b *keyBody) *string { return &b.newKey }), duration("grace_period", func(b *keyBody) *string { return &b.grace }))
	named, failed := decode(r.Body, &asked, keyFields(), fields)
	if failed != nil {
		return nil, failed
	}
	name := r.Name
	if name == "" {
		name = asked.own
	}
	h, failed := a.keyOf(name, "")
	if failed != nil {
		return nil, failed
	}
	if failed := a.mayChange(&r.Caller, h); failed != nil {
		return nil, failed
	}
	if h.Key.ReplacedBy != "" {
		return nil, llm.Invalid("key", "this key has got a new text already")
	}
	b := bodyOf(h)
	_, failed = decode(r.Body, &b, keyFields(), fields)
	if failed == nil {
		failed = a.checkKey(&b, named)
	}
	if failed == nil && !r.Caller.Admin() && (b.organization != h.OrganizationID || b.spend != nil || b.user != h.UserID || b.team != h.TeamID) {
		failed = denied("A user may not change whose a key is, nor what it has spent.")
	}
	if failed == nil {
		failed = b.expire(a.Now())
	}
	if failed == nil {
		failed = a.keepWithin(&r.Caller, &b)
	}
	if failed != nil {
		return nil, failed
	}
	key := account.MakeKey()
	if b.newKey != "" {
		key = secret.New(b.newKey)
		if wrong := account.CheckOwnKey(key); wrong != "" {
			return nil, llm.Invalid("new_key", wrong)
		}
	}
	return a.regenerate(ctx, r, h, &b, key)
}

// regenerate stores the new key and the old one, which from now on stands for the new one, together.
func (a *API) regenerate(ctx context.Context, r *Request, h *account.Holder, b *keyBody, key secret.Secret) (any, *llm.Error) {
	id := account.HashKey(key)
	if a.Directory.Get(account.EntityKey, id) != nil {
		return nil, taken("new_key", "a key with this text")
	}
	until := a.Now()
	if b.grace != "" {
		end, err := account.Lifetime(b.grace, until)
		if err != nil {
			return nil, llm.Invalid("grace_period", err.Error())
		}
		until = end.UTC()
	}
	if err := a.Spend.Move(ctx, account.EntityKey, h.ID, id, h.Terms()); err != nil {
		return nil, storeError(err)
	}
	b.key.Name, b.key.Replaces, b.key.UpdatedBy = account.KeyName(key), h.ID, r.actor()
	fresh, failed := entity(account.Entity{Kind: account.EntityKey, ID: id, Alias: b.alias, TeamID: b.team, UserID: b.user, OrganizationID: b.organization, CreatedAt: h.CreatedAt}, &b.key)
	if failed != nil {
		return nil, failed
	}
	past := *h.Key
	past.ReplacedBy, past.ReplacedUntil = id, until
	old := h.Entity
	old.Alias = "" // the new one has it
	if old, failed = entity(old, &past); failed != nil {
		return nil, failed
	}
	if failed := a.put(ctx, old, fresh); failed != nil {
		return nil, failed
	}
	if b.grace == "" {
		if _, failed := a.remove(ctx, account.EntityKey, h.ID); failed != nil {
			return nil, failed
		}
	}
	a.changed(r, "regenerate", account.EntityKey, h.ID, id)
	made, failed := a.find(account.EntityKey, id, "key")
	if failed != nil {
		return nil, failed
	}
	if b.spend != nil {
		if err := a.Spend.Reset(ctx, account.EntityKey, id, made.Terms(), *b.spend); err != nil {
			return nil, storeError(err)
		}
	}
	return a.madeKey(ctx, made, key, nil)
}

// ResetKeySpend sets what a key has spent.
func (a *API) ResetKeySpend(ctx context.Context, r *Request) (any, *llm.Error) {
	if failed := onlyAdmin(r, "reset what keys have spent"); failed != nil {
		return nil, failed
	}
	var to *account.Amount
	if _, failed := decode(r.Body, &to, []field[*account.Amount]{dollars("reset_to", func(v **account.Amount) **account.Amount { return v })}); failed != nil {
		return nil, failed
	}
	if to == nil {
		return nil, missing("reset_to")
	}
	h, failed := a.keyOf(r.Name, "")
	if failed != nil {
		return nil, failed
	}
	before, _, err := a.Spend.Spent(ctx, account.EntityKey, h.ID, h.Terms())
	if err == nil {
		err = a.Spend.Reset(ctx, account.EntityKey, h.ID, h.Terms(), *to)
	}
	if err != nil {
		return nil, storeError(err)
	}
	a.changed(r, "reset_spend", account.EntityKey, h.ID)
	return Answer{"key_hash": h.ID, "spend": usd(*to), "previous_spend": usd(before), "max_budget": usdOrNull(h.Key.MaxBudget)}, nil
}
