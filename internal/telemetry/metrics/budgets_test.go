package metrics

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// store keeps entities, and has been charged the same for all that have counters.
type store struct {
	list  []account.Entity
	spent account.Amount
}

func (s *store) Entities(_ context.Context, yield func(account.Entity) error) (int64, error) {
	for _, e := range s.list {
		if err := yield(e); err != nil {
			return 0, err
		}
	}
	return 1, nil
}

func (*store) Changes(context.Context, int64) ([]account.Entity, int64, error) { return nil, 1, nil }

func (*store) Put(_ context.Context, list []account.Entity) ([]account.Entity, error) {
	return list, nil
}

func (*store) Delete(context.Context, account.EntityKind, []string) ([]string, error) {
	return nil, nil
}

func (s *store) Spent(_ context.Context, counters []account.Charge) ([]account.Amount, error) {
	out := make([]account.Amount, len(counters))
	for i := range out {
		out[i] = s.spent
	}
	return out, nil
}

func (*store) ResetSpent(context.Context, []account.Charge, []account.Amount) error { return nil }

// entity is one with terms.
func entity(t *testing.T, kind account.EntityKind, id, alias string, v any) account.Entity {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return account.Entity{Kind: kind, ID: id, Alias: alias, Data: data, CreatedAt: time.Now(), Version: 1}
}

func usd(v float64) *account.Amount {
	a := account.USD(v)
	return &a
}

// budgeted returns metrics of a directory.
func budgeted(t *testing.T, s *store, o Options, limits account.LimitOptions) *Metrics {
	t.Helper()
	d := account.NewDirectory(t.Context(), account.DirectoryOptions{Store: s})
	t.Cleanup(d.Close)
	limits.Counters, limits.Named = account.NewLocalCounters(s), d
	l := account.NewLimits(limits)
	o.Budgets = func() (*account.Limits, *account.Directory) { return l, d }
	return New(o)
}

