package engine

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/llm"
)

// nameProfiles has an error that asks for an inference profile name those of the call's model, where the catalogue knows
// them.
func nameProfiles(failed *llm.Error, call *Call) {
	if failed.Hint != wire.HintProfile || call.Deployment == nil || call.Deployment.Ref.Model == nil {
		return
	}
	m := call.Deployment.Ref.Model
	var names []string
	for _, geography := range m.Profiles() {
		names = append(names, geography+"."+m.ID)
	}
	switch n := len(names); {
	case n == 1:
		failed.Hint = "Use the inference profile that contains the model: " + names[0] + "."
	case n > 1:
		failed.Hint = "Use an inference profile that contains the model: " + strings.Join(names[:n-1], ", ") + " or " + names[n-1] + "."
	}
}
