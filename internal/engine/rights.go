package engine

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// EndUsers knows what is said of the customers of those who call; *account.Directory does.
type EndUsers interface {
	// EndUser returns the terms of one, nil if there are none.
	EndUser(id string) *account.EndUser
}

// ask returns what answers to the name that a call asks for, if its caller may use it. Every name goes through here: that of
// the request, those of fallbacks, and those that a pass-through has in its path.
func (e *Engine) ask(call *Call, name string, want mode) (query, *llm.Error) {
	c := &call.Caller
	if c.Key == nil && call.EndUser == nil { // the master key, or an open gateway
		return e.query(name, want)
	}
	m := c.Ask(name)
	q, unknown := e.query(m.Shared, want)
	if unknown == nil {
		q.describe(&m)
	}
	if denied := c.MayUse(&m); denied != nil {
		return query{}, denied
	}
	if call.EndUser != nil {
		if denied := call.EndUser.MayUse(&m); denied != nil {
			return query{}, denied
		}
	}
	if unknown != nil && !c.Unlimited() {
		unknown.Message = "The model '" + clipName(name) + "' does not exist or is not configured here. GET /v1/models lists what there is." // without the names of what others may use
	}
	return q, unknown
}

// describe tells under which other names rights may know the model.
func (q *query) describe(m *account.Model) {
	switch group := q.list[0].Group; {
	case !strings.Contains(group, "*"):
		m.Group = group
	case strings.HasPrefix(m.Shared, bedrockPrefix):
		m.Full = strings.TrimPrefix(m.Shared, bedrockPrefix)
	default:
		m.Full = bedrockPrefix + m.Shared
	}
	m.Access = q.list[0].Access
	for _, d := range q.list[1:] {
		for _, group := range d.Access {
			if !slices.Contains(m.Access, group) {
				m.Access = append(slices.Clip(m.Access), group)
			}
		}
	}
}

const bedrockPrefix = "bedrock/"

func clipName(name string) string {
	const shown = 80
	if len(name) > shown {
		return name[:shown] + "…"
	}
	return name
}

// MayUse says why a caller may not use a model, nil if he may.
func (e *Engine) MayUse(c *account.Caller, name string) *llm.Error {
	_, failed := e.ask(&Call{Caller: *c}, name, modeAny)
	return failed
}

// checkRights says why a call may not go on for the sake of its end user, or of a fallback that it names.
func (e *Engine) checkRights(call *Call) *llm.Error {
	if id := call.Request.User; id != "" && e.o.EndUsers != nil {
		if u := e.o.EndUsers.EndUser(id); u != nil {
			if u.Blocked {
				return &llm.Error{Kind: llm.KindPermission, Type: "auth_error", Param: "user", Message: "This end user is blocked. Update via `/customer/unblock` if you're an admin."}
			}
			call.EndUser = u
			if !call.within(u.Region) {
				return llm.Invalid(paramRegion, "this end user may only be served in "+u.Region)
			}
		}
	}
	if k := call.Caller.Key; k != nil {
		call.tag(k.Tags)
	}
	if t := call.Caller.Team; t != nil {
		call.tag(t.Tags)
	}
	if call.Caller.Unlimited() && call.EndUser == nil {
		return nil
	}
	for _, list := range [][]Fallback{call.Fallbacks, call.ContextFallbacks, call.FilterFallbacks} {
		for _, f := range list {
			if _, failed := e.ask(call, f.Model, modeAny); failed != nil && failed.Status() == http.StatusForbidden {
				return failed
			}
		}
	}
	return nil
}

// checkDirect says why a call may not go on that is for no model: an agent's, say. Models that its body names somewhere, as
// RetrieveAndGenerate's and InvokeInlineAgent's do, are AWS's own, and the caller must have the right to them.
func (e *Engine) checkDirect(call *Call, body []byte) *llm.Error {
	if denied := e.checkRights(call); denied != nil {
		return denied
	}
	if call.Caller.Unlimited() && call.EndUser == nil {
		return nil
	}
	var v any
	_ = json.Unmarshal(body, &v) // of a body that is none, AWS says so
	return e.checkNamed(call, v)
}

// checkNamed looks for names of models in a body.
func (e *Engine) checkNamed(call *Call, v any) *llm.Error {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			if denied := e.checkNamed(call, one); denied != nil {
				return denied
			}
		}
	case map[string]any:
		for name, one := range v {
			text, isText := one.(string)
			if isText && (name == "modelArn" || name == "modelId" || name == "foundationModel") {
				m := call.Caller.Ask(text)
				m.Full = text[strings.LastIndexByte(text, '/')+1:]
				if denied := call.Caller.MayUse(&m); denied != nil {
					return denied
				}
				if call.EndUser != nil {
					if denied := call.EndUser.MayUse(&m); denied != nil {
						return denied
					}
				}
			}
			if denied := e.checkNamed(call, one); denied != nil {
				return denied
			}
		}
	}
	return nil
}

// tag puts tags to the request that it has not.
func (c *Call) tag(tags []string) {
	for _, t := range tags {
		if !slices.Contains(c.Request.Tags, t) {
			c.Request.Tags = append(slices.Clip(c.Request.Tags), t)
		}
	}
}

// within keeps a call to a region or geography; it reports whether anything is left of what the client allows.
func (c *Call) within(region string) bool {
	if region == "" {
		return true
	}
	if len(c.Regions) == 0 {
		c.Regions = []string{region}
		return true
	}
	var both []string
	for _, r := range c.Regions {
		switch {
		case isIn(r, []string{region}):
			both = append(both, r)
		case isIn(region, []string{r}):
			both = append(both, region)
		}
	}
	c.Regions = both
	return len(both) > 0
}

// substitute returns the model that stands in for one that has no deployment in the regions of the call's end user; empty is
// none.
func (c *Call) substitute(none *llm.Error) string {
	if c.EndUser == nil || none.Param != paramRegion || c.EndUser.DefaultModel == c.Request.Model {
		return ""
	}
	return c.EndUser.DefaultModel
}
