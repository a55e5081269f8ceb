package gateway

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

func count(n int64) string { return strconv.FormatInt(n, 10) }

// unassigned is LiteLLM's name for who has none.
const unassigned = "Unassigned"

// values are the values of sums, each once.
func values(list []account.Sum) (ids []string) {
	seen := map[string]bool{}
	for i := range list {
		if v := list[i].Value; !seen[v] {
			seen[v] = true
			ids = append(ids, v)
		}
	}
	return ids
}

// ofOwn narrows a query about all, or about all keys, to what the caller may see.
func (r *spendRequest) ofOwn(q account.SumQuery) account.SumQuery {
	if r.by == "" {
		return q
	}
	if q.Dimension == account.ByKey && r.by != account.ByKey && q.Split.Value {
		q.Split.Value, q.Split.Key = false, true
	}
	q.Dimension, q.Values = r.by, []string{r.own}
	return q
}

// keysOf reports whether a query asks for the keys of a user or team as others do for keys.
func (r *spendRequest) keysOf(q *account.SumQuery) bool {
	return r.by != "" && r.by != account.ByKey && q.Dimension == r.by && q.Split.Key && !q.Split.Value
}

// spendKeys answers /spend/keys: keys by what they have spent, with whose they are.
func (s *Server) spendKeys(r *spendRequest) (any, *llm.Error) {
	from, until, err := r.dates(false)
	if err != nil {
		return nil, err
	}
	limit, err := r.number("limit", maxRows, maxRows)
	if err != nil {
		return nil, err
	}
	list, err := r.sums(r.ofOwn(account.SumQuery{Dimension: account.ByKey, From: from, Until: until, Split: account.Split{Value: true}, Limit: limit}))
	if err != nil {
		return nil, err
	}
	if r.wantsCSV() {
		return nil, r.exportSums("spend-keys", "key", list)
	}
	keys, err := r.owners(account.EntityKey, values(list))
	if err != nil {
		return nil, err
	}
	type row struct {
		Token    string  `json:"token"`
		KeyAlias *string `json:"key_alias"`
		Spend    usd     `json:"spend"`
		UserID   *string `json:"user_id"`
		TeamID   *string `json:"team_id"`
		Requests int64   `json:"api_requests"`
		Tokens   int64   `json:"total_tokens"`
	}
	answer := []row{}
	for i := range list {
		sum := &list[i]
		e := keys[sum.Value]
		answer = append(answer, row{sum.Value, unsaid(e.Alias), usd(sum.Spend), unsaid(e.UserID), unsaid(e.TeamID), sum.Requests, sum.Total})
	}
	return answer, nil
}

// spendUsers answers /spend/users: users by what they have spent.
func (s *Server) spendUsers(r *spendRequest) (any, *llm.Error) {
	asked := r.list("user_id")
	if r.by == account.ByUser && (len(asked) == 0 || slices.Equal(asked, []string{r.own})) {
		asked = []string{r.own}
	} else if err := r.adminOnly(); err != nil {
		return nil, err
	}
	from, until, err := r.dates(false)
	if err != nil {
		return nil, err
	}
	list, err := r.sums(account.SumQuery{Dimension: account.ByUser, Values: asked, From: from, Until: until, Split: account.Split{Value: true}, Limit: maxRows})
	if err != nil {
		return nil, err
	}
	if r.wantsCSV() {
		return nil, r.exportSums("spend-users", "user", list)
	}
	users, err := r.owners(account.EntityUser, values(list))
	if err != nil {
		return nil, err
	}
	type row struct {
		UserID    string  `json:"user_id"`
		UserAlias *string `json:"user_alias"`
		Spend     usd     `json:"spend"`
		Requests  int64   `json:"api_requests"`
		Tokens    int64   `json:"total_tokens"`
	}
	answer := []row{}
	for i := range list {
		sum := &list[i]
		answer = append(answer, row{sum.Value, unsaid(users[sum.Value].Alias), usd(sum.Spend), sum.Requests, sum.Total})
	}
	return answer, nil
}

// tagSums are sums by tags, the dearest first.
func (r *spendRequest) tagSums(tags []string) ([]account.Sum, *llm.Error) {
	if err := r.adminOnly(); err != nil {
		return nil, err
	}
	from, until, err := r.dates(false)
	if err != nil {
		return nil, err
	}
	return r.sums(account.SumQuery{Dimension: account.ByTag, Values: tags, From: from, Until: until, Split: account.Split{Value: true}, Limit: maxRows})
}

