package deployment

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// The connection parameters that a deployment may let clients set.
const (
	paramAPIKey       = "api_key"
	paramAPIBase      = "api_base"
	paramBaseURL      = "base_url"
	paramAccessKeyID  = "aws_access_key_id"
	paramSecretKey    = "aws_secret_access_key"
	paramSessionToken = "aws_session_token"
	paramRegion       = "aws_region_name"
	paramSessionName  = "aws_session_name"
	paramProfile      = "aws_profile_name"
	paramRole         = "aws_role_name"
	paramExternalID   = "aws_external_id"
	paramWebIdentity  = "aws_web_identity_token"
	paramSTS          = "aws_sts_endpoint"
	paramRuntime      = "aws_bedrock_runtime_endpoint"
)

// clientValues are the connection parameters of one request, each permitted and well formed.
type clientValues map[string]secret.Secret

func (v clientValues) text(name string) string { return v[name].Reveal() }

func (v clientValues) has(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return v[name].IsSet() })
}

// own reports whether the credentials are the client's own. A profile is not: it is one of the gateway's files. Nor is a
// role without credentials beside it, which the gateway's identity assumes.
func (v clientValues) own() bool { return v.has(paramAPIKey, paramAccessKeyID, paramWebIdentity) }

// credentials reports whether the identity is not the deployment's.
func (v clientValues) credentials() bool { return v.own() || v.has(paramProfile, paramRole) }

// runtime is the client's own endpoint of Bedrock, and the name under which it came.
func (v clientValues) runtime() (name, address string) {
	for _, name := range []string{paramRuntime, paramAPIBase} {
		if v.has(name) {
			return name, v.text(name)
		}
	}
	return "", ""
}

// permitted checks what a client sent against what the deployment lets clients say. Its errors name the parameter, and
// show nothing of its value.
func permitted(allowed config.ClientParams, sent map[string]secret.Secret, allowHTTP bool) (clientValues, *llm.Error) {
	values := make(clientValues, len(sent))
	names := slices.Sorted(maps.Keys(sent))
	for _, name := range names { // first whether they may be there at all
		if allowed.Find(unaliased(name)) == nil {
			return nil, engine.Forbidden(name)
		}
	}
	for _, name := range names {
		value := sent[name]
		if why := literal(unaliased(name), value.Reveal(), allowHTTP); why != "" {
			return nil, llm.Invalid(name, name+" "+why)
		}
		if values.has(unaliased(name)) {
			return nil, llm.Invalid(name, paramAPIBase+" and "+paramBaseURL+" are the same parameter: send one of them")
		}
		if pattern := allowed.Find(unaliased(name)).Pattern; pattern != nil && !pattern.MatchString(value.Reveal()) {
			failed := engine.Forbidden(name)
			failed.Message = "this value of " + name + " cannot be set by a client: the gateway's configuration permits others"
			return nil, failed
		}
		values[unaliased(name)] = value
	}
	if failed := whole(values); failed != nil {
		return nil, failed
	}
	for _, name := range []string{paramAPIBase, paramRuntime, paramSTS} {
		if values.has(name) && allowed.Find(name).Pattern == nil && !values.own() {
			return nil, llm.Invalid(name, name+" needs credentials of your own in the same request ("+paramAPIKey+", "+paramAccessKeyID+" and "+paramSecretKey+
				", or "+paramWebIdentity+"): those of the gateway are sent to the hosts of its configuration only")
		}
	}
	return values, nil
}

// leave returns what may be said of a call's connection: by clients what the configuration lets them say, by the program
// whose configuration it is all there is, and its own credentials may go where it sends them.
func leave(allowed config.ClientParams, call *engine.Call) config.ClientParams {
	if !call.Owner {
		return allowed
	}
	var all config.ClientParams
	for _, name := range []string{
		paramAPIKey, paramAccessKeyID, paramSecretKey, paramSessionToken, paramRegion, paramSessionName, paramProfile, paramRole, paramExternalID, paramWebIdentity,
	} {
		all = append(all, config.ClientParam{Name: name})
	}
	for _, name := range []string{paramAPIBase, paramSTS, paramRuntime} {
		all = append(all, config.ClientParam{Name: name, Pattern: anyAddress})
	}
	return all
}

// anyAddress matches what is no address of another's.
var anyAddress = regexp.MustCompile("")

func unaliased(name string) string {
	if name == paramBaseURL {
		return paramAPIBase
	}
	return name
}

