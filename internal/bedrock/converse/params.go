package converse

import (
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// planExtra sorts the provider's own parameters: those with a place of their own in AWS's body, and those for the
// model.
func (e *encoder) planExtra() {
	f := &e.fields
	for i := range e.req.Extra {
		x := &e.req.Extra[i]
		if len(x.Value) == 0 || string(x.Value) == "null" {
			continue
		}
		if jsonscan.Valid(x.Value) != nil {
			e.refuse(x.Name, x.Name+" is not JSON")
			return
		}
		if e.m.body != nil && isConverseOnly(x.Name) {
			e.unsupported(x.Name)
			continue
		}
		switch x.Name {
		case "additionalModelRequestFields":
			f.client = e.objectParam(x)
		case "inferenceConfig":
			f.inference = e.objectParam(x)
		case "outputConfig":
			f.outputConfig = e.objectParam(x)
		case "promptVariables":
			f.promptVariables = e.objectParam(x)
		case "performanceConfig":
			f.performance = e.objectParam(x)
		case "serviceTier":
			f.tier = e.objectParam(x)
		case "additionalModelResponseFieldPaths":
			var ok bool
			if f.paths, ok = stringList(x.Value); !ok {
				e.refuse(x.Name, x.Name+" must be a list of strings")
			}
		case "anthropic_beta":
			f.betas = e.betaParam(x.Name, x.Value)
		case "output_config":
			f.claudeOutput = x.Value
		case "context_management":
			f.contextManagement = x.Value
		default:
			f.own = true
		}
	}
	if f.client != nil {
		if betas, ok := memberOf(f.client, "anthropic_beta"); ok {
			f.clientBetas = e.betaParam("additionalModelRequestFields.anthropic_beta", betas)
		}
	}
}

func (e *encoder) objectParam(x *llm.Field) []byte {
	s := jsonscan.New(x.Value)
	if s.Peek() != jsonscan.KindObject {
		e.refuse(x.Name, x.Name+" must be an object")
		return nil
	}
	return x.Value
}

// isExtraWithPlace reports whether planExtra has found a place for the parameter.
func isExtraWithPlace(name string) bool {
	switch name {
	case "additionalModelRequestFields", "inferenceConfig", "outputConfig", "promptVariables", "performanceConfig", "serviceTier",
		"additionalModelResponseFieldPaths", "anthropic_beta", "output_config", "context_management":
		return true
	default:
		return false
	}
}

// isInternal reports whether a key is the gateway's own business: credentials must never stand in a body, whoever
// forgot to take them out.
func isInternal(name string) bool {
	return strings.HasPrefix(name, "aws_") || strings.HasPrefix(name, "litellm_") || strings.HasPrefix(name, "api_key")
}

// planParams deals with OpenAI's parameters that Bedrock has no general counterpart for.
func (e *encoder) planParams() {
	for i := range e.req.Params {
		p := &e.req.Params[i]
		if len(p.Value) == 0 || string(p.Value) == "null" || restatesDefault(p.Name, p.Value) {
			continue
		}
		if jsonscan.Valid(p.Value) != nil {
			e.refuse(p.Name, p.Name+" is not JSON")
			return
		}
		switch {
		case p.Name == "user" || p.Name == "safety_identifier" || p.Name == "metadata": // for the books
		case p.Name == "web_search_options" && (e.m.family == familyNova1 || e.m.family == familyNova2):
			e.tools.grounding = !e.m.noTools
			if !isEmptyObject(p.Value) {
				e.req.Lose(p.Name, "options")
			}
		case p.Name == "output_config":
			e.fields.claudeOutput = p.Value
		case p.Name == "context_management":
			e.fields.contextManagement = p.Value
		case e.m.takes(p.Name) || e.allowed(p.Name):
			e.fields.own = true
		default:
			e.unsupported(p.Name)
		}
	}
	e.planContextManagement()
}

// isSentParam reports whether one of OpenAI's parameters goes to the model under its own name.
func (e *encoder) isSentParam(p *llm.Field) bool {
	switch p.Name {
	case "user", "safety_identifier", "metadata", "output_config", "context_management":
		return false
	}
	return len(p.Value) > 0 && string(p.Value) != "null" && !restatesDefault(p.Name, p.Value) &&
		(e.m.takes(p.Name) || e.allowed(p.Name))
}

// restatesDefault reports whether a parameter only says what OpenAI's API does anyway.
func restatesDefault(name string, value []byte) bool {
	switch name {
	case "n":
		return string(value) == "1"
	case "store", "logprobs", "echo":
		return string(value) == "false"
	case "presence_penalty", "frequency_penalty", "top_logprobs":
		f, err := strconv.ParseFloat(string(value), 64)
		return err == nil && f == 0
	case "logit_bias":
		return isEmptyObject(value)
	case "modalities":
		list, ok := stringList(value)
		return ok && len(list) == 1 && list[0] == "text"
	case "verbosity":
		return string(value) == `"medium"`
	case "best_of":
		return string(value) == "1"
	default:
		return false
	}
}

func isEmptyObject(value []byte) bool {
	s := jsonscan.New(value)
	if s.Peek() != jsonscan.KindObject {
		return false
	}
	more, err := s.OpenObject()
	return err == nil && !more && s.End() == nil
}

// planContextManagement keeps the only edit that Converse takes; Anthropic's own body takes the others, too.
func (e *encoder) planContextManagement() {
	f := &e.fields
	if f.contextManagement == nil {
		return
	}
	edits, _ := memberOf(f.contextManagement, "edits")
	s := jsonscan.New(edits)
	all := 0
	if e.m.family == familyClaude && s.Peek() == jsonscan.KindArray {
		more, err := s.OpenArray()
		for ; err == nil && more; more, err = s.NextElement() {
			edit, err := s.Skip()
			if err != nil {
				break
			}
			all++
			kind, _ := memberOf(edit, "type")
			switch isCompact := string(kind) == `"compact_20260112"`; {
			case isCompact:
				f.edits, f.compacts = append(f.edits, edit), true
			case e.m.isAnthropic():
				f.edits, f.clears = append(f.edits, edit), true
			}
		}
	}
	if len(f.edits) < all || all == 0 {
		e.req.Lose("context_management", "unsupported")
	}
}
