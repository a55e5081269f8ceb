package identity

import (
	"cmp"
	"container/list"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/secret"
)

// maxIdentities bounds the pool; the one that was asked for longest ago goes first.
const maxIdentities = 10_000

// Pool holds every identity of the process once. It is safe for concurrent use.
type Pool struct {
	env func(string) (string, bool)
	now func() time.Time

	ctx  context.Context //nolint:containedctx // the life of the pool's goroutines, which Close ends
	stop context.CancelFunc

	mu         sync.Mutex // guards what follows
	identities map[string]*list.Element
	recent     *list.List // of *entry, the newest first
	closed     bool
	fetches    sync.WaitGroup

	clients sync.Map // clientKey → config.HTTPClient
}

// clientKey is what clients of STS differ in.
type clientKey struct {
	file     string
	state    fileState
	insecure bool
}

type entry struct {
	key      string
	identity *Identity
}

// NewPool returns a pool that reads the environment through env. The AWS SDK's own chain, which is asked last, reads
// the process's environment itself, and proxies for STS come from there.
func NewPool(env func(string) (string, bool)) *Pool {
	ctx, stop := context.WithCancel(context.Background())
	return &Pool{env: env, now: time.Now, ctx: ctx, stop: stop, identities: map[string]*list.Element{}, recent: list.New()}
}

// client returns what STS and the SDK's chain are asked with, one for all identities that verify certificates alike. Its error says that certificate authorities cannot be read.
func (p *Pool) client(o *Options) (config.HTTPClient, error) {
	key := clientKey{insecure: o.Insecure}
	if !o.Insecure {
		if key.file = cmp.Or(o.CAFile, p.get("AWS_CA_BUNDLE"), p.get("SSL_CERT_FILE")); key.file != "" {
			key.state = stateOf(key.file)
		}
	}
	if known, ok := p.clients.Load(key); ok {
		return known.(config.HTTPClient), nil //nolint:forcetypeassert // the map holds nothing else
	}
	var roots *x509.CertPool
	if key.file != "" {
		var err error
		if roots, err = wire.RootCAs(key.file); err != nil {
			return nil, err
		}
	}
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.DisableKeepAlives = true // credentials are fetched once in a while: no connection is worth keeping
		t.TLSClientConfig.InsecureSkipVerify = o.Insecure
		if roots != nil {
			t.TLSClientConfig.RootCAs = roots
		}
	})
	p.clients.Store(key, client)
	return client, nil
}

// Close ends the fetches that are under way and waits for them. Identities work on with the credentials that they have.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	p.fetches.Wait()
}

// run runs work in a goroutine that Close waits for.
func (p *Pool) run(work func(context.Context)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.fetches.Add(1)
	go func() {
		defer p.fetches.Done()
		work(p.ctx)
	}()
	return true
}

// For returns the identity that o means, the same one for the same options. Nothing is fetched yet: credentials that do
// not work are found out by the first call, which says why. Its error says what in o, or in the environment that o
// leaves it to, contradicts itself, or that a file of certificate authorities cannot be read.
func (p *Pool) For(o Options) (*Identity, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	key, shared := o.key()
	if !shared {
		return p.make(o)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.identities[key]; e != nil {
		p.recent.MoveToFront(e)
		return e.Value.(*entry).identity, nil //nolint:forcetypeassert // the list holds nothing else
	}
	i, err := p.make(o)
	if err != nil {
		return nil, err
	}
	i.key = key
	p.identities[key] = p.recent.PushFront(&entry{key, i})
	if p.recent.Len() > maxIdentities {
		last := p.recent.Back()
		p.recent.Remove(last)
		delete(p.identities, last.Value.(*entry).key) //nolint:forcetypeassert // as above
	}
	return i, nil
}

func (p *Pool) get(name string) string {
	v, _ := p.env(name)
	return v
}

func (p *Pool) envRegion() string { return envRegion(p.env) }

// make decides by precedence: what is explicit first, then the environment; the first that is there wins whole.
func (p *Pool) make(o Options) (*Identity, error) {
	var err error
	if o.http, err = p.client(&o); err != nil {
		return nil, err
	}
	if o.Provider != nil {
		return p.signing(o.Provider, &Identity{about: "the given credentials provider", remote: true}), nil
	}
	if o.APIKey.IsSet() {
		return &Identity{bearer: newBearer(o.APIKey, p.now), about: "the configured api_key"}, nil
	}
	ambient := o.IsAmbient()
	if ambient {
		if token := p.get("AWS_BEARER_TOKEN_BEDROCK"); token != "" && !o.Signing {
			return &Identity{bearer: newBearer(secret.New(token), p.now), about: "the bearer token in AWS_BEARER_TOKEN_BEDROCK"}, nil
		}
		if role := p.get("AWS_ROLE_NAME"); role != "" {
			o.RoleARN, o.SessionName, o.ExternalID = role, p.get("AWS_SESSION_NAME"), p.get("AWS_EXTERNAL_ID")
			o.WebIdentity = secret.New(p.get("AWS_WEB_IDENTITY_TOKEN"))
		}
	}
	if o.Source != nil {
		assumed := &Identity{about: "the role " + o.RoleARN + ", assumed by " + o.Source.about, region: o.Source.region}
		return p.assume(&o, aws.CredentialsProviderFunc(o.Source.retrieve), nil, assumed)
	}
	if o.WebIdentity.IsSet() {
		token, err := p.tokenSource(&o)
		if err != nil {
			return nil, err
		}
		return p.assume(&o, nil, token, &Identity{about: "the role " + o.RoleARN + " with a web identity"})
	}
	from, i, err := p.source(&o)
	if err != nil || o.RoleARN == "" {
		return p.signing(from, i), err
	}
	if p.isPodRole(&o) {
		return p.signing(from, i), nil
	}
	assumed := &Identity{about: "the role " + o.RoleARN + ", assumed by " + i.about, region: i.region}
	return p.assume(&o, aws.CredentialsProviderFunc(p.signing(from, i).retrieve), nil, assumed)
}

// retrieve gives the identity's credentials, through its cache.
func (i *Identity) retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := i.credentials.get(ctx)
	if err != nil {
		return aws.Credentials{}, i.failure(ctx, err)
	}
	return creds.Credentials, nil
}

