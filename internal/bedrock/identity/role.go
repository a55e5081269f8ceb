package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
)

// role gives the credentials of a role that STS lets us assume, with the identity that client signs with or, when token
// is set, with a web identity. The SDK's own provider would always ask for 15 minutes; this one asks for what is
// configured, and else for nothing.
type role struct {
	client *sts.Client
	arn    string
	// session is the session's name; empty makes one from the host and the time.
	session          string
	external, source string
	policy           string
	duration         time.Duration
	tags             []Tag
	token            tokenSource
	now              func() time.Time
}

// Retrieve asks STS.
func (r *role) Retrieve(ctx context.Context) (aws.Credentials, error) {
	session := r.session
	if session == "" {
		session = defaultSessionName(r.now())
	}
	var seconds *int32
	if r.duration > 0 {
		seconds = aws.Int32(int32(min(r.duration, 12*time.Hour) / time.Second))
	}
	if r.token != nil {
		return r.withWebIdentity(ctx, session, seconds)
	}
	in := &sts.AssumeRoleInput{
		RoleArn: &r.arn, RoleSessionName: &session, DurationSeconds: seconds,
		ExternalId: unlessEmpty(r.external), Policy: unlessEmpty(r.policy), SourceIdentity: unlessEmpty(r.source),
	}
	for _, t := range r.tags {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)})
	}
	out, err := r.client.AssumeRole(ctx, in)
	if err != nil {
		return aws.Credentials{}, err
	}
	return credentialsOf(out.Credentials)
}

func (r *role) withWebIdentity(ctx context.Context, session string, seconds *int32) (aws.Credentials, error) {
	token, err := r.token(ctx)
	if err != nil {
		return aws.Credentials{}, &tokenError{err}
	}
	out, err := r.client.AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: &r.arn, RoleSessionName: &session, DurationSeconds: seconds, WebIdentityToken: &token, Policy: unlessEmpty(r.policy),
	})
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("%w (the token is %s)", err, claimsOf(token))
	}
	return credentialsOf(out.Credentials)
}

var errNoCredentials = errors.New("STS answered without credentials")

func credentialsOf(c *types.Credentials) (aws.Credentials, error) {
	if c == nil || aws.ToString(c.AccessKeyId) == "" || aws.ToString(c.SecretAccessKey) == "" {
		return aws.Credentials{}, errNoCredentials
	}
	return aws.Credentials{
		AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: aws.ToString(c.SessionToken),
		Source: "STS", CanExpire: c.Expiration != nil, Expires: aws.ToTime(c.Expiration),
	}, nil
}

func unlessEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// defaultSessionName is made of the host's name and the time, of the characters that STS takes.
func defaultSessionName(now time.Time) string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "host"
	}
	clean := []byte(host)
	for i, c := range clean {
		if !sessionNameByte(c) {
			clean[i] = '-'
		}
	}
	at := strconv.FormatInt(now.Unix(), 10)
	return "outcrop-" + string(clean[:min(len(clean), 64-len("outcrop--")-len(at))]) + "-" + at
}

// claimsOf names who a token is from and for, which says why STS refuses it. It shows nothing else of it.
func claimsOf(token string) string {
	var claims struct {
		Issuer   string          `json:"iss"`
		Audience json.RawMessage `json:"aud"`
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "no JWT"
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return "no JWT"
	}
	if len(claims.Audience) > 200 {
		claims.Audience = claims.Audience[:200]
	}
	return fmt.Sprintf("from %q for %q", claims.Issuer, claims.Audience)
}

// stsClient returns a client of STS. Its region is that of the endpoint's host, else the deployment's, else the
// process's, else one of the role's partition: a deployment in another partition must not ask the process's region.
func (p *Pool) stsClient(o *Options, credentials aws.CredentialsProvider) (*sts.Client, error) {
	override := o.STSEndpoint
	for _, name := range []string{"AWS_STS_ENDPOINT", "AWS_ENDPOINT_URL_STS"} {
		if override == "" {
			override = p.get(name)
		}
	}
	region := hostRegion(override)
	for _, r := range []string{o.STSRegion, p.envRegion(), partitionRegion(o.RoleARN)} {
		if region == "" {
			region = r
		}
	}
	endpoint, err := wire.ResolveEndpoint("sts", region, wire.EndpointOptions{
		Override: override, AllowHTTP: o.AllowHTTP,
		FIPS: isTrue(p.get("AWS_USE_FIPS_ENDPOINT")), DualStack: isTrue(p.get("AWS_USE_DUALSTACK_ENDPOINT")),
	})
	if err != nil {
		return nil, fmt.Errorf("STS: %w", err)
	}
	address := endpoint.URL.String()
	return sts.New(sts.Options{
		Region: endpoint.Region, BaseEndpoint: &address, Credentials: credentials, HTTPClient: o.http, RetryMaxAttempts: 3,
	}), nil
}

// hostRegion finds the region in the host of an STS endpoint: sts.REGION.amazonaws.com, or the label before .vpce.
func hostRegion(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || endpoint == "" {
		return ""
	}
	labels := strings.Split(u.Hostname(), ".")
	for i, l := range labels {
		if l == "vpce" && i > 0 {
			return labels[i-1]
		}
	}
	if labels[0] != "sts" && labels[0] != "sts-fips" || len(labels) < 3 {
		return ""
	}
	if labels[1] == "amazonaws" {
		return "us-east-1" // the global STS
	}
	if strings.Count(labels[1], "-") >= 2 {
		return labels[1]
	}
	return ""
}

// partitionRegion is a region of the partition that a role's ARN names.
func partitionRegion(arn string) string {
	parts := strings.SplitN(arn, ":", 3)
	if len(parts) == 3 {
		switch parts[1] {
		case "aws-us-gov":
			return "us-gov-west-1"
		case "aws-cn":
			return "cn-north-1"
		case "aws-eusc":
			return "eusc-de-east-1"
		case "aws-iso":
			return "us-iso-east-1"
		case "aws-iso-b":
			return "us-isob-east-1"
		}
	}
	return "us-east-1"
}
