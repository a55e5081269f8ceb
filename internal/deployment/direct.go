package deployment

import (
	"errors"
	"net/http"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/config"
)

// direct reaches the one address of a converse_like deployment. Nothing is put behind the address, nothing is signed: the
// key, if there is one, goes as a bearer token.
type direct struct {
	client *wire.Client
	// What the client of a call with an address or a key of its own is made of.
	transport  http.RoundTripper
	header     http.Header
	userAgent  string
	clientside config.ClientParams
	allowHTTP  bool
}

var (
	errNoAddress = errors.New("the route converse_like/ needs api_base, the address that takes Converse's requests")
	errNoSession = errors.New("aws_attribution has no effect on the route converse_like/, where nothing is signed: set aws_attribution: false")
)

func newDirect(c *config.Config, entry *config.Deployment, header http.Header, transport http.RoundTripper, userAgent string) (*direct, error) {
	p := &entry.Params
	if c.Attribution(entry) != nil {
		return nil, errNoSession
	}
	if p.APIBase == "" {
		return nil, errNoAddress
	}
	endpoint, err := wire.DirectEndpoint(p.APIBase, p.AllowHTTPUpstream)
	if err != nil {
		return nil, err
	}
	if p.APIKey.IsSet() && header["Authorization"] == nil {
		header.Set("Authorization", "Bearer "+p.APIKey.Reveal())
	}
	return &direct{
		client: wire.NewClient(wire.ClientOptions{
			Endpoint: endpoint, Authenticator: wire.Anonymous{}, Transport: transport, Header: header, UserAgent: userAgent,
		}),
		transport: transport, header: header, userAgent: userAgent, clientside: p.ClientsideAuthParams, allowHTTP: p.AllowHTTPUpstream,
	}, nil
}

// Client returns the client; there are no regions.
func (d *direct) Client(string) (*wire.Client, error) { return d.client, nil }

// AgentRuntime returns none: the address is that of one operation.
func (d *direct) AgentRuntime(string) (*wire.Client, error) { return nil, nil } //nolint:nilnil // see engine.Connection

// Mantle returns none: the address is that of one operation.
func (d *direct) Mantle(string) (*wire.Client, error) { return nil, errNoMantle }

var errNoMantle = errors.New("the address of this deployment is that of one operation: it has no Mantle endpoint")

// Region returns none.
func (d *direct) Region(string, string, string) (region, warning string) { return "", "" }
