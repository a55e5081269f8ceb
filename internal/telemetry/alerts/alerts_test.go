package alerts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store keeps entities, and nothing was spent.
type store struct{ list []account.Entity }

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

func (*store) Spent(_ context.Context, counters []account.Charge) ([]account.Amount, error) {
	return make([]account.Amount, len(counters)), nil
}

func (*store) ResetSpent(context.Context, []account.Charge, []account.Amount) error { return nil }

func (s *store) add(t *testing.T, e account.Entity, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	e.Data, e.CreatedAt, e.Version = data, time.Now().Add(-1000*time.Hour), 1
	s.list = append(s.list, e)
}

func usd(v float64) *account.Amount {
	a := account.USD(v)
	return &a
}

// place is a server that alerts go to.
type place struct {
	url string
	mu  sync.Mutex
	got []string
	// answer is the status that it answers with, 0 is 200.
	answer int
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.got = append(p.got, r.URL.Path+" "+string(body))
		if p.answer != 0 {
			w.WriteHeader(p.answer)
		}
	}))
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

// take returns what has arrived, in its order.
func (p *place) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.got
	p.got = nil
	return got
}

func (p *place) answers(status int) {
	p.mu.Lock()
	p.answer = status
	p.mu.Unlock()
}

// rig is alerts whose time the test sets: nothing happens but by look.
type rig struct {
	*Alerts
	limits *account.Limits
	dir    *account.Directory
	place  *place
	log    *bytes.Buffer
	time   time.Time
}

func newRig(t *testing.T, s *store, o Options, limits account.LimitOptions) *rig {
	t.Helper()
	r := &rig{place: newPlace(t), log: &bytes.Buffer{}, time: time.Now()}
	if s != nil {
		r.dir = account.NewDirectory(t.Context(), account.DirectoryOptions{Store: s})
		t.Cleanup(r.dir.Close)
		limits.Named = r.dir
	}
	limits.Counters = account.NewLocalCounters(nil)
	r.limits = account.NewLimits(limits)
	o.Limits, o.Directory, o.every, o.now = r.limits, r.dir, 1000*time.Hour, func() time.Time { return r.time }
	o.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	if !o.Places.any() {
		o.Places = Places{Webhook: secret.New(r.place.url + "/hook"), Slack: secret.New(r.place.url + "/slack/c4n4ry")}
	}
	r.Alerts = New(o)
	t.Cleanup(func() { r.Close(t.Context()) })
	return r
}

// call makes a call of a key, and counts it.
func (r *rig) call(t *testing.T, hash, user string, cost float64) {
	t.Helper()
	caller := &account.Caller{}
	if r.dir != nil {
		caller = r.dir.CallerOf(hash, time.Now())
	}
	lease, failed := r.limits.Admit(t.Context(), &account.Ask{Caller: caller, EndUser: user})
	lease.Settle(t.Context(), &llm.Usage{}, account.USD(cost))
	record := account.Record{Type: "acompletion", KeyHash: hash, User: user, Status: 200}
	record.SetError(failed)
	r.Add(record)
}

// step looks at everything and sends, and returns what has arrived.
func (r *rig) step(t *testing.T) []string {
	t.Helper()
	r.look(t.Context())
	r.send(t.Context(), r.time)
	return r.place.take()
}

