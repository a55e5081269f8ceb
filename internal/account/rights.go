package account

import (
	"maps"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/llm"
)

// Words that stand for models in a list of rights.
const (
	// AllModels is every model of the gateway, TeamModels those of the key's team; NoDefaultModels is none, so that a list with
	// nothing else allows nothing.
	AllModels       = "all-proxy-models"
	TeamModels      = "all-team-models"
	NoDefaultModels = "no-default-models"
)

// Model is a model as a caller asks for it.
type Model struct {
	// Asked is the client's word, Own what the key's aliases make of it, Shared what the team's make of that. They are the same
	// where there are none.
	Asked, Own, Shared string
	// Group is the model group that answers to the name, Full the name with the prefix bedrock/ that was left out; they are
	// empty where they say nothing new. Access are the access groups that the model is in.
	Group, Full string
	Access      []string
}

// Ask says which model a caller means by a name: the key's aliases come first, then the team's.
func (c *Caller) Ask(name string) Model {
	m := Model{Asked: name, Own: name}
	if c.Key != nil {
		if to, ok := c.Key.Aliases[name]; ok {
			m.Own = to
		}
	}
	m.Shared = m.Own
	if c.Team != nil {
		if to, ok := c.Team.ModelAliases[m.Own]; ok {
			m.Shared = to
		}
	}
	return m
}

// OwnNames returns the names that the key and its team have made up for models, in their order.
func (c *Caller) OwnNames() []string {
	var list []string
	if c.Key != nil {
		list = slices.AppendSeq(list, maps.Keys(c.Key.Aliases))
	}
	if c.Team != nil {
		list = slices.AppendSeq(list, maps.Keys(c.Team.ModelAliases))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Unlimited reports whether nobody has said which models a caller may use.
func (c *Caller) Unlimited() bool {
	return c.Key == nil && c.User == nil || c.Key != nil && len(c.Key.Models) == 0 && (c.Team == nil || len(c.Team.Models) == 0) &&
		(c.Member == nil || len(c.Member.Models) == 0) && (c.Team != nil || c.User == nil || len(c.User.Models) == 0) &&
		(c.Organization == nil || len(c.Organization.Models) == 0)
}

// MayUse says why a caller may not use a model, nil if he may: the lists of the key, of the team, of the member in it and of
// the organization must all have it; that of the user only where the key has no team. A list knows a model by the name
// asked for and by what becomes of it at its own level and below: an alias that the owner of a key has made up satisfies the
// key's list, and never the team's.
func (c *Caller) MayUse(m *Model) *llm.Error {
	if c.Key == nil {
		return nil
	}
	if !c.keyHas(m) {
		return deniedModel("key", "this API key", m)
	}
	if c.Team != nil {
		if !has(c.Team.Models, m, m.Own, m.Shared) {
			return deniedModel("team", "the team of this API key", m)
		}
		if c.Member != nil && !has(c.Member.Models, m, m.Own, m.Shared) {
			return deniedModel("team", "this member of the team", m)
		}
	} else if c.User != nil && !has(c.User.Models, m, m.Own, m.Own) {
		return deniedModel("user", "the user of this API key", m)
	}
	if c.Organization != nil && !has(c.Organization.Models, m, m.Shared, m.Shared) {
		return deniedModel("org", "the organization of this API key", m)
	}
	return nil
}

// keyHas reports whether the key's own list has a model.
func (c *Caller) keyHas(m *Model) bool {
	list := c.Key.Models
	if c.Team != nil && slices.Contains(list, TeamModels) {
		return true // the team's list is asked in any case
	}
	return has(list, m, m.Asked, m.Own) || len(list) > 0 && matchesAny(list, m.Shared)
}

// MayUse says why an end user may not use a model, nil if he may.
func (u *EndUser) MayUse(m *Model) *llm.Error {
	if has(u.Models, m, m.Asked, m.Shared) {
		return nil
	}
	return deniedModel("customer", "this customer", m)
}

// has reports whether a list of rights has a model under one of two names, or one that the configuration gives it. An empty
// list has all.
func has(list []string, m *Model, name, other string) bool {
	if len(list) == 0 || slices.Contains(list, AllModels) {
		return true
	}
	if matchesAny(list, name) || other != name && matchesAny(list, other) || m.Group != "" && matchesAny(list, m.Group) || m.Full != "" && matchesAny(list, m.Full) {
		return true
	}
	return slices.ContainsFunc(m.Access, func(group string) bool { return slices.Contains(list, group) })
}

func matchesAny(list []string, name string) bool {
	for _, pattern := range list {
		if pattern == name || strings.Contains(pattern, "*") && matches(pattern, name) {
			return true
		}
	}
	return false
}

// matches reports whether a pattern, in which * is any text, is the whole of a name.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	name, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name = name[at+len(part):]
	}
	return strings.HasSuffix(name, parts[last])
}

