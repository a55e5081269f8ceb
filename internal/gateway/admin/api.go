package admin

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// Spend tells what owners have spent, and takes an administrator's word for it.
type Spend interface {
	// Spent returns what was spent in the running period of an owner's budget, and when that ends; zero is never.
	Spent(ctx context.Context, kind account.EntityKind, id string, t *account.Terms) (account.Amount, time.Time, error)
	// Reset sets what was spent in the running periods of all of an owner's budgets.
	Reset(ctx context.Context, kind account.EntityKind, id string, t *account.Terms, to account.Amount) error
	// Move has an owner go on with what another has spent.
	Move(ctx context.Context, kind account.EntityKind, from, to string, t *account.Terms) error
}

// Options are what an API is made of. Directory and Spend are required.
type Options struct {
	Directory *account.Directory
	Spend     Spend
	Settings  Settings
	// Logger gets a line for each change. Default: none.
	Logger *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// API manages what there is. It is safe for concurrent use.
type API struct {
	Options
	settings settings
}

// New returns an API. The error is about its settings.
func New(o Options) (*API, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &API{Options: o}
	if err := a.readSettings(); err != nil {
		return nil, err
	}
	return a, nil
}

// Request is what somebody asks of the API.
type Request struct {
	Caller account.Caller
	Query  url.Values
	Body   []byte
	// Name is the part of the path that is the client's: a key, a team's id.
	Name string
}

// Answer is written as a JSON object.
type Answer = map[string]any

// actor is how changes name who made them.
func (r *Request) actor() string {
	if r.Caller.UserID != "" {
		return r.Caller.UserID
	}
	if r.Caller.KeyHash == account.MasterKeyHash {
		return defaultUser
	}
	return r.Caller.KeyHash
}

// defaultUser is LiteLLM's name for whoever has the master key.
const defaultUser = "default_user_id"

// changed logs a change. No value of it is told: some are secrets of their owners.
func (a *API) changed(r *Request, what string, kind account.EntityKind, ids ...string) {
	a.Logger.Info("changed by an administrator", "what", what, "kind", string(kind), "ids", strings.Join(ids, ","), "by", r.actor())
}

// put stores entities.
func (a *API) put(ctx context.Context, list ...account.Entity) *llm.Error {
	if _, err := a.Directory.Put(ctx, list...); err != nil {
		return storeError(err)
	}
	return nil
}

// remove deletes entities.
func (a *API) remove(ctx context.Context, kind account.EntityKind, ids ...string) ([]string, *llm.Error) {
	gone, err := a.Directory.Delete(ctx, kind, ids...)
	if err != nil {
		return nil, storeError(err)
	}
	return gone, nil
}

// deleted removes entities and returns the ids of those that were there. It is an error if none was; param is what named them.
func (a *API) deleted(ctx context.Context, r *Request, kind account.EntityKind, param string, ids []string) ([]string, *llm.Error) {
	gone, failed := a.remove(ctx, kind, ids...)
	if failed != nil {
		return nil, failed
	}
	if len(gone) == 0 {
		return nil, notFound(kind, param)
	}
	a.changed(r, "delete", kind, gone...)
	return gone, nil
}

// storeError says to a client what a store has said.
func storeError(err error) *llm.Error {
	switch {
	case errors.Is(err, account.ErrConflict):
		return &llm.Error{Kind: llm.KindInvalid, HTTPStatus: http.StatusConflict, Code: "conflict", Message: "it exists already, its alias is taken, or somebody else has changed it at the same time", Cause: err}
	case errors.Is(err, account.ErrNotFound):
		return &llm.Error{Kind: llm.KindNotFound, Code: "not_found", Message: "there is no such thing, or it has just been deleted", Cause: err}
	}
	return &llm.Error{Kind: llm.KindUnavailable, Type: "service_unavailable", Code: "key_store_unavailable", RetryAfter: time.Second, Message: "the store of keys does not answer: nothing was changed", Cause: err}
}

// entity makes an entity of what people have said.
func entity(e account.Entity, data any) (account.Entity, *llm.Error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return e, &llm.Error{Kind: llm.KindInternal, Message: "internal error", Cause: err}
	}
	e.Data = raw
	return e, nil
}

// find returns a holder, or says that there is none.
func (a *API) find(kind account.EntityKind, id, param string) (*account.Holder, *llm.Error) {
	if id == "" {
		return nil, missing(param)
	}
	if h := a.Directory.Get(kind, id); h != nil {
		return h, nil
	}
	return nil, notFound(kind, param)
}

func notFound(kind account.EntityKind, param string) *llm.Error {
	return &llm.Error{Kind: llm.KindNotFound, Code: "not_found", Param: param, Message: "there is no such " + strings.ReplaceAll(string(kind), "_", " ")}
}

func missing(param string) *llm.Error {
	return &llm.Error{Kind: llm.KindInvalid, Code: "missing_required_parameter", Param: param, Message: param + " is missing"}
}

func taken(param, what string) *llm.Error {
	return &llm.Error{Kind: llm.KindInvalid, HTTPStatus: http.StatusConflict, Code: "conflict", Param: param, Message: what + " exists already"}
}

// onlyAdmin refuses what needs an administrator.
func onlyAdmin(r *Request, what string) *llm.Error {
	if r.Caller.Admin() {
		return nil
	}
	return denied("Only proxy admin can be used to " + what + ". Your role=" + r.Caller.Role.String())
}

func denied(message string) *llm.Error {
	return &llm.Error{Kind: llm.KindPermission, Type: "auth_error", Message: message}
}

// sees reports whether a caller may read everything.
func sees(c *account.Caller) bool { return c.Role == account.Admin || c.Role == account.Viewer }

// manages reports whether a caller is a user who may have keys of his own.
func manages(c *account.Caller) bool {
	return c.User != nil && c.User.Role == account.Internal.String()
}

// spend adds to an answer what was spent, and when that begins anew.
func (a *API) spend(ctx context.Context, answer Answer, h *account.Holder) *llm.Error {
	spent, reset, err := a.Spend.Spent(ctx, h.Kind, h.ID, h.Terms())
	if err != nil {
		return storeError(err)
	}
	answer["spend"], answer["budget_reset_at"] = usd(spent), when(reset)
	return nil
}

// when is a time in answers; the zero time is null.
func when(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// orNull is a text in answers; the empty one is null.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