// events are what the webhook has got: the event, whose it is, and the message.
func events(t *testing.T, got []string) []string {
	t.Helper()
	var out []string
	for _, text := range got {
		body, ok := strings.CutPrefix(text, "/hook ")
		if !ok {
			continue
		}
		var e struct {
			Event   string  `json:"event"`
			Group   string  `json:"event_group"`
			Message string  `json:"event_message"`
			Spend   float64 `json:"spend"`
		}
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Group+" "+e.Event+" at "+strconv.FormatFloat(e.Spend, 'f', -1, 64)+": "+e.Message)
	}
	slices.Sort(out)
	return out
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOneAlertForEachEventOfABudget(t *testing.T) {
	s := &store{}
	s.add(t, account.Entity{Kind: account.EntityTeam, ID: "t1", Alias: "core"}, account.Team{Terms: account.Terms{MaxBudget: usd(20), SoftBudget: usd(9)}})
	s.add(t, account.Entity{Kind: account.EntityUser, ID: "u1"}, account.User{Email: "u1@example.com"})
	s.add(t, account.Entity{Kind: account.EntityKey, ID: "hash", Alias: "ci", TeamID: "t1", UserID: "u1"}, account.Key{Terms: account.Terms{MaxBudget: usd(10)}})
	r := newRig(t, s, Options{}, account.LimitOptions{})

	r.call(t, "hash", "", 5)
	want(t, "half", r.step(t))
	r.call(t, "hash", "", 3.5)
	got := r.step(t)
	want(t, "nearly", events(t, got), "key threshold_crossed at 8.5: Key Budget: 15% or less of budget remaining")
	if len(got) != 2 {
		t.Fatalf("got %q", got)
	}
	slices.Sort(got)
	const event = `/hook {"spend":8.5,"max_budget":10,"soft_budget":null,"token":"hash","customer_id":null,"user_id":"u1","team_id":"t1","team_alias":"core","organization_id":null,` +
		`"user_email":"u1@example.com","key_alias":"ci","projected_exceeded_date":null,"projected_spend":null,"event_group":"key","alert_emails":null,"max_budget_alert_emails":null,` +
		`"event":"threshold_crossed","event_message":"Key Budget: 15% or less of budget remaining"}`
	if got[0] != event {
		t.Errorf("got\n%s\nwant\n%s", got[0], event)
	}
	for _, part := range []string{"/slack/c4n4ry {\"text\":\"Alert type: `budget_alerts`\\nLevel: `High`\\nTimestamp: `", "Message: Key Budget: 15% or less of budget remaining\\n\\n*spend:* `8.5`\\n*max_budget:* `10`\\n", "*key_alias:* `ci`"} {
		if !strings.Contains(got[1], part) {
			t.Errorf("%s lacks %s", got[1], part)
		}
	}
	if strings.Contains(got[1], "hash") {
		t.Error("people are told the key's digest")
	}

	for range 5 {
		r.call(t, "hash", "", 0.1)
	}
	want(t, "the team's soft budget", events(t, r.step(t)), "team soft_budget_crossed at 9: Soft Budget Crossed: Total Soft Budget:`9`")
	for range 3 {
		r.call(t, "hash", "", 1)
	}
	want(t, "spent", events(t, r.step(t)), "key budget_crossed at 10: Key Budget: Budget Crossed\n Total Budget:`10`")
	for range 3 {
		r.call(t, "hash", "", 1)
		want(t, "again", r.step(t))
	}
	r.time = r.time.Add(24*time.Hour + time.Second)
	r.call(t, "hash", "", 1) // which is refused
	want(t, "the next day", events(t, r.step(t)), "key budget_crossed at 10: Key Budget: Budget Crossed\n Total Budget:`10`", "team soft_budget_crossed at 10: Soft Budget Crossed: Total Soft Budget:`9`")
	if strings.Contains(r.log.String(), "c4n4ry") || !strings.Contains(r.log.String(), "Key Budget: Budget Crossed") {
		t.Errorf("the log has %s", r.log)
	}
}

func TestBudgetsOfOthers(t *testing.T) {
	s := &store{}
	s.add(t, account.Entity{Kind: account.EntityOrganization, ID: "o1", Alias: "Acme"}, account.Organization{Terms: account.Terms{MaxBudget: usd(1)}})
	s.add(t, account.Entity{Kind: account.EntityTeam, ID: "t1", OrganizationID: "o1"}, account.Team{Each: account.Member{MaxBudget: usd(1)}})
	s.add(t, account.Entity{Kind: account.EntityUser, ID: "u1"}, account.User{Terms: account.Terms{MaxBudget: usd(1)}})
	s.add(t, account.Entity{Kind: account.EntityKey, ID: "member", TeamID: "t1", UserID: "u1"}, account.Key{})
	s.add(t, account.Entity{Kind: account.EntityKey, ID: "own", UserID: "u1"}, account.Key{})
	r := newRig(t, s, Options{}, account.LimitOptions{
		Global: account.Terms{MaxBudget: usd(2)}, Provider: account.Terms{MaxBudget: usd(2)}, EndUsers: &account.Terms{MaxBudget: usd(2)},
	})
	r.call(t, "member", "ann `<!channel>", 1)
	r.call(t, "own", "", 1)
	got := r.step(t)
	want(
		t, "all", events(t, got),
		"organization budget_crossed at 1: Organization Budget: Budget Crossed\n Total Budget:`1`",
		"proxy budget_crossed at 2: Provider Budget: Budget Crossed\n Total Budget:`2`",
		"proxy budget_crossed at 2: Proxy Budget: Budget Crossed\n Total Budget:`2`",
		"team_member budget_crossed at 1: Team Member Budget: Budget Crossed\n Total Budget:`1`",
		"user budget_crossed at 1: User Budget: Budget Crossed\n Total Budget:`1`",
	)
	r = newRig(t, nil, Options{}, account.LimitOptions{EndUsers: &account.Terms{MaxBudget: usd(2)}})
	r.call(t, "", "ann `<!channel>", 2)
	got = r.step(t)
	want(t, "an end user", events(t, got), "end_user budget_crossed at 2: End User Budget: Budget Crossed\n Total Budget:`2`")
	for _, text := range got {
		if strings.HasPrefix(text, "/slack") && (strings.Contains(text, "!channel>") || strings.Contains(text, `\u003c`)) {
			t.Errorf("a client's words are more than a name: %s", text)
		}
	}
}