// shownName bounds how much of a name a message quotes, in bytes.
const shownName = 100

func deniedModel(whose, owner string, m *Model) *llm.Error {
	return &llm.Error{
		Kind: llm.KindPermission, Type: whose + "_model_access_denied", Param: "model",
		Message: "The requested model '" + clip(m.Asked, shownName) + "' is not available for " + owner + ", or the model name is invalid. GET /v1/models lists the models that it may use.",
	}
}

// The types of keys, and the groups of routes that they and allowed_routes name.
const (
	keyTypeLLM        = "llm_api"
	keyTypeManagement = "management"
	keyTypeReadOnly   = "read_only"

	RoutesLLM        = "llm_api_routes"
	RoutesManagement = "management_routes"
	RoutesInfo       = "info_routes"
)

// KeyTypes are the types that a key may have.
func KeyTypes() []string {
	return []string{"default", keyTypeLLM, keyTypeManagement, keyTypeReadOnly}
}

// Route is a route as rights know it.
type Route struct {
	// Path is its canonical path: without a version in front, and without the part that is a client's.
	Path string
	// Groups are the groups of routes that it is in.
	Groups []string
}

// MayCall says why a caller's key may not call a route, nil if it may.
func (c *Caller) MayCall(route *Route) *llm.Error {
	if c.Key == nil {
		return nil
	}
	in := func(group string) bool { return slices.Contains(route.Groups, group) }
	ok := true
	switch c.Key.Type {
	case keyTypeLLM:
		ok = in(RoutesLLM)
	case keyTypeManagement:
		ok = in(RoutesManagement)
	case keyTypeReadOnly:
		ok = in(RoutesInfo)
	}
	if ok && (len(c.Key.Routes) == 0 || slices.ContainsFunc(c.Key.Routes, func(r string) bool { return in(r) || MatchesRoute(r, route.Path) })) {
		return nil
	}
	return &llm.Error{
		Kind: llm.KindPermission, Type: "auth_error",
		Message: "This API key may not call " + clip(route.Path, shownName) + ": it is not in the key's allowed_routes or of the key's type (key_type).",
	}
}

// MayPass says why a caller's key may not call a pass-through route of the configuration, nil if it may.
func (c *Caller) MayPass(path string) *llm.Error {
	if c.Key == nil {
		return nil
	}
	is := func(r string) bool { return MatchesRoute(r, path) }
	if !slices.ContainsFunc(c.Key.DeniedPassRoutes, is) && (len(c.Key.PassRoutes) == 0 || slices.ContainsFunc(c.Key.PassRoutes, is)) {
		return nil
	}
	return &llm.Error{Kind: llm.KindPermission, Type: "auth_error", Message: "This API key may not call the pass-through route " + clip(path, shownName) + "."}
}

// MatchesRoute reports whether a route is the one that a pattern names: the same path, with or without /v1 in front, or one
// below it where the pattern ends in /*.
func MatchesRoute(pattern, path string) bool {
	if rest, ok := strings.CutPrefix(pattern, "/v1/"); ok {
		pattern = "/" + rest
	}
	if below, ok := strings.CutSuffix(pattern, "/*"); ok {
		return path == below || strings.HasPrefix(path, below+"/")
	}
	return pattern == path
}

// RouteGroups are the names that groups of routes have in allowed_routes.
func RouteGroups() []string { return []string{RoutesLLM, RoutesManagement, RoutesInfo} }

// IsRoute reports whether a text names routes: a group of them, or a path, which may end in /* and has no * elsewhere.
func IsRoute(text string) bool {
	if slices.Contains(RouteGroups(), text) {
		return true
	}
	return strings.HasPrefix(text, "/") && !strings.Contains(strings.TrimSuffix(text, "/*"), "*")
}
