package sim

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	signatureAlgorithm = "AWS4-HMAC-SHA256"
	amzDateFormat      = "20060102T150405Z"
	maxClockSkew       = 5 * time.Minute // AWS's window for SigV4
)

// caller is who sent a verified request.
type caller struct {
	arn, userID string
}

// grant is a key that the simulator accepts, and whose it is.
type grant struct {
	Credential
	caller caller
}

// keyring holds the accepted credentials: those of the options and those that STS issued since.
type keyring struct {
	mu     sync.Mutex // guards grants and issued
	grants map[string]grant
	issued uint64
}

func newKeyring(o Options) *keyring {
	k := &keyring{grants: make(map[string]grant, len(o.Credentials))}
	for _, c := range o.Credentials {
		k.grants[c.AccessKeyID] = grant{Credential: c, caller: caller{
			arn:    "arn:aws:iam::" + o.Account + ":user/simulator",
			userID: "AIDAOUTCROPSIMULATOR",
		}}
	}
	return k
}

func (k *keyring) find(id string) (grant, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	g, ok := k.grants[id]
	return g, ok
}

// issue stores new temporary credentials for who and forgets those that ended an hour ago or more.
func (k *keyring) issue(seed uint64, now time.Time, life time.Duration, who caller) Credential {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.issued++
	d := newDice(seed, "sts", []byte(who.arn), strconv.AppendUint(nil, k.issued, 10))
	c := Credential{
		AccessKeyID:     "ASIA" + strings.ToUpper(d.word(16)),
		SecretAccessKey: d.word(40),
		SessionToken:    "FwoGZXIvYXdz" + d.word(120),
		Expires:         now.Add(life).UTC().Truncate(time.Second),
	}
	for id, g := range k.grants {
		if g.SessionToken != "" && !g.Expires.IsZero() && now.Sub(g.Expires) > time.Hour {
			delete(k.grants, id)
		}
	}
	k.grants[c.AccessKeyID] = grant{Credential: c, caller: who}
	return c
}

func denied(code, message string) *apiError {
	return &apiError{status: http.StatusForbidden, code: code, message: message}
}

