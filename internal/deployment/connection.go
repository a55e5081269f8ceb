package deployment

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// connection reaches AWS as one deployment's identity, at its endpoint.
type connection struct {
	identity *identity.Identity
	// token, if it is not nil, authenticates in the place of the identity.
	token     wire.Authenticator
	way       way
	header    http.Header
	parameter string // aws_region_name
	endpoint  wire.EndpointOptions
	env       func(string) (string, bool)
	userAgent string
	// pool and who are where the identity comes from; control is the address of the control plane, agent that of
	// bedrock-agent-runtime, mantle that of the Mantle host, "" for AWS's own.
	pool                   *identity.Pool
	who                    identity.Options
	control, agent, mantle string
	// clientside is what clients may say of the connection; sessions name the callers by the rules of attribution, both are
	// nil where they are not named.
	clientside  config.ClientParams
	attribution *config.Attribution
	sessions    *identity.Sessions
}

func newConnection(c *config.Config, entry *config.Deployment, o *Options) (*connection, error) {
	p := &entry.Params
	who := identity.Options{
		APIKey: p.APIKey, AccessKeyID: p.AWSAccessKeyID, SecretAccessKey: p.AWSSecretAccessKey, SessionToken: p.AWSSessionToken,
		Profile: p.AWSProfileName, RoleARN: p.AWSRoleName, SessionName: p.AWSSessionName, ExternalID: p.AWSExternalID,
		SessionPolicy: p.AWSSessionPolicy, RoleDuration: p.AWSRoleDuration, WebIdentity: p.AWSWebIdentityToken,
		STSEndpoint: p.AWSSTSEndpoint, STSRegion: p.AWSRegionName, AllowHTTP: p.AllowHTTPUpstream,
		AllowProcess: c.GeneralSettings.AllowCredentialProcess,
	}
	for _, tag := range p.AWSSessionTags {
		who.SessionTags = append(who.SessionTags, identity.Tag{Key: tag.Key, Value: tag.Value})
	}
	get := o.get
	who.CAFile, who.Insecure = verification(cmp.Or(p.SSLVerify, c.LitellmSettings.SSLVerify, config.TLSVerify(get("SSL_VERIFY"))))
	k := &connection{header: http.Header{}, parameter: p.AWSRegionName, env: o.Env, userAgent: o.UserAgent, pool: o.Pool}
	if err := k.goesAs(who, o); err != nil {
		return nil, err
	}
	if k.way.transport = o.Transport; k.way.transport == nil {
		own, err := wire.NewTransport(wire.TransportOptions{
			Connect: c.Timeouts(entry).Connect, CAFile: cmp.Or(who.CAFile, get("AWS_CA_BUNDLE"), get("SSL_CERT_FILE")), Insecure: who.Insecure,
		})
		if err != nil {
			return nil, err
		}
		k.way = way{own, own}
	}
	k.clientside, k.attribution = p.ClientsideAuthParams, c.Attribution(entry)
	k.sessions = newSessions(k.attribution, o.Pool)
	for name, value := range p.ExtraHeaders {
		if !strings.EqualFold(name, "anthropic-beta") { // travels in the body
			k.header[http.CanonicalHeaderKey(name)] = []string{value.Reveal()}
		}
	}
	k.endpoint = wire.EndpointOptions{
		AllowHTTP: p.AllowHTTPUpstream, FIPS: isTrue(get("AWS_USE_FIPS_ENDPOINT")), DualStack: isTrue(get("AWS_USE_DUALSTACK_ENDPOINT")),
	}
	k.endpoint.Override = cmp.Or(
		p.AWSBedrockRuntimeEndpoint, p.APIBase, get("AWS_BEDROCK_RUNTIME_ENDPOINT"), get("AWS_ENDPOINT_URL_BEDROCK_RUNTIME"), get("AWS_ENDPOINT_URL"),
	)
	k.agent = cmp.Or(p.AWSBedrockAgentRuntimeEndpoint, get("AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME"), wire.AgentRuntime(k.endpoint.Override))
	k.mantle = cmp.Or(p.AWSBedrockMantleEndpoint, get("BEDROCK_MANTLE_API_BASE"), wire.Mantle(k.endpoint.Override))
	k.control = cmp.Or(p.AWSBedrockControlPlaneEndpoint, get("AWS_ENDPOINT_URL_BEDROCK"), get("AWS_ENDPOINT_URL"))
	return k, nil
}

