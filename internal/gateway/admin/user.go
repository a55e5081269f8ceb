package admin

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// userBody is what is said of a user.
type userBody struct {
	user  account.User
	id    string
	spend *account.Amount
	// teams are those that he joins; withKey has a key made for him, with these further words.
	teams   []teamToJoin
	withKey bool
	lasts   string
	key     keyBody
}

// teamToJoin is a team of a new user.
type teamToJoin struct {
	id, role string
	most     *account.Amount
}

// userFields are the fields of users, in bodies and in answers.
func userFields() []field[userBody] {
	type body = userBody
	return join(on(func(b *body) *account.Terms { return &b.user.Terms }, termsFields()), []field[body]{
		text("user_id", func(b *body) *string { return &b.id }),
		text("user_email", func(b *body) *string { return &b.user.Email }),
		text("user_alias", func(b *body) *string { return &b.user.Alias }),
		choice("user_role", func(b *body) *string { return &b.user.Role }, account.Admin.String(), account.Viewer.String(), account.Internal.String(), account.InternalViewer.String()),
		document("metadata", func(b *body) *json.RawMessage { return &b.user.Metadata }),
	}, kept(func(b *body) *json.RawMessage { return &b.user.Extra }, "sso_user_id", "permissions", "agent_id", "project_id", "allowed_cache_controls"),
		unserved[body](noGuardrails, "guardrails", "policies", "prompts"),
		unserved[body](noOwnConfig, "config", "router_settings"),
		unserved[body](noTools, "object_permission", "mcp_rpm_limit"),
		unserved[body](noMail, "send_invite_email"),
		unserved[body](noSuchLimit, "tag_rpm_limit", "tpd_limit", "budget_fallbacks"),
		unserved[body]("people sign in with their keys", "password"),
		unserved[body]("add him with /organization/member_add", "organizations"),
	)
}

// userRequestFields are those of a request that are not stored with the user.
func userRequestFields() []field[userBody] {
	type body = userBody
	spend := dollars("spend", func(b *body) **account.Amount { return &b.spend })
	lasts := duration("duration", func(b *body) *string { return &b.lasts })
	alias := text("key_alias", func(b *body) *string { return &b.key.alias })
	team := text("team_id", func(b *body) *string { return &b.key.team })
	aliases := names("aliases", func(b *body) *map[string]string { return &b.key.key.Aliases })
	blocked := flag("blocked", func(b *body) *bool { return &b.key.key.Blocked })
	list := []field[body]{
		spend, lasts, alias, team, aliases, blocked,
		flag("auto_create_key", func(b *body) *bool { return &b.withKey }),
		{name: "teams", set: setTeams},
	}
	for i := range list {
		list[i].get = nil
	}
	return list
}

func setTeams(b *userBody, raw json.RawMessage) string {
	const want = "must be a list of team ids, or of {team_id, user_role, max_budget_in_team}"
	var entries []json.RawMessage
	if wrong := value(&entries, raw, want[len("must be "):]); wrong != "" {
		return wrong
	}
	b.teams = nil
	for _, entry := range entries {
		t := teamToJoin{role: roleUser}
		if json.Unmarshal(entry, &t.id) != nil {
			if _, failed := decode(entry, &t, []field[teamToJoin]{
				text("team_id", func(t *teamToJoin) *string { return &t.id }),
				choice("user_role", func(t *teamToJoin) *string { return &t.role }, roleUser, roleAdmin),
				dollars("max_budget_in_team", func(t *teamToJoin) **account.Amount { return &t.most }),
			}); failed != nil {
				return want
			}
		}
		if t.id == "" {
			return want
		}
		b.teams = append(b.teams, t)
	}
	return ""
}

