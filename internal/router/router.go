package router

import (
	"errors"
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
	prefix, suffix string        // around the "*", for wildcards
	deployments    []*Deployment // the lowest order first
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
		slices.SortStableFunc(g.deployments, func(a, b *Deployment) int { return a.Order - b.Order })
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

// Group returns the deployments for the name that a client asked for, the lowest order first, and the text that a
// wildcard's "*" stands for. An exact name, alias or deployment id wins over wildcards, a longer literal prefix over a
// shorter one. isBedrock says whether a name that no prefix marks as Bedrock's is one of Bedrock's ids: such a name is
// served by "bedrock/*", too. The list is shared and must not be changed.
func (r *Router) Group(name string, isBedrock func(string) bool) (list []*Deployment, matched string, err error) {
	if target, ok := r.aliases[name]; ok {
		name = target
	}
	if g, ok := r.groups[name]; ok && !strings.Contains(name, "*") {
		return g.deployments, "", nil
	}
	if d, ok := r.byID[name]; ok && !strings.Contains(d.Group, "*") {
		return []*Deployment{d}, "", nil
	}
	if list, matched, ok := r.wildcard(name); ok {
		return list, matched, nil
	}
	if !strings.HasPrefix(name, "bedrock/") && isBedrock(name) {
		if list, matched, ok := r.wildcard("bedrock/" + name); ok {
			return list, matched, nil
		}
	}
	return nil, "", ErrUnknownModel
}

func (r *Router) wildcard(name string) ([]*Deployment, string, bool) {
	for _, g := range r.wildcards {
		if len(name) > len(g.prefix)+len(g.suffix) && strings.HasPrefix(name, g.prefix) && strings.HasSuffix(name, g.suffix) {
			return g.deployments, name[len(g.prefix) : len(name)-len(g.suffix)], true
		}
	}
	return nil, "", false
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
