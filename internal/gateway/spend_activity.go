package gateway

import (
	"cmp"
	"slices"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// dearestFirst sorts by cost, and what costs the same by name.
func dearestFirst[T any](list []T, by func(T) (usd, string)) {
	slices.SortStableFunc(list, func(a, b T) int {
		costA, nameA := by(a)
		costB, nameB := by(b)
		return cmp.Or(cmp.Compare(costB, costA), cmp.Compare(nameA, nameB))
	})
}

// dayActivity is how busy the gateway was on a day, with LiteLLM's form of dates and an exact one.
type dayActivity struct {
	Date     string `json:"date"`
	ISO      string `json:"day"`
	Requests int64  `json:"api_requests"`
	Tokens   int64  `json:"total_tokens"`
}

type periodActivity struct {
	Model    *string       `json:"model,omitempty"`
	Days     []dayActivity `json:"daily_data"`
	Requests int64         `json:"sum_api_requests"`
	Tokens   int64         `json:"sum_total_tokens"`
}

func (p *periodActivity) add(sum *account.Sum) {
	p.Days = append(p.Days, dayActivity{sum.At.Format("Jan 02"), day(sum.At), sum.Requests, sum.Total})
	p.Requests += sum.Requests
	p.Tokens += sum.Total
}

// activity answers /global/activity.
func (s *Server) activity(r *spendRequest) (any, *llm.Error) {
	from, until, err := r.dates(true)
	if err != nil {
		return nil, err
	}
	list, err := r.sums(r.ofOwn(account.SumQuery{Dimension: account.ByAll, From: from, Until: until, Split: account.Split{Time: true}}))
	if err != nil {
		return nil, err
	}
	answer := periodActivity{Days: []dayActivity{}}
	for i := range list {
		answer.add(&list[i])
	}
	return answer, nil
}

// activityByModel answers /global/activity/model: the ten model groups with most requests.
func (s *Server) activityByModel(r *spendRequest) (any, *llm.Error) {
	from, until, err := r.dates(true)
	if err != nil {
		return nil, err
	}
	list, err := r.sums(r.ofOwn(account.SumQuery{Dimension: account.ByAll, From: from, Until: until, Split: account.Split{Time: true, Group: true}}))
	if err != nil {
		return nil, err
	}
	answer, places := []*periodActivity{}, map[string]*periodActivity{}
	for i := range list {
		group := list[i].Group
		if places[group] == nil {
			places[group] = &periodActivity{Model: &group}
			answer = append(answer, places[group])
		}
		places[group].add(&list[i])
	}
	slices.SortStableFunc(answer, func(a, b *periodActivity) int { return cmp.Compare(b.Requests, a.Requests) })
	return answer[:min(10, len(answer))], nil
}

// spendMetrics are LiteLLM's figures of a sum.
type spendMetrics struct {
	Spend      usd   `json:"spend"`
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	CacheRead  int64 `json:"cache_read_input_tokens"`
	CacheWrite int64 `json:"cache_creation_input_tokens"`
	Total      int64 `json:"total_tokens"`
	Successful int64 `json:"successful_requests"`
	Failed     int64 `json:"failed_requests"`
	Requests   int64 `json:"api_requests"`
	Unpriced   int64 `json:"unpriced_requests"`
}

func (m *spendMetrics) add(s *account.Sum) {
	m.Spend += usd(s.Spend)
	m.Prompt += s.Prompt()
	m.Completion += s.Completion
	m.CacheRead += s.CacheRead
	m.CacheWrite += s.CacheWrite
	m.Total += s.Total
	m.Successful += s.Requests - s.Failures
	m.Failed += s.Failures
	m.Requests += s.Requests
	m.Unpriced += s.Unpriced
}

// namedFigures are figures by a name, with what people call it.
type namedFigures struct {
	Metrics  spendMetrics             `json:"metrics"`
	Metadata map[string]any           `json:"metadata"`
	Keys     map[string]*namedFigures `json:"api_key_breakdown,omitempty"`
}

func figures(of map[string]*namedFigures, name string, s *account.Sum) *namedFigures {
	n := of[name]
	if n == nil {
		n = &namedFigures{Metadata: map[string]any{}}
		of[name] = n
	}
	n.Metrics.add(s)
	return n
}

type activityDay struct {
	Date      string            `json:"date"`
	Metrics   spendMetrics      `json:"metrics"`
	Breakdown activityBreakdown `json:"breakdown"`
}

type activityBreakdown struct {
	Models      map[string]*namedFigures `json:"models"`
	ModelGroups map[string]*namedFigures `json:"model_groups"`
	Providers   map[string]*namedFigures `json:"providers"`
	Keys        map[string]*namedFigures `json:"api_keys"`
	Entities    map[string]*namedFigures `json:"entities"`
	MCPServers  map[string]*namedFigures `json:"mcp_servers"`
	Endpoints   map[string]*namedFigures `json:"endpoints"`
}

// activityTotals are the totals of a page of days.
type activityTotals struct {
	Spend      usd   `json:"total_spend"`
	Prompt     int64 `json:"total_prompt_tokens"`
	Completion int64 `json:"total_completion_tokens"`
	Tokens     int64 `json:"total_tokens"`
	Requests   int64 `json:"total_api_requests"`
	Successful int64 `json:"total_successful_requests"`
	Failed     int64 `json:"total_failed_requests"`
	CacheRead  int64 `json:"total_cache_read_input_tokens"`
	CacheWrite int64 `json:"total_cache_creation_input_tokens"`
	Page       int   `json:"page"`
	TotalPages int   `json:"total_pages"`
	HasMore    bool  `json:"has_more"`
}

// dailyActivity returns what answers /…/daily/activity for a kind of owner: days, the latest first, with what each owner, key
// and model had of them. A page is page_size days.
func dailyActivity(dimension account.Dimension, param string) func(*Server, *spendRequest) (any, *llm.Error) {
	return func(_ *Server, r *spendRequest) (any, *llm.Error) {
		from, until, err := r.dates(true)
		if err != nil {
			return nil, err
		}
		size, err := r.number("page_size", 50, 1000)
		if err != nil {
			return nil, err
		}
		page, err := r.number("page", 1, maxRows)
		if err != nil {
			return nil, err
		}
		q := account.SumQuery{Dimension: dimension, Values: r.list(param), Model: r.query.Get("model")}
		if q.Key, err = r.ownKey(); err != nil {
			return nil, err
		}
		split := account.Split{Time: true, Value: true, Key: true, Model: true, Group: true}
		switch {
		case r.by != "": // his own, by whatever it is asked for
			q.Dimension, q.Values = r.by, []string{r.own}
			if r.by == account.ByKey {
				q.Key = ""
			}
		case dimension == account.ByUser && len(q.Values) == 0: // all users are everybody, those without a user, too
			q.Dimension = account.ByKey
			if q.Key != "" {
				q.Values, q.Key = []string{q.Key}, ""
			}
		case q.Key != "" && (dimension == account.ByTag || dimension == account.ByEndUser):
			return nil, llm.Invalid("api_key", "tags and customers are not summed by keys")
		}
		days := int(until.Sub(from.UTC().Truncate(24*time.Hour))+24*time.Hour-1) / int(24*time.Hour)
		pages := (days + size - 1) / size
		// The latest days come first.
		q.Until = until.AddDate(0, 0, -(page-1)*size)
		if q.From = until.AddDate(0, 0, -page*size); q.From.Before(from) {
			q.From = from
		}
		q.Split = split
		var list []account.Sum
		if page <= pages {
			if list, err = r.sums(q); err != nil {
				return nil, err
			}
		}
		if r.wantsCSV() {
			return nil, r.exportSums("daily-activity", string(q.Dimension), list)
		}
		return r.activityPage(dimension, q.Dimension, list, page, pages)
	}
}

func (r *spendRequest) activityPage(asked, found account.Dimension, list []account.Sum, page, pages int) (any, *llm.Error) {
	kind := map[account.Dimension]account.EntityKind{account.ByUser: account.EntityUser, account.ByTeam: account.EntityTeam, account.ByOrganization: account.EntityOrganization, account.ByEndUser: account.EntityEndUser, account.ByTag: account.EntityTag}[asked]
	isKey := found == account.ByKey
	owners := map[string]account.Entity{}
	var err *llm.Error
	var keyIDs []string
	if isKey {
		keyIDs = values(list)
	} else {
		if owners, err = r.owners(kind, values(list)); err != nil {
			return nil, err
		}
		seen := map[string]bool{}
		for i := range list {
			if k := list[i].Key; k != "" && !seen[k] {
				seen[k] = true
				keyIDs = append(keyIDs, k)
			}
		}
	}
	keys, err := r.owners(account.EntityKey, keyIDs)
	if err != nil {
		return nil, err
	}
	describe := func(n *namedFigures, key string) {
		e := keys[key]
		n.Metadata["key_alias"], n.Metadata["team_id"], n.Metadata["user_id"] = unsaid(e.Alias), unsaid(e.TeamID), unsaid(e.UserID)
	}
	days := []*activityDay{}
	var all spendMetrics
	for i := range list {
		sum := &list[i]
		if len(days) == 0 || days[len(days)-1].Date != day(sum.At) {
			days = append(days, &activityDay{Date: day(sum.At), Breakdown: activityBreakdown{
				map[string]*namedFigures{}, map[string]*namedFigures{}, map[string]*namedFigures{}, map[string]*namedFigures{}, map[string]*namedFigures{}, map[string]*namedFigures{}, map[string]*namedFigures{},
			}})
		}
		d := days[len(days)-1]
		all.add(sum)
		d.Metrics.add(sum)
		key, owner := sum.Key, sum.Value
		if isKey {
			if key, owner = sum.Value, keys[sum.Value].UserID; owner == "" || asked != account.ByUser {
				owner = unassigned
			}
		}
		b := &d.Breakdown
		var outer []*namedFigures
		if sum.Model != "" {
			outer = append(outer, figures(b.Models, sum.Model, sum))
		}
		if sum.Group != "" {
			outer = append(outer, figures(b.ModelGroups, sum.Group, sum))
		}
		entity := figures(b.Entities, owner, sum)
		if alias := owners[owner].Alias; alias != "" {
			entity.Metadata[string(kind)+"_alias"] = alias
		}
		outer = append(outer, figures(b.Providers, "bedrock", sum), entity)
		if key != "" {
			describe(figures(b.Keys, key, sum), key)
			for _, o := range outer {
				if o.Keys == nil {
					o.Keys = map[string]*namedFigures{}
				}
				describe(figures(o.Keys, key, sum), key)
			}
		}
	}
	slices.Reverse(days)
	return struct {
		Results  []*activityDay `json:"results"`
		Metadata activityTotals `json:"metadata"`
	}{days, activityTotals{
		all.Spend, all.Prompt, all.Completion, all.Total, all.Requests, all.Successful, all.Failed, all.CacheRead, all.CacheWrite, page, max(pages, 1), page < pages,
	}}, nil
}
