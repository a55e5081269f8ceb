package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// keyBody is what is said of a key.
type keyBody struct {
	key                             account.Key
	alias, team, user, organization string
	// own is the key's own text, or the name of the one that is meant; lasts is how long it lives.
	own   string
	lasts string
	spend *account.Amount
	// newKey and grace are of a key that gets a new text.
	newKey, grace string
}

// bodyOf returns what is stored of a key.
func bodyOf(h *account.Holder) keyBody {
	return keyBody{key: *h.Key, alias: h.Alias, team: h.TeamID, user: h.UserID, organization: h.OrganizationID}
}

// The reasons why fields are refused.
const (
	noGuardrails = "there are no guardrails, policies or prompts of the gateway's own"
	noRotation   = "keys are given a new text by /key/regenerate only"
	noOwnConfig  = "keys and teams have no configuration of their own"
	noTools      = "there is no gateway for tools, agents or vector stores"
	noMail       = "no mail is sent"
	noSuchLimit  = "there is no limit of this kind"
)

// keyFields are the fields of keys, in bodies and in answers.
func keyFields() []field[keyBody] {
	type body = keyBody
	list0 := on(func(b *body) *account.Terms { return &b.key.Terms }, termsFields())
	return join(list0, []field[body]{
		text("key_alias", func(b *body) *string { return &b.alias }),
		text("team_id", func(b *body) *string { return &b.team }),
		text("user_id", func(b *body) *string { return &b.user }),
		text("organization_id", func(b *body) *string { return &b.organization }),
		names("aliases", func(b *body) *map[string]string { return &b.key.Aliases }),
		flag("blocked", func(b *body) *bool { return &b.key.Blocked }),
		choice("key_type", func(b *body) *string { return &b.key.Type }, account.KeyTypes()...),
		routes("allowed_routes", func(b *body) *[]string { return &b.key.Routes }),
		routes("allowed_passthrough_routes", func(b *body) *[]string { return &b.key.PassRoutes }),
		routes("denied_passthrough_routes", func(b *body) *[]string { return &b.key.DeniedPassRoutes }),
		networks("allowed_ips", func(b *body) *[]string { return &b.key.IPs }),
		list("tags", func(b *body) *[]string { return &b.key.Tags }),
		list("allowed_cache_controls", func(b *body) *[]string { return &b.key.CacheControls }),
		rowMetadata("metadata", func(b *body) *json.RawMessage { return &b.key.Metadata }),
		dollars("temp_budget_increase", func(b *body) **account.Amount { return &b.key.TempIncrease }),
		moment("temp_budget_expiry", func(b *body) *time.Time { return &b.key.TempUntil }),
	}, kept(func(b *body) *json.RawMessage { return &b.key.Extra },
		"permissions", "project_id", "agent_id", "default_estimated_output_tokens", "default_estimated_output_tokens_per_model", "disable_global_guardrails"),
		limitTypes(func(b *body) *json.RawMessage { return &b.key.Extra }),
		unserved[body](noGuardrails, "guardrails", "policies", "prompts"),
		unserved[body](noRotation, "auto_rotate", "rotation_interval"),
		unserved[body](noOwnConfig, "config", "router_settings", "enable_prompt_caching", "access_group_ids"),
		unserved[body](noTools, "object_permission", "allowed_vector_store_indexes", "mcp_rpm_limit"),
		unserved[body](noMail, "send_invite_email"),
		unserved[body](noSuchLimit, "tag_rpm_limit", "tpd_limit", "throttle_on_budget_exceeded", "budget_fallbacks", "end_user_budget_id"),
		unserved[body]("demand parameters with general_settings.enforced_params", "enforced_params"),
	)
}

// asked are the fields of a request that are not stored as they are.
func keyRequestFields() []field[keyBody] {
	type body = keyBody
	key := text("key", func(b *body) *string { return &b.own })
	lasts := field[body]{name: "duration", set: func(b *body, raw json.RawMessage) string {
		b.lasts = ""
		var s string
		if wrong := value(&s, raw, "a string such as 30d"); wrong != "" {
			return wrong
		}
		if s != "" && s != never && account.CheckDuration(s) != nil {
			return "must be a number and a unit, such as 30s, 20m, 12h, 30d, 2w or 1mo"
		}
		if b.lasts = s; s == "" {
			b.lasts = never
		}
		return ""
	}}
	spend := dollars("spend", func(b *body) **account.Amount { return &b.spend })
	key.get, spend.get = nil, nil
	return []field[body]{key, lasts, spend}
}

// never is the duration of a key without an end.
const never = "-1"

