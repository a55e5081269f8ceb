package sim

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// listedAt is the creation time of everything listed: a fixed one, so that lists never change.
var listedAt = time.Date(2024, 9, 1, 0, 0, 0, 0, time.UTC)

// serveControl answers the model lists of the control plane; false when segments name none of them.
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request, segments []string) bool {
	query := r.URL.Query()
	var wanted string
	if len(segments) == 2 {
		wanted, _ = url.PathUnescape(segments[1])
	}
	switch {
	case segments[0] == "foundation-models" && len(segments) == 1:
		writeJSON(w, map[string]any{"modelSummaries": s.modelSummaries(query)})
	case segments[0] == "inference-profiles" && len(segments) == 1:
		s.listProfiles(w, query)
	case segments[0] == "foundation-models" && len(segments) == 2:
		for _, m := range s.options.Models {
			if m.ID == wanted || s.modelARN(m.ID) == wanted {
				writeJSON(w, map[string]any{"modelDetails": s.modelSummary(m)})
				return true
			}
		}
		writeError(w, &apiError{status: http.StatusNotFound, code: "ResourceNotFoundException", message: "Could not resolve the foundation model from the provided model identifier."})
	case segments[0] == "inference-profiles" && len(segments) == 2:
		for _, p := range s.options.Profiles {
			if p.ID == wanted || s.profileARN(p) == wanted {
				writeJSON(w, s.profileSummary(p))
				return true
			}
		}
		writeError(w, &apiError{status: http.StatusNotFound, code: "ResourceNotFoundException", message: "The provided inference profile identifier does not exist."})
	default:
		return false
	}
	return true
}

func (s *Server) modelARN(id string) string {
	return "arn:aws:bedrock:" + s.options.region() + "::foundation-model/" + id
}

func (s *Server) profileARN(p Profile) string {
	resource := ":inference-profile/"
	if p.Application {
		resource = ":application-inference-profile/"
	}
	return "arn:aws:bedrock:" + s.options.region() + ":" + s.options.Account + resource + p.ID
}

func orDefault(list []string, fallback string) []string {
	if len(list) == 0 {
		return []string{fallback}
	}
	return list
}

func (s *Server) modelSummary(m Model) map[string]any {
	status := "ACTIVE"
	if m.Legacy {
		status = "LEGACY"
	}
	return map[string]any{
		"modelArn": s.modelARN(m.ID), "modelId": m.ID, "modelName": m.Name, "providerName": m.Provider,
		"inputModalities": orDefault(m.Input, "TEXT"), "outputModalities": orDefault(m.Output, "TEXT"),
		"responseStreamingSupported": m.Streaming, "customizationsSupported": []string{},
		"inferenceTypesSupported": orDefault(m.Inference, "ON_DEMAND"), "modelLifecycle": map[string]any{"status": status},
	}
}

func (s *Server) modelSummaries(query url.Values) []map[string]any {
	summaries := []map[string]any{}
	asked := func(name string, have []string) bool {
		want := query.Get(name)
		return want == "" || slices.Contains(have, want)
	}
	for _, m := range s.options.Models {
		if p := query.Get("byProvider"); p != "" && !strings.EqualFold(p, m.Provider) {
			continue
		}
		if asked("byOutputModality", orDefault(m.Output, "TEXT")) && asked("byInferenceType", orDefault(m.Inference, "ON_DEMAND")) && query.Get("byCustomizationType") == "" {
			summaries = append(summaries, s.modelSummary(m))
		}
	}
	return summaries
}

func (s *Server) profileSummary(p Profile) map[string]any {
	models := []map[string]any{}
	for _, id := range p.Models {
		models = append(models, map[string]any{"modelArn": s.modelARN(id)})
	}
	return map[string]any{
		"inferenceProfileName": p.Name, "inferenceProfileId": p.ID, "inferenceProfileArn": s.profileARN(p),
		"models": models, "status": "ACTIVE", "type": profileType(p),
		"createdAt": listedAt.Format(time.RFC3339), "updatedAt": listedAt.Format(time.RFC3339),
	}
}

func profileType(p Profile) string {
	if p.Application {
		return "APPLICATION"
	}
	return "SYSTEM_DEFINED"
}

// listProfiles pages: nextToken is the index at which the next page begins.
func (s *Server) listProfiles(w http.ResponseWriter, query url.Values) {
	var matching []map[string]any
	for _, p := range s.options.Profiles {
		if t := query.Get("type"); t == "" || t == profileType(p) {
			matching = append(matching, s.profileSummary(p))
		}
	}
	start, size := 0, 1000
	if t := query.Get("nextToken"); t != "" {
		n, err := strconv.Atoi(t)
		if err != nil || n < 0 || n > len(matching) {
			writeError(w, validationError("The provided nextToken is invalid."))
			return
		}
		start = n
	}
	if t := query.Get("maxResults"); t != "" {
		n, err := strconv.Atoi(t)
		if err != nil || n < 1 || n > 1000 {
			writeError(w, validationError("1 validation error detected: Value at 'maxResults' failed to satisfy constraint: Member must have value between 1 and 1000"))
			return
		}
		size = n
	}
	end := min(start+size, len(matching))
	answer := map[string]any{"inferenceProfileSummaries": append([]map[string]any{}, matching[start:end]...)}
	if end < len(matching) {
		answer["nextToken"] = strconv.Itoa(end)
	}
	writeJSON(w, answer)
}

func writeJSON(w http.ResponseWriter, v any) {
	body := mustJSON(v)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}
