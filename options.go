package outcrop

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

// Option is a setting of a [Client]. Of two that say the same the later wins.
type Option func(*settings)

// settings are what options say.
type settings struct {
	env                                 func(string) (string, bool)
	configFile                          string
	role                                Role
	identity                            llm.Identity
	webToken                            string // a token, a file, or a source
	stsEndpoint, agentEndpoint, baseURL string
	headers                             http.Header
	credentials                         func(context.Context) (awsCredentials, error)
	token                               func(context.Context) (string, error)
	transport                           http.RoundTripper
	retries                             *int
	timeout                             time.Duration
	deployments                         []Deployment
	fallbacks                           map[string][]string
	drop, modify, allowHTTP             bool
	observe                             func(context.Context, llm.Call)
	logger                              *slog.Logger
	hosts                               []string
}

// complete fills in what no option said.
func (s *settings) complete() {
	if s.env == nil {
		vars := map[string]string{}
		for _, pair := range os.Environ() {
			if name, value, ok := strings.Cut(pair, "="); ok {
				vars[name] = value
			}
		}
		s.env = func(name string) (string, bool) { value, ok := vars[name]; return value, ok }
	}
}

// WithRegion sets the AWS region. Without it the model's name may hold one, then AWS_REGION_NAME, AWS_REGION and
// AWS_DEFAULT_REGION, the profile and the machine are asked.
func WithRegion(region string) Option { return func(s *settings) { s.identity.Region = region } }

// WithBearerToken sends a Bedrock API key. "file:PATH" names a file that holds it and is read again when it changes.
func WithBearerToken(key string) Option { return func(s *settings) { s.identity.BearerToken = key } }

// WithStaticKeys signs with an access key. The session token belongs to a temporary key and may be empty.
func WithStaticKeys(accessKeyID, secretAccessKey, sessionToken string) Option {
	return func(s *settings) {
		s.identity.AccessKeyID, s.identity.SecretAccessKey, s.identity.SessionToken = accessKeyID, secretAccessKey, sessionToken
	}
}

// WithProfile takes the credentials, and the region if nothing else says one, of a profile of AWS's shared files, SSO
// included.
func WithProfile(name string) Option { return func(s *settings) { s.identity.Profile = name } }

// WithAssumeRole assumes a role with the credentials that the other options name, else with those of the environment. The
// session's name may be empty.
func WithAssumeRole(arn, sessionName string) Option {
	return func(s *settings) { s.role.ARN, s.role.SessionName = arn, sessionName }
}

// WithRole is [WithAssumeRole] with everything that STS takes.
func WithRole(role Role) Option { return func(s *settings) { s.role = role } }

// WithWebIdentity assumes a role with a web identity token: the token itself (a JWT), the path of a file that holds it, or
// a source such as oidc/github/AUDIENCE; see docs/authentication.md.
func WithWebIdentity(token, roleARN string) Option {
	return func(s *settings) { s.webToken, s.role.ARN = token, roleARN }
}

// WithSTSEndpoint sets the address of STS, where roles are assumed.
func WithSTSEndpoint(url string) Option { return func(s *settings) { s.stsEndpoint = url } }

// Role is a role to assume.
type Role struct {
	ARN, SessionName, ExternalID string
	// Policy narrows what the session may do: an inline policy, in JSON.
	Policy string
	// Duration is how long its credentials last; 0 leaves it to STS.
	Duration time.Duration
	// Tags are the session's.
	Tags map[string]string
}

// WithEndpoint sets the address of bedrock-runtime: a VPC endpoint, a proxy. That of bedrock-agent-runtime, for rerankers,
// follows from it.
func WithEndpoint(url string) Option { return func(s *settings) { s.identity.Endpoint = url } }

// WithAgentEndpoint sets the address of bedrock-agent-runtime; "off" has rerankers called through InvokeModel.
func WithAgentEndpoint(url string) Option { return func(s *settings) { s.agentEndpoint = url } }

// WithBaseURL sets the address that models of the route converse_like/ are called at: it takes Converse's requests, is
// used as it stands, and nothing is signed. A bearer token goes there, too.
func WithBaseURL(url string) Option { return func(s *settings) { s.baseURL = url } }

// WithAllowHTTP permits http:// towards hosts that are neither this machine nor in a private network.
func WithAllowHTTP() Option { return func(s *settings) { s.allowHTTP = true } }

