package gateway

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/gateway/admin"
	"github.com/outcrop-ai/outcrop/llm"
)

// handler is one operation of the admin API.
type handler func(*admin.API, context.Context, *admin.Request) (any, *llm.Error)

// manage serves an operation of the admin API.
func manage(h handler) func(*Server, *exchange) {
	return func(s *Server, x *exchange) { s.manage(x, h) }
}

// maxManage bounds the bodies of the admin API, in bytes.
const maxManage = 1 << 20

func (s *Server) manage(x *exchange, h handler) {
	if s.Admin == nil {
		x.fail(&llm.Error{Kind: llm.KindUnavailable, Type: "service_unavailable", Code: "no_key_store", Message: "There is no store of keys: the database could not be opened. The gateway's log says why."})
		return
	}
	b, failure := readBody(x.w, x.r, min(s.MaxBody, maxManage))
	if failure != nil {
		x.fail(failure)
		return
	}
	defer b.release()
	query, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		x.fail(llm.Invalid("query", "the query cannot be read"))
		return
	}
	answer, failed := h(s.Admin, x.r.Context(), &admin.Request{Caller: x.call.Caller, Query: query, Body: b.data, Name: x.name})
	if failed != nil {
		x.fail(failed)
		return
	}
	x.writeJSON(answer)
}