func TestWhatWillBeSpent(t *testing.T) {
	s := &store{}
	s.add(t, account.Entity{Kind: account.EntityKey, ID: "hash"}, account.Key{Terms: account.Terms{SoftBudget: usd(100), BudgetDuration: "1d"}})
	r := newRig(t, s, Options{}, account.LimitOptions{})
	r.call(t, "hash", "", 99)
	r.look(t.Context())
	midnight := r.time.UTC().Truncate(24 * time.Hour)
	w := &watched{owner: account.Owner{Scope: "key", ID: "other", Terms: &account.Terms{}}, title: "Key Budget: "}
	standing := account.Standing{Spent: *usd(30), Soft: usd(100), From: midnight, Reset: midnight.Add(24 * time.Hour)}
	r.pending = nil
	r.judge(w, &standing, midnight.Add(12*time.Hour))
	if len(r.pending) != 0 {
		t.Errorf("60 of 100 are projected, and told: %s", r.pending[0].body)
	}
	r.judge(w, &standing, midnight.Add(6*time.Hour))
	if len(r.pending) != 2 {
		t.Fatalf("120 of 100 are projected, and %d alerts are told", len(r.pending))
	}
	var e budgetEvent
	if err := json.Unmarshal(r.pending[0].body, &e); err != nil {
		t.Fatal(err)
	}
	if e.Event != "projected_limit_exceeded" || e.ProjectedSpend.String() != "120" || *e.ProjectedDate != midnight.Format(time.DateOnly) || e.MaxBudget.String() != "100" {
		t.Errorf("got %s", r.pending[0].body)
	}

	// For ever: half of the budget went in five months, so the other half will last longer than this one.
	r.pending = nil
	now := time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC)
	standing = account.Standing{Spent: *usd(50), Soft: usd(100)}
	w.owner.ID, w.owner.Created = "for ever", now.AddDate(0, -5, 0)
	if r.judge(w, &standing, now); len(r.pending) != 0 {
		t.Errorf("told %s", r.pending[0].body)
	}
	w.owner.Created = now.AddDate(0, 0, -5)
	if r.judge(w, &standing, now); len(r.pending) != 2 || !strings.Contains(string(r.pending[0].body), `"projected_exceeded_date":"2026-06-07"`) {
		t.Errorf("half in five days: %d alerts", len(r.pending))
	}
	r.pending = nil
}

func TestTypesAndPlacesOfTheirOwn(t *testing.T) {
	other := newPlace(t)
	s := &store{}
	s.add(t, account.Entity{Kind: account.EntityKey, ID: "hash"}, account.Key{Terms: account.Terms{MaxBudget: usd(1)}})
	failing := errors.New("password=`x` is wrong")
	r := newRig(t, s, Options{
		Types: []Type{Database, Outage}, Database: func() error { return failing }, ProxyURL: "https://gw.example",
		Places: Places{Teams: secret.New(other.url + "/teams"), Slack: secret.New("http://127.0.0.1:1"), ByType: map[Type][]secret.Secret{Database: {secret.New(other.url + "/a"), secret.New(other.url + "/b")}}},
	}, account.LimitOptions{})
	r.call(t, "hash", "", 1)
	r.step(t)
	got := other.take()
	slices.Sort(got)
	if len(got) != 3 || !strings.HasPrefix(got[0], "/a {\"text\":") || !strings.HasPrefix(got[1], "/b ") || !strings.Contains(got[0], "DB read/write call failed: password='x' is wrong") || !strings.Contains(got[0], "Proxy URL: `https://gw.example`") {
		t.Errorf("got %q", got)
	}
	if !strings.HasPrefix(got[2], `/teams {"attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","content":{"type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock","text":"Alert type: `) {
		t.Errorf("Teams got %s", got[2])
	}
	failing = nil
	r.step(t)
	failing = errors.New("away again")
	r.time = r.time.Add(2 * time.Minute)
	r.step(t)
	if got := other.take(); len(got) != 3 {
		t.Errorf("the next time: %q", got)
	}
	r.time = r.time.Add(2 * time.Minute)
	if r.step(t); len(other.take()) != 0 {
		t.Error("one failure is told twice")
	}
}

