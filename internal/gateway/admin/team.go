package admin

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// teamBody is what is said of a team.
type teamBody struct {
	team                    account.Team
	id, alias, organization string
	spend                   *account.Amount
}

func teamOf(h *account.Holder) teamBody {
	return teamBody{team: *h.Team, id: h.ID, alias: h.Alias, organization: h.OrganizationID}
}

// teamFields are the fields of teams, in bodies and in answers.
func teamFields() []field[teamBody] {
	type body = teamBody
	return join(on(func(b *body) *account.Terms { return &b.team.Terms }, termsFields()), []field[body]{
		text("team_id", func(b *body) *string { return &b.id }),
		text("team_alias", func(b *body) *string { return &b.alias }),
		text("organization_id", func(b *body) *string { return &b.organization }),
		names("model_aliases", func(b *body) *map[string]string { return &b.team.ModelAliases }),
		{"members_with_roles", setMembers, func(b *body) any { return membersAnswer(b.team.Members) }},
		flag("blocked", func(b *body) *bool { return &b.team.Blocked }),
		list("tags", func(b *body) *[]string { return &b.team.Tags }),
		rowMetadata("metadata", func(b *body) *json.RawMessage { return &b.team.Metadata }),
		dollars("team_member_budget", func(b *body) **account.Amount { return &b.team.Each.MaxBudget }),
		duration("team_member_budget_duration", func(b *body) *string { return &b.team.Each.Duration }),
		count("team_member_rpm_limit", func(b *body) **int64 { return &b.team.Each.RPM }),
		count("team_member_tpm_limit", func(b *body) **int64 { return &b.team.Each.TPM }),
		duration("team_member_key_duration", func(b *body) *string { return &b.team.MemberKeyDuration }),
		list("default_team_member_models", func(b *body) *[]string { return &b.team.Each.Models }),
	}, kept(func(b *body) *json.RawMessage { return &b.team.Extra },
		"team_member_permissions", "default_estimated_output_tokens", "default_estimated_output_tokens_per_model", "disable_global_guardrails"),
		limitTypes(func(b *body) *json.RawMessage { return &b.team.Extra }),
		unserved[body](noGuardrails, "guardrails", "policies", "prompts"),
		unserved[body](noOwnConfig, "router_settings", "access_group_ids", "secret_manager_settings"),
		unserved[body](noTools, "object_permission", "allowed_vector_store_indexes", "mcp_rpm_limit", "enforced_batch_output_expires_after", "enforced_file_expires_after"),
		unserved[body](noSuchLimit, "tpd_limit", "team_member_model_max_budget", "require_trace_id"),
		unserved[body]("the keys of a team have allowed_passthrough_routes", "allowed_passthrough_routes", "denied_passthrough_routes"),
		unserved[body]("name members in members_with_roles", "admins", "members"),
	)
}

func teamRequestFields() []field[teamBody] {
	spend := dollars("spend", func(b *teamBody) **account.Amount { return &b.spend })
	spend.get = nil
	return []field[teamBody]{spend}
}

// NewTeam makes a team.
func (a *API) NewTeam(ctx context.Context, r *Request) (any, *llm.Error) {
	if failed := onlyAdmin(r, "make teams"); failed != nil {
		return nil, failed
	}
	var b teamBody
	named, failed := decode(r.Body, &b, teamFields(), teamRequestFields())
	if failed != nil {
		return nil, failed
	}
	fillIn(&b, named, a.settings.defaultTeam, teamFields())
	if b.id == "" {
		b.id = newID()
	}
	if a.Directory.Get(account.EntityTeam, b.id) != nil {
		return nil, taken("team_id", "a team with the id '"+clip(b.id)+"'")
	}
	answer, failed := a.storeTeam(ctx, account.Entity{Kind: account.EntityTeam, ID: b.id}, &b)
	if failed == nil {
		a.changed(r, "new", account.EntityTeam, b.id)
	}
	return answer, failed
}

// storeTeam stores a team, with users for those of its members of whom nothing is known yet.
func (a *API) storeTeam(ctx context.Context, e account.Entity, b *teamBody) (Answer, *llm.Error) {
	if b.organization != "" {
		if _, failed := a.find(account.EntityOrganization, b.organization, "organization_id"); failed != nil {
			return nil, failed
		}
	}
	if b.team.BudgetID != "" {
		if _, failed := a.find(account.EntityBudget, b.team.BudgetID, "budget_id"); failed != nil {
			return nil, failed
		}
	}
	if h := a.byAlias(account.EntityTeam, b.alias); b.alias != "" && h != nil && h.ID != e.ID {
		return nil, taken("team_alias", "a team with the alias '"+clip(b.alias)+"'")
	}
	changes, failed := a.membersAsUsers(b.team.Members)
	if failed != nil {
		return nil, failed
	}
	e.Alias, e.OrganizationID = b.alias, b.organization
	if e, failed = entity(e, &b.team); failed != nil {
		return nil, failed
	}
	if failed := a.put(ctx, append(changes, e)...); failed != nil {
		return nil, failed
	}
	h, failed := a.find(account.EntityTeam, e.ID, "team_id")
	if failed != nil {
		return nil, failed
	}
	if b.spend != nil {
		if err := a.Spend.Reset(ctx, account.EntityTeam, h.ID, h.Terms(), *b.spend); err != nil {
			return nil, storeError(err)
		}
	}
	return a.teamAnswer(ctx, h)
}