// manageRoutes are the routes of the admin API. Those that need a user only decide themselves what he may see and do.
func manageRoutes() []Route {
	get, post := http.MethodGet, http.MethodPost
	list := []Route{
		{post, "/key/generate", NeedsUser, manage((*admin.API).GenerateKey)},
		{post, "/key/service-account/generate", NeedsUser, manage((*admin.API).GenerateServiceAccountKey)},
		{post, "/key/update", NeedsUser, manage((*admin.API).UpdateKey)},
		{post, "/key/bulk_update", NeedsUser, manage((*admin.API).BulkUpdateKeys)},
		{post, "/key/delete", NeedsUser, manage((*admin.API).DeleteKeys)},
		{post, "/key/block", NeedsUser, manage((*admin.API).BlockKey)},
		{post, "/key/unblock", NeedsUser, manage((*admin.API).UnblockKey)},
		{post, "/key/regenerate", NeedsUser, manage((*admin.API).RegenerateKey)},
		{post, "/key/{key}/regenerate", NeedsUser, manage((*admin.API).RegenerateKey)},
		{post, "/key/{key}/reset_spend", NeedsAdmin, manage((*admin.API).ResetKeySpend)},
		{get, "/key/info", NeedsUser, manage((*admin.API).KeyInfo)},
		{post, "/v2/key/info", NeedsUser, manage((*admin.API).KeyInfos)},
		{get, "/key/list", NeedsUser, manage((*admin.API).ListKeys)},
		{get, "/key/aliases", NeedsUser, manage((*admin.API).KeyAliases)},
		{post, "/key/health", NeedsUser, manage((*admin.API).KeyHealth)},

		{post, "/user/new", NeedsAdmin, manage((*admin.API).NewUser)},
		{post, "/user/update", NeedsAdmin, manage((*admin.API).UpdateUser)},
		{post, "/user/bulk_update", NeedsAdmin, manage((*admin.API).BulkUpdateUsers)},
		{post, "/user/delete", NeedsAdmin, manage((*admin.API).DeleteUsers)},
		{get, "/user/info", NeedsUser, manage((*admin.API).UserInfo)},
		{get, "/user/list", NeedsViewer, manage((*admin.API).ListUsers)},

		{post, "/team/new", NeedsAdmin, manage((*admin.API).NewTeam)},
		{post, "/team/update", NeedsAdmin, manage((*admin.API).UpdateTeam)},
		{post, "/team/delete", NeedsAdmin, manage((*admin.API).DeleteTeams)},
		{post, "/team/block", NeedsAdmin, manage((*admin.API).BlockTeam)},
		{post, "/team/unblock", NeedsAdmin, manage((*admin.API).UnblockTeam)},
		{post, "/team/model/add", NeedsAdmin, manage((*admin.API).AddTeamModels)},
		{post, "/team/model/delete", NeedsAdmin, manage((*admin.API).DeleteTeamModels)},
		{post, "/team/member_add", NeedsUser, manage((*admin.API).AddTeamMembers)},
		{post, "/team/bulk_member_add", NeedsUser, manage((*admin.API).AddTeamMembers)},
		{post, "/team/member_update", NeedsUser, manage((*admin.API).UpdateTeamMember)},
		{post, "/team/member_delete", NeedsUser, manage((*admin.API).DeleteTeamMember)},
		{get, "/team/info", NeedsUser, manage((*admin.API).TeamInfo)},
		{get, "/team/list", NeedsUser, manage((*admin.API).ListTeams)},
		{get, "/v2/team/list", NeedsUser, manage((*admin.API).ListTeamPage)},

		{post, "/budget/new", NeedsAdmin, manage((*admin.API).NewBudget)},
		{post, "/budget/update", NeedsAdmin, manage((*admin.API).UpdateBudget)},
		{post, "/budget/delete", NeedsAdmin, manage((*admin.API).DeleteBudget)},
		{post, "/budget/info", NeedsViewer, manage((*admin.API).BudgetInfos)},
		{get, "/budget/list", NeedsViewer, manage((*admin.API).ListBudgets)},

		{post, "/tag/new", NeedsAdmin, manage((*admin.API).NewTag)},
		{post, "/tag/update", NeedsAdmin, manage((*admin.API).UpdateTag)},
		{post, "/tag/delete", NeedsAdmin, manage((*admin.API).DeleteTag)},
		{post, "/tag/info", NeedsViewer, manage((*admin.API).TagInfos)},
		{get, "/tag/list", NeedsViewer, manage((*admin.API).ListTags)},

		{post, "/organization/new", NeedsAdmin, manage((*admin.API).NewOrganization)},
		{post, "/organization/update", NeedsAdmin, manage((*admin.API).UpdateOrganization)},
		{http.MethodPatch, "/organization/update", NeedsAdmin, manage((*admin.API).UpdateOrganization)},
		{post, "/organization/delete", NeedsAdmin, manage((*admin.API).DeleteOrganizations)},
		{http.MethodDelete, "/organization/delete", NeedsAdmin, manage((*admin.API).DeleteOrganizations)},
		{get, "/organization/info", NeedsViewer, manage((*admin.API).OrganizationInfo)},
		{post, "/organization/info", NeedsViewer, manage((*admin.API).OrganizationInfos)},
		{get, "/organization/list", NeedsViewer, manage((*admin.API).ListOrganizations)},
		{post, "/organization/member_add", NeedsAdmin, manage((*admin.API).AddOrganizationMembers)},
		{post, "/organization/member_update", NeedsAdmin, manage((*admin.API).UpdateOrganizationMember)},
		{http.MethodPatch, "/organization/member_update", NeedsAdmin, manage((*admin.API).UpdateOrganizationMember)},
		{post, "/organization/member_delete", NeedsAdmin, manage((*admin.API).DeleteOrganizationMember)},
		{http.MethodDelete, "/organization/member_delete", NeedsAdmin, manage((*admin.API).DeleteOrganizationMember)},
	}
	for _, prefix := range []string{"/customer", "/end_user"} { // LiteLLM has both names
		list = append(list,
			Route{post, prefix + "/new", NeedsAdmin, manage((*admin.API).NewCustomer)},
			Route{post, prefix + "/update", NeedsAdmin, manage((*admin.API).UpdateCustomer)},
			Route{post, prefix + "/block", NeedsAdmin, manage((*admin.API).BlockCustomers)},
			Route{post, prefix + "/unblock", NeedsAdmin, manage((*admin.API).UnblockCustomers)},
			Route{post, prefix + "/delete", NeedsAdmin, manage((*admin.API).DeleteCustomers)},
			Route{get, prefix + "/info", NeedsViewer, manage((*admin.API).CustomerInfo)},
			Route{get, prefix + "/list", NeedsViewer, manage((*admin.API).ListCustomers)},
		)
	}
	return list
}

