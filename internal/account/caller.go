package account

import (
	"encoding/json"
	"slices"
	"time"
)

// Role is what a caller may do.
type Role uint8

// The roles. Their words are LiteLLM's.
const (
	// Anonymous callers may use models; who they are is not known.
	Anonymous Role = iota
	// Admin has sent a master key that is not publicly known, or a key of a user who is proxy_admin, and may do everything.
	Admin
	// Viewer may read what an Admin may.
	Viewer
	// Internal uses models, and may manage the keys that are his own.
	Internal
	// InternalViewer uses models, and may look at the keys that are his own.
	InternalViewer
)

// String returns LiteLLM's word.
func (r Role) String() string {
	switch r {
	case Admin:
		return "proxy_admin"
	case Viewer:
		return "proxy_admin_viewer"
	case Internal:
		return "internal_user"
	case InternalViewer:
		return "internal_user_viewer"
	default:
		return "anonymous"
	}
}

// ParseRole reads LiteLLM's word for the role of a user.
func ParseRole(word string) (Role, bool) {
	for _, r := range []Role{Admin, Viewer, Internal, InternalViewer} {
		if r.String() == word {
			return r, true
		}
	}
	return Internal, false
}

// Caller is who calls. What it points to belongs to everybody and must not be changed.
type Caller struct {
	Role Role
	// KeyHash is the name of the caller's key in rows and log lines, empty when nobody was asked for a key. A key can be
	// neither read from it nor tried on it.
	KeyHash string
	// KeyAlias is the name that an operator gave the key; the rest says whose it is. They are empty where that is not known,
	// as it is not of the master key.
	KeyAlias, TeamID, TeamAlias, UserID, OrganizationID string

	// Key, and what it belongs to, with the terms of the budgets that they name; nil where there is none.
	Key          *Key
	Team         *Team
	User         *User
	Organization *Organization
	// Member is the user as a member of the team.
	Member *Member
	// Metadata is a JSON object that every row of the caller's calls has: spend_logs_metadata in the metadata of the key and of
	// its team, nil if there is none.
	Metadata json.RawMessage
	// Owners are those whose limits and budgets the caller's requests have to keep: the key, its team, ….
	Owners []Owner
}

// Admin reports whether the caller may do everything.
func (c Caller) Admin() bool { return c.Role == Admin }

// caller returns who calls with a key, made anew only when something has changed.
func (d *Directory) caller(o *Holder, now time.Time) *resolution {
	return d.resolve(o, now, func(r *resolution) {
		c := &r.caller
		c.Role, c.KeyHash, c.KeyAlias, c.TeamID, c.UserID, c.OrganizationID = Internal, o.ID, o.Alias, o.TeamID, o.UserID, o.OrganizationID
		key := *o.Key
		d.withBudget(&key.Terms)
		if key.TempIncrease != nil && key.MaxBudget != nil && now.Before(key.TempUntil) {
			most := *key.MaxBudget + *key.TempIncrease
			key.MaxBudget, r.until = &most, key.TempUntil
		}
		key.Tags = withMetadataTags(key.Tags, key.Metadata)
		c.Key = &key
		for _, text := range key.IPs {
			if p, err := ParseNetwork(text); err == nil {
				r.ips = append(r.ips, p)
			}
		}
		if t := d.Get(EntityTeam, o.TeamID); o.TeamID != "" && t != nil {
			team := *t.Team
			d.withBudget(&team.Terms)
			team.Tags = withMetadataTags(team.Tags, team.Metadata)
			c.Team, c.TeamAlias = &team, t.Alias
			c.Member = memberOf(&team, o.UserID)
			if c.OrganizationID == "" {
				c.OrganizationID = t.OrganizationID
			}
		}
		if u := d.Get(EntityUser, o.UserID); o.UserID != "" && u != nil {
			user := *u.User
			d.withBudget(&user.Terms)
			c.User = &user
			c.Role, _ = ParseRole(user.Role)
		}
		if g := d.Get(EntityOrganization, c.OrganizationID); c.OrganizationID != "" && g != nil {
			organization := *g.Organization
			d.withBudget(&organization.Terms)
			c.Organization = &organization
		}
		c.Metadata = rowMetadata(&key, c.Team)
		c.Owners = c.owners()
	})
}

