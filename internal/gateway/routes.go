package gateway

import (
	"net/http"
	"net/url"
	"strings"
)

// Access says who may call a route.
type Access uint8

// The kinds of access. The zero value is the strict one that most routes need.
const (
	// NeedsKey asks for a key when the gateway has a master key.
	NeedsKey Access = iota
	// NeedsAdmin asks for a master key, or for the key of a user who is proxy_admin. Without a master key, or with a publicly
	// known one, the route is closed.
	NeedsAdmin
	// Open asks for nothing.
	Open
	// NeedsViewer asks for an administrator, or for a user who may see what one sees.
	NeedsViewer
	// NeedsUser asks for a key when the gateway has a master key of its own. What its user may see and do, the route says.
	NeedsUser
)

// Route is one path of the gateway with what serves it. Paths are matched exactly.
type Route struct {
	Method, Path string
	Access       Access
	serve        func(*Server, *exchange)
}

// routeTable lists every route by its canonical path, which has no version in front nor a slash at its end.
func routeTable() []Route {
	return append([]Route{
		{http.MethodPost, "/chat/completions", NeedsKey, (*Server).chat},
		{http.MethodPost, "/completions", NeedsKey, (*Server).completion},
		{http.MethodPost, "/messages", NeedsKey, (*Server).messages},
		{http.MethodPost, "/messages/count_tokens", NeedsKey, (*Server).countTokens},
		{http.MethodPost, "/responses", NeedsKey, (*Server).response},
		{http.MethodPost, "/responses/input_tokens", NeedsKey, (*Server).responseTokens},
		{http.MethodGet, "/responses/{id}", NeedsKey, (*Server).storedResponse},
		{http.MethodDelete, "/responses/{id}", NeedsKey, (*Server).deleteResponse},
		{http.MethodGet, "/responses/{id}/input_items", NeedsKey, (*Server).responseInput},
		{http.MethodPost, "/responses/{id}/cancel", NeedsKey, (*Server).cancelResponse},
		{http.MethodPost, "/embeddings", NeedsKey, (*Server).embeddings},
		{http.MethodPost, "/rerank", NeedsKey, (*Server).rerank},
		{http.MethodPost, "/images/generations", NeedsKey, (*Server).imageGenerations},
		{http.MethodPost, "/images/edits", NeedsKey, (*Server).imageEdits},
		{http.MethodPost, "/images/variations", NeedsKey, (*Server).imageVariations},
		{http.MethodGet, "/models", NeedsKey, (*Server).models},
		{http.MethodGet, "/models/{id}", NeedsKey, (*Server).model},
		{http.MethodGet, "/model/info", NeedsUser, (*Server).modelInfo},
		{http.MethodGet, "/v2/model/info", NeedsUser, (*Server).modelInfoPage},
		{http.MethodGet, "/model_group/info", NeedsUser, (*Server).groupInfo},
		{http.MethodGet, "/health/liveliness", Open, (*Server).alive},
		{http.MethodGet, "/health/liveness", Open, (*Server).alive},
		{http.MethodGet, "/health/readiness", Open, (*Server).ready},
		{http.MethodGet, "/metrics", NeedsKey, (*Server).metrics},
		{http.MethodGet, "/", NeedsKey, (*Server).home},
	}, append(spendRoutes(), manageRoutes()...)...)
}

// canonical reduces the spellings of a path to the one in the route table. It returns the model that stands in the
// path (/engines/{model}/…, /openai/deployments/{model}/…) or the id of /models/{id}. The path is taken as it was sent,
// so that an escaped slash in a model's name stays apart from the path's own.
func canonical(escaped string) (path, name string, ok bool) {
	path = escaped
	if len(path) > 1 {
		path = strings.TrimRight(path, "/")
		if path == "" {
			path = "/"
		}
	}
	if rest, found := strings.CutPrefix(path, "/anthropic/"); found { // Anthropic's clients with a base URL of their own
		if rest = strings.TrimPrefix(rest, "v1/"); strings.HasPrefix(rest, "messages") || strings.HasPrefix(rest, "models") {
			path = "/v1/" + rest
		}
	}
	if rest, found := strings.CutPrefix(path, "/openai/v1/"); found {
		path = "/" + rest
	} else if rest, found := strings.CutPrefix(path, "/v1/"); found {
		path = "/" + rest
	} else if path == "/v2/rerank" { // of Cohere's second API
		path = "/rerank"
	}
	if canonical, name, ok := managePath(path); canonical != "" {
		return canonical, name, ok
	}
	for _, prefix := range []string{"/engines/", "/openai/deployments/"} {
		rest, found := strings.CutPrefix(path, prefix)
		if !found {
			continue
		}
		for _, suffix := range []string{"/chat/completions", "/completions", "/responses", "/embeddings", "/images/generations", "/images/edits", "/images/variations"} {
			if model, found := strings.CutSuffix(rest, suffix); found && model != "" {
				name, err := url.PathUnescape(model)
				return suffix, name, err == nil
			}
		}
		return path, "", true
	}
	if rest, found := strings.CutPrefix(path, "/responses/"); found && rest != "input_tokens" {
		suffix := ""
		for _, s := range []string{"/input_items", "/cancel"} {
			if id, found := strings.CutSuffix(rest, s); found {
				rest, suffix = id, s
			}
		}
		id, err := url.PathUnescape(rest)
		return "/responses/{id}" + suffix, id, err == nil
	}
	if id, found := strings.CutPrefix(path, "/models/"); found {
		name, err := url.PathUnescape(id)
		return "/models/{id}", name, err == nil
	}
	return path, "", true
}