// whole checks that the parameters name one identity, and all of it.
func whole(v clientValues) *llm.Error {
	for _, pair := range [][2]string{
		{paramAccessKeyID, paramSecretKey},
		{paramSecretKey, paramAccessKeyID},
		{paramSessionToken, paramAccessKeyID},
		{paramWebIdentity, paramRole},
	} {
		if v.has(pair[0]) && !v.has(pair[1]) {
			return &llm.Error{
				Kind: llm.KindInvalid, Code: "missing_required_parameter", Param: pair[1],
				Message: pair[1] + " is missing: " + pair[0] + " needs it in the same request, the gateway's is not used with it",
			}
		}
	}
	first := ""
	for _, name := range []string{paramAPIKey, paramAccessKeyID, paramProfile, paramWebIdentity} {
		switch {
		case !v.has(name):
		case first != "":
			return llm.Invalid(name, first+" and "+name+" are two identities: send one of them")
		default:
			first = name
		}
	}
	if v.has(paramAPIKey) && v.has(paramRole) {
		return llm.Invalid(paramRole, paramAPIKey+" and "+paramRole+" are two identities: an API key cannot assume a role")
	}
	return nil
}

// maxClientValue is the length of the longest web identity token that STS takes.
const maxClientValue = 20_000

var (
	keyIDShape      = regexp.MustCompile(`^\w{1,128}$`)
	visible         = regexp.MustCompile(`^[!-~]+$`)
	sessionShape    = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	externalIDShape = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
	roleShape       = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]+$`)
	profileShape    = regexp.MustCompile(`^[\w .@+:-]{1,200}$`)
	jwtShape        = regexp.MustCompile(`^[\w-]+={0,2}\.[\w-]+={0,2}\.[\w-]*={0,2}$`)
)

// literal says what is wrong with a value, "" if nothing is. A client's values stand for themselves: what would name a
// variable, a file or a service of the gateway's in the configuration is no value here.
func literal(name, value string, allowHTTP bool) string {
	lower := strings.ToLower(value)
	for _, prefix := range []string{"os.environ/", "file:", "oidc/"} {
		if strings.HasPrefix(lower, prefix) {
			return "must be the value itself: a request cannot name what the gateway would have to look up"
		}
	}
	if len(value) > maxClientValue {
		return "is too long"
	}
	must := func(shape *regexp.Regexp, what string) string {
		if shape.MatchString(value) {
			return ""
		}
		return "must be " + what
	}
	switch name {
	case paramAccessKeyID:
		return must(keyIDShape, "an access key id")
	case paramRegion:
		if !wire.ValidRegion(value) {
			return "must be the name of an AWS region, such as eu-central-1"
		}
		return ""
	case paramSessionName:
		return must(sessionShape, "2 to 64 letters, digits or characters of _+=,.@-")
	case paramProfile:
		return must(profileShape, "the name of a profile")
	case paramRole:
		return must(roleShape, "the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME")
	case paramExternalID:
		return must(externalIDShape, "at least 2 letters, digits or characters of _+=,.@:/-")
	case paramWebIdentity:
		return must(jwtShape, "a JWT: three parts joined by dots")
	case paramAPIBase, paramRuntime, paramSTS:
		if _, err := wire.ResolveEndpoint("sts", identity.DefaultRegion, wire.EndpointOptions{Override: value, AllowHTTP: allowHTTP}); value == "" || err != nil {
			return "must be a URL such as https://host/path, without user, query or fragment, and with https unless the host is private"
		}
		return ""
	}
	return must(visible, "a text of visible characters, without spaces")
}

// As returns the way of one call: as the client that brings an identity or an address of its own, in a session that names
// the caller, or both.
func (k *connection) As(region string, call *engine.Call) (engine.Way, *llm.Error) {
	allowed := leave(k.clientside, call)
	values, failed := permitted(allowed, call.Connection, k.endpoint.AllowHTTP)
	if failed != nil {
		return engine.Way{}, failed
	}
	way := engine.Way{Region: region, Brought: values.own()}
	own := *k
	if values.has(paramRegion) {
		way.Region = values.text(paramRegion)
		own.parameter = way.Region
	}
	if name, address := values.runtime(); name != "" {
		pattern := allowed.Find(name).Pattern
		if pattern == nil { // the deployment's headers are for the deployment's host
			own.header = nil
		}
		own.endpoint.Override, own.agent, own.mantle = address, wire.AgentRuntime(address), wire.Mantle(address)
		if pattern != nil && !pattern.MatchString(own.agent) {
			own.agent = switchedOff
		}
	}
	if values.credentials() {
		own.header = own.header.Clone()
		own.header.Del("Authorization")
	}
	if own.who, failed = k.options(values); failed != nil {
		return engine.Way{}, failed
	}
	if own.identity, way.Warning, failed = k.identityFor(own.who, values, call); failed != nil {
		return engine.Way{}, failed
	}
	if values.credentials() {
		own.token = nil
	}
	if own.identity != k.identity || len(values) > 0 {
		way.Connection = &own
	}
	return way, nil
}

// options returns what a call's identity is made of. A client's credentials are never mixed with the deployment's: they
// replace all of them. A role alone is assumed with the deployment's identity.
func (k *connection) options(v clientValues) (identity.Options, *llm.Error) {
	o := k.who
	role := v.text(paramRole)
	switch {
	case v.has(paramAPIKey, paramAccessKeyID, paramProfile, paramWebIdentity):
		o = identity.Options{
			APIKey: v[paramAPIKey], AccessKeyID: v.text(paramAccessKeyID), SecretAccessKey: v[paramSecretKey], SessionToken: v[paramSessionToken],
			Profile: v.text(paramProfile), WebIdentity: v[paramWebIdentity], RoleARN: role, STSEndpoint: k.who.STSEndpoint, STSRegion: k.who.STSRegion,
			AllowHTTP: k.who.AllowHTTP, AllowProcess: k.who.AllowProcess, CAFile: k.who.CAFile, Insecure: k.who.Insecure,
		}
	case role != "":
		if k.identity.IsBearer() || k.header.Get("Authorization") != "" {
			return o, llm.Invalid(paramRole, paramRole+" cannot be assumed here: the deployment's own identity is an API key or a header; send credentials of your own beside it")
		}
		if role != k.who.RoleARN {
			o = identity.Options{
				RoleARN: role, Source: k.identity, STSEndpoint: k.who.STSEndpoint, STSRegion: k.who.STSRegion,
				AllowHTTP: k.who.AllowHTTP, CAFile: k.who.CAFile, Insecure: k.who.Insecure,
			}
		}
	}
	for name, dst := range map[string]*string{
		paramSessionName: &o.SessionName, paramExternalID: &o.ExternalID, paramSTS: &o.STSEndpoint, paramRegion: &o.STSRegion,
	} {
		if v.has(name) {
			*dst = v.text(name)
		}
	}
	return o, nil
}

// identityFor returns whom a call goes as. Sessions name the callers of the gateway's credentials only: what a client does
// with its own is not on the operator's bill.
func (k *connection) identityFor(o identity.Options, v clientValues, call *engine.Call) (as *identity.Identity, warning string, failed *llm.Error) {
	if k.sessions != nil && !v.own() {
		as, warning, failed = k.attributed(o, call)
		if as != nil || failed != nil {
			return as, "", failed
		}
	}
	if !v.credentials() && !v.has(paramSessionName, paramExternalID, paramSTS, paramRegion) {
		return k.identity, warning, nil
	}
	as, err := k.pool.For(o)
	if err != nil {
		return nil, "", &llm.Error{Kind: llm.KindPermission, Code: wire.CodeCredentials, Message: err.Error(), Cause: err}
	}
	return as, warning, nil
}

// Attributes reports whether calls go in sessions that name their callers.
func (k *connection) Attributes() bool { return k.sessions != nil }

// As returns the way of a call to an address that is called as it stands: a client may bring another address, or a key.
func (d *direct) As(region string, call *engine.Call) (engine.Way, *llm.Error) {
	allowed := leave(d.clientside, call)
	values, failed := permitted(allowed, call.Connection, d.allowHTTP)
	if failed != nil {
		return engine.Way{}, failed
	}
	for name := range values {
		if name != paramAPIBase && name != paramAPIKey {
			return engine.Way{}, llm.Invalid(name, name+" means nothing to an address that is called as it stands")
		}
	}
	own := *d
	at := d.client.Endpoint()
	if values.has(paramAPIBase) {
		endpoint, err := wire.DirectEndpoint(values.text(paramAPIBase), d.allowHTTP)
		if err != nil {
			return engine.Way{}, llm.Invalid(paramAPIBase, err.Error())
		}
		if at = endpoint; allowed.Find(paramAPIBase).Pattern == nil {
			own.header = nil
		}
	}
	if values.has(paramAPIKey) {
		if own.header = own.header.Clone(); own.header == nil {
			own.header = http.Header{}
		}
		own.header.Set("Authorization", "Bearer "+values.text(paramAPIKey))
	}
	own.client = wire.NewClient(wire.ClientOptions{
		Endpoint: at, Authenticator: wire.Anonymous{}, Transport: d.transport, Header: own.header, UserAgent: d.userAgent,
	})
	return engine.Way{Connection: &own, Region: region, Brought: values.own()}, nil
}

// Attributes reports that there are no sessions here.
func (d *direct) Attributes() bool { return false }