func wrongSignature() *apiError {
	return denied("InvalidSignatureException", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}

// authenticate verifies r for service (bedrock or sts). body is the whole request body. The order of the checks is
// AWS's: form, key, token, age, scope, signature.
func (s *Server) authenticate(r *http.Request, service string, body []byte) (caller, *apiError) {
	header := r.Header.Get("Authorization")
	scheme, rest, _ := strings.Cut(header, " ")
	switch {
	case s.options.Auth == AuthOff:
		return caller{arn: "arn:aws:iam::" + s.options.Account + ":root", userID: s.options.Account}, nil
	case header == "":
		return caller{}, denied("MissingAuthenticationTokenException", "Missing Authentication Token")
	case strings.EqualFold(scheme, "Bearer") && service == "bedrock":
		return s.authenticateBearer(strings.TrimSpace(rest))
	case scheme != signatureAlgorithm:
		return caller{}, &apiError{status: http.StatusBadRequest, code: "IncompleteSignatureException", message: "Authorization header names no algorithm that this service supports: " + scheme}
	}
	return s.authenticateSignature(r, rest, service, body)
}

func (s *Server) authenticateBearer(token string) (caller, *apiError) {
	for _, known := range s.options.BearerTokens {
		if subtle.ConstantTimeCompare([]byte(token), []byte(known)) == 1 {
			return caller{arn: "arn:aws:iam::" + s.options.Account + ":user/BedrockAPIKey-sim", userID: "AIDAOUTCROPBEARERKEY"}, nil
		}
	}
	return caller{}, denied("AccessDeniedException", "Authentication failed: Please make sure your API Key is valid.")
}

// signature is a parsed Authorization header of SigV4.
type signature struct {
	key, date, region, service string
	headers                    []string // lower case
	value                      string
}

func parseSignature(s string) (signature, *apiError) {
	var sig signature
	fields := map[string]string{}
	for _, part := range strings.Split(s, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if fields[name] == "" {
			return sig, &apiError{status: http.StatusBadRequest, code: "IncompleteSignatureException", message: "Authorization header requires '" + name + "' parameter."}
		}
	}
	scope := strings.Split(fields["Credential"], "/")
	if len(scope) != 5 || scope[4] != "aws4_request" {
		return sig, &apiError{status: http.StatusBadRequest, code: "IncompleteSignatureException", message: "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."}
	}
	sig = signature{
		key: scope[0], date: scope[1], region: scope[2], service: scope[3],
		headers: strings.Split(strings.ToLower(fields["SignedHeaders"]), ";"), value: fields["Signature"],
	}
	if !slices.Contains(sig.headers, "host") || !slices.Contains(sig.headers, "x-amz-date") {
		return sig, &apiError{status: http.StatusBadRequest, code: "IncompleteSignatureException", message: "'host' and 'x-amz-date' must be among the SignedHeaders."}
	}
	return sig, nil
}

func (s *Server) authenticateSignature(r *http.Request, authorization, service string, body []byte) (caller, *apiError) {
	sig, refused := parseSignature(authorization)
	if refused != nil {
		return caller{}, refused
	}
	g, ok := s.keys.find(sig.key)
	if !ok {
		return caller{}, denied("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	now := s.options.Now()
	if subtle.ConstantTimeCompare([]byte(g.SessionToken), []byte(r.Header.Get("X-Amz-Security-Token"))) != 1 {
		return caller{}, denied("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	if !g.Expires.IsZero() && !now.Before(g.Expires) {
		return caller{}, denied("ExpiredTokenException", "The security token included in the request is expired")
	}
	at, err := time.Parse(amzDateFormat, r.Header.Get("X-Amz-Date"))
	if err != nil {
		return caller{}, &apiError{status: http.StatusBadRequest, code: "IncompleteSignatureException", message: "Date must be in ISO-8601 'basic format'. See https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html"}
	}
	stamp := func(t time.Time) string { return t.UTC().Format(amzDateFormat) }
	if now.Sub(at) > maxClockSkew {
		return caller{}, denied("InvalidSignatureException", "Signature expired: "+stamp(at)+" is now earlier than "+stamp(now.Add(-maxClockSkew))+" ("+stamp(now)+" - 5 min.)")
	}
	if at.Sub(now) > maxClockSkew {
		return caller{}, denied("InvalidSignatureException", "Signature not yet current: "+stamp(at)+" is still later than "+stamp(now.Add(maxClockSkew))+" ("+stamp(now)+" + 5 min.)")
	}
	switch {
	case sig.date != at.Format("20060102"):
		return caller{}, denied("InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '"+sig.date+"' != '"+at.Format("20060102")+"', from '"+stamp(at)+"'.")
	case sig.service != service:
		return caller{}, denied("InvalidSignatureException", "Credential should be scoped to correct service: '"+service+"'. ")
	case s.options.Region != "" && service == "bedrock" && sig.region != s.options.Region:
		return caller{}, denied("InvalidSignatureException", "Credential should be scoped to a valid region. ")
	}
	want, err := s.resign(r, sig, g.Credential, at, body)
	if err != nil || subtle.ConstantTimeCompare([]byte(want), []byte(sig.value)) != 1 {
		return caller{}, wrongSignature()
	}
	return g.caller, nil
}

// resign computes the signature that r should carry: the SDK's signer over the request as it was received, with its
// path byte for byte and those headers alone which the client says it signed.
func (s *Server) resign(r *http.Request, sig signature, c Credential, at time.Time, body []byte) (string, error) {
	received := &http.Request{
		Method: r.Method,
		Host:   r.Host,
		Header: make(http.Header, len(sig.headers)),
		// Opaque keeps the path's spelling; any host will do in it, the signer takes Host.
		URL: &url.URL{Opaque: "//sim" + escapedPath(r), RawQuery: r.URL.RawQuery},
	}
	for _, name := range sig.headers {
		switch name {
		case "host":
		case "content-length":
			received.ContentLength = int64(len(body))
		default:
			if values := r.Header.Values(name); len(values) > 0 {
				received.Header[http.CanonicalHeaderKey(name)] = values
			}
		}
	}
	sum := sha256.Sum256(body)
	key := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey}
	if err := s.signer.SignHTTP(context.Background(), key, received, hex.EncodeToString(sum[:]), sig.service, sig.region, at); err != nil {
		return "", err
	}
	_, value, _ := strings.Cut(received.Header.Get("Authorization"), "Signature=")
	return value, nil
}

// escapedPath is the path as it was sent: net/http may have decoded or re-encoded URL.Path.
func escapedPath(r *http.Request) string {
	if p := r.RequestURI; strings.HasPrefix(p, "/") {
		p, _, _ = strings.Cut(p, "?")
		return p
	}
	return r.URL.EscapedPath()
}
