package identity

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/outcrop-ai/outcrop/llm"
)

// Caller is who AWS takes an identity for.
type Caller struct {
	// Account is the number of the account, ARN that of the user or of the role's session.
	Account, ARN string
}

// ErrBearer says that an identity is an API key: STS takes none, so that it cannot say whose it is.
var ErrBearer = errors.New("an API key is no identity that STS knows")

// WhoAmI asks STS who i is. Of o count STS's endpoint and region, and how it is reached. Anybody may ask this, whatever the
// policies say. Its error is an *llm.Error, or ErrBearer.
func (p *Pool) WhoAmI(ctx context.Context, i *Identity, o Options) (Caller, error) {
	if i.bearer != nil {
		if _, err := i.bearer.get(); err != nil {
			return Caller{}, err
		}
		return Caller{}, ErrBearer
	}
	if err := i.Warm(ctx); err != nil {
		return Caller{}, err
	}
	var err error
	if o.http, err = p.client(&o); err != nil {
		return Caller{}, err
	}
	client, err := p.stsClient(&o, aws.CredentialsProviderFunc(i.retrieve))
	if err != nil {
		return Caller{}, err
	}
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		asked := Identity{about: "STS, for " + i.about, remote: true, credentials: i.credentials}
		failed := asked.failure(ctx, err)
		var e *llm.Error
		if errors.As(failed, &e) && e.AWSType != "" {
			var answered smithy.APIError
			errors.As(err, &answered)
			e.Message = "STS refused " + i.about + ": " + answered.ErrorMessage()
		}
		return Caller{}, failed
	}
	return Caller{Account: aws.ToString(out.Account), ARN: aws.ToString(out.Arn)}, nil
}

// IsBearer reports whether the identity is an API key.
func (i *Identity) IsBearer() bool { return i.bearer != nil }

// Expires returns when a short-term API key ends; ok is false for every other identity, whose credentials are renewed.
func (i *Identity) Expires() (at time.Time, ok bool) {
	if i.bearer == nil {
		return time.Time{}, false
	}
	token, err := i.bearer.get()
	if err != nil {
		return time.Time{}, false
	}
	return BearerExpiry(token)
}
