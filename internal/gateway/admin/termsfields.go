package admin

import (
	"encoding/json"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// termsFields are the fields of all that have terms.
func termsFields() []field[account.Terms] {
	type terms = account.Terms
	return []field[terms]{
		list("models", func(t *terms) *[]string { return &t.Models }),
		dollars("max_budget", func(t *terms) **account.Amount { return &t.MaxBudget }),
		dollars("soft_budget", func(t *terms) **account.Amount { return &t.SoftBudget }),
		duration("budget_duration", func(t *terms) *string { return &t.BudgetDuration }),
		{"budget_limits", setWindows, getWindows},
		{"model_max_budget", setModelBudgets, getModelBudgets},
		text("budget_id", func(t *terms) *string { return &t.BudgetID }),
		count("rpm_limit", func(t *terms) **int64 { return &t.RPM }),
		count("tpm_limit", func(t *terms) **int64 { return &t.TPM }),
		count("max_parallel_requests", func(t *terms) **int64 { return &t.Parallel }),
		counts("model_rpm_limit", func(t *terms) *map[string]int64 { return &t.ModelRPM }),
		counts("model_tpm_limit", func(t *terms) *map[string]int64 { return &t.ModelTPM }),
	}
}

// windowFields are those of one budget of budget_limits.
func windowFields() []field[windowBody] {
	return []field[windowBody]{
		duration("budget_duration", func(w *windowBody) *string { return &w.Duration }),
		dollars("max_budget", func(w *windowBody) **account.Amount { return &w.most }),
		ignored[windowBody]("reset_at")[0], // LiteLLM's answers have it
	}
}

type windowBody struct {
	account.Window
	most *account.Amount
}

func setWindows(t *account.Terms, raw json.RawMessage) string {
	const want = "must be a list of {budget_duration, max_budget}"
	var list []json.RawMessage
	if wrong := value(&list, raw, want[len("must be "):]); wrong != "" {
		return wrong
	}
	var out []account.Window
	for _, one := range list {
		var w windowBody
		if _, failed := decode(one, &w, windowFields()); failed != nil || w.Duration == "" || w.most == nil {
			return want
		}
		w.MaxBudget = *w.most
		out = append(out, w.Window)
	}
	t.Windows = out
	return ""
}

func getWindows(t *account.Terms) any {
	out := []Answer{}
	for _, w := range t.Windows {
		out = append(out, Answer{"budget_duration": w.Duration, "max_budget": usd(w.MaxBudget)})
	}
	return out
}

// modelBudgetFields are those of one entry of model_max_budget, with LiteLLM's two spellings.
func modelBudgetFields() []field[account.ModelBudget] {
	type budget = account.ModelBudget
	return []field[budget]{
		dollars("max_budget", func(b *budget) **account.Amount { return &b.MaxBudget }),
		dollars("budget_limit", func(b *budget) **account.Amount { return &b.MaxBudget }),
		duration("budget_duration", func(b *budget) *string { return &b.Duration }),
		duration("time_period", func(b *budget) *string { return &b.Duration }),
		count("rpm_limit", func(b *budget) **int64 { return &b.RPM }),
		count("tpm_limit", func(b *budget) **int64 { return &b.TPM }),
	}
}

func setModelBudgets(t *account.Terms, raw json.RawMessage) string {
	const want = "must be an object of budgets by model, each a sum or {max_budget, budget_duration, rpm_limit, tpm_limit}"
	var m map[string]json.RawMessage
	if wrong := value(&m, raw, want[len("must be "):]); wrong != "" {
		return wrong
	}
	var out map[string]account.ModelBudget
	for model, one := range m {
		var b account.ModelBudget
		if most, wrong := parseUSD(one); wrong == "" {
			b.MaxBudget = most
		} else if _, failed := decode(one, &b, modelBudgetFields()); failed != nil {
			return want
		}
		if out == nil {
			out = map[string]account.ModelBudget{}
		}
		out[model] = b
	}
	t.ModelBudgets = out
	return ""
}

func getModelBudgets(t *account.Terms) any {
	out := Answer{}
	for model, b := range t.ModelBudgets {
		one := Answer{"max_budget": usdOrNull(b.MaxBudget), "budget_duration": orNull(b.Duration)}
		if b.RPM != nil {
			one["rpm_limit"] = *b.RPM
		}
		if b.TPM != nil {
			one["tpm_limit"] = *b.TPM
		}
		out[model] = one
	}
	return out
}
