package alerts

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// Deployment is how a deployment is now.
type Deployment struct {
	ID, Group, Model, Region, Endpoint string
	// LeftAlone says that it gets no calls for a while.
	LeftAlone bool
}

// failures counts what goes wrong until somebody looks. Only calls that fail take its lock.
type failures struct {
	mu   sync.Mutex
	list map[string]*tally
}

// tally is how often a deployment has failed.
type tally struct{ timeouts, errors int }

func (t *tally) sum() int { return t.timeouts + t.errors }

func (t *tally) add(other *tally) {
	t.timeouts, t.errors = t.timeouts+other.timeouts, t.errors+other.errors
}

// maxTries bounds what is read of a record's tries, maxFailing the deployments whose failures are counted.
const (
	maxTries   = 64
	maxFailing = 4096
)

// add counts the failures of a record's upstream calls: time-outs, and what is the deployment's own fault.
func (f *failures) add(r *account.Record) {
	if r.Tries == "" {
		if r.Failed() && r.Upstream > 0 {
			f.count(r.Deployment, r.Status)
		}
		return
	}
	n := 0
	for one := range strings.SplitSeq(r.Tries, ",") {
		if n++; n > maxTries {
			return
		}
		id, rest, _ := strings.Cut(one, ";")
		for part := range strings.SplitSeq(rest, ";") {
			if text, ok := strings.CutPrefix(part, "status="); ok {
				if status, err := strconv.Atoi(text); err == nil {
					f.count(id, status)
				}
			}
		}
	}
}

func (f *failures) count(id string, status int) {
	timeout := status == http.StatusRequestTimeout || status == http.StatusGatewayTimeout
	if id == "" || !timeout && status < http.StatusInternalServerError {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.list[id]
	if t == nil {
		if len(f.list) >= maxFailing {
			return
		}
		if f.list == nil {
			f.list = map[string]*tally{}
		}
		t = &tally{}
		f.list[id] = t
	}
	if timeout {
		t.timeouts++
	} else {
		t.errors++
	}
}

func (f *failures) take() map[string]*tally {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.list
	f.list = nil
	return list
}

// outage is what has failed together: a deployment's calls, or those of a region.
type outage struct {
	tally
	until        time.Time
	deployments  map[string]bool
	minor, major bool
}

// deployments looks at the deployments: who has failed, and who is left alone.
func (a *Alerts) deployments(now time.Time) {
	failed := a.failed.take()
	all := map[string]Deployment{}
	alone, members := map[string]bool{}, map[string]map[string]bool{}
	if a.o.Deployments != nil {
		a.o.Deployments(func(d Deployment) {
			if known, ok := all[d.ID]; !ok || known.Model == "" {
				all[d.ID] = d
			}
			alone[d.ID] = alone[d.ID] || d.LeftAlone
			if members[d.Group] == nil {
				members[d.Group] = map[string]bool{}
			}
			members[d.Group][d.ID] = true
		})
	}
	regions := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(failed)) {
		d := all[id]
		d.ID = id
		o := together(&a.outages, id, failed[id], id, a.o.Rules.OutageTTL, now)
		if level := a.outage(o); level != "" {
			a.tell(message{kind: Outage, level: levelOf(level), text: outageText(level, "Model", modelOf(&d), &o.tally, d.Endpoint)}, now)
		}
		if d.Region != "" {
			together(&a.regions, d.Region, failed[id], id, a.o.Rules.RegionTTL, now)
			regions[d.Region] = true
		}
	}
	for _, region := range slices.Sorted(maps.Keys(regions)) {
		o := a.regions[region]
		if len(o.deployments) < 2 { // that is an outage of a deployment
			continue
		}
		if level := a.outage(o); level != "" {
			a.tell(message{kind: RegionOutage, level: levelOf(level), text: outageText(level, "Region", region, &o.tally, "")}, now)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(alone)) {
		is := alone[id]
		if is && !a.alone[id] && a.due("cooldown:"+id, max(a.o.Rules.OutageTTL, cooldownGap), now) {
			d := all[id]
			out := 0
			for other := range members[d.Group] {
				if alone[other] {
					out++
				}
			}
			level := "Medium"
			if out == len(members[d.Group]) {
				level = "High"
			}
			a.tell(message{kind: Cooldown, level: level, text: "A deployment fails and is left alone for a while\n\n*Model Group:* `" + plain(d.Group) +
				"`\n*Model Name:* `" + plain(modelOf(&d)) + "`\n*Deployment:* `" + plain(id) + "`\n*Region:* `" + plain(d.Region) +
				"`\n*Left alone in the group:* `" + count(out) + " of " + count(len(members[d.Group])) + "`\n"}, now)
		}
	}
	a.alone = alone
}

// cooldownGap is the least time between two alerts about one deployment that comes and goes.
const cooldownGap = 10 * time.Minute

// together adds failures to those that a name had of late, and forgets those of names whose time is over.
func together(list *map[string]*outage, name string, t *tally, id string, ttl time.Duration, now time.Time) *outage {
	for old, o := range *list {
		if !now.Before(o.until) {
			delete(*list, old)
		}
	}
	o := (*list)[name]
	if o == nil {
		o = &outage{until: now.Add(ttl), deployments: map[string]bool{}}
		if *list == nil {
			*list = map[string]*outage{}
		}
		(*list)[name] = o
	}
	o.add(t)
	o.deployments[id] = true
	return o
}

// outage says what is to be told of failures: Minor or Major, each once, or nothing.
func (a *Alerts) outage(o *outage) string {
	switch {
	case o.sum() >= a.o.Rules.Major && !o.major:
		o.minor, o.major = true, true
		return "Major"
	case o.sum() >= a.o.Rules.Minor && !o.minor:
		o.minor = true
		return "Minor"
	}
	return ""
}

func levelOf(outage string) string {
	if outage == "Major" {
		return "High"
	}
	return "Medium"
}

func modelOf(d *Deployment) string {
	if d.Model == "" {
		return d.ID
	}
	return "bedrock/" + d.Model
}

// outageText describes an outage as LiteLLM does.
func outageText(level, what, name string, t *tally, base string) string {
	text := "\n\n*⚠️ " + level + " Service Outage*\n\n*" + what + " Name:* `" + plain(name) + "`\n*Provider:* `bedrock`\n"
	if base != "" {
		text += "*API Base:* `" + plain(base) + "`\n"
	}
	text += "\n*Errors:*\n"
	if t.timeouts > 0 {
		text += "Timeout Errors: " + count(t.timeouts) + "\n"
	}
	if t.errors > 0 {
		text += "API Errors: " + count(t.errors) + "\n"
	}
	return text
}

// database looks at whether the database works, and whether rows were lost.
func (a *Alerts) database(now time.Time) {
	if a.o.Database != nil {
		err := a.o.Database()
		if err != nil && !a.failing && a.due("database", a.o.Rules.OutageTTL, now) {
			a.tell(message{kind: Database, level: "High", text: "DB read/write call failed: " + plain(err.Error())}, now)
		}
		a.failing = err != nil
	}
	if a.o.Lost != nil {
		lost := a.o.Lost()
		if lost > a.lost && a.due("lost", a.o.Rules.OutageTTL, now) {
			a.tell(message{kind: LostSpend, level: "High", text: "Rows of calls were lost, and with them what those calls have cost: " + strconv.FormatUint(lost, 10) + " since the start"}, now)
			a.lost = lost
		}
	}
}