// signing completes an identity that signs with what from gives.
func (p *Pool) signing(from source, i *Identity) *Identity {
	if i == nil {
		return nil
	}
	i.signer, i.now = v4.NewSigner(), p.now
	i.credentials = &cache{source: from, now: p.now, run: p.run}
	return i
}

func (p *Pool) assume(o *Options, with aws.CredentialsProvider, token tokenSource, i *Identity) (*Identity, error) {
	client, err := p.stsClient(o, with)
	if err != nil {
		return nil, err
	}
	i.remote = true
	i.role = &role{
		client: client, arn: o.RoleARN, session: o.SessionName, external: o.ExternalID, source: o.SourceIdentity, policy: o.SessionPolicy,
		duration: o.RoleDuration, tags: o.sortedTags(), token: token, now: p.now,
	}
	return p.signing(i.role, i), nil
}

// isPodRole reports whether the role is the one that the pod's web identity gives already. Assuming it again would need
// a trust in itself that roles rarely have; where something is asked of the session it is done all the same.
func (p *Pool) isPodRole(o *Options) bool {
	return o.AccessKeyID == "" && o.Profile == "" && o.SessionName == "" && o.ExternalID == "" && o.SourceIdentity == "" && o.SessionPolicy == "" &&
		len(o.SessionTags) == 0 && p.get("AWS_ACCESS_KEY_ID") == "" && p.get("AWS_WEB_IDENTITY_TOKEN_FILE") != "" && p.get("AWS_ROLE_ARN") == o.RoleARN
}

var errEnvHalfPair = errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together: one of them is not set")

// source returns the identity below any role: a profile, static keys, or the environment. Beside a role the keys come
// before the profile.
func (p *Pool) source(o *Options) (source, *Identity, error) {
	switch {
	case o.AccessKeyID != "" && (o.Profile == "" || o.RoleARN != ""):
		return keys(o.AccessKeyID, o.SecretAccessKey.Reveal(), o.SessionToken.Reveal()), &Identity{about: "the configured access key " + tail(o.AccessKeyID)}, nil
	case o.Profile != "":
		c := p.chain(o, o.Profile)
		return c, &Identity{about: "the profile " + o.Profile, region: c.Region, remote: true}, nil
	}
	id, key := p.get("AWS_ACCESS_KEY_ID"), p.get("AWS_SECRET_ACCESS_KEY")
	switch {
	case (id == "") != (key == ""):
		return nil, nil, errEnvHalfPair
	case id != "":
		return keys(id, key, p.get("AWS_SESSION_TOKEN")), &Identity{about: "the environment's access key " + tail(id), region: p.chain(o, "").Region}, nil
	}
	if file := p.get("AWS_WEB_IDENTITY_TOKEN_FILE"); file != "" {
		if arn := p.get("AWS_ROLE_ARN"); arn != "" {
			return p.podRole(o, arn, file)
		}
		return nil, nil, errors.New("AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN")
	}
	profile := p.get("AWS_PROFILE_NAME")
	if profile == "" {
		profile = p.get("AWS_PROFILE")
	}
	if profile != "" {
		c := p.chain(o, profile)
		return c, &Identity{about: "the environment's profile " + profile, region: c.Region, remote: true}, nil
	}
	c := p.chain(o, "")
	return c, &Identity{
		about: "the ambient AWS identity", region: c.Region,
		remote: p.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "" || p.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "",
		tried: fmt.Sprintf("AWS_BEARER_TOKEN_BEDROCK, AWS_ROLE_NAME, AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE, the default profile of %s and %s, "+
			"the container's role and the instance's role", c.files.config, c.files.credentials),
	}, nil
}

// podRole is the role that Kubernetes gives a pod: IAM roles for service accounts.
func (p *Pool) podRole(o *Options, arn, file string) (source, *Identity, error) {
	pod := Options{RoleARN: arn, STSEndpoint: o.STSEndpoint, STSRegion: o.STSRegion, AllowHTTP: o.AllowHTTP, http: o.http}
	client, err := p.stsClient(&pod, nil)
	if err != nil {
		return nil, nil, err
	}
	r := &role{
		client: client, arn: arn, session: p.get("AWS_ROLE_SESSION_NAME"), now: p.now,
		token: fileToken(file),
	}
	return r, &Identity{about: "the pod's role " + arn, role: r, remote: true}, nil
}

func (p *Pool) chain(o *Options, profile string) *chain {
	region := o.STSRegion
	for _, r := range []string{p.envRegion(), partitionRegion("")} {
		if region == "" {
			region = r
		}
	}
	return &chain{
		profile: profile, region: region, files: findSharedFiles(p.get), httpClient: o.http,
		noMetadata: isTrue(p.get("AWS_EC2_METADATA_DISABLED")), allowProcess: o.AllowProcess,
	}
}

func keys(id, key, token string) staticKeys {
	return func() aws.Credentials {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: key, SessionToken: token, Source: "static"}
	}
}

// tail is what may be shown of an access key id.
func tail(id string) string {
	if len(id) < 8 {
		return "****"
	}
	return "****" + id[len(id)-4:]
}