// goesAs sets the identity: what the deployment says, else what the program brings, else that of the environment.
func (k *connection) goesAs(who identity.Options, o *Options) (err error) {
	own := who
	own.RoleARN = ""
	if own.IsAmbient() && o.Credentials != nil {
		given := identity.Options{Provider: o.Credentials}
		if who.RoleARN == "" {
			who = given
		} else if who.Source, err = o.Pool.For(given); err != nil {
			return err
		}
	}
	if who.IsAmbient() && o.Token != nil {
		k.token = bearer(o.Token)
		who.APIKey = secret.New("(asked for before each call)") // so that it is known for one that signs nothing
	}
	k.who = who
	k.identity, err = o.Pool.For(who)
	return err
}

// bearer authenticates with a token that a program gives.
type bearer func(context.Context) (string, error)

// Authenticate sets the token.
func (b bearer) Authenticate(ctx context.Context, r *http.Request, _ string) error {
	token, err := b(ctx)
	if err != nil {
		return &llm.Error{Kind: llm.KindPermission, Code: wire.CodeCredentials, Message: "the bearer token cannot be had", Cause: err}
	}
	r.Header["Authorization"] = []string{"Bearer " + token}
	return nil
}

// Invalidate reports that the program renews its tokens itself.
func (bearer) Invalidate(*http.Request) bool { return false }

// LearnClock reports that the time does not matter.
func (bearer) LearnClock(*http.Request, time.Time) bool { return false }

// verification reads ssl_verify: a file of authorities, or a switch.
func verification(word config.TLSVerify) (file string, insecure bool) {
	switch strings.ToLower(string(word)) {
	case "", "true", "1", "yes", "on":
		return "", false
	case "false", "0", "no", "off":
		return "", true
	}
	return string(word), false
}

func isTrue(s string) bool { return strings.EqualFold(s, "true") }

// Client returns a client of bedrock-runtime for a region.
func (k *connection) Client(region string) (*wire.Client, error) {
	return k.clientOf("bedrock-runtime", region, k.endpoint.Override, k.header)
}

// AgentRuntime returns a client of bedrock-agent-runtime for a region, nil for a bearer key.
func (k *connection) AgentRuntime(region string) (*wire.Client, error) {
	if k.identity.IsBearer() && k.header.Get("Authorization") == "" || k.agent == switchedOff {
		return nil, nil //nolint:nilnil // see engine.Connection
	}
	return k.clientOf("bedrock-agent-runtime", region, k.agent, k.header)
}

// Mantle returns a client of Mantle's host for a region.
func (k *connection) Mantle(region string) (*wire.Client, error) {
	return k.clientOf("bedrock-mantle", region, k.mantle, k.header)
}

// switchedOff, in the place of a service's address, says that it must not be used.
const switchedOff = "off"

// clientOf returns a client of one of Bedrock's services, at override if that is not empty.
func (k *connection) clientOf(service, region, override string, header http.Header) (*wire.Client, error) {
	o := k.endpoint
	o.Override = override
	endpoint, err := wire.ResolveEndpoint(service, region, o)
	if err != nil {
		return nil, err
	}
	proof := k.token
	if proof == nil {
		proof = k.identity.For(endpoint.Service, region)
	}
	return wire.NewClient(wire.ClientOptions{
		Endpoint: endpoint, Authenticator: proof, Transport: k.way.transport, Header: header, UserAgent: k.userAgent,
	}), nil
}

// regionTime bounds the question to a profile or a metadata service in which region the gateway runs.
const regionTime = 2 * time.Second

// Region finds the region in the order that the AWS tools have. The identity is asked only when nothing nearer says one,
// since that reads files, and may ask a metadata service.
func (k *connection) Region(path, modelARN, idARN string) (region, warning string) {
	sources := identity.RegionSources{Parameter: k.parameter, Path: path, ModelID: idARN, Model: modelARN}
	region, warning = identity.ResolveRegion(sources, k.env)
	if warning == "" || region != identity.DefaultRegion || k.parameter != "" {
		return region, warning
	}
	ctx, cancel := context.WithTimeout(context.Background(), regionTime)
	defer cancel()
	var err error
	if sources.Profile, err = k.identity.Region(ctx); err != nil {
		return region, warning
	}
	return identity.ResolveRegion(sources, k.env)
}