// teamAnswer tells what there is to know of a team.
func (a *API) teamAnswer(ctx context.Context, h *account.Holder) (Answer, *llm.Error) {
	b := teamOf(h)
	answer := Answer{"created_at": when(h.CreatedAt), "updated_at": when(h.UpdatedAt)}
	show(answer, &b, teamFields())
	return answer, a.spend(ctx, answer, h)
}

// UpdateTeam changes what is said of a team: null takes a word back, what is absent stays.
func (a *API) UpdateTeam(ctx context.Context, r *Request) (any, *llm.Error) {
	if failed := onlyAdmin(r, "change teams"); failed != nil {
		return nil, failed
	}
	var asked teamBody
	if _, failed := decode(r.Body, &asked, teamFields(), teamRequestFields()); failed != nil {
		return nil, failed
	}
	return a.changeTeam(ctx, r, asked.id, "update", func(b *teamBody) *llm.Error {
		_, failed := decode(r.Body, b, teamFields(), teamRequestFields())
		return failed
	})
}

// changeTeam stores a team as change leaves it.
func (a *API) changeTeam(ctx context.Context, r *Request, id, what string, change func(*teamBody) *llm.Error) (Answer, *llm.Error) {
	h, failed := a.find(account.EntityTeam, id, "team_id")
	if failed != nil {
		return nil, failed
	}
	b := teamOf(h)
	b.team.Members, b.team.Models = slices.Clone(b.team.Members), slices.Clone(b.team.Models)
	if failed := change(&b); failed != nil {
		return nil, failed
	}
	answer, failed := a.storeTeam(ctx, h.Entity, &b)
	if failed != nil {
		return nil, failed
	}
	a.changed(r, what, account.EntityTeam, id)
	return answer, nil
}

// DeleteTeams removes teams and their keys.
func (a *API) DeleteTeams(ctx context.Context, r *Request) (any, *llm.Error) {
	if failed := onlyAdmin(r, "delete teams"); failed != nil {
		return nil, failed
	}
	ids, failed := idList(r.Body, "team_ids")
	if failed != nil {
		return nil, failed
	}
	if failed := a.deleteKeysOf(ctx, func(h *account.Holder) bool { return slices.Contains(ids, h.TeamID) }); failed != nil {
		return nil, failed
	}
	gone, failed := a.deleted(ctx, r, account.EntityTeam, "team_ids", ids)
	if failed != nil {
		return nil, failed
	}
	return Answer{"deleted_teams": gone}, nil
}

// BlockTeam stops all keys of a team.
func (a *API) BlockTeam(ctx context.Context, r *Request) (any, *llm.Error) {
	return a.blockTeam(ctx, r, "block", true)
}

// UnblockTeam lets them call again.
func (a *API) UnblockTeam(ctx context.Context, r *Request) (any, *llm.Error) {
	return a.blockTeam(ctx, r, "unblock", false)
}

func (a *API) blockTeam(ctx context.Context, r *Request, what string, blocked bool) (any, *llm.Error) {
	if failed := onlyAdmin(r, "block teams"); failed != nil {
		return nil, failed
	}
	var id string
	if _, failed := decode(r.Body, &id, []field[string]{text("team_id", func(s *string) *string { return s })}); failed != nil {
		return nil, failed
	}
	return a.changeTeam(ctx, r, id, what, func(b *teamBody) *llm.Error {
		b.team.Blocked = blocked
		return nil
	})
}

// teamModels is a change of a team's models.
type teamModels struct {
	team   string
	models []string
}

// AddTeamModels lets a team use further models.
func (a *API) AddTeamModels(ctx context.Context, r *Request) (any, *llm.Error) {
	return a.teamModels(ctx, r, "add models", func(own, models []string) []string {
		for _, m := range models {
			if !slices.Contains(own, m) {
				own = append(own, m)
			}
		}
		return own
	})
}

