package gateway

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/dialect/anthropic"
	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
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
		if !strings.Contains(name, "*") {
			add(describe(name, s.Engine.Deployments(name)[0]))
			continue
		}
		if withPatterns {
			add(openai.Model{ID: name})
		}
		for _, m := range s.Engine.Behind(name) {
			add(openai.Model{ID: m.Name, Mode: m.Mode, Context: m.Context, MaxOutput: m.MaxOutput})
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

func describe(name string, d *router.Deployment) openai.Model {
	return openai.Model{ID: name, Mode: d.Mode, Context: d.Context, MaxOutput: d.MaxOutput}
}

// model describes one model.
func (s *Server) model(x *exchange) {
	d, err := s.Engine.Find(x.name)
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

// modelInfo is one deployment as an administrator sees it: no secret is part of it.
type modelInfo struct {
	ModelName string          `json:"model_name"`
	Params    map[string]any  `json:"litellm_params"`
	Info      json.RawMessage `json:"model_info"`
}

// modelInfo lists the deployments.
func (s *Server) modelInfo(x *exchange) {
	id := x.r.URL.Query().Get("litellm_model_id")
	answer := struct {
		Data []modelInfo `json:"data"`
	}{Data: []modelInfo{}}
	for _, d := range s.Engine.All() {
		if id == "" || id == d.ID {
			answer.Data = append(answer.Data, s.info(d))
		}
	}
	if id != "" && len(answer.Data) == 0 {
		x.fail(&llm.Error{Kind: llm.KindNotFound, Code: "model_not_found", Param: "litellm_model_id", Message: "no deployment has this id"})
		return
	}
	data, err := json.Marshal(answer)
	if err != nil {
		x.fail(asError(err))
		return
	}
	x.write(http.StatusOK, data)
}

func (s *Server) info(d *router.Deployment) modelInfo {
	params := map[string]any{"model": d.Model, "custom_llm_provider": "bedrock"}
	if d.ModelID != "" {
		params["model_id"] = d.ModelID
	}
	if region := s.Engine.Region(d); region != "" {
		params["aws_region_name"] = region
	}
	info := map[string]any{}
	if len(d.Info) > 0 {
		_ = json.Unmarshal(d.Info, &info) // it was made from a parsed configuration
	}
	info["id"] = d.ID
	if d.Mode != "" {
		info["mode"] = d.Mode
	}
	if d.Context > 0 {
		info["max_input_tokens"] = d.Context
	}
	if d.MaxOutput > 0 {
		info["max_output_tokens"] = d.MaxOutput
	}
	for name, usd := range s.Engine.PriceList(d) {
		info[name] = usd
	}
	raw, err := json.Marshal(info)
	if err != nil {
		raw = []byte("{}")
	}
	return modelInfo{ModelName: d.Group, Params: params, Info: raw}
}
