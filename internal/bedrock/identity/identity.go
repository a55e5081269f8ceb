package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/llm"
)

const codeCredentials = wire.CodeCredentials

// Identity is one identity towards AWS. It is safe for concurrent use, and prints as what [Identity.Describe] says.
type Identity struct {
	// Either bearer or credentials is set.
	bearer      *bearer
	credentials *cache
	signer      *v4.Signer
	now         func() time.Time
	// skew is what AWS's clock is ahead of ours, in ns.
	skew atomic.Int64
	// about says in words where the identity comes from; tried, for an ambient one, where it was looked for.
	about, tried string
	// remote says that the credentials come from a service that must be there: its silence is no lack of credentials.
	remote bool
	// region looks up what region the identity brings; nil when it brings none.
	region func(context.Context) (string, error)
}

// Describe says where the identity comes from, without any secret. Of a short-term API key it tells the end.
func (i *Identity) Describe() string {
	if i.bearer != nil {
		if token, err := i.bearer.get(); err == nil {
			if at, ok := BearerExpiry(token); ok {
				return i.about + ", a short-term key that ends at " + at.Format(time.RFC3339)
			}
		}
	}
	return i.about
}

// String returns Describe.
func (i *Identity) String() string { return i.Describe() }

// GoString returns Describe, so that %#v shows no more.
func (i *Identity) GoString() string { return i.Describe() }

// Format writes Describe, whatever the verb.
func (i *Identity) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, i.Describe()) // fmt reports failed writes itself
}

// LogValue gives Describe to slog.
func (i *Identity) LogValue() slog.Value { return slog.StringValue(i.Describe()) }

// Region returns the region that the identity itself brings: that of its profile or, for the ambient one, of the machine
// that this runs on; "" when there is none. It may read files and ask the instance metadata service, for two seconds at
// most: ask it only when [ResolveRegion] without it has nothing.
func (i *Identity) Region(ctx context.Context) (string, error) {
	if i.region == nil {
		return "", nil
	}
	return i.region(ctx)
}

// Warm fetches the credentials ahead of the first call; its error is what that call would get.
func (i *Identity) Warm(ctx context.Context) error {
	var err error
	if i.bearer != nil {
		_, err = i.bearer.get()
	} else {
		_, err = i.credentials.get(ctx)
	}
	return i.failure(ctx, err)
}

// Signer authenticates the calls of one identity to one service in one region; it is a wire.Authenticator.
type Signer struct {
	identity        *Identity
	service, region string
}

// For returns the identity's signer for a service in a region.
func (i *Identity) For(service, region string) *Signer {
	return &Signer{identity: i, service: service, region: region}
}

// String says who signs, for what.
func (s *Signer) String() string {
	return s.identity.Describe() + ", for " + s.service + " in " + s.region
}

// Format writes String, whatever the verb.
func (s *Signer) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, s.String()) // fmt reports failed writes itself
}

// Authenticate signs r with Signature Version 4, or adds the bearer token. All headers that r has are signed.
func (s *Signer) Authenticate(ctx context.Context, r *http.Request, payloadHash string) error {
	i := s.identity
	if i.bearer != nil {
		token, err := i.bearer.get()
		if err != nil {
			return err
		}
		r.Header["Authorization"] = []string{bearerScheme + token.Reveal()}
		return nil
	}
	creds, err := i.credentials.get(ctx)
	if err != nil {
		return i.failure(ctx, err)
	}
	at := i.now().Add(time.Duration(i.skew.Load()))
	return i.signer.SignHTTP(ctx, creds.Credentials, r, payloadHash, s.service, s.region, at)
}

const bearerScheme = "Bearer "

// Invalidate drops the credentials that r was refused with; it reports whether there are others, or can be.
func (s *Signer) Invalidate(r *http.Request) bool {
	i := s.identity
	proof := r.Header.Get("Authorization")
	if i.bearer != nil {
		return i.bearer.drop(strings.TrimPrefix(proof, bearerScheme))
	}
	_, keyID, _ := strings.Cut(proof, "Credential=")
	keyID, _, _ = strings.Cut(keyID, "/")
	return i.credentials.drop(keyID)
}

// tolerated is how far clocks may differ; AWS refuses from 5 minutes on.
const tolerated = 4 * time.Minute

// LearnClock learns AWS's time from its refusal of r; it reports whether r was signed with a time that was too far off.
func (s *Signer) LearnClock(r *http.Request, at time.Time) bool {
	signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || signed.Sub(at).Abs() <= tolerated {
		return false
	}
	s.identity.skew.Store(int64(at.Sub(s.identity.now())))
	return true
}

// failure says what failed, without saying what was tried with. It returns nil for nil.
func (i *Identity) failure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err() // the call's end, which its sender puts into words
	}
	var known *llm.Error
	if errors.As(err, &known) {
		return known
	}
	e := &llm.Error{Kind: llm.KindPermission, Code: codeCredentials, Cause: err}
	var answered smithy.APIError
	switch {
	case errors.As(err, &answered) && i.remote:
		e.AWSType = answered.ErrorCode()
		e.Message = "AWS gave no credentials for " + i.about + ": " + answered.ErrorMessage()
		if answered.ErrorFault() == smithy.FaultServer {
			e.Kind = llm.KindUnavailable
		}
		if e.AWSType == "AccessDenied" {
			e.Hint = "The source identity needs sts:AssumeRole on the role, and the role's trust policy must name that identity."
		}
	case errors.Is(err, errClosed):
		e.Kind, e.Message = llm.KindUnavailable, "the gateway is shutting down"
	case i.unreachable(err):
		e.Kind = llm.KindUnavailable
		e.Message = "the service that gives AWS credentials cannot be reached: " + i.about
	case errors.Is(err, errProcess):
		e.Message = err.Error()
	case i.tried != "":
		e.Message = "no AWS credentials: tried " + i.tried
		e.Hint = "Set api_key, aws_access_key_id, aws_profile_name or aws_role_name for the model, or give the process's environment an AWS identity."
	default:
		e.Message = "no AWS credentials from " + i.about
	}
	return e
}

// unreachable tells a service that did not answer from credentials that do not exist.
func (i *Identity) unreachable(err error) bool {
	var notSent interface{ ConnectionError() bool }
	silent := errors.As(err, &notSent) && notSent.ConnectionError() || errors.Is(err, context.DeadlineExceeded)
	return silent && (i.remote || i.credentials.had())
}
