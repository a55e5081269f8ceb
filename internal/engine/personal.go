package engine

import (
	"maps"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/llm"
)

// Personal is a [Connection] on which a call may go as an identity of its own: one that the client brings, or one that
// tells AWS who the caller is.
type Personal interface {
	Connection
	// Attributes reports whether every call goes as an identity that names its caller.
	Attributes() bool
	// As returns the way of a call for which region was found. It refuses what of call.Connection the deployment does not
	// let clients say.
	As(region string, call *Call) (Way, *llm.Error)
}

// Way is how one call reaches AWS.
type Way struct {
	// Connection is the call's own, for Region; nil is that of all calls.
	Connection Connection
	Region     string
	// Warning is for the client and, once, for the log. It is ASCII and holds nothing of the client's.
	Warning string
	// Brought says that the credentials are the client's own.
	Brought bool
}

// attributes reports whether calls over a connection name their callers.
func attributes(c Connection) bool {
	p, ok := c.(Personal)
	return ok && p.Attributes()
}

// goAs gives the call a target of its own if it goes as another identity than the deployment's.
func (e *Engine) goAs(call *Call) *llm.Error {
	t := call.target
	connection, ok := t.connection.(Personal)
	if !ok {
		for _, name := range slices.Sorted(maps.Keys(call.Connection)) {
			return Forbidden(name)
		}
		return nil
	}
	way, failed := connection.As(t.region, call)
	if failed != nil {
		return failed
	}
	call.brought = way.Brought
	if call.Warning = way.Warning; way.Warning != "" {
		if _, told := e.warned.LoadOrStore(t.deployment.ID+" "+way.Warning, true); !told {
			e.o.Logger.Warn(way.Warning, telemetry.FieldDeployment, t.deployment.ID, telemetry.FieldGroup, t.deployment.Group)
		}
	}
	if way.Connection == nil {
		return nil
	}
	next, d := *t, *t.deployment // the route may be another for another identity
	next.deployment, next.connection = &d, way.Connection
	if call.Connection == nil { // what a client's own endpoint answers says nothing about the deployment
		next.shared = t
	}
	moved := next.region != way.Region
	next.region = way.Region
	if failed := e.connect(&next); failed != nil {
		return failed
	}
	if moved {
		e.value(&next)
	}
	call.target, call.Deployment, call.Region, call.Endpoint = &next, &d, next.region, next.endpoint
	return nil
}

// Forbidden says that clients may not send a connection parameter.
func Forbidden(name string) *llm.Error {
	return &llm.Error{
		Kind: llm.KindInvalid, Code: "forbidden_parameter", Param: name,
		Message: name + " cannot be set by a client: it is part of the gateway's configuration",
	}
}

// blame says of refused credentials that they are the client's own, where they are.
func blame(failed *llm.Error, call *Call) *llm.Error {
	if !call.brought || failed.Kind != llm.KindPermission {
		return failed
	}
	const whose = "These are the AWS credentials that the request brought, not the gateway's."
	other := *failed // others may wait for the same credentials
	switch {
	case strings.HasPrefix(failed.Hint, whose): // said by a part of the call
	case failed.Hint == "", failed.Hint == wire.HintCredentials:
		other.Hint = whose
	default:
		other.Hint = whose + " " + failed.Hint
	}
	return &other
}
