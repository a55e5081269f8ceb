package catalog

import "slices"

// APIs returns the endpoints in OpenAI's and Anthropic's words that are known to serve the model, in the order of the data:
// those of bedrock-runtime, or those of Mantle's host.
func (m *Model) APIs(onMantle bool) []Route {
	if m == nil {
		return nil
	}
	known := m.Endpoints
	switch surface := m.Surfaces[mantle]; {
	case onMantle && surface == nil, !onMantle && m.Route == RouteMantle:
		return nil
	case onMantle:
		surface.Endpoints.replace(&known)
	}
	var list []Route
	for _, endpoint := range known {
		switch endpoint {
		case "chat/completions":
			list = append(list, RouteChatCompletions)
		case "responses":
			list = append(list, RouteResponses)
		case "messages":
			list = append(list, RouteMessages)
		}
	}
	return list
}

// Has reports whether an endpoint is known to serve the model.
func (m *Model) Has(api Route, onMantle bool) bool { return slices.Contains(m.APIs(onMantle), api) }

// MantleID is the model's name on Mantle's host.
func (m *Model) MantleID() string {
	if surface := m.Surfaces[mantle]; surface != nil && surface.ID != "" {
		return surface.ID
	}
	return m.ID
}

// MantleOpenAIPath reports whether Mantle's host serves the model under /openai/v1 rather than /v1.
func (m *Model) MantleOpenAIPath() bool {
	if m == nil {
		return false
	}
	surface := m.Surfaces[mantle]
	return m.Supports(OpenAIPath) == Yes || surface != nil && slices.Contains(surface.MoreCapabilities, string(OpenAIPath))
}
