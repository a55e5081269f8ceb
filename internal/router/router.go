package router

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
)

// ErrUnknownModel says that no group, alias or wildcard answers to a name.
var ErrUnknownModel = errors.New("no deployment answers to this model name")

// Router is the table of deployments.
type Router struct {
	groups    map[string]*group
	byID      map[string]*Deployment
	wildcards []*group // longest literal prefix first
	aliases   map[string]string
	hidden    map[string]bool
	names     []string
	all       []*Deployment
}

type group struct {
	name           string
	prefix, suffix string // around the "*", for wildcards
	deployments    []*Deployment
	total          float64 // sum of the weights, 0 when all are equal
}

// Alias is a further name of a group.
type Alias struct {
	Name, Group string
	// Hidden keeps the name out of lists.
	Hidden bool
}

// New builds a router. Names need not be unique: deployments with one name share its traffic.
func New(deployments []*Deployment, aliases []Alias) *Router {
	r := &Router{
		all: deployments, groups: map[string]*group{}, byID: map[string]*Deployment{}, aliases: map[string]string{}, hidden: map[string]bool{},
	}
	for _, d := range deployments {
		r.byID[d.ID] = d
		g := r.groups[d.Group]
		if g == nil {
			g = &group{name: d.Group}
			r.groups[d.Group] = g
			if prefix, suffix, ok := strings.Cut(d.Group, "*"); ok {
				g.prefix, g.suffix = prefix, suffix
				r.wildcards = append(r.wildcards, g)
			}
			r.names = append(r.names, d.Group)
		}
		g.deployments = append(g.deployments, d)
	}
	for _, g := range r.groups {
		g.deployments = lowestOrder(g.deployments)
		for _, d := range g.deployments {
			g.total += d.Weight
		}
	}
	sort.SliceStable(r.wildcards, func(i, j int) bool { return len(r.wildcards[i].prefix) > len(r.wildcards[j].prefix) })
	for _, a := range aliases {
		r.aliases[a.Name] = a.Group
		r.hidden[a.Name] = a.Hidden
		if !a.Hidden {
			r.names = append(r.names, a.Name)
		}
	}
	return r
}

func lowestOrder(list []*Deployment) []*Deployment {
	lowest := list[0].Order
	for _, d := range list {
		lowest = min(lowest, d.Order)
	}
	return slices.DeleteFunc(slices.Clone(list), func(d *Deployment) bool { return d.Order != lowest })
}

// Pick returns the deployment for the name that a client asked for, and the text that a wildcard's "*" stands for. An
// exact name, alias or deployment id wins over wildcards, a longer literal prefix over a shorter one. isBedrock says
// whether a name that no prefix marks as Bedrock's is one of Bedrock's ids: such a name is served by "bedrock/*", too.
func (r *Router) Pick(name string, isBedrock func(string) bool) (d *Deployment, matched string, err error) {
	if target, ok := r.aliases[name]; ok {
		name = target
	}
	if g, ok := r.groups[name]; ok && !strings.Contains(name, "*") {
		return g.pick(), "", nil
	}
	if d, ok := r.byID[name]; ok && !strings.Contains(d.Group, "*") {
		return d, "", nil
	}
	if d, matched, ok := r.wildcard(name); ok {
		return d, matched, nil
	}
	if !strings.HasPrefix(name, "bedrock/") && isBedrock(name) {
		if d, matched, ok := r.wildcard("bedrock/" + name); ok {
			return d, matched, nil
		}
	}
	return nil, "", ErrUnknownModel
}

func (r *Router) wildcard(name string) (*Deployment, string, bool) {
	for _, g := range r.wildcards {
		if len(name) > len(g.prefix)+len(g.suffix) && strings.HasPrefix(name, g.prefix) && strings.HasSuffix(name, g.suffix) {
			return g.pick(), name[len(g.prefix) : len(name)-len(g.suffix)], true
		}
	}
	return nil, "", false
}

// pick draws by weight; without weights every deployment has the same chance.
func (g *group) pick() *Deployment {
	if len(g.deployments) == 1 {
		return g.deployments[0]
	}
	if g.total <= 0 {
		return g.deployments[rand.IntN(len(g.deployments))] //nolint:gosec // load balancing, not a secret
	}
	at := rand.Float64() * g.total //nolint:gosec // load balancing, not a secret
	for _, d := range g.deployments {
		if at -= d.Weight; at < 0 {
			return d
		}
	}
	return g.deployments[len(g.deployments)-1]
}

// Names returns the names that clients may ask for, in the order of the configuration; wildcards as they are written.
func (r *Router) Names() []string { return r.names }

// Deployments returns all deployments of a name or alias, nil if there are none.
func (r *Router) Deployments(name string) []*Deployment {
	if target, ok := r.aliases[name]; ok {
		name = target
	}
	if g := r.groups[name]; g != nil {
		return g.deployments
	}
	return nil
}

// All returns every deployment in the order of the configuration.
func (r *Router) All() []*Deployment { return r.all }
