package admin

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// organizationBody is what is said of an organization.
type organizationBody struct {
	organization account.Organization
	id, alias    string
	spend        *account.Amount
}

func organizations() *thing[organizationBody] {
	type body = organizationBody
	return &thing[body]{
		kind: account.EntityOrganization, name: "organization_id", idsName: "organization_ids", made: true,
		fields: join(on(func(b *body) *account.Terms { return &b.organization.Terms }, termsFields()), []field[body]{
			text("organization_id", func(b *body) *string { return &b.id }),
			text("organization_alias", func(b *body) *string { return &b.alias }),
			document("metadata", func(b *body) *json.RawMessage { return &b.organization.Metadata }),
		}, unserved[body](noTools, "object_permission"), unserved[body](noSuchLimit, "tpd_limit"), ignored[body]("budget_reset_at", "updated_by")),
		id:    func(b *body) *string { return &b.id },
		spend: func(b *body) **account.Amount { return &b.spend },
		of: func(h *account.Holder) body {
			return body{organization: *h.Organization, id: h.ID, alias: h.Alias}
		},
		data:    func(b *body) any { return &b.organization },
		columns: func(b *body, e *account.Entity) { e.Alias = b.alias },
		check: func(a *API, b *body) *llm.Error {
			if b.alias == "" {
				return missing("organization_alias")
			}
			if h := a.byAlias(account.EntityOrganization, b.alias); h != nil && h.ID != b.id {
				return taken("organization_alias", "an organization with the alias '"+clip(b.alias)+"'")
			}
			if b.organization.BudgetID == "" {
				return nil
			}
			_, failed := a.find(account.EntityBudget, b.organization.BudgetID, "budget_id")
			return failed
		},
	}
}

// organizationAnswer tells what there is to know of an organization, with its members and teams.
func (a *API) organizationAnswer(ctx context.Context, h *account.Holder) (Answer, *llm.Error) {
	answer, failed := organizations().answer(ctx, a, h)
	if failed != nil {
		return nil, failed
	}
	teams := []Answer{}
	for t := range a.Directory.All(account.EntityTeam) {
		if t.OrganizationID == h.ID {
			teams = append(teams, Answer{"team_id": t.ID, "team_alias": orNull(t.Alias)})
		}
	}
	members := []Answer{}
	for _, m := range h.Organization.Members {
		members = append(members, Answer{"user_id": m.UserID, "organization_id": h.ID, "user_role": m.Role, "user_email": orNull(m.Email)})
	}
	answer["teams"], answer["members"] = teams, members
	return answer, nil
}

// NewOrganization makes an organization.
func (a *API) NewOrganization(ctx context.Context, r *Request) (any, *llm.Error) {
	t := organizations()
	h, failed := t.create(ctx, a, r)
	return t.described(ctx, a, h, failed)
}

// UpdateOrganization changes it.
func (a *API) UpdateOrganization(ctx context.Context, r *Request) (any, *llm.Error) {
	t := organizations()
	h, failed := t.update(ctx, a, r)
	return t.described(ctx, a, h, failed)
}

// DeleteOrganizations removes organizations that have no teams and no keys any more.
func (a *API) DeleteOrganizations(ctx context.Context, r *Request) (any, *llm.Error) {
	ids, failed := idList(r.Body, "organization_ids")
	if failed != nil {
		return nil, failed
	}
	for _, kind := range []account.EntityKind{account.EntityTeam, account.EntityKey} {
		for h := range a.Directory.All(kind) {
			if slices.Contains(ids, h.OrganizationID) {
				return nil, llm.Invalid("organization_ids", "the organization '"+clip(h.OrganizationID)+"' still has a "+string(kind)+": delete it first")
			}
		}
	}
	gone, failed := organizations().remove(ctx, a, r, ids)
	if failed != nil {
		return nil, failed
	}
	return Answer{"deleted_organizations": gone}, nil
}

// OrganizationInfo tells of one organization.
func (a *API) OrganizationInfo(ctx context.Context, r *Request) (any, *llm.Error) {
	h, failed := a.find(account.EntityOrganization, r.Query.Get("organization_id"), "organization_id")
	if failed != nil {
		return nil, failed
	}
	return a.organizationAnswer(ctx, h)
}

// OrganizationInfos tells of those that a request names.
func (a *API) OrganizationInfos(ctx context.Context, r *Request) (any, *llm.Error) {
	ids, failed := idList(r.Body, "organizations")
	if failed != nil {
		return nil, failed
	}
	return a.organizationList(ctx, func(h *account.Holder) bool { return slices.Contains(ids, h.ID) })
}