// spendTags answers /spend/tags.
func (s *Server) spendTags(r *spendRequest) (any, *llm.Error) {
	list, err := r.tagSums(nil)
	if err != nil {
		return nil, err
	}
	if r.wantsCSV() {
		return nil, r.exportSums("spend-tags", "tag", list)
	}
	type row struct {
		Tag   string `json:"individual_request_tag"`
		Count int64  `json:"log_count"`
		Spend usd    `json:"total_spend"`
	}
	answer := []row{}
	for i := range list {
		answer = append(answer, row{list[i].Value, list[i].Requests, usd(list[i].Spend)})
	}
	return answer, nil
}

// globalTags answers /global/spend/tags.
func (s *Server) globalTags(r *spendRequest) (any, *llm.Error) {
	tags := r.list("tags")
	if slices.Contains(tags, "all-tags") {
		tags = nil
	}
	list, err := r.tagSums(tags)
	if err != nil {
		return nil, err
	}
	type row struct {
		Name  string `json:"name"`
		Spend usd    `json:"spend"`
		Count int64  `json:"log_count"`
	}
	answer := []row{}
	for i := range list {
		answer = append(answer, row{list[i].Value, usd(list[i].Spend), list[i].Requests})
	}
	return map[string]any{"spend_per_tag": answer}, nil
}

// tagNames answers /global/spend/all_tag_names.
func (s *Server) tagNames(r *spendRequest) (any, *llm.Error) {
	list, err := r.tagSums(nil)
	if err != nil {
		return nil, err
	}
	names := append([]string{}, values(list)...)
	slices.Sort(names)
	return map[string]any{"tag_names": names}, nil
}

// globalSpend answers /global/spend: what was spent in the last 30 days, or between two dates.
func (s *Server) globalSpend(r *spendRequest) (any, *llm.Error) {
	from, until, err := r.dates(false)
	if err != nil {
		return nil, err
	}
	if from.IsZero() && until.IsZero() {
		from = lastMonth()
	}
	list, err := r.sums(r.ofOwn(account.SumQuery{Dimension: account.ByAll, From: from, Until: until}))
	if err != nil {
		return nil, err
	}
	return map[string]any{"spend": usd(list[0].Spend), "max_budget": nil, "api_requests": list[0].Requests, "total_tokens": list[0].Total}, nil
}

// top are the dearest values of the last 30 days.
func (r *spendRequest) top(q account.SumQuery, fallback int) ([]account.Sum, *llm.Error) {
	limit, err := r.number("limit", fallback, maxRows)
	if err != nil {
		return nil, err
	}
	from, until, err := r.dates(false)
	if err != nil {
		return nil, err
	}
	if from.IsZero() && until.IsZero() {
		from = lastMonth()
	}
	q.From, q.Until, q.Limit = from, until, limit
	return r.sums(q)
}

// topKeys answers /global/spend/keys.
func (s *Server) topKeys(r *spendRequest) (any, *llm.Error) {
	list, err := r.top(r.ofOwn(account.SumQuery{Dimension: account.ByKey, Split: account.Split{Value: true}}), maxRows)
	if err != nil {
		return nil, err
	}
	keys, err := r.owners(account.EntityKey, values(list))
	if err != nil {
		return nil, err
	}
	type row struct {
		APIKey   string  `json:"api_key"`
		KeyAlias *string `json:"key_alias"`
		KeyName  *string `json:"key_name"`
		Spend    usd     `json:"total_spend"`
	}
	answer := []row{}
	for i := range list {
		answer = append(answer, row{list[i].Value, unsaid(keys[list[i].Value].Alias), keyName(keys[list[i].Value].Data), usd(list[i].Spend)})
	}
	return answer, nil
}

// topModels answers /global/spend/models.
func (s *Server) topModels(r *spendRequest) (any, *llm.Error) {
	list, err := r.top(r.ofOwn(account.SumQuery{Dimension: account.ByAll, Split: account.Split{Model: true}}), 10)
	if err != nil {
		return nil, err
	}
	type row struct {
		Model string `json:"model"`
		Spend usd    `json:"total_spend"`
	}
	answer := []row{}
	for i := range list {
		if list[i].Model != "" { // what did not come so far
			answer = append(answer, row{list[i].Model, usd(list[i].Spend)})
		}
	}
	return answer, nil
}

// spendByDay answers /global/spend/logs: the spend of each of the last 30 days.
func (s *Server) spendByDay(r *spendRequest) (any, *llm.Error) {
	from, until, err := r.dates(false)
	if err != nil {
		return nil, err
	}
	if from.IsZero() && until.IsZero() {
		from = lastMonth()
	}
	key, err := r.ownKey()
	if err != nil {
		return nil, err
	}
	q := account.SumQuery{Dimension: account.ByAll, From: from, Until: until, Split: account.Split{Time: true}}
	if key != "" {
		q.Dimension, q.Values = account.ByKey, []string{key}
	}
	list, err := r.sums(q)
	if err != nil {
		return nil, err
	}
	if r.wantsCSV() {
		return nil, r.exportSums("spend-days", "total", list)
	}
	type row struct {
		Date   string `json:"date"`
		Spend  usd    `json:"spend"`
		APIKey string `json:"api_key,omitempty"`
	}
	answer := []row{}
	for i := range list {
		answer = append(answer, row{day(list[i].At), usd(list[i].Spend), key})
	}
	return answer, nil
}

