package gateway

import (
	"net/http"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/dialect/anthropic"
	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/internal/router"
)

// models lists what can be asked for. Behind a wildcard stands every model of the catalogue that it matches.
func (s *Server) models(x *exchange) {
	withPatterns := x.r.URL.Query().Get("return_wildcard_routes") == "true"
	var list []openai.Model
	seen := map[string]bool{}
	add := func(m openai.Model) {
		if !seen[m.ID] {
			seen[m.ID] = true
			list = append(list, m)
		}
	}
	for _, name := range s.Engine.Names() {
		if !strings.Contains(name, "*") && !s.mayUse(x, name) {
			continue
		}
		if !strings.Contains(name, "*") {
			add(describe(name, s.Engine.Deployments(name)[0]))
			continue
		}
		if withPatterns && x.call.Caller.Unlimited() {
			add(openai.Model{ID: name})
		}
		for _, m := range s.Engine.Behind(name) {
			if !s.mayUse(x, m.Name) {
				continue
			}
			add(openai.Model{ID: m.Name, Mode: m.Mode, Context: m.Context, MaxOutput: m.MaxOutput})
		}
	}
	for _, name := range x.call.Caller.OwnNames() {
		if d, err := s.Engine.Find(x.call.Caller.Ask(name).Shared); err == nil && s.mayUse(x, name) {
			add(describe(name, d))
		}
	}
	if x.voice == &anthropicVoice {
		var ids []string
		for i := range list {
			if list[i].Mode == "" || list[i].Mode == "chat" {
				ids = append(ids, list[i].ID)
			}
		}
		x.write(http.StatusOK, anthropic.AppendModels(nil, ids))
		return
	}
	x.write(http.StatusOK, openai.AppendModels(nil, list))
}

// mayUse reports whether the caller may use a model.
func (s *Server) mayUse(x *exchange, name string) bool {
	return x.call.Caller.Unlimited() || s.Engine.MayUse(&x.call.Caller, name) == nil
}

func describe(name string, d *router.Deployment) openai.Model {
	return openai.Model{ID: name, Mode: d.Mode, Context: d.Context, MaxOutput: d.MaxOutput}
}

// model describes one model.
func (s *Server) model(x *exchange) {
	d, err := s.Engine.Find(x.call.Caller.Ask(x.name).Shared)
	if failed := s.Engine.MayUse(&x.call.Caller, x.name); failed != nil { // of what others may use, one does not learn that it is there
		err = failed
	}
	if err != nil {
		x.fail(err)
		return
	}
	if x.voice == &anthropicVoice {
		x.write(http.StatusOK, anthropic.AppendModel(nil, x.name))
		return
	}
	m := describe(x.name, d)
	x.write(http.StatusOK, openai.AppendModel(nil, &m))
}
