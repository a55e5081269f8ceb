package identity

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

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
	// key is its name in the pool; empty for one that is not there.
	key string
	// role is set where the identity is a role that is assumed.
	role *role
	// remote says that the credentials come from a service that must be there: its silence is no lack of credentials.
	remote bool
	// region looks up what region the identity brings; nil when it brings none.
	region func(context.Context) (string, error)
}

// Describe says where the identity comes from, without any secret. Of a short-term API key it tells the end.
func (i *Identity) Describe() string {
	if at, ok := i.Expires(); ok {
		return i.about + ", a short-term key that ends at " + at.Format(time.RFC3339)
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
	// day is the key of the day, of the credentials in use.
	day atomic.Pointer[dayKey]
	// stamp is the second of the last request.
	stamp atomic.Pointer[stamp]
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
	if s.service == "s3" { // the one service that has paths signed as they are sent
		return i.signer.SignHTTP(ctx, creds.Credentials, r, payloadHash, s.service, s.region, at, func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	}
	if s.sign(&creds.Credentials, r, payloadHash, at) {
		return nil
	}
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
	signed, err := time.Parse(signedTime, r.Header.Get("X-Amz-Date"))
	if err != nil || signed.Sub(at).Abs() <= tolerated {
		return false
	}
	s.identity.skew.Store(int64(at.Sub(s.identity.now())))
	return true
}