func join[T any](lists ...[]field[T]) []field[T] {
	var out []field[T]
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// limitTypes say how hard a limit is. That limits add up to no more than there is, nobody looks after.
func limitTypes[T any](at func(*T) *json.RawMessage) []field[T] {
	out := kept(at, "tpm_limit_type", "rpm_limit_type")
	for i := range out {
		set := out[i].set
		out[i].set = func(v *T, raw json.RawMessage) string {
			switch string(bytes.TrimSpace(raw)) {
			case "null", `"best_effort_throughput"`:
				return set(v, raw)
			case `"guaranteed_throughput"`, `"dynamic"`:
				return "is not supported but for best_effort_throughput: every limit stands for itself"
			}
			return "must be best_effort_throughput"
		}
	}
	return out
}

// routes are paths, and names of groups of paths.
func routes[T any](name string, at func(*T) *[]string) field[T] {
	f := list(name, at)
	set := f.set
	f.set = func(v *T, raw json.RawMessage) string {
		if wrong := set(v, raw); wrong != "" {
			return wrong
		}
		for _, r := range *at(v) {
			if !account.IsRoute(r) {
				return "must hold paths such as /chat/completions or /bedrock/*, or the groups " + strings.Join(account.RouteGroups(), ", ")
			}
		}
		return ""
	}
	return f
}

func networks[T any](name string, at func(*T) *[]string) field[T] {
	f := list(name, at)
	set := f.set
	f.set = func(v *T, raw json.RawMessage) string {
		if wrong := set(v, raw); wrong != "" {
			return wrong
		}
		for _, n := range *at(v) {
			if _, err := account.ParseNetwork(n); err != nil {
				return "must hold addresses or networks such as 10.0.0.0/8"
			}
		}
		return ""
	}
	return f
}

// keyOf returns the key that a request means: by its text, its hash, or its alias.
func (a *API) keyOf(name, alias string) (*account.Holder, *llm.Error) {
	const param = "key"
	switch {
	case name != "":
		if h := a.Directory.Get(account.EntityKey, keyID(name)); h != nil {
			return h, nil
		}
	case alias != "":
		if h := a.byAlias(account.EntityKey, alias); h != nil {
			return h, nil
		}
	default:
		return nil, missing(param)
	}
	return nil, notFound(account.EntityKey, param)
}

// keyID returns the id of a key by its text or by its hash.
func keyID(name string) string {
	if account.IsKeyHash(name) {
		return name
	}
	return account.HashKey(secret.New(name))
}

func (a *API) byAlias(kind account.EntityKind, alias string) *account.Holder {
	for h := range a.Directory.All(kind) {
		if h.Alias == alias {
			return h
		}
	}
	return nil
}

// keyAnswer tells what there is to know of a key.
func (a *API) keyAnswer(ctx context.Context, h *account.Holder) (Answer, *llm.Error) {
	b := bodyOf(h)
	answer := Answer{
		"token": h.ID, "key_name": h.Key.Name, "expires": when(h.Key.Expires), "created_at": when(h.CreatedAt), "updated_at": when(h.UpdatedAt),
		"created_by": orNull(h.Key.CreatedBy), "updated_by": orNull(h.Key.UpdatedBy), "org_id": orNull(h.OrganizationID), "litellm_budget_table": nil,
	}
	show(answer, &b, keyFields())
	if t := h.Key.BudgetID; t != "" {
		if budget := a.Directory.Get(account.EntityBudget, t); budget != nil {
			answer["litellm_budget_table"] = budgetAnswer(budget)
		}
	}
	return answer, a.spend(ctx, answer, h)
}

// mayRead says why a caller may not see a key.
func (a *API) mayRead(c *account.Caller, h *account.Holder) *llm.Error {
	if sees(c) || h.ID == c.KeyHash || c.UserID != "" && c.User != nil && h.UserID == c.UserID || h.TeamID != "" && a.Directory.Leads(c, h.TeamID) {
		return nil
	}
	return denied("You may look at your own keys and at those of teams that you lead. Your role=" + c.Role.String())
}

// mayChange says why a caller may not change a key.
func (a *API) mayChange(c *account.Caller, h *account.Holder) *llm.Error {
	if c.Admin() || manages(c) && (h.UserID == c.UserID || h.TeamID != "" && a.Directory.Leads(c, h.TeamID)) {
		return nil
	}
	return denied("Only proxy admin can be used to generate, delete, update info for new keys/users/teams. Your role=" + c.Role.String() + ". A user with the role internal_user may change the keys that are his own, and those of teams that he leads.")
}
