package gateway

import (
	"encoding/json"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// keyName is what may be shown of a key, from its stored form.
func keyName(data json.RawMessage) *string {
	var key struct {
		Name string `json:"key_name"`
	}
	if len(data) > 0 && json.Unmarshal(data, &key) != nil {
		return nil
	}
	return unsaid(key.Name)
}

// keyTotal is what one key has spent, by models.
type keyTotal struct {
	APIKey   string       `json:"api_key"`
	KeyAlias *string      `json:"key_alias"`
	Cost     usd          `json:"total_cost"`
	Input    int64        `json:"total_input_tokens"`
	Output   int64        `json:"total_output_tokens"`
	Models   []modelTotal `json:"model_details"`
}

type modelTotal struct {
	Model    string `json:"model"`
	Cost     usd    `json:"total_cost"`
	Input    int64  `json:"total_input_tokens"`
	Output   int64  `json:"total_output_tokens"`
	Requests int64  `json:"total_requests"`
}

// groupDetail is a part of what a team or customer has spent on a day.
type groupDetail struct {
	Model  string  `json:"model"`
	APIKey *string `json:"api_key"`
	Spend  usd     `json:"spend"`
	Tokens int64   `json:"total_tokens"`
}

// spendReport answers /global/spend/report: spend by team, customer, key, user, tag, model, provider or day.
func (s *Server) spendReport(r *spendRequest) (any, *llm.Error) {
	from, until, err := r.dates(true)
	if err != nil {
		return nil, err
	}
	by := r.query.Get("group_by")
	if by == "" {
		by = "team"
	}
	q := account.SumQuery{From: from, Until: until}
	key, err := r.ownKey()
	if err != nil {
		return nil, err
	}
	user, team, customer := r.query.Get("internal_user_id"), r.query.Get("team_id"), r.query.Get("customer_id")
	switch {
	case r.by == account.ByUser || r.by == account.ByTeam:
		if customer != "" || r.by == account.ByUser && (user != "" && user != r.own || team != "") || r.by == account.ByTeam && user != "" {
			return nil, r.adminOnly()
		}
		q.Dimension, q.Values, q.Key = r.by, []string{r.own}, key
		switch by {
		case "model", "day", "provider":
		default:
			return r.keyTotals(q, account.Split{Key: true, Model: true})
		}
	case key != "": // one key's, whatever it is grouped by
		q.Dimension, q.Values = account.ByKey, []string{key}
		if r.by == "" || by == "team" || by == "api_key" || by == "customer" || by == "internal_user_id" || by == "tag" {
			by = "api_key"
		}
	case user != "":
		q.Dimension, q.Values = account.ByUser, []string{user}
		return r.keyTotals(q, account.Split{Key: true, Model: true})
	case team != "":
		q.Dimension, q.Values, by = account.ByTeam, []string{team}, "team"
	case customer != "":
		q.Dimension, q.Values, by = account.ByEndUser, []string{customer}, "customer"
	}
	if team != "" && customer != "" {
		return nil, llm.Invalid("customer_id", "spend is not summed by team and customer together: ask /spend/logs/v2 with team_id and end_user")
	}
	switch by {
	case "team":
		q.Dimension = account.ByTeam
		return r.perDay(q, "teams", "team_name", true)
	case "customer":
		q.Dimension = account.ByEndUser
		return r.perDay(q, "customers", "customer", false)
	case "api_key":
		q.Dimension = account.ByKey
		return r.keyTotals(q, account.Split{Value: true, Model: true})
	case "internal_user_id":
		q.Dimension = account.ByUser
		return r.flat(q, account.Split{Value: true}, "user", "internal_user_id")
	case "tag":
		q.Dimension = account.ByTag
		return r.flat(q, account.Split{Value: true}, "tag", "tag")
	}
	if q.Dimension == "" {
		q.Dimension = account.ByAll
	}
	switch by {
	case "model":
		return r.flat(q, account.Split{Model: true}, "model", "model")
	case "day":
		return r.flat(q, account.Split{Time: true}, "day", "group_by_day")
	case "provider":
		return r.flat(q, account.Split{}, "provider", "provider")
	}
	return nil, llm.Invalid("group_by", "group_by must be team, customer, api_key, internal_user_id, tag, model, provider or day")
}

// keyTotals are the totals of keys by models.
func (r *spendRequest) keyTotals(q account.SumQuery, split account.Split) (any, *llm.Error) {
	q.Split = split
	list, err := r.sums(q)
	if err != nil {
		return nil, err
	}
	if r.wantsCSV() {
		return nil, r.exportSums("spend-report", "key", list)
	}
	if split.Key {
		for i := range list {
			list[i].Value = list[i].Key
		}
	}
	keys, err := r.owners(account.EntityKey, values(list))
	if err != nil {
		return nil, err
	}
	answer, places := []*keyTotal{}, map[string]*keyTotal{}
	for i := range list {
		sum := &list[i]
		total := places[sum.Value]
		if total == nil {
			total = &keyTotal{APIKey: sum.Value, KeyAlias: unsaid(keys[sum.Value].Alias)}
			places[sum.Value] = total
			answer = append(answer, total)
		}
		total.Cost += usd(sum.Spend)
		total.Input += sum.Prompt()
		total.Output += sum.Completion
		total.Models = append(total.Models, modelTotal{sum.Model, usd(sum.Spend), sum.Prompt(), sum.Completion, sum.Requests})
	}
	dearestFirst(answer, func(t *keyTotal) (usd, string) { return t.Cost, t.APIKey })
	return answer, nil
}

// perDay are the days of teams or customers, with what each spent on which model.
func (r *spendRequest) perDay(q account.SumQuery, list, field string, byKey bool) (any, *llm.Error) {
	q.Split = account.Split{Time: true, Value: true, Key: byKey, Model: true}
	sums, err := r.sums(q)
	if err != nil {
		return nil, err
	}
	if r.wantsCSV() {
		return nil, r.exportSums("spend-report", field, sums)
	}
	names := map[string]string{}
	if byKey {
		if names, err = r.teamNames(sums); err != nil {
			return nil, err
		}
	}
	type group = map[string]any
	days := []group{}
	var groups []group
	var details []groupDetail
	var total usd
	for i := range sums {
		sum := &sums[i]
		details = append(details, groupDetail{sum.Model, unsaid(sum.Key), usd(sum.Spend), sum.Total})
		total += usd(sum.Spend)
		lastOfDay := i+1 == len(sums) || !sums[i+1].At.Equal(sum.At)
		if lastOfDay || sums[i+1].Value != sum.Value {
			name := sum.Value
			if names[name] != "" {
				name = names[name]
			}
			groups = append(groups, group{field: name, "total_spend": total, "metadata": details})
			details, total = nil, 0
		}
		if lastOfDay {
			days = append(days, group{"group_by_day": sum.At.Format(time.RFC3339), list: groups})
			groups = nil
		}
	}
	return days, nil
}

// flat are sums by one name.
func (r *spendRequest) flat(q account.SumQuery, split account.Split, head, field string) (any, *llm.Error) {
	q.Split = split
	list, err := r.sums(q)
	if err != nil {
		return nil, err
	}
	if r.wantsCSV() {
		return nil, r.exportSums("spend-report", head, list)
	}
	answer := []map[string]any{}
	for i := range list {
		sum := &list[i]
		name := sum.Value
		switch field {
		case "model":
			name = sum.Model
		case "group_by_day":
			name = day(sum.At)
		case "provider":
			name = "bedrock"
		}
		answer = append(answer, map[string]any{
			field: name, "total_cost": usd(sum.Spend), "total_input_tokens": sum.Prompt(), "total_output_tokens": sum.Completion,
			"total_tokens": sum.Total, "total_requests": sum.Requests, "failed_requests": sum.Failures, "unpriced_requests": sum.Unpriced,
		})
	}
	if !split.Time {
		dearestFirst(answer, func(m map[string]any) (usd, string) {
			cost, _ := m["total_cost"].(usd)
			name, _ := m[field].(string)
			return cost, name
		})
	}
	return answer, nil
}
