package admin

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// The roles of a member in a team.
const (
	roleAdmin = "admin"
	roleUser  = "user"
)

// memberBody is what is said of members of a team or of an organization.
type memberBody struct {
	team, organization string
	// members are those who are added; member is the one who is changed or removed.
	members []account.Member
	member  account.Member
}

// memberFields are the fields of one member.
func memberFields(roles ...string) []field[account.Member] {
	type member = account.Member
	return []field[member]{
		text("user_id", func(m *member) *string { return &m.UserID }),
		text("user_email", func(m *member) *string { return &m.Email }),
		choice("role", func(m *member) *string { return &m.Role }, roles...),
	}
}

// limitFields are what a member may use.
func limitFields() []field[account.Member] {
	type member = account.Member
	return []field[member]{
		dollars("max_budget_in_team", func(m *member) **account.Amount { return &m.MaxBudget }),
		duration("budget_duration", func(m *member) *string { return &m.Duration }),
		count("rpm_limit", func(m *member) **int64 { return &m.RPM }),
		count("tpm_limit", func(m *member) **int64 { return &m.TPM }),
		list("allowed_models", func(m *member) *[]string { return &m.Models }),
	}
}

func readMembers(raw json.RawMessage, roles ...string) ([]account.Member, string) {
	const want = "must be a member, or a list of members: {user_id or user_email, role}"
	var entries []json.RawMessage
	if json.Unmarshal(raw, &entries) != nil {
		entries = []json.RawMessage{raw}
	}
	var out []account.Member
	for _, entry := range entries {
		m := account.Member{Role: roles[0]}
		if _, failed := decode(entry, &m, memberFields(roles...)); failed != nil || m.UserID == "" && m.Email == "" || m.Role == "" {
			return nil, want
		}
		out = append(out, m)
	}
	return out, ""
}

func setMembers(b *teamBody, raw json.RawMessage) string {
	if isNull(raw) {
		b.team.Members = nil
		return ""
	}
	list, wrong := readMembers(raw, roleUser, roleAdmin)
	if wrong != "" {
		return wrong
	}
	var members []account.Member
	for _, m := range list {
		if i := slices.IndexFunc(b.team.Members, func(own account.Member) bool { return same(own, m) }); i >= 0 { // keeps its limits
			own := b.team.Members[i]
			own.Role = m.Role
			m = own
		}
		members = withMember(members, m)
	}
	b.team.Members = members
	return ""
}

func same(a, b account.Member) bool {
	return a.UserID != "" && a.UserID == b.UserID || a.Email != "" && strings.EqualFold(a.Email, b.Email)
}

// withMember returns members with m among them: in the place of what was said of him before.
func withMember(members []account.Member, m account.Member) []account.Member {
	members = slices.DeleteFunc(slices.Clone(members), func(own account.Member) bool { return same(own, m) })
	return append(members, m)
}

func membersAnswer(members []account.Member) []Answer {
	out := []Answer{}
	for _, m := range members {
		out = append(out, Answer{"user_id": orNull(m.UserID), "user_email": orNull(m.Email), "role": m.Role})
	}
	return out
}

// membersAsUsers gives each member who is named by his address the id of the user who has it, and returns users for those of
// whom nothing is known yet.
func (a *API) membersAsUsers(members []account.Member) ([]account.Entity, *llm.Error) {
	var fresh []account.Entity
	for i := range members {
		m := &members[i]
		if m.UserID == "" {
			if h := a.userByEmail(m.Email); h != nil {
				m.UserID = h.ID
				continue
			}
			m.UserID = newID()
		}
		if h := a.Directory.Get(account.EntityUser, m.UserID); h != nil {
			if m.Email == "" {
				m.Email = h.User.Email
			}
			continue
		}
		e, failed := entity(account.Entity{Kind: account.EntityUser, ID: m.UserID}, &account.User{Email: m.Email, Role: account.Internal.String()})
		if failed != nil {
			return nil, failed
		}
		fresh = append(fresh, e)
	}
	return fresh, nil
}

// mayLead says why a caller may not change the members of a team.
func (a *API) mayLead(r *Request, team string) *llm.Error {
	if r.Caller.Admin() || a.Directory.Leads(&r.Caller, team) {
		return nil
	}
	return denied("Only proxy admin and the admins of a team may change its members. Your role=" + r.Caller.Role.String())
}

