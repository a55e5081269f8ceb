package admin

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// Settings are what a configuration says of keys and their owners: JSON objects with LiteLLM's fields, nil for what is not
// said.
type Settings struct {
	DefaultKey, UpperKey, KeyGeneration, DefaultTeam, DefaultUser json.RawMessage
	// UserBudget and UserBudgetDuration are the budget of users who have none.
	UserBudget         *float64
	UserBudgetDuration string
}

// settings are Settings, read.
type settings struct {
	defaultKey, defaultTeam, defaultUser map[string]json.RawMessage
	upper                                keyBody
	upperNamed                           map[string]bool
	personal, team                       *keyRule
}

// readSettings reads the configuration's words by the same fields as requests.
func (a *API) readSettings() error {
	check := func(name string, raw json.RawMessage, into func(json.RawMessage) *llm.Error) error {
		if len(raw) == 0 {
			return nil
		}
		if failed := into(raw); failed != nil {
			return fmt.Errorf("%s: %s", name, failed.Message)
		}
		return nil
	}
	s := &a.settings
	if err := check("default_key_generate_params", a.Settings.DefaultKey, func(raw json.RawMessage) (failed *llm.Error) {
		var b keyBody
		if _, failed = decode(raw, &b, keyFields(), keyRequestFields()); failed == nil {
			s.defaultKey, failed = object(raw)
		}
		return failed
	}); err != nil {
		return err
	}
	if err := check("upperbound_key_generate_params", a.Settings.UpperKey, func(raw json.RawMessage) (failed *llm.Error) {
		s.upperNamed, failed = decode(raw, &s.upper, keyFields(), keyRequestFields())
		for _, name := range slices.Sorted(maps.Keys(s.upperNamed)) {
			if failed == nil && !slices.Contains(upperParams(), name) {
				failed = llm.Invalid(name, name+" has no upper bound")
			}
		}
		return failed
	}); err != nil {
		return err
	}
	if err := check("default_team_params", a.Settings.DefaultTeam, func(raw json.RawMessage) (failed *llm.Error) {
		var b teamBody
		if _, failed = decode(raw, &b, teamFields()); failed == nil {
			s.defaultTeam, failed = object(raw)
		}
		return failed
	}); err != nil {
		return err
	}
	if err := check("default_internal_user_params", a.Settings.DefaultUser, func(raw json.RawMessage) (failed *llm.Error) {
		var b userBody
		if _, failed = decode(raw, &b, userFields()); failed == nil {
			s.defaultUser, failed = object(raw)
		}
		return failed
	}); err != nil {
		return err
	}
	return check("key_generation_settings", a.Settings.KeyGeneration, func(raw json.RawMessage) *llm.Error {
		var rules struct {
			Team     *keyRule `json:"team_key_generation"`
			Personal *keyRule `json:"personal_key_generation"`
		}
		if err := json.Unmarshal(raw, &rules); err != nil {
			return llm.Invalid("key_generation_settings", "it must hold team_key_generation and personal_key_generation, each with lists of strings")
		}
		s.team, s.personal = rules.Team, rules.Personal
		return nil
	})
}

// fillIn sets the fields that a body does not have to the configuration's.
func fillIn[T any](dst *T, named map[string]bool, defaults map[string]json.RawMessage, lists ...[]field[T]) {
	for name, raw := range defaults {
		if f := lookUp(name, lists); f != nil && !named[name] {
			f.set(dst, raw) // was checked when the configuration was read
			named[name] = true
		}
	}
}

// upperParams are the fields that have upper bounds.
func upperParams() []string {
	return []string{"max_budget", "budget_duration", "duration", "tpm_limit", "rpm_limit", "max_parallel_requests"}
}

// keyDefaults completes and bounds what is said of a new key. The warnings say what was lowered.
func (s *settings) keyDefaults(b *keyBody, named map[string]bool) (warnings []string) {
	fillIn(b, named, s.defaultKey, keyFields(), keyRequestFields())
	lower := func(name string) {
		if named[name] {
			warnings = append(warnings, name+" was lowered to the upper bound of the configuration")
		}
	}
	u := &s.upper
	if most := u.key.MaxBudget; most != nil && (b.key.MaxBudget == nil || *b.key.MaxBudget > *most) {
		b.key.MaxBudget = most
		lower("max_budget")
	}
	for _, l := range []struct {
		name string
		dst  **int64
		most *int64
	}{{"tpm_limit", &b.key.TPM, u.key.TPM}, {"rpm_limit", &b.key.RPM, u.key.RPM}, {"max_parallel_requests", &b.key.Parallel, u.key.Parallel}} {
		if l.most != nil && (*l.dst == nil || **l.dst > *l.most) {
			*l.dst = l.most
			lower(l.name)
		}
	}
	if most := u.key.BudgetDuration; most != "" && (b.key.BudgetDuration == "" || longer(b.key.BudgetDuration, most)) {
		b.key.BudgetDuration = most
		lower("budget_duration")
	}
	if most := u.lasts; most != "" && most != never && (b.lasts == "" || b.lasts == never || longer(b.lasts, most)) {
		b.lasts = most
		lower("duration")
	}
	return warnings
}

// longer reports whether a duration lasts longer than another.
func longer(a, b string) bool {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	endA, errA := account.Lifetime(a, start)
	endB, errB := account.Lifetime(b, start)
	return errA == nil && errB == nil && endA.After(endB)
}