// NewUser makes a user and, unless auto_create_key is false, a key for him.
func (a *API) NewUser(ctx context.Context, r *Request) (any, *llm.Error) {
	if failed := onlyAdmin(r, "make users"); failed != nil {
		return nil, failed
	}
	b := userBody{withKey: true}
	named, failed := decode(r.Body, &b, userFields(), userRequestFields())
	if failed != nil {
		return nil, failed
	}
	fillIn(&b, named, a.settings.defaultUser, userFields(), userRequestFields())
	if b.user.MaxBudget == nil && !named["max_budget"] && a.Options.Settings.UserBudget != nil {
		raw, _ := json.Marshal(*a.Options.Settings.UserBudget) // a number
		b.user.MaxBudget, _ = parseUSD(raw)
		if b.user.BudgetDuration == "" {
			b.user.BudgetDuration = a.Options.Settings.UserBudgetDuration
		}
	}
	if b.id == "" {
		b.id = newID()
	}
	if a.Directory.Get(account.EntityUser, b.id) != nil {
		return nil, taken("user_id", "a user with the id '"+clip(b.id)+"'")
	}
	if failed := a.checkUser(&b, ""); failed != nil {
		return nil, failed
	}
	e, failed := entity(account.Entity{Kind: account.EntityUser, ID: b.id}, &b.user)
	if failed != nil {
		return nil, failed
	}
	changes := []account.Entity{e}
	for _, t := range b.teams {
		h, failed := a.find(account.EntityTeam, t.id, "teams")
		if failed != nil {
			return nil, failed
		}
		team := *h.Team
		team.Members = withMember(team.Members, account.Member{UserID: b.id, Email: b.user.Email, Role: t.role, MaxBudget: t.most})
		change, failed := entity(h.Entity, &team)
		if failed != nil {
			return nil, failed
		}
		changes = append(changes, change)
	}
	if failed := a.put(ctx, changes...); failed != nil {
		return nil, failed
	}
	h, failed := a.find(account.EntityUser, b.id, "user_id")
	if failed != nil {
		return nil, failed
	}
	if b.spend != nil && *b.spend > 0 {
		if err := a.Spend.Reset(ctx, account.EntityUser, h.ID, h.Terms(), *b.spend); err != nil {
			return nil, storeError(err)
		}
	}
	a.changed(r, "new", account.EntityUser, b.id)
	answer, failed := a.userAnswer(ctx, h)
	if failed != nil || !b.withKey {
		return answer, failed
	}
	key := b.key
	key.user, key.lasts = b.id, b.lasts
	key.key.Models = b.user.Models
	made, failed := a.generate(ctx, r, &key, map[string]bool{"team_id": key.team != ""})
	if failed != nil {
		return nil, failed
	}
	for _, name := range []string{"key", "token", "token_id", "key_name", "key_alias", "expires", "team_id"} {
		answer[name] = made[name]
	}
	return answer, nil
}

// checkUser says what of a user does not go with the rest of what there is.
func (a *API) checkUser(b *userBody, own string) *llm.Error {
	if b.user.BudgetID != "" {
		if _, failed := a.find(account.EntityBudget, b.user.BudgetID, "budget_id"); failed != nil {
			return failed
		}
	}
	if h := a.userByEmail(b.user.Email); h != nil && h.ID != own {
		return taken("user_email", "a user with this address")
	}
	return nil
}

func (a *API) userByEmail(email string) *account.Holder {
	if email == "" {
		return nil
	}
	for h := range a.Directory.All(account.EntityUser) {
		if strings.EqualFold(h.User.Email, email) {
			return h
		}
	}
	return nil
}

// userAnswer tells what there is to know of a user.
func (a *API) userAnswer(ctx context.Context, h *account.Holder) (Answer, *llm.Error) {
	b := userBody{user: *h.User, id: h.ID}
	answer := Answer{"created_at": when(h.CreatedAt), "updated_at": when(h.UpdatedAt), "teams": a.teamsOf(h.ID)}
	show(answer, &b, userFields())
	return answer, a.spend(ctx, answer, h)
}