func TestOutages(t *testing.T) {
	all := []Deployment{{ID: "d1", Group: "claude", Model: "m1", Region: "us-east-1", Endpoint: "https://a.example"}, {ID: "d2", Group: "claude", Model: "m2", Region: "us-east-1"}, {ID: "d3", Group: "nova", Model: "m3"}}
	lost := uint64(7)
	r := newRig(t, nil, Options{Deployments: func(yield func(Deployment)) {
		for _, d := range all {
			yield(d)
		}
	}, Lost: func() uint64 { return lost }}, account.LimitOptions{})
	fail := func(n int, tries string, status int, deployment string) {
		for range n {
			record := account.Record{Type: "acompletion", Tries: tries, Status: status, Deployment: deployment, Upstream: 1, ErrorKind: "upstream"}
			r.Add(record)
		}
	}
	heads := func() []string {
		var out []string
		for _, text := range r.step(t) {
			var m struct{ Text string }
			if err := json.Unmarshal([]byte(text[strings.IndexByte(text, ' '):]), &m); err != nil {
				t.Fatal(err)
			}
			kind, rest, _ := strings.Cut(strings.TrimPrefix(m.Text, "Alert type: `"), "`")
			line := kind
			for part := range strings.SplitSeq(rest, "\n") {
				if strings.HasPrefix(part, "*") || strings.HasSuffix(strings.TrimRight(part, "0123456789"), "Errors: ") {
					line += " " + part
				}
			}
			out = append(out, line)
		}
		slices.Sort(out)
		return out
	}
	fail(4, "", 503, "d1")
	fail(50, "", 429, "d1") // AWS throttles: that is no outage
	fail(50, "", 400, "d2")
	want(t, "four", heads())
	fail(1, "d1;status=504;error=X,d2;status=500;why=fallback", 500, "d2")
	want(
		t, "five", heads(), "outage_alerts *⚠️ Minor Service Outage* *Model Name:* `bedrock/m1` *Provider:* `bedrock` *API Base:* `https://a.example` *Errors:* Timeout Errors: 1 API Errors: 4",
		"region_outage_alerts *⚠️ Minor Service Outage* *Region Name:* `us-east-1` *Provider:* `bedrock` *Errors:* Timeout Errors: 1 API Errors: 5",
	)
	fail(6, "", 500, "d1")
	want(
		t, "eleven", heads(), "outage_alerts *⚠️ Major Service Outage* *Model Name:* `bedrock/m1` *Provider:* `bedrock` *API Base:* `https://a.example` *Errors:* Timeout Errors: 1 API Errors: 10",
		"region_outage_alerts *⚠️ Major Service Outage* *Region Name:* `us-east-1` *Provider:* `bedrock` *Errors:* Timeout Errors: 1 API Errors: 11",
	)
	fail(20, "", 500, "d1")
	want(t, "more", heads())
	r.time = r.time.Add(61 * time.Second)
	fail(4, "", 500, "d1")
	want(t, "a minute later", heads())

	all[0].LeftAlone, all[2].LeftAlone = true, true
	want(
		t, "left alone", heads(), "cooldown_deployment *Model Group:* `claude` *Model Name:* `bedrock/m1` *Deployment:* `d1` *Region:* `us-east-1` *Left alone in the group:* `1 of 2`",
		"cooldown_deployment *Model Group:* `nova` *Model Name:* `bedrock/m3` *Deployment:* `d3` *Region:* `` *Left alone in the group:* `1 of 1`",
	)
	all[0].LeftAlone = false
	want(t, "back", heads())
	all[0].LeftAlone = true
	want(t, "it comes and goes", heads())
	lost = 9
	want(t, "rows are lost", heads(), "failed_tracking_spend")
}

