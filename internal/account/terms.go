package account

import (
	"encoding/json"
	"time"
)

// Terms are what an owner of keys, or a key, may use and how much of it. Nil is no limit. Names in JSON are LiteLLM's but
// for money, which is in pico-dollars here and in USD towards people.
type Terms struct {
	// Models are names, access groups and wildcards that may be asked for; none is all.
	Models []string `json:"models,omitempty"`
	// MaxBudget bounds what is spent in each BudgetDuration ("30d"; empty is for ever); SoftBudget only alerts.
	MaxBudget      *Amount `json:"max_budget_pico,omitempty"`
	SoftBudget     *Amount `json:"soft_budget_pico,omitempty"`
	BudgetDuration string  `json:"budget_duration,omitempty"`
	// Windows are further budgets with durations of their own.
	Windows []Window `json:"budget_limits,omitempty"`
	// ModelBudgets bound groups of models.
	ModelBudgets map[string]ModelBudget `json:"model_max_budget,omitempty"`
	// BudgetID is a budget that is shared by name; what is said here wins over what that says.
	BudgetID string `json:"budget_id,omitempty"`

	// Requests and tokens a minute, and requests under way at once.
	RPM      *int64           `json:"rpm_limit,omitempty"`
	TPM      *int64           `json:"tpm_limit,omitempty"`
	Parallel *int64           `json:"max_parallel_requests,omitempty"`
	ModelRPM map[string]int64 `json:"model_rpm_limit,omitempty"`
	ModelTPM map[string]int64 `json:"model_tpm_limit,omitempty"`

	// Since is when their owner was made: periods that no calendar has begin with it. A directory fills it in.
	Since time.Time `json:"-"`
}

// Window is a budget over a duration.
type Window struct {
	Duration  string `json:"budget_duration"`
	MaxBudget Amount `json:"max_budget_pico"`
}

// ModelBudget bounds what one key spends on one group of models, and how often it asks.
type ModelBudget struct {
	MaxBudget *Amount `json:"max_budget_pico,omitempty"`
	Duration  string  `json:"budget_duration,omitempty"`
	RPM       *int64  `json:"rpm_limit,omitempty"`
	TPM       *int64  `json:"tpm_limit,omitempty"`
}

// Key is a virtual key as it is stored. Its text is shown once, when it is made, and kept nowhere.
type Key struct {
	Terms
	// Name is what may be shown of the key: sk-... and its last four characters.
	Name string `json:"key_name,omitempty"`
	// Aliases are names of the key's own for groups of models.
	Aliases map[string]string `json:"aliases,omitempty"`
	// Expires is when the key ends; zero is never.
	Expires time.Time `json:"expires,omitzero"`
	Blocked bool      `json:"blocked,omitempty"`
	// Type is llm_api, management, read_only or default.
	Type string `json:"key_type,omitempty"`
	// Routes are those that the key may call, by name or group of names; none is all that its type may.
	Routes []string `json:"allowed_routes,omitempty"`
	// IPs are the addresses and networks that it may be sent from; none is all.
	IPs []string `json:"allowed_ips,omitempty"`
	// PassRoutes and DeniedPassRoutes are pass-through routes of the configuration that it may and may not call.
	PassRoutes       []string `json:"allowed_passthrough_routes,omitempty"`
	DeniedPassRoutes []string `json:"denied_passthrough_routes,omitempty"`
	// Tags are put to each of the key's requests.
	Tags []string `json:"tags,omitempty"`
	// TempIncrease is added to MaxBudget until TempUntil. A directory does that in the [Caller]'s key.
	TempIncrease *Amount   `json:"temp_budget_increase_pico,omitempty"`
	TempUntil    time.Time `json:"temp_budget_expiry,omitzero"`
	// CacheControls are the words of a request about its cache that are obeyed; none is all.
	CacheControls []string `json:"allowed_cache_controls,omitempty"`
	// Metadata is free; the rest is what LiteLLM has and Outcrop keeps for those who read it.
	Metadata  json.RawMessage `json:"metadata,omitempty"`
	Extra     json.RawMessage `json:"extra,omitempty"`
	CreatedBy string          `json:"created_by,omitempty"`
	UpdatedBy string          `json:"updated_by,omitempty"`
	// Replaces is the id of the key that this one is a new text of. ReplacedBy is the other way round: the old text stands for
	// the new one until ReplacedUntil, and for nothing after it.
	Replaces      string    `json:"replaces,omitempty"`
	ReplacedBy    string    `json:"replaced_by,omitempty"`
	ReplacedUntil time.Time `json:"replaced_until,omitzero"`
}

// Team is a group of users who share keys and budgets.
type Team struct {
	Terms
	ModelAliases map[string]string `json:"model_aliases,omitempty"`
	Members      []Member          `json:"members_with_roles,omitempty"`
	// Each is what a member may use where nothing is said of him. MemberKeyDuration is how long keys of members live that do
	// not say.
	Each              Member          `json:"team_member,omitzero"`
	MemberKeyDuration string          `json:"team_member_key_duration,omitempty"`
	Blocked           bool            `json:"blocked,omitempty"`
	Tags              []string        `json:"tags,omitempty"`
	Metadata          json.RawMessage `json:"metadata,omitempty"`
	Extra             json.RawMessage `json:"extra,omitempty"`
}

// Member is a user in a team or an organization, with what he may use of the team's.
type Member struct {
	UserID string `json:"user_id,omitempty"`
	Email  string `json:"user_email,omitempty"`
	// Role is admin or user in a team, org_admin, internal_user or internal_user_viewer in an organization.
	Role string `json:"role,omitempty"`
	// MaxBudget bounds what he spends in the team in each Duration; empty is for ever.
	MaxBudget *Amount `json:"max_budget_pico,omitempty"`
	Duration  string  `json:"budget_duration,omitempty"`
	RPM       *int64  `json:"rpm_limit,omitempty"`
	TPM       *int64  `json:"tpm_limit,omitempty"`
	// Models are those of the team's that he may ask for; none is all.
	Models []string `json:"allowed_models,omitempty"`
	// Since is when the team was made. A directory fills it in.
	Since time.Time `json:"-"`
}

// User is a person, or a program.
type User struct {
	Terms
	Email string `json:"user_email,omitempty"`
	Alias string `json:"user_alias,omitempty"`
	// Role is proxy_admin, proxy_admin_viewer, internal_user or internal_user_viewer.
	Role     string          `json:"user_role,omitempty"`
	Teams    []string        `json:"teams,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Extra    json.RawMessage `json:"extra,omitempty"`
}

// Organization, Budget, EndUser and TagTerms have nothing but terms and what people note of them.
type (
	// Organization is a group of teams.
	Organization struct {
		Terms
		Members  []Member        `json:"members,omitempty"`
		Metadata json.RawMessage `json:"metadata,omitempty"`
		Extra    json.RawMessage `json:"extra,omitempty"`
	}
	// Budget is a set of terms that others name by its id.
	Budget struct{ Terms }
	// EndUser is a customer of whoever calls, named by the request.
	EndUser struct {
		Terms
		Alias        string          `json:"alias,omitempty"`
		Blocked      bool            `json:"blocked,omitempty"`
		Region       string          `json:"allowed_model_region,omitempty"`
		DefaultModel string          `json:"default_model,omitempty"`
		Extra        json.RawMessage `json:"extra,omitempty"`
	}
	// TagTerms are the terms of all requests with a tag.
	TagTerms struct {
		Terms
		Description string          `json:"description,omitempty"`
		Extra       json.RawMessage `json:"extra,omitempty"`
	}
)
