package account

import "cmp"

// owners lists those whose limits and budgets a caller's requests have to keep. A user's own hold for his keys that are of
// no team, as with LiteLLM.
func (c *Caller) owners() []Owner {
	var list []Owner
	add := func(scope, id, label string, t *Terms) {
		list = append(list, Owner{Scope: scope, ID: id, Label: label, Terms: t, Created: t.Since})
	}
	if c.Key != nil {
		add(string(EntityKey), c.KeyHash, "Key="+cmp.Or(c.KeyAlias, c.Key.Name), &c.Key.Terms)
	}
	team := cmp.Or(c.TeamAlias, c.TeamID)
	if c.Member != nil {
		m := c.Member
		add(ScopeMember, c.TeamID+"/"+c.UserID, "User="+c.UserID+" in Team="+team, &Terms{
			MaxBudget: m.MaxBudget, BudgetDuration: m.Duration, RPM: m.RPM, TPM: m.TPM, Since: m.Since,
		})
	}
	if c.Team != nil {
		add(string(EntityTeam), c.TeamID, "Team="+team, &c.Team.Terms)
	} else if c.User != nil {
		add(string(EntityUser), c.UserID, "ExceededBudget: User="+c.UserID, &c.User.Terms)
	}
	if c.Organization != nil {
		add(string(EntityOrganization), c.OrganizationID, "Organization="+c.OrganizationID, &c.Organization.Terms)
	}
	return list
}
