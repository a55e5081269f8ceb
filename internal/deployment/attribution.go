package deployment

import (
	"errors"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/llm"
)

// shownKey is how much of a key's hash names the key in AWS's bill.
const shownKey = 16

// newSessions returns the sessions that name a deployment's callers, nil where they are not named.
func newSessions(a *config.Attribution, pool *identity.Pool) *identity.Sessions {
	if a == nil {
		return nil
	}
	rules := identity.Attribution{SessionName: identity.Source(a.SessionName), MaxSessions: a.MaxSessions}
	for _, t := range a.Tags {
		rules.Tags = append(rules.Tags, identity.SourcedTag{Key: t.Key, From: identity.Source(t.From), Text: t.Text})
	}
	return pool.Attribute(rules)
}

// attributed returns the identity of a call's session. Where there is none, and calls may go without, it says so in
// warning.
func (k *connection) attributed(o identity.Options, call *engine.Call) (as *identity.Identity, warning string, failed *llm.Error) {
	caller := &call.Caller
	as, err := k.sessions.For(o, identity.Names{
		Key: caller.KeyHash[:min(len(caller.KeyHash), shownKey)], KeyAlias: caller.KeyAlias, Team: caller.TeamID, User: caller.UserID, EndUser: call.Request.User,
	})
	var missing *identity.MissingError
	switch {
	case err == nil:
		return as, "", nil
	case errors.As(err, &missing), errors.Is(err, identity.ErrNoRole):
		failed = &llm.Error{
			Kind: llm.KindPermission, Code: "attribution_required", Message: "calls of this model are booked to their caller, but " + err.Error(),
		}
		if missing != nil && missing.Source == identity.FromEndUser {
			failed.Param, failed.Hint = "user", "Send user in the request."
		}
	case errors.Is(err, identity.ErrFull):
		failed = &llm.Error{
			Kind: llm.KindUnavailable, Code: "attribution_capacity",
			Message: "calls of this model are booked to their caller, but all " + strconv.Itoa(k.attribution.MaxSessions) + " sessions are in use",
		}
	default:
		return nil, "", &llm.Error{Kind: llm.KindPermission, Code: wire.CodeCredentials, Message: err.Error(), Cause: err}
	}
	if k.attribution.Refuse {
		return nil, "", failed
	}
	return nil, "aws_attribution: " + err.Error() + "; the call is booked to the deployment", nil
}