// withMetadataTags adds the tags that stand in metadata, which is where LiteLLM keeps them.
func withMetadataTags(tags []string, metadata json.RawMessage) []string {
	if len(metadata) == 0 {
		return tags
	}
	var m struct{ Tags []string }
	if json.Unmarshal(metadata, &m) != nil {
		return tags // it is free: tags may be something else there
	}
	tags = slices.Clip(tags)
	for _, t := range m.Tags {
		if !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	return tags
}

// memberOf returns what a user may use of a team, with what is said of every member where nothing is said of him.
func memberOf(team *Team, user string) *Member {
	if user == "" {
		return nil
	}
	m := Member{UserID: user, Since: team.Since}
	if i := slices.IndexFunc(team.Members, func(m Member) bool { return m.UserID == user }); i >= 0 {
		m = team.Members[i]
	}
	if m.MaxBudget == nil {
		m.MaxBudget, m.Duration = team.Each.MaxBudget, team.Each.Duration
	}
	if m.RPM == nil {
		m.RPM = team.Each.RPM
	}
	if m.TPM == nil {
		m.TPM = team.Each.TPM
	}
	if len(m.Models) == 0 {
		m.Models = team.Each.Models
	}
	return &m
}

// resolve returns what an owner comes to.
func (d *Directory) resolve(o *Holder, now time.Time, build func(*resolution)) *resolution {
	generation := d.generation.Load() // before anything is looked at: what changes meanwhile is seen by the next
	if r := o.resolved.Load(); r != nil && r.generation == generation && (r.until.IsZero() || now.Before(r.until)) {
		return r
	}
	r := &resolution{generation: generation}
	build(r)
	o.resolved.Store(r)
	return r
}

// EndUser returns the terms of a customer, with those of the budget that they name; nil if nobody has said anything of him.
func (d *Directory) EndUser(id string) *EndUser {
	o := d.Get(EntityEndUser, id)
	if o == nil {
		return nil
	}
	return d.resolve(o, time.Time{}, func(r *resolution) {
		own := *o.EndUser
		d.withBudget(&own.Terms)
		r.endUser = &own
	}).endUser
}

// Tag returns the terms of the requests with a tag, with those of the budget that they name; nil if nobody has said anything.
func (d *Directory) Tag(name string) *TagTerms {
	o := d.Get(EntityTag, name)
	if o == nil {
		return nil
	}
	return d.resolve(o, time.Time{}, func(r *resolution) {
		own := *o.Tag
		d.withBudget(&own.Terms)
		r.tag = &own
	}).tag
}

// withBudget fills in what terms leave to the budget that they name.
func (d *Directory) withBudget(t *Terms) {
	if t.BudgetID == "" {
		return
	}
	o := d.Get(EntityBudget, t.BudgetID)
	if o == nil {
		return
	}
	b := &o.Budget.Terms
	if t.MaxBudget == nil && len(t.Windows) == 0 {
		t.MaxBudget, t.BudgetDuration, t.Windows = b.MaxBudget, b.BudgetDuration, b.Windows
	}
	inherit(&t.SoftBudget, b.SoftBudget)
	inherit(&t.RPM, b.RPM)
	inherit(&t.TPM, b.TPM)
	inherit(&t.Parallel, b.Parallel)
	if len(t.ModelBudgets) == 0 {
		t.ModelBudgets = b.ModelBudgets
	}
	if len(t.ModelRPM) == 0 {
		t.ModelRPM = b.ModelRPM
	}
	if len(t.ModelTPM) == 0 {
		t.ModelTPM = b.ModelTPM
	}
}

func inherit[T any](dst **T, with *T) {
	if *dst == nil {
		*dst = with
	}
}

// Leads reports whether a caller is an admin of a team.
func (d *Directory) Leads(c *Caller, teamID string) bool {
	t := d.Get(EntityTeam, teamID)
	return t != nil && c.UserID != "" && slices.ContainsFunc(t.Team.Members, func(m Member) bool { return m.UserID == c.UserID && m.Role == "admin" })
}