// DeleteTeamModels takes models from a team. A team that has none left may use none: no-default-models stands in its list.
func (a *API) DeleteTeamModels(ctx context.Context, r *Request) (any, *llm.Error) {
	return a.teamModels(ctx, r, "delete models", func(own, models []string) []string {
		left := slices.DeleteFunc(own, func(m string) bool { return slices.Contains(models, m) })
		if len(left) == 0 && len(own) > 0 {
			return []string{account.NoDefaultModels}
		}
		return left
	})
}

func (a *API) teamModels(ctx context.Context, r *Request, what string, change func(own, models []string) []string) (any, *llm.Error) {
	if failed := onlyAdmin(r, "change the models of teams"); failed != nil {
		return nil, failed
	}
	var asked teamModels
	if _, failed := decode(r.Body, &asked, []field[teamModels]{
		text("team_id", func(t *teamModels) *string { return &t.team }), list("models", func(t *teamModels) *[]string { return &t.models }),
	}); failed != nil {
		return nil, failed
	}
	return a.changeTeam(ctx, r, asked.team, what, func(b *teamBody) *llm.Error {
		b.team.Models = change(b.team.Models, asked.models)
		return nil
	})
}

// seesTeam reports whether a caller may look at a team.
func (a *API) seesTeam(c *account.Caller, h *account.Holder) bool {
	return sees(c) || c.TeamID == h.ID || c.UserID != "" && c.User != nil && slices.ContainsFunc(h.Team.Members, func(m account.Member) bool { return m.UserID == c.UserID })
}

// TeamInfo tells what there is to know of a team. Its keys are told to those who may see them.
func (a *API) TeamInfo(ctx context.Context, r *Request) (any, *llm.Error) {
	id := r.Query.Get("team_id")
	if id == "" {
		id = r.Caller.TeamID
	}
	h, failed := a.find(account.EntityTeam, id, "team_id")
	if failed != nil {
		return nil, failed
	}
	if !a.seesTeam(&r.Caller, h) {
		return nil, denied("You may look at the teams that you are in. Your role=" + r.Caller.Role.String())
	}
	info, failed := a.teamAnswer(ctx, h)
	if failed != nil {
		return nil, failed
	}
	keys, failed := a.keysOf(ctx, func(k *account.Holder) bool { return k.TeamID == id && a.mayRead(&r.Caller, k) == nil })
	if failed != nil {
		return nil, failed
	}
	memberships := []Answer{}
	for _, m := range h.Team.Members {
		memberships = append(memberships, Answer{"user_id": m.UserID, "team_id": id, "litellm_budget_table": Answer{
			"max_budget": usdOrNull(m.MaxBudget), "budget_duration": orNull(m.Duration), "rpm_limit": m.RPM, "tpm_limit": m.TPM, "allowed_models": orEmpty(m.Models),
		}})
	}
	return Answer{"team_id": id, "team_info": info, "keys": keys, "team_memberships": memberships}, nil
}

// visibleTeams are the teams that a caller may see and that a query asks for.
func (a *API) visibleTeams(r *Request) []*account.Holder {
	q := r.Query
	var found []*account.Holder
	for h := range a.Directory.All(account.EntityTeam) {
		if id := q.Get("team_id"); id != "" && h.ID != id {
			continue
		}
		if alias := q.Get("team_alias"); alias != "" && !strings.Contains(strings.ToLower(h.Alias), strings.ToLower(alias)) {
			continue
		}
		if org := q.Get("organization_id"); org != "" && h.OrganizationID != org {
			continue
		}
		if user := q.Get("user_id"); user != "" && !slices.ContainsFunc(h.Team.Members, func(m account.Member) bool { return m.UserID == user }) {
			continue
		}
		if a.seesTeam(&r.Caller, h) {
			found = append(found, h)
		}
	}
	slices.SortFunc(found, newest)
	return found
}

// ListTeams lists all teams that the caller may see.
func (a *API) ListTeams(ctx context.Context, r *Request) (any, *llm.Error) {
	return a.teamAnswers(ctx, a.visibleTeams(r))
}

// ListTeamPage lists them a page at a time.
func (a *API) ListTeamPage(ctx context.Context, r *Request) (any, *llm.Error) {
	found := a.visibleTeams(r)
	p, failed := pageOf(r, len(found))
	if failed != nil {
		return nil, failed
	}
	teams, failed := a.teamAnswers(ctx, found[p.from:p.to])
	return Answer{"teams": teams, "total": len(found), "page": p.number, "page_size": p.to - p.from, "total_pages": p.pages}, failed
}

func (a *API) teamAnswers(ctx context.Context, list []*account.Holder) ([]Answer, *llm.Error) {
	out := []Answer{}
	for _, h := range list {
		answer, failed := a.teamAnswer(ctx, h)
		if failed != nil {
			return nil, failed
		}
		out = append(out, answer)
	}
	return out, nil
}
