package outcrop

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/smithy-go/auth/bearer"
)

type awsCredentials = aws.Credentials

// WithCredentials signs with what a provider of the AWS SDK's gives.
func WithCredentials(provider aws.CredentialsProvider) Option {
	return func(s *settings) { s.credentials = provider.Retrieve }
}

// WithAWSConfig takes credentials, region, endpoint, HTTP client and the number of retries of an AWS configuration.
func WithAWSConfig(cfg aws.Config) Option {
	return func(s *settings) {
		s.external(cfg.Region, cfg.BaseEndpoint, cfg.HTTPClient, cfg.RetryMaxAttempts)
		s.proof(cfg.Credentials, cfg.BearerAuthTokenProvider, cfg.AuthSchemePreference)
	}
}

// WithBedrockRuntime takes credentials, region, endpoint, HTTP client and the number of retries of a client of the AWS
// SDK's. The client itself is not called.
func WithBedrockRuntime(client *bedrockruntime.Client) Option {
	return func(s *settings) {
		o := client.Options()
		s.external(o.Region, o.BaseEndpoint, o.HTTPClient, o.RetryMaxAttempts)
		s.proof(o.Credentials, o.BearerAuthTokenProvider, o.AuthSchemePreference)
	}
}

// httpClient is what the AWS SDK sends with.
type httpClient interface {
	Do(*http.Request) (*http.Response, error)
}

func (s *settings) external(region string, endpoint *string, client httpClient, attempts int) {
	if region != "" {
		s.identity.Region = region
	}
	if endpoint != nil && *endpoint != "" {
		s.identity.Endpoint = *endpoint
	}
	if client != nil {
		s.transport = doer{client}
	}
	if attempts > 0 {
		retries := attempts - 1
		s.retries = &retries
	}
}

// bearerScheme is the AWS SDK's name of the way of bearer tokens.
const bearerScheme = "httpBearerAuth"

// proof takes the way that the AWS SDK would: by a token where it is preferred, or the only one.
func (s *settings) proof(credentials aws.CredentialsProvider, tokens bearer.TokenProvider, preference []string) {
	_, anonymous := credentials.(aws.AnonymousCredentials)
	hasKeys := credentials != nil && !anonymous
	preferred := len(preference) > 0 && slices.Index(preference, bearerScheme) == 0
	switch {
	case tokens != nil && (preferred || !hasKeys):
		s.credentials, s.token = nil, func(ctx context.Context) (string, error) {
			token, err := tokens.RetrieveBearerToken(ctx)
			return token.Value, err
		}
	case hasKeys:
		s.credentials, s.token = credentials.Retrieve, nil
	}
}

// doer sends requests as a client does.
type doer struct{ client httpClient }

// RoundTrip sends a request.
func (d doer) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.client.Do(r)
	if err == nil && resp == nil {
		err = errors.New("the HTTP client gave neither an answer nor an error")
	}
	return resp, err
}