func TestAPlaceThatIsAwayGetsItsAlertsLater(t *testing.T) {
	r := newRig(t, nil, Options{Database: func() error { return errors.New("away") }}, account.LimitOptions{})
	r.place.answers(http.StatusServiceUnavailable)
	if got := r.step(t); len(got) != 1 {
		t.Fatalf("got %q", got)
	}
	if got := r.step(t); len(got) != 0 {
		t.Errorf("it is asked again at once: %q", got)
	}
	r.place.answers(0)
	r.time = r.time.Add(firstPause)
	if got := r.step(t); len(got) != 1 || len(r.pending) != 0 {
		t.Errorf("got %q", got)
	}

	r.place.answers(http.StatusNotFound)
	r.tell(message{kind: Database, level: "High", text: "x"}, r.time)
	r.step(t)
	if len(r.pending) != 0 || !strings.Contains(r.log.String(), "an alert did not arrive") || strings.Contains(r.log.String(), "c4n4ry") {
		t.Errorf("what is refused for good waits, or is not named: %s", r.log)
	}
	for range maxPending + 5 {
		r.tell(message{kind: Database, level: "High", text: "x"}, r.time.Add(time.Hour))
	}
	if len(r.pending) != maxPending || !strings.Contains(r.log.String(), "an alert is lost") {
		t.Errorf("%d alerts wait", len(r.pending))
	}
	r.pending = nil
}

func TestPlaces(t *testing.T) {
	f := func(w Wishes, byType map[Type][]secret.Secret, vars map[string]string, some bool, want ...string) {
		t.Helper()
		p, problems := PlacesOf(w, byType, func(name string) (string, bool) {
			v, ok := vars[name]
			return v, ok
		})
		var got []string
		for _, err := range problems {
			got = append(got, err.Error())
		}
		if !slices.Equal(got, want) || p.any() != some {
			t.Errorf("got %q %v", got, p.any())
		}
	}
	f(Wishes{}, nil, nil, false)
	f(Wishes{Webhook: true, Slack: true, Teams: true}, nil, nil, false, "the variable WEBHOOK_URL is not set", "the variable SLACK_WEBHOOK_URL is not set", "the variable MS_TEAMS_WEBHOOK_URL is not set")
	f(Wishes{Slack: true}, nil, map[string]string{"ALERTING_WEBHOOK_URL": "https://hooks.example"}, true)
	f(Wishes{Slack: true}, map[Type][]secret.Secret{Budgets: {secret.New("https://hooks.example")}}, nil, true)
	f(Wishes{Slack: true}, map[Type][]secret.Secret{Budgets: {secret.New("c4n4ry")}}, nil, false, "alert_to_webhook_url of budget_alerts must be an http:// or https:// URL")
	f(Wishes{Webhook: true}, nil, map[string]string{"WEBHOOK_URL": "c4n4ry"}, false, "the variable WEBHOOK_URL must be an http:// or https:// URL")
	if New(Options{}) != nil {
		t.Error("there are alerts and no place for them")
	}
	var none *Alerts
	none.Close(t.Context())
}

// Who has called is remembered in bounds, whatever clients send, and the goroutine sends by itself.
func TestManyCallersAtOnce(t *testing.T) {
	place := newPlace(t)
	limits := account.NewLimits(account.LimitOptions{Counters: account.NewLocalCounters(nil), EndUsers: &account.Terms{MaxBudget: usd(0.5)}})
	a := New(Options{Places: Places{Webhook: secret.New(place.url)}, Limits: limits, every: time.Millisecond})
	lease, failed := limits.Admit(t.Context(), &account.Ask{EndUser: "user 7"})
	if failed != nil {
		t.Fatal(failed)
	}
	lease.Settle(t.Context(), &llm.Usage{}, account.USD(1))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 2000 {
				a.Add(account.Record{Type: "acompletion", User: "user " + strconv.Itoa(i), Status: 500, ErrorKind: "upstream", Upstream: 1, Deployment: "d" + strconv.Itoa(i)})
			}
		})
	}
	all.Wait()
	a.Close(t.Context())
	if got := place.take(); len(got) != 1 || !strings.Contains(got[0], `"customer_id":"user 7"`) {
		t.Errorf("got %q", got)
	}
	names := newTouched()
	for i := range 2 * touchedShards * maxTouched {
		names.add(strconv.Itoa(i))
	}
	n := 0
	names.take(func(string) { n++ })
	if n > touchedShards*maxTouched {
		t.Errorf("%d names", n)
	}
}