// value returns the value of a line on a page.
func value(t *testing.T, page, line string) float64 {
	t.Helper()
	for one := range strings.SplitSeq(page, "\n") {
		if rest, ok := strings.CutPrefix(one, line+" "); ok {
			v, err := strconv.ParseFloat(rest, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Errorf("the page lacks %s", line)
	return 0
}

func TestBudgetsByLiteLLMsNames(t *testing.T) {
	s := &store{spent: account.USD(2.5), list: []account.Entity{
		entity(t, account.EntityBudget, "shared", "", account.Budget{Terms: account.Terms{MaxBudget: usd(20), BudgetDuration: "1d"}}),
		entity(t, account.EntityKey, "abc", "ci", account.Key{Terms: account.Terms{BudgetID: "shared"}}),
		entity(t, account.EntityKey, "other", "", account.Key{Terms: account.Terms{MaxBudget: usd(7)}}),
		entity(t, account.EntityTeam, "t1", "core", account.Team{Terms: account.Terms{MaxBudget: usd(100)}}),
		entity(t, account.EntityUser, "u1", "", account.User{Email: "u1@example.com"}),
		entity(t, account.EntityOrganization, "o1", "Acme", account.Organization{Terms: account.Terms{MaxBudget: usd(2)}}),
		entity(t, account.EntityEndUser, "ann", "", account.EndUser{Terms: account.Terms{MaxBudget: usd(3)}}),
	}}
	options := Options{EndUsers: true, Names: func(kind account.EntityKind, _ string) Names {
		if kind == account.EntityOrganization {
			return Names{Alias: "Acme"}
		}
		return Names{}
	}}
	limits := account.LimitOptions{Provider: account.Terms{MaxBudget: usd(1000)}}
	m := budgeted(t, s, options, limits)
	if p := page(t, m); strings.Contains(p, "budget_metric{hashed") {
		t.Error("nobody has called")
	}
	m.Add(call())
	p := page(t, m)
	has(
		t, p,
		`litellm_remaining_api_key_budget_metric{api_key_alias="ci",hashed_api_key="abc"} 17.5`, `litellm_api_key_max_budget_metric{api_key_alias="ci",hashed_api_key="abc"} 20`,
		`litellm_remaining_team_budget_metric{team="t1",team_alias="core"} 97.5`, `litellm_team_max_budget_metric{team="t1",team_alias="core"} 100`,
		`litellm_remaining_user_budget_metric{user="u1"} +Inf`,
		`litellm_remaining_org_budget_metric{org_alias="Acme",org_id="o1"} -0.5`, `litellm_org_max_budget_metric{org_alias="Acme",org_id="o1"} 2`,
		`litellm_remaining_customer_budget_metric{end_user="ann"} 0.5`, `litellm_customer_max_budget_metric{end_user="ann"} 3`,
		`litellm_provider_remaining_budget_metric{api_provider="bedrock"} 997.5`,
	)
	if hours := value(t, p, `litellm_api_key_budget_remaining_hours_metric{api_key_alias="ci",hashed_api_key="abc"}`); hours <= 0 || hours > 24 {
		t.Errorf("the key's budget is reset in %v hours", hours)
	}
	for _, not := range []string{"litellm_team_budget_remaining_hours_metric", "litellm_user_max_budget_metric", `hashed_api_key="other"`} {
		if strings.Contains(p, not) {
			t.Errorf("%s is there", not)
		}
	}

	options.AllBudgets, options.EndUsers = true, false
	options.Choice = Choice{UserNames: true, Groups: []Group{{Metrics: []string{"litellm_remaining_api_key_budget_metric", "litellm_remaining_user_budget_metric", "litellm_remaining_customer_budget_metric"}}}}
	p = page(t, budgeted(t, s, options, limits))
	has(t, p, `litellm_remaining_api_key_budget_metric{api_key_alias="",hashed_api_key="other"} 4.5`, `litellm_remaining_user_budget_metric{user="u1",user_alias="None",user_email="None"} +Inf`)
	if strings.Contains(p, "litellm_remaining_customer") || strings.Contains(p, "litellm_api_key_max_budget") {
		t.Error("more than was asked for is there")
	}
}

// The number of series is bounded for budgets, too.
func TestBudgetsAreBounded(t *testing.T) {
	s := &store{}
	for i := range 100 {
		s.list = append(s.list, entity(t, account.EntityKey, "key"+strconv.Itoa(i), "", account.Key{Terms: account.Terms{MaxBudget: usd(1)}}))
	}
	m := budgeted(t, s, Options{MaxSeries: 10, AllBudgets: true}, account.LimitOptions{})
	for i := range 100 {
		r := call()
		r.KeyHash = "key" + strconv.Itoa(i)
		m.Add(r)
	}
	if n := strings.Count(page(t, m), "litellm_remaining_api_key_budget_metric{"); n != 10 {
		t.Errorf("%d series, want the bound", n)
	}
}

// Sets of labels that a choice makes equal have one value on the page, the worst.
func TestBudgetsWithoutTheirLabels(t *testing.T) {
	s := &store{list: []account.Entity{
		entity(t, account.EntityKey, "a", "ci", account.Key{Terms: account.Terms{MaxBudget: usd(5)}}),
		entity(t, account.EntityKey, "b", "ci", account.Key{Terms: account.Terms{MaxBudget: usd(3)}}),
	}}
	m := budgeted(t, s, Options{AllBudgets: true, Choice: Choice{NoLabels: []string{"hashed_api_key", "api_key_alias"}}}, account.LimitOptions{})
	has(t, page(t, m), `litellm_remaining_api_key_budget_metric 3`)
}

func TestWhatIsLeftOfLimits(t *testing.T) {
	m := New(Options{Deployments: func(yield func(Deployment)) {
		yield(Deployment{ID: "d1", Group: "claude", Model: "m1", RequestLimit: 10, RequestsLeft: 4, TokenLimit: 1000, TokensLeft: 900})
		yield(Deployment{ID: "d2", Group: "claude", Model: "m2", RequestLimit: 5, RequestsLeft: 5, TokensLeft: -1, Idle: true})
		yield(Deployment{ID: "d1", Group: "claude", Model: "m1", RequestLimit: 10, RequestsLeft: 5, TokenLimit: 1000, TokensLeft: 950}) // called in another way
		yield(Deployment{ID: "w", Group: "bedrock/*", Model: "m1", RequestLimit: 3, RequestsLeft: 1})
		yield(Deployment{ID: "w", Group: "bedrock/*", Model: "m4", RequestLimit: 3, RequestsLeft: 2})
		yield(Deployment{ID: "d3", Group: "free", Model: "m3", RequestsLeft: -1, TokensLeft: -1})
	}})
	m.Add(call())
	wild := call()
	wild.Group, wild.Deployment = "bedrock/*", "w"
	m.Add(wild)
	p := page(t, m)
	const of = `{api_base="None",api_key_alias="ci",api_provider="bedrock",hashed_api_key="abc",litellm_model_name="bedrock/m1",model_group="claude",model_id="d1"} `
	has(
		t, p, `litellm_remaining_requests_metric`+of+`9`, `litellm_remaining_tokens_metric`+of+`900`,
		`litellm_remaining_requests_metric{api_base="None",api_key_alias="ci",api_provider="bedrock",hashed_api_key="abc",litellm_model_name="bedrock/m1",model_group="bedrock/*",model_id="w"} 1`,
		`litellm_deployment_rpm_limit{api_base="None",api_provider="bedrock",litellm_model_name="bedrock/m2",model_group="claude",model_id="d2"} 5`,
		`litellm_deployment_tpm_limit{api_base="None",api_provider="bedrock",litellm_model_name="bedrock/m1",model_group="claude",model_id="d1"} 1000`,
	)
	if strings.Contains(p, `litellm_deployment_state{api_base="None",api_provider="bedrock",litellm_model_name="bedrock/m2"`) || strings.Contains(p, `model_id="d3"} -1`) {
		t.Error("what nobody knows is told")
	}
}
