package deployment

import (
	"context"
	"net/http"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/router"
)

// Probe is the way by which a deployment reaches AWS, for those who look at it without calling a model.
type Probe struct {
	// Region is the region that is called, and Warning what is odd about it. A wildcard whose models decide has that of the
	// configuration or the environment.
	Region, Warning string
	// Runtime and Control are the clients of bedrock-runtime and of the control plane; Control is nil where the
	// configuration names an endpoint of its own for the first and none for the second: what is meant for one host is not
	// sent to another.
	Runtime, Control *wire.Client
	// Identity signs the calls; nil where nothing is signed: converse_like, and Authorization in extra_headers.
	Identity *identity.Identity
	// Transport sends what is not signed.
	Transport http.RoundTripper

	connection *connection
}

// Probe returns the way of a deployment of the table's. Its error says that the region or an endpoint is malformed.
func (t *Table) Probe(d *router.Deployment) (*Probe, error) {
	transport := t.ways[d.Connection].transport
	k, ok := t.Connections[d.Connection].(*connection)
	if !ok {
		client, err := t.Connections[d.Connection].Client("")
		return &Probe{Runtime: client, Transport: transport}, err
	}
	p := &Probe{Transport: transport, connection: k}
	path, modelARN, idARN := d.Ref.Region, "", ""
	if d.Ref.ARN != nil {
		path, modelARN = "", d.Ref.Region
	}
	if d.ModelID != "" {
		if arn, err := catalog.ParseARN(d.ModelID); err == nil {
			idARN = arn.Region
		}
	}
	p.Region, p.Warning = k.Region(path, modelARN, idARN)
	var err error
	if p.Runtime, err = k.Client(p.Region); err != nil {
		return nil, err
	}
	if own := k.header.Get("Authorization"); own != "" && !strings.HasPrefix(own, "AWS4-HMAC-SHA256") {
		return p, nil
	}
	p.Identity = k.identity
	if k.control != "" || p.Runtime.Endpoint().IsPublic() {
		p.Control, err = k.clientOf("bedrock", p.Region, k.control, nil) // it lists models and profiles
	}
	return p, err
}

// Denied asks IAM which of the actions on the resources the deployment may not do; see [identity.Pool.Denied]. Identity must
// not be nil, principal is what WhoAmI found.
func (p *Probe) Denied(ctx context.Context, principal string, actions, resources []string) ([]string, error) {
	o := p.connection.who
	o.STSRegion = p.Region
	return p.connection.pool.Denied(ctx, p.Identity, o, principal, actions, resources)
}

// WhoAmI asks STS who the deployment is; see [identity.Pool.WhoAmI]. Identity must not be nil.
func (p *Probe) WhoAmI(ctx context.Context) (identity.Caller, error) {
	o := p.connection.who
	o.STSRegion = p.Region
	return p.connection.pool.WhoAmI(ctx, p.Identity, o)
}