// AddTeamMembers puts users into a team.
func (a *API) AddTeamMembers(ctx context.Context, r *Request) (any, *llm.Error) {
	type body = memberBody
	var b body
	fields := join([]field[body]{
		text("team_id", func(b *body) *string { return &b.team }),
		{name: "member", set: addMembers},
		{name: "members", set: addMembers},
	}, on(func(b *body) *account.Member { return &b.member }, limitFields()))
	if _, failed := decode(r.Body, &b, fields); failed != nil {
		return nil, failed
	}
	if len(b.members) == 0 {
		return nil, missing("member")
	}
	if failed := a.mayLead(r, b.team); failed != nil {
		return nil, failed
	}
	return a.changeTeam(ctx, r, b.team, "add members", func(t *teamBody) *llm.Error {
		for _, m := range b.members {
			if slices.ContainsFunc(t.team.Members, func(own account.Member) bool { return same(own, m) }) {
				return taken("member", "this member of the team")
			}
			m.MaxBudget, m.Duration, m.RPM, m.TPM, m.Models = b.member.MaxBudget, b.member.Duration, b.member.RPM, b.member.TPM, b.member.Models
			t.team.Members = append(t.team.Members, m)
		}
		return nil
	})
}

func addMembers(b *memberBody, raw json.RawMessage) (wrong string) {
	var list []account.Member
	if list, wrong = readMembers(raw, roleUser, roleAdmin); wrong == "" {
		b.members = append(b.members, list...)
	}
	return wrong
}

// UpdateTeamMember changes what a member may use, and his role.
func (a *API) UpdateTeamMember(ctx context.Context, r *Request) (any, *llm.Error) {
	b, fields, failed := a.oneMember(r, limitFields())
	if failed != nil {
		return nil, failed
	}
	var changed account.Member
	if _, failed = a.changeTeam(ctx, r, b.team, "update member", func(t *teamBody) *llm.Error {
		i := slices.IndexFunc(t.team.Members, func(own account.Member) bool { return same(own, b.member) })
		if i < 0 {
			return notFound("member", "user_id")
		}
		one := memberBody{member: t.team.Members[i]}
		if _, failed := decode(r.Body, &one, fields); failed != nil {
			return failed
		}
		one.member.UserID = t.team.Members[i].UserID
		t.team.Members[i], changed = one.member, one.member
		return nil
	}); failed != nil {
		return nil, failed
	}
	return Answer{
		"team_id": b.team, "user_id": changed.UserID, "user_email": orNull(changed.Email), "role": changed.Role, "max_budget_in_team": usdOrNull(changed.MaxBudget),
		"budget_duration": orNull(changed.Duration), "rpm_limit": changed.RPM, "tpm_limit": changed.TPM, "allowed_models": orEmpty(changed.Models),
	}, nil
}

// DeleteTeamMember takes a user, and his keys of the team, out of it.
func (a *API) DeleteTeamMember(ctx context.Context, r *Request) (any, *llm.Error) {
	b, _, failed := a.oneMember(r, nil)
	if failed != nil {
		return nil, failed
	}
	var gone account.Member
	answer, failed := a.changeTeam(ctx, r, b.team, "delete member", func(t *teamBody) *llm.Error {
		i := slices.IndexFunc(t.team.Members, func(own account.Member) bool { return same(own, b.member) })
		if i < 0 {
			return notFound("member", "user_id")
		}
		gone = t.team.Members[i]
		t.team.Members = slices.Delete(t.team.Members, i, i+1)
		return nil
	})
	if failed != nil {
		return nil, failed
	}
	return answer, a.deleteKeysOf(ctx, func(h *account.Holder) bool { return h.TeamID == b.team && h.UserID != "" && h.UserID == gone.UserID })
}

// oneMember reads who is meant.
func (a *API) oneMember(r *Request, further []field[account.Member]) (memberBody, []field[memberBody], *llm.Error) {
	type body = memberBody
	fields := join([]field[body]{text("team_id", func(b *body) *string { return &b.team })},
		on(func(b *body) *account.Member { return &b.member }, join(memberFields(roleUser, roleAdmin), further)))
	var b body
	if _, failed := decode(r.Body, &b, fields); failed != nil {
		return b, nil, failed
	}
	if b.member.UserID == "" && b.member.Email == "" {
		return b, nil, missing("user_id")
	}
	return b, fields, a.mayLead(r, b.team)
}