// managePath finds the routes that have a key in them.
func managePath(path string) (canonical, name string, ok bool) {
	rest, found := strings.CutPrefix(path, "/key/")
	if !found {
		return "", "", false
	}
	for _, suffix := range []string{"/regenerate", "/reset_spend"} {
		if key, found := strings.CutSuffix(rest, suffix); found && key != "" && !strings.Contains(key, "/") {
			name, err := url.PathUnescape(key)
			return "/key/{key}" + suffix, name, err == nil
		}
	}
	return "", "", false
}

// withoutKeys masks keys that stand in a path, which is logged and told to clients.
func withoutKeys(path string) string {
	if !strings.Contains(path, "/sk-") && !strings.Contains(path, "/SK-") {
		return path
	}
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if len(p) > len("sk-") && strings.EqualFold(p[:3], "sk-") {
			parts[i] = "sk-..."
		}
	}
	return strings.Join(parts, "/")
}

// rightsOf says what a route is for the rights of keys.
func rightsOf(r *Route) *account.Route {
	out := &account.Route{Path: r.Path}
	switch {
	case strings.HasPrefix(r.Path, "/spend/"), strings.HasPrefix(r.Path, "/global/"), strings.HasSuffix(r.Path, "/daily/activity"):
		out.Groups = []string{account.RoutesManagement}
		if r.Access != NeedsAdmin {
			out.Groups = append(out.Groups, account.RoutesInfo)
		}
	case r.Access == NeedsKey:
		out.Groups = []string{account.RoutesLLM}
		if strings.HasPrefix(r.Path, "/models") {
			out.Groups = append(out.Groups, account.RoutesInfo)
		}
	case r.Access != Open:
		out.Groups = []string{account.RoutesManagement}
		if r.Method == http.MethodGet || strings.HasSuffix(r.Path, "/info") {
			out.Groups = append(out.Groups, account.RoutesInfo)
		}
	}
	return out
}

// enter says who calls, and whether he may call the route; nil is one that there is not. It reports whether the request goes
// on: else the client has been told.
func (s *Server) enter(x *exchange, route *Route, rights *account.Route) bool {
	caller, failed := s.Keys.Authenticate(x.r)
	if failed != nil {
		x.fail(failed)
		return false
	}
	x.call.Caller = caller
	if rights != nil {
		if failed := caller.MayCall(rights); failed != nil {
			x.fail(failed)
			return false
		}
	}
	is := func(pattern string) bool { return account.MatchesRoute(pattern, rights.Path) }
	switch {
	case rights == nil || caller.Admin():
	case slices.ContainsFunc(s.AdminRoutes, is):
		x.fail(&llm.Error{Kind: llm.KindPermission, Type: "auth_error", Code: "admin_only", Message: "Only proxy admin can call " + rights.Path + " (general_settings.admin_only_routes)"})
		return false
	case len(s.AllowedRoutes) > 0 && !slices.ContainsFunc(s.AllowedRoutes, is):
		x.fail(&llm.Error{Kind: llm.KindPermission, Type: "auth_error", Message: rights.Path + " may not be called (general_settings.allowed_routes)"})
		return false
	}
	if route == nil || route.admits(caller.Role) {
		return true
	}
	message := "Only proxy admin can be used to generate, delete, update info for new keys/users/teams. Route=" + route.Path + ". Your role=" + caller.Role.String()
	if caller.Role == account.Anonymous {
		message = "This route needs a master key of your own: set general_settings.master_key and send it as a bearer token"
	}
	x.fail(&llm.Error{Kind: llm.KindPermission, Type: "auth_error", Code: "admin_only", Message: message})
	return false
}

// admits reports whether a route is open to a role.
func (r *Route) admits(role account.Role) bool {
	switch r.Access {
	case NeedsAdmin:
		return role == account.Admin
	case NeedsViewer:
		return role == account.Admin || role == account.Viewer
	case NeedsUser:
		return role != account.Anonymous
	default:
		return true
	}
}