// teamsOf returns the ids of the teams that a user is in.
func (a *API) teamsOf(user string) []string {
	ids := []string{}
	for h := range a.Directory.All(account.EntityTeam) {
		if slices.ContainsFunc(h.Team.Members, func(m account.Member) bool { return m.UserID == user }) {
			ids = append(ids, h.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// UpdateUser changes what is said of a user, who is named by his id or his address.
func (a *API) UpdateUser(ctx context.Context, r *Request) (any, *llm.Error) {
	return a.updateUser(ctx, r, r.Body)
}

func (a *API) updateUser(ctx context.Context, r *Request, body []byte) (Answer, *llm.Error) {
	if failed := onlyAdmin(r, "change users"); failed != nil {
		return nil, failed
	}
	var asked userBody
	if _, failed := decode(body, &asked, userFields(), userRequestFields()); failed != nil {
		return nil, failed
	}
	id := asked.id
	if h := a.userByEmail(asked.user.Email); id == "" && h != nil {
		id = h.ID
	}
	h, failed := a.find(account.EntityUser, id, "user_id")
	if failed != nil {
		return nil, failed
	}
	b := userBody{user: *h.User, id: h.ID}
	if _, failed := decode(body, &b, userFields(), userRequestFields()); failed != nil {
		return nil, failed
	}
	if len(b.teams) > 0 {
		return nil, llm.Invalid("teams", "teams are changed by /team/member_add and /team/member_delete")
	}
	if failed := a.checkUser(&b, h.ID); failed != nil {
		return nil, failed
	}
	e, failed := entity(h.Entity, &b.user)
	if failed != nil {
		return nil, failed
	}
	if failed := a.put(ctx, e); failed != nil {
		return nil, failed
	}
	if b.spend != nil {
		if err := a.Spend.Reset(ctx, account.EntityUser, h.ID, &b.user.Terms, *b.spend); err != nil {
			return nil, storeError(err)
		}
	}
	a.changed(r, "update", account.EntityUser, h.ID)
	if h, failed = a.find(account.EntityUser, h.ID, "user_id"); failed != nil {
		return nil, failed
	}
	answer, failed := a.userAnswer(ctx, h)
	return Answer{"user_id": h.ID, "data": answer}, failed
}

// BulkUpdateUsers changes several users, each as far as it goes.
func (a *API) BulkUpdateUsers(ctx context.Context, r *Request) (any, *llm.Error) {
	type asked struct{ users []json.RawMessage }
	var b asked
	if _, failed := decode(r.Body, &b, []field[asked]{{name: "users", set: func(b *asked, raw json.RawMessage) string {
		return value(&b.users, raw, "a list of objects")
	}}}); failed != nil {
		return nil, failed
	}
	const most = 500
	if len(b.users) == 0 || len(b.users) > most {
		return nil, llm.Invalid("users", "users must hold 1 to 500 users")
	}
	results, done := []Answer{}, 0
	for _, body := range b.users {
		answer, failed := a.updateUser(ctx, r, body)
		if failed != nil {
			results = append(results, Answer{"success": false, "error": failed.Message})
			continue
		}
		done++
		results = append(results, Answer{"success": true, "user_id": answer["user_id"], "updated_user": answer["data"]})
	}
	return Answer{"results": results, "total_requested": len(b.users), "successful_updates": done, "failed_updates": len(b.users) - done}, nil
}

// DeleteUsers removes users, their keys, and their membership in teams.
func (a *API) DeleteUsers(ctx context.Context, r *Request) (any, *llm.Error) {
	if failed := onlyAdmin(r, "delete users"); failed != nil {
		return nil, failed
	}
	ids, failed := idList(r.Body, "user_ids")
	if failed != nil {
		return nil, failed
	}
	if failed := a.deleteKeysOf(ctx, func(h *account.Holder) bool { return slices.Contains(ids, h.UserID) }); failed != nil {
		return nil, failed
	}
	var changes []account.Entity
	for h := range a.Directory.All(account.EntityTeam) {
		team := *h.Team
		team.Members = slices.DeleteFunc(slices.Clone(team.Members), func(m account.Member) bool { return slices.Contains(ids, m.UserID) })
		if len(team.Members) == len(h.Team.Members) {
			continue
		}
		e, failed := entity(h.Entity, &team)
		if failed != nil {
			return nil, failed
		}
		changes = append(changes, e)
	}
	if len(changes) > 0 {
		if failed := a.put(ctx, changes...); failed != nil {
			return nil, failed
		}
	}
	gone, failed := a.deleted(ctx, r, account.EntityUser, "user_ids", ids)
	if failed != nil {
		return nil, failed
	}
	return Answer{"deleted_users": gone}, nil
}

// deleteKeysOf removes the keys that belong to somebody.
func (a *API) deleteKeysOf(ctx context.Context, whose func(*account.Holder) bool) *llm.Error {
	var ids []string
	for h := range a.Directory.All(account.EntityKey) {
		if whose(h) {
			ids = append(ids, h.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, failed := a.remove(ctx, account.EntityKey, ids...)
	return failed
}

// UserInfo tells what there is to know of a user, his keys and his teams; without an id, of the caller.
func (a *API) UserInfo(ctx context.Context, r *Request) (any, *llm.Error) {
	id := r.Query.Get("user_id")
	if id == "" {
		id = r.Caller.UserID
	}
	if !sees(&r.Caller) && (id != r.Caller.UserID || r.Caller.User == nil) {
		return nil, denied("You may look at yourself only. Your role=" + r.Caller.Role.String())
	}
	h, failed := a.find(account.EntityUser, id, "user_id")
	if failed != nil {
		return nil, failed
	}
	info, failed := a.userAnswer(ctx, h)
	if failed != nil {
		return nil, failed
	}
	keys, failed := a.keysOf(ctx, func(k *account.Holder) bool { return k.UserID == id })
	if failed != nil {
		return nil, failed
	}
	teams := []Answer{}
	for _, t := range a.teamsOf(id) {
		if team := a.Directory.Get(account.EntityTeam, t); team != nil {
			answer, failed := a.teamAnswer(ctx, team)
			if failed != nil {
				return nil, failed
			}
			teams = append(teams, answer)
		}
	}
	return Answer{"user_id": id, "user_info": info, "keys": keys, "teams": teams}, nil
}

// keysOf describes the keys that belong to somebody, in the order of their making.
func (a *API) keysOf(ctx context.Context, whose func(*account.Holder) bool) ([]Answer, *llm.Error) {
	var found []*account.Holder
	for h := range a.Directory.All(account.EntityKey) {
		if h.Key.ReplacedBy == "" && whose(h) {
			found = append(found, h)
		}
	}
	slices.SortFunc(found, func(x, y *account.Holder) int { return x.CreatedAt.Compare(y.CreatedAt) })
	keys := []Answer{}
	for _, h := range found {
		answer, failed := a.keyAnswer(ctx, h)
		if failed != nil {
			return nil, failed
		}
		keys = append(keys, answer)
	}
	return keys, nil
}

// ListUsers lists users, a page at a time.
func (a *API) ListUsers(ctx context.Context, r *Request) (any, *llm.Error) {
	q := r.Query
	var found []*account.Holder
	for h := range a.Directory.All(account.EntityUser) {
		if role := q.Get("role"); role != "" && h.User.Role != role {
			continue
		}
		if ids := q.Get("user_ids"); ids != "" && !slices.Contains(strings.Split(ids, ","), h.ID) {
			continue
		}
		if email := q.Get("user_email"); email != "" && !strings.Contains(strings.ToLower(h.User.Email), strings.ToLower(email)) {
			continue
		}
		if team := q.Get("team"); team != "" && !slices.Contains(a.teamsOf(h.ID), team) {
			continue
		}
		found = append(found, h)
	}
	slices.SortFunc(found, newest)
	p, failed := pageOf(r, len(found))
	if failed != nil {
		return nil, failed
	}
	users := []Answer{}
	for _, h := range found[p.from:p.to] {
		answer, failed := a.userAnswer(ctx, h)
		if failed != nil {
			return nil, failed
		}
		n := 0
		for k := range a.Directory.All(account.EntityKey) {
			if k.UserID == h.ID && k.Key.ReplacedBy == "" {
				n++
			}
		}
		answer["key_count"] = n
		users = append(users, answer)
	}
	return Answer{"users": users, "total": len(found), "page": p.number, "page_size": p.to - p.from, "total_pages": p.pages}, nil
}

// newest sorts the youngest first.
func newest(x, y *account.Holder) int {
	if n := y.CreatedAt.Compare(x.CreatedAt); n != 0 {
		return n
	}
	return strings.Compare(x.ID, y.ID)
}
