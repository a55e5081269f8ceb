package deployment

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/internal/secret"
)

// passThroughID is the id of the deployment that relays what is asked of no model, where the configuration names none.
const passThroughID = "pass-through"

// passThrough makes the deployment that relays what is asked of no model, and models that no name is for: as the credential or
// deployment that bedrock_passthrough_credential names, else as what the environment says.
func (t *Table) passThrough(c *config.Config, o *Options) error {
	entry, id := &config.Deployment{}, passThroughID
	if name := c.GeneralSettings.PassThroughCredential; name != "" {
		if params, ok := c.Credentials[name]; ok {
			entry.Params = params
		} else {
			for i := range c.ModelList {
				if d := &c.ModelList[i]; d.ModelName == name || d.Info.ID == name {
					entry, id = d, d.Info.ID
					break
				}
			}
		}
	}
	k, err := newConnection(c, entry, o)
	if err != nil && id == passThroughID && c.GeneralSettings.PassThroughCredential == "" {
		return nil // a broken environment matters to nobody whose deployments have credentials of their own
	}
	if err != nil {
		return fmt.Errorf("general_settings.bedrock_passthrough_credential: %w", err)
	}
	times := c.Timeouts(entry)
	t.PassThrough = &router.Deployment{
		ID: id, Group: "*", Model: "*", Region: k.parameter, Connection: len(t.Connections), GuardrailLocked: !entry.Info.GuardrailOverridable,
		Timeouts: router.Timeouts{Total: times.Total, FirstByte: times.FirstByte, FirstEvent: times.Stream, Idle: times.StreamIdle},
		Drain:    c.OnClientDisconnect(entry) == config.Drain,
	}
	t.Connections = append(t.Connections, k)
	t.ways = append(t.ways, k.way)
	return nil
}

// Service returns a client of one of Bedrock's services for a region.
func (k *connection) Service(service, region string) (*wire.Client, error) {
	switch service {
	case wire.ServiceControl:
		return k.clientOf(service, region, k.control, k.header)
	case wire.ServiceAgentRuntime:
	default:
		return k.Client(region)
	}
	if k.token == nil && !k.identity.IsBearer() || k.header.Get("Authorization") != "" {
		return k.clientOf(service, region, k.agent, k.header)
	}
	if k.token != nil { // a program's own, which has nothing else
		return k.clientOf(service, region, k.agent, k.header)
	}
	// AWS documents no API keys for this host: who has other credentials, too, signs.
	who := k.who
	who.APIKey, who.Signing = secret.Secret{}, true
	signing, err := k.pool.For(who)
	if err != nil {
		return nil, err
	}
	o := k.endpoint
	o.Override = k.agent
	endpoint, err := wire.ResolveEndpoint(service, region, o)
	if err != nil {
		return nil, err
	}
	return wire.NewClient(wire.ClientOptions{
		Endpoint: endpoint, Transport: k.way.transport, Header: k.header, UserAgent: k.userAgent,
		Authenticator: &either{first: signing.For(endpoint.Service, region), second: k.identity.For(endpoint.Service, region)},
	}), nil
}

// either proves who calls in one way, in a second one where there are no credentials for the first.
type either struct{ first, second wire.Authenticator }

// Authenticate is the first's, else the second's.
func (e *either) Authenticate(ctx context.Context, r *http.Request, payloadHash string) error {
	if err := e.first.Authenticate(ctx, r, payloadHash); err == nil || ctx.Err() != nil {
		return err
	}
	return e.second.Authenticate(ctx, r, payloadHash)
}

// Invalidate drops the credentials that r was sent with.
func (e *either) Invalidate(r *http.Request) bool { return e.of(r).Invalidate(r) }

// LearnClock tells the one that r was signed by what time it is.
func (e *either) LearnClock(r *http.Request, at time.Time) bool { return e.of(r).LearnClock(r, at) }

func (e *either) of(r *http.Request) wire.Authenticator {
	if strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-") {
		return e.first
	}
	return e.second
}