// WithHeader sends a header with every call. Authorization replaces signature and bearer token.
func WithHeader(name, value string) Option {
	return func(s *settings) {
		if s.headers == nil {
			s.headers = http.Header{}
		}
		s.headers.Set(name, value)
	}
}

// WithHTTPClient sends calls to Bedrock through a client of one's own, redirects aside, which are not followed. Close does
// not end its connections.
func WithHTTPClient(client *http.Client) Option {
	return func(s *settings) {
		own := *client
		own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		s.transport = doer{&own}
	}
}

// WithTransport is [WithHTTPClient] for a transport alone.
func WithTransport(t http.RoundTripper) Option { return func(s *settings) { s.transport = t } }

// WithRetries sets how often a failed call is tried again, waits between the tries included: throttles, failures of AWS's
// and broken connections, as long as nothing of the answer has been seen. It is twice by default; 0 is never.
func WithRetries(n int) Option { return func(s *settings) { s.retries = &n } }

// WithTimeout bounds a whole call that is no stream, and the wait for a stream's first event. It is ten minutes by default;
// a context can be stricter.
func WithTimeout(d time.Duration) Option { return func(s *settings) { s.timeout = d } }

// WithFallbacks names the models that stand in, in this order, when calls of a model fail: names of deployments, or any
// model. "*" is every model that has none of its own.
func WithFallbacks(model string, others ...string) Option {
	return func(s *settings) {
		if s.fallbacks == nil {
			s.fallbacks = map[string][]string{}
		}
		s.fallbacks[model] = others
	}
}

// Deployment is a model in one region of one account, under a name.
type Deployment struct {
	// Name is what requests ask for; calls are balanced among the deployments of one name.
	Name string
	// Model is the model's name, as it could stand in a request.
	Model string
	// ID names the deployment in records; empty makes one of what it is.
	ID string
	// ModelID goes into AWS's URL in the place of the model's id.
	ModelID string
	// Region is the AWS region.
	Region string
	// Identity is whom calls go as, in the place of the client's identity; nil leaves that.
	Identity *llm.Identity
	// Weight is the deployment's share of the calls, relative to the others'; 0 is that of its quotas, or an equal one.
	Weight float64
	// Order is the deployment's rank: the lowest is asked first. RPM and TPM are its quotas, in requests and tokens in a
	// minute; 0 is none.
	Order, RPM, TPM int
	// MaxParallel bounds the calls that are under way at once; 0 is no bound.
	MaxParallel int
}

// WithDeployments adds deployments. The names of models work beside them.
func WithDeployments(list ...Deployment) Option {
	return func(s *settings) { s.deployments = append(s.deployments, list...) }
}

// WithConfig reads the gateway's configuration file, a LiteLLM config.yaml: its models are the only ones then, by its
// names, with its credentials, retries, fallbacks and parameters. Settings of the server mean nothing here. What other
// options say of credentials, region and endpoint is for deployments that say nothing of it themselves.
func WithConfig(path string) Option { return func(s *settings) { s.configFile = path } }

// WithDropParams leaves out parameters that a model does not take, instead of refusing them; Served.Losses names them.
func WithDropParams() Option { return func(s *settings) { s.drop = true } }

// WithModifyParams lets conversations that AWS would refuse be repaired: turns in the wrong order, blank texts.
func WithModifyParams() Option { return func(s *settings) { s.modify = true } }

// WithObserver has a function called at the end of every call, for spend and metrics. It runs in the goroutine of the call,
// with its context.
func WithObserver(f func(context.Context, llm.Call)) Option {
	return func(s *settings) { s.observe = f }
}

// WithLogger logs a line for each call, warnings, and at debug level the requests to AWS: without credentials, long texts
// cut. Without it nothing is logged.
func WithLogger(l *slog.Logger) Option { return func(s *settings) { s.logger = l } }

// WithURLHosts names hosts, with or without a port, from which files may be fetched although they are in a private network.
// Files that requests name by http(s) URLs are fetched from public addresses only, otherwise.
func WithURLHosts(hosts ...string) Option {
	return func(s *settings) { s.hosts = append(s.hosts, hosts...) }
}

// WithEnvironment reads variables by a function in the place of os.LookupEnv.
func WithEnvironment(lookup func(name string) (string, bool)) Option {
	return func(s *settings) { s.env = lookup }
}