// spendByProvider answers /global/spend/provider. There is one.
func (s *Server) spendByProvider(r *spendRequest) (any, *llm.Error) {
	from, until, err := r.dates(true)
	if err != nil {
		return nil, err
	}
	list, err := r.sums(r.ofOwn(account.SumQuery{Dimension: account.ByAll, From: from, Until: until}))
	if err != nil {
		return nil, err
	}
	type row struct {
		Provider string `json:"provider"`
		Spend    usd    `json:"spend"`
	}
	if list[0].Requests == 0 {
		return []row{}, nil
	}
	return []row{{"bedrock", usd(list[0].Spend)}}, nil
}

// spendByTeam answers /global/spend/teams: the spend of teams on each of the last 30 days, and in all.
func (s *Server) spendByTeam(r *spendRequest) (any, *llm.Error) {
	if err := r.adminOnly(); err != nil {
		return nil, err
	}
	from, until, err := r.dates(false)
	if err != nil {
		return nil, err
	}
	if from.IsZero() && until.IsZero() {
		from = lastMonth()
	}
	teams := account.SumQuery{Dimension: account.ByTeam, From: from, Until: until, Split: account.Split{Time: true, Value: true}}
	list, err := r.sums(teams)
	if err != nil {
		return nil, err
	}
	if r.wantsCSV() {
		return nil, r.exportSums("spend-teams", "team", list)
	}
	all, err := r.sums(account.SumQuery{Dimension: account.ByAll, From: from, Until: until, Split: account.Split{Time: true}})
	if err != nil {
		return nil, err
	}
	names, err := r.teamNames(list)
	if err != nil {
		return nil, err
	}
	perDay, totals := map[string]map[string]usd{}, map[string]usd{}
	add := func(date, team string, spend usd) {
		if perDay[date] == nil {
			perDay[date] = map[string]usd{}
		}
		perDay[date][team] += spend
		totals[team] += spend
	}
	assigned := map[string]usd{}
	for i := range list {
		add(day(list[i].At), names[list[i].Value], usd(list[i].Spend))
		assigned[day(list[i].At)] += usd(list[i].Spend)
	}
	for i := range all {
		if rest := usd(all[i].Spend) - assigned[day(all[i].At)]; rest > 0 {
			add(day(all[i].At), unassigned, rest)
		}
	}
	type total struct {
		Team  string `json:"team_id"`
		Spend usd    `json:"total_spend"`
	}
	daily, order := []map[string]any{}, []total{}
	for i := range all {
		entry := map[string]any{}
		for team, spend := range perDay[day(all[i].At)] {
			entry[team] = spend
		}
		entry["date"] = day(all[i].At)
		daily = append(daily, entry)
	}
	for team, spend := range totals {
		order = append(order, total{team, spend})
	}
	slices.SortFunc(order, func(a, b total) int { return cmp.Or(cmp.Compare(b.Spend, a.Spend), cmp.Compare(a.Team, b.Team)) })
	teamList := []string{}
	for _, t := range order {
		teamList = append(teamList, t.Team)
	}
	return map[string]any{"daily_spend": daily, "teams": teamList, "total_spend_per_team": order[:min(10, len(order))]}, nil
}

// teamNames are the aliases of the teams of sums, or their ids.
func (r *spendRequest) teamNames(list []account.Sum) (map[string]string, *llm.Error) {
	ids := values(list)
	teams, err := r.owners(account.EntityTeam, ids)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(ids))
	for _, id := range ids {
		if names[id] = id; teams[id].Alias != "" {
			names[id] = teams[id].Alias
		}
	}
	return names, nil
}

// resetSpend answers /global/spend/reset: the counters of all keys and teams begin again; rows and reports stay.
func (s *Server) resetSpend(x *exchange) {
	r := &spendRequest{x: x}
	if err := s.openBook(r); err != nil {
		x.fail(err)
		return
	}
	if err := s.Spend.ResetAll(x.r.Context(), []string{string(account.EntityKey), string(account.EntityTeam)}); err != nil {
		x.fail(r.failed(err))
		return
	}
	s.Logger.Warn("the spend of all keys and teams was set to zero", "by", x.call.Caller.KeyHash)
	x.write(http.StatusOK, []byte(`{"message":"Spend for all API Keys and Teams reset successfully","status":"success"}`))
}