// ListOrganizations lists all of them.
func (a *API) ListOrganizations(ctx context.Context, _ *Request) (any, *llm.Error) {
	return a.organizationList(ctx, func(*account.Holder) bool { return true })
}

func (a *API) organizationList(ctx context.Context, wanted func(*account.Holder) bool) (any, *llm.Error) {
	var found []*account.Holder
	for h := range a.Directory.All(account.EntityOrganization) {
		if wanted(h) {
			found = append(found, h)
		}
	}
	slices.SortFunc(found, newest)
	out := []Answer{}
	for _, h := range found {
		answer, failed := a.organizationAnswer(ctx, h)
		if failed != nil {
			return nil, failed
		}
		out = append(out, answer)
	}
	return out, nil
}

// organizationRoles are the roles of members of organizations. They are kept for those who read them: no right comes of them.
func organizationRoles() []string {
	return []string{"internal_user", "internal_user_viewer", "org_admin"}
}

// changeMembers stores the members of an organization as change leaves them.
func (a *API) changeMembers(ctx context.Context, r *Request, what string, fields []field[memberBody], change func(*memberBody, *account.Organization) *llm.Error) (any, *llm.Error) {
	if failed := onlyAdmin(r, "change the members of organizations"); failed != nil {
		return nil, failed
	}
	var b memberBody
	fields = join([]field[memberBody]{text("organization_id", func(b *memberBody) *string { return &b.organization })}, fields,
		unserved[memberBody]("members of an organization have no budgets in it: teams do", "max_budget_in_organization"))
	if _, failed := decode(r.Body, &b, fields); failed != nil {
		return nil, failed
	}
	h, failed := a.find(account.EntityOrganization, b.organization, "organization_id")
	if failed != nil {
		return nil, failed
	}
	organization := *h.Organization
	organization.Members = slices.Clone(organization.Members)
	if failed := change(&b, &organization); failed != nil {
		return nil, failed
	}
	changes, failed := a.membersAsUsers(organization.Members)
	if failed != nil {
		return nil, failed
	}
	e, failed := entity(h.Entity, &organization)
	if failed != nil {
		return nil, failed
	}
	if failed := a.put(ctx, append(changes, e)...); failed != nil {
		return nil, failed
	}
	a.changed(r, what, account.EntityOrganization, h.ID)
	if h, failed = a.find(account.EntityOrganization, h.ID, "organization_id"); failed != nil {
		return nil, failed
	}
	return a.organizationAnswer(ctx, h)
}

// AddOrganizationMembers puts users into an organization.
func (a *API) AddOrganizationMembers(ctx context.Context, r *Request) (any, *llm.Error) {
	return a.changeMembers(ctx, r, "add members", []field[memberBody]{{name: "member", set: func(b *memberBody, raw json.RawMessage) (wrong string) {
		b.members, wrong = readMembers(raw, organizationRoles()...)
		return wrong
	}}}, func(b *memberBody, o *account.Organization) *llm.Error {
		if len(b.members) == 0 {
			return missing("member")
		}
		for _, m := range b.members {
			o.Members = withMember(o.Members, m)
		}
		return nil
	})
}

// UpdateOrganizationMember changes the role of a member.
func (a *API) UpdateOrganizationMember(ctx context.Context, r *Request) (any, *llm.Error) {
	return a.changeMembers(ctx, r, "update member", on(func(b *memberBody) *account.Member { return &b.member }, memberFields(organizationRoles()...)), func(b *memberBody, o *account.Organization) *llm.Error {
		for i := range o.Members {
			if same(o.Members[i], b.member) {
				o.Members[i].Role = b.member.Role
				return nil
			}
		}
		return notFound("member", "user_id")
	})
}

// DeleteOrganizationMember takes a user out of an organization.
func (a *API) DeleteOrganizationMember(ctx context.Context, r *Request) (any, *llm.Error) {
	return a.changeMembers(ctx, r, "delete member", on(func(b *memberBody) *account.Member { return &b.member }, memberFields(organizationRoles()...)), func(b *memberBody, o *account.Organization) *llm.Error {
		n := len(o.Members)
		if o.Members = slices.DeleteFunc(o.Members, func(m account.Member) bool { return same(m, b.member) }); len(o.Members) == n {
			return notFound("member", "user_id")
		}
		return nil
	})
}
