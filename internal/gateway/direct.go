package gateway

import (
	"errors"
	"net/http"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/config"
)

// direct reaches the one address of a converse_like deployment. Nothing is put behind the address, nothing is signed: the
// key, if there is one, goes as a bearer token.
type direct struct{ client *wire.Client }

var errNoAddress = errors.New("the route converse_like/ needs api_base, the address that takes Converse's requests")

func newDirect(p *config.LitellmParams, header http.Header, transport http.RoundTripper, userAgent string) (*direct, error) {
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
	return &direct{wire.NewClient(wire.ClientOptions{
		Endpoint: endpoint, Authenticator: wire.Anonymous{}, Transport: transport, Header: header, UserAgent: userAgent,
	})}, nil
}

// Client returns the client; there are no regions.
func (d *direct) Client(string) (*wire.Client, error) { return d.client, nil }

// AgentRuntime returns none: the address is that of one operation.
func (d *direct) AgentRuntime(string) (*wire.Client, error) { return nil, nil } //nolint:nilnil // see engine.Connection

// Region returns none.
func (d *direct) Region(string, string, string) (region, warning string) { return "", "" }
