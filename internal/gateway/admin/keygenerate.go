package admin

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// GenerateKey makes a key. Its text is in the answer, and nowhere else.
func (a *API) GenerateKey(ctx context.Context, r *Request) (any, *llm.Error) {
	var b keyBody
	named, failed := decode(r.Body, &b, keyFields(), keyRequestFields())
	if failed != nil {
		return nil, failed
	}
	if !r.Caller.Admin() && b.user == "" && b.team == "" {
		b.user = r.Caller.UserID
	}
	return a.generate(ctx, r, &b, named)
}

// GenerateServiceAccountKey makes a key of a team that is no user's.
func (a *API) GenerateServiceAccountKey(ctx context.Context, r *Request) (any, *llm.Error) {
	var b keyBody
	named, failed := decode(r.Body, &b, keyFields(), keyRequestFields())
	switch {
	case failed != nil:
		return nil, failed
	case b.team == "":
		return nil, missing("team_id")
	case b.user != "":
		return nil, llm.Invalid("user_id", "the key of a service account belongs to a team and to no user")
	}
	return a.generate(ctx, r, &b, named)
}

func (a *API) generate(ctx context.Context, r *Request, b *keyBody, named map[string]bool) (Answer, *llm.Error) {
	if failed := a.mayMake(&r.Caller, b); failed != nil {
		return nil, failed
	}
	warnings := a.settings.keyDefaults(b, named)
	if failed := a.checkKey(b, named); failed != nil {
		return nil, failed
	}
	now := a.Now()
	if team := a.Directory.Get(account.EntityTeam, b.team); b.lasts == "" && team != nil && team.Team.MemberKeyDuration != "" && b.user != "" {
		b.lasts = team.Team.MemberKeyDuration
	}
	if failed := b.expire(now); failed != nil {
		return nil, failed
	}
	if failed := a.keepWithin(&r.Caller, b); failed != nil {
		return nil, failed
	}
	key := account.MakeKey()
	if b.own != "" {
		key = secret.New(b.own)
		if wrong := account.CheckOwnKey(key); wrong != "" {
			return nil, llm.Invalid("key", wrong)
		}
	}
	b.key.CreatedBy, b.key.UpdatedBy = r.actor(), r.actor()
	h, failed := a.storeKey(ctx, key, b)
	if failed != nil {
		return nil, failed
	}
	if b.spend != nil && *b.spend > 0 {
		if err := a.Spend.Reset(ctx, account.EntityKey, h.ID, h.Terms(), *b.spend); err != nil {
			return nil, storeError(err)
		}
	}
	a.changed(r, "generate", account.EntityKey, h.ID)
	return a.madeKey(ctx, h, key, warnings)
}

// storeKey stores a new key.
func (a *API) storeKey(ctx context.Context, key secret.Secret, b *keyBody) (*account.Holder, *llm.Error) {
	id := account.HashKey(key)
	if a.Directory.Get(account.EntityKey, id) != nil {
		return nil, taken("key", "a key with this text")
	}
	if b.alias != "" && a.byAlias(account.EntityKey, b.alias) != nil {
		return nil, taken("key_alias", "a key with the alias '"+clip(b.alias)+"'")
	}
	b.key.Name = account.KeyName(key)
	e, failed := entity(account.Entity{Kind: account.EntityKey, ID: id, Alias: b.alias, TeamID: b.team, UserID: b.user, OrganizationID: b.organization}, &b.key)
	if failed != nil {
		return nil, failed
	}
	if failed := a.put(ctx, e); failed != nil {
		return nil, failed
	}
	return a.find(account.EntityKey, id, "key")
}

// madeKey is the one answer that has a key in it.
func (a *API) madeKey(ctx context.Context, h *account.Holder, key secret.Secret, warnings []string) (Answer, *llm.Error) {
	answer, failed := a.keyAnswer(ctx, h)
	if failed != nil {
		return nil, failed
	}
	answer["key"], answer["token_id"] = key.Reveal(), h.ID
	if len(warnings) > 0 {
		answer["warnings"] = warnings
	}
	return answer, nil
}

// expire works out when a key ends.
func (b *keyBody) expire(now time.Time) *llm.Error {
	switch b.lasts {
	case "":
	case never:
		b.key.Expires = time.Time{}
	default:
		end, err := account.Lifetime(b.lasts, now)
		if err != nil {
			return llm.Invalid("duration", err.Error())
		}
		b.key.Expires = end.UTC()
	}
	return nil
}

// checkKey says what of a key does not go with the rest of what there is.
func (a *API) checkKey(b *keyBody, named map[string]bool) *llm.Error {
	if b.team != "" && named["team_id"] {
		if _, failed := a.find(account.EntityTeam, b.team, "team_id"); failed != nil {
			return failed
		}
	}
	if b.organization != "" && named["organization_id"] {
		if _, failed := a.find(account.EntityOrganization, b.organization, "organization_id"); failed != nil {
			return failed
		}
	}
	if b.key.BudgetID != "" && named["budget_id"] {
		if _, failed := a.find(account.EntityBudget, b.key.BudgetID, "budget_id"); failed != nil {
			return failed
		}
	}
	if (b.key.TempIncrease == nil) != b.key.TempUntil.IsZero() {
		return llm.Invalid("temp_budget_increase", "temp_budget_increase and temp_budget_expiry must be set together")
	}
	return nil
}

