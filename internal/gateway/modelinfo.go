package gateway

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// modelInfo is one deployment as an administrator sees it: no secret is part of it.
type modelInfo struct {
	ModelName string          `json:"model_name"`
	Params    map[string]any  `json:"litellm_params"`
	Info      json.RawMessage `json:"model_info"`
}

// visibleInfos describes the deployments that the caller may use, and that have a name or an id if one is asked for.
func (s *Server) visibleInfos(x *exchange, group, id string) []modelInfo {
	list := []modelInfo{}
	for _, d := range s.Engine.All() {
		if (id == "" || id == d.ID) && (group == "" || group == d.Group) && s.mayUse(x, d.Group) {
			list = append(list, s.info(d))
		}
	}
	return list
}

// modelInfo lists the deployments.
func (s *Server) modelInfo(x *exchange) {
	id := x.r.URL.Query().Get("litellm_model_id")
	list := s.visibleInfos(x, "", id)
	if id != "" && len(list) == 0 {
		x.fail(&llm.Error{Kind: llm.KindNotFound, Code: "model_not_found", Param: "litellm_model_id", Message: "no deployment has this id"})
		return
	}
	x.writeJSON(map[string]any{"data": list})
}

// modelInfoPage lists the deployments, a page at a time.
func (s *Server) modelInfoPage(x *exchange) {
	q := x.r.URL.Query()
	list := s.visibleInfos(x, q.Get("model"), q.Get("modelId"))
	if word := strings.ToLower(q.Get("search")); word != "" {
		list = slices.DeleteFunc(list, func(m modelInfo) bool { return !strings.Contains(strings.ToLower(m.ModelName), word) })
	}
	number := func(name string, usual int) int {
		if n, err := strconv.Atoi(q.Get(name)); err == nil && n >= 1 && n <= 1<<20 {
			return n
		}
		return usual
	}
	page, size := number("page", 1), number("size", 50)
	from := min((page-1)*size, len(list))
	x.writeJSON(map[string]any{
		"data": list[from:min(from+size, len(list))], "total_count": len(list), "current_page": page, "total_pages": (len(list) + size - 1) / size, "size": size,
	})
}

// groupInfo describes model groups: what any of their deployments can, and what they may do together.
func (s *Server) groupInfo(x *exchange) {
	only := x.r.URL.Query().Get("model_group")
	data := []map[string]any{}
	for _, name := range s.Engine.Names() {
		if only != "" && only != name || !s.mayUse(x, name) {
			continue
		}
		data = append(data, s.describeGroup(name, s.Engine.Deployments(name)))
	}
	x.writeJSON(map[string]any{"data": data})
}

func (s *Server) describeGroup(name string, list []*router.Deployment) map[string]any {
	group := map[string]any{"model_group": name, "providers": []string{"bedrock"}, "is_public_model_group": false}
	var context, output, tpm, rpm int64
	can := map[string]bool{}
	for _, d := range list {
		context, output = max(context, d.Context), max(output, d.MaxOutput)
		tpm, rpm = tpm+d.Limits.Tokens, rpm+d.Limits.Requests
		if d.Mode != "" {
			group["mode"] = d.Mode
		}
		for price, usd := range s.Engine.PriceList(d) {
			if most, ok := group[price].(float64); !ok || usd > most {
				group[price] = usd
			}
		}
		if m := d.Ref.Model; m != nil {
			for word, capability := range map[string]catalog.Capability{
				"vision": catalog.Vision, "function_calling": catalog.Tools, "parallel_function_calling": catalog.ParallelTools, "prompt_caching": catalog.PromptCache,
				"pdf_input": catalog.Documents, "video_input": catalog.Video, "audio_input": catalog.AudioIn,
			} {
				can["supports_"+word] = can["supports_"+word] || m.Supports(capability) == catalog.Yes
			}
		}
	}
	for word, yes := range can {
		group[word] = yes
	}
	for word, n := range map[string]int64{"max_input_tokens": context, "max_output_tokens": output, "tpm": tpm, "rpm": rpm} {
		if n > 0 {
			group[word] = n
		}
	}
	return group
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
	if len(d.Access) > 0 {
		info["access_groups"] = d.Access
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