// mayMake says why a caller may not make a key for those whom it names.
func (a *API) mayMake(c *account.Caller, b *keyBody) *llm.Error {
	if c.Admin() {
		return nil
	}
	const only = "Only proxy admin can be used to generate, delete, update info for new keys/users/teams. "
	if !manages(c) {
		return denied(only + "Your role=" + c.Role.String())
	}
	if b.organization != "" || b.spend != nil {
		return denied(only + "A user may not set organization_id or spend.")
	}
	if b.team == "" {
		rule := a.settings.personal
		switch {
		case b.user != c.UserID:
			return denied(only + "A user may make keys for himself, and for teams that he leads.")
		case rule != nil && !slices.Contains(rule.AllowedUserRoles, c.Role.String()):
			return denied("key_generation_settings does not let users with the role " + c.Role.String() + " make keys of their own.")
		}
		return rule.demand(b)
	}
	if a.Directory.Leads(c, b.team) {
		return a.settings.team.demand(b)
	}
	team := a.Directory.Get(account.EntityTeam, b.team)
	role := ""
	if team != nil {
		for _, m := range team.Team.Members {
			if m.UserID == c.UserID {
				role = m.Role
			}
		}
	}
	switch rule := a.settings.team; {
	case role == "":
		return denied(only + "You are no member of this team.")
	case b.user != c.UserID:
		return denied(only + "A member may make keys of the team for himself, its admin for all.")
	case rule == nil || !slices.Contains(rule.AllowedTeamMemberRoles, role):
		return denied("Members with the role " + role + " may not make keys of this team: key_generation_settings.team_key_generation.allowed_team_member_roles")
	default:
		return rule.demand(b)
	}
}

// keepWithin holds what a user makes or changes to what his own key may do: else a key for one model would be a key for
// all. What he leaves out is as with his key.
func (a *API) keepWithin(c *account.Caller, b *keyBody) *llm.Error {
	if c.Admin() || c.Key == nil {
		return nil
	}
	own := c.Key
	if len(own.Models) > 0 && !slices.Contains(own.Models, account.AllModels) {
		if len(b.key.Models) == 0 {
			b.key.Models = own.Models
		}
		for _, m := range b.key.Models {
			if !slices.Contains(own.Models, m) {
				return denied("Your own key may not use the model '" + clip(m) + "': a key that you make may not, either.")
			}
		}
	}
	limits := []struct {
		name string
		dst  **int64
		most *int64
	}{{"rpm_limit", &b.key.RPM, own.RPM}, {"tpm_limit", &b.key.TPM, own.TPM}, {"max_parallel_requests", &b.key.Parallel, own.Parallel}}
	for _, l := range limits {
		if l.most != nil && (*l.dst == nil || **l.dst > *l.most) {
			if *l.dst != nil {
				return denied(l.name + " is more than your own key has.")
			}
			*l.dst = l.most
		}
	}
	if own.MaxBudget != nil {
		switch {
		case b.key.MaxBudget == nil:
			b.key.MaxBudget, b.key.BudgetDuration = own.MaxBudget, own.BudgetDuration
		case *b.key.MaxBudget > *own.MaxBudget || b.key.BudgetDuration != own.BudgetDuration:
			return denied("max_budget is more than your own key has, or for another budget_duration.")
		}
	}
	if !own.Expires.IsZero() && (b.key.Expires.IsZero() || b.key.Expires.After(own.Expires)) {
		b.key.Expires = own.Expires
	}
	if len(own.IPs) > 0 {
		b.key.IPs = own.IPs
	}
	if len(own.Routes) > 0 {
		b.key.Routes = own.Routes
	}
	if own.Type != "" && own.Type != "default" {
		b.key.Type = own.Type
	}
	return nil
}

// keyRule is one part of key_generation_settings.
type keyRule struct {
	AllowedTeamMemberRoles []string `json:"allowed_team_member_roles"`
	AllowedUserRoles       []string `json:"allowed_user_roles"`
	RequiredParams         []string `json:"required_params"`
}

// demand refuses a key that lacks what a rule wants to be said of it.
func (k *keyRule) demand(b *keyBody) *llm.Error {
	if k == nil {
		return nil
	}
	shown := Answer{}
	show(shown, b, keyFields())
	for _, name := range k.RequiredParams {
		v, err := json.Marshal(shown[name])
		if text := strings.TrimSpace(string(v)); err != nil || text == "null" || text == "[]" || text == "{}" {
			return missing(name)
		}
	}
	return nil
}
