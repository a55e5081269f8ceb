package identity

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

// Options are what one deployment says about its identity. The zero value is the ambient identity of the environment.
type Options struct {
	// APIKey is a Bedrock API key, sent as a bearer token; file:/path names a file that holds it and is read again when it
	// changes.
	APIKey secret.Secret
	// AccessKeyID and SecretAccessKey are a static key, SessionToken belongs to a temporary one.
	AccessKeyID                   string
	SecretAccessKey, SessionToken secret.Secret
	// Profile is a profile of AWS's shared files.
	Profile string
	// RoleARN is a role to assume, as SessionName, with the identity that the other options name, else the ambient one.
	RoleARN, SessionName, ExternalID, SourceIdentity string
	// SessionPolicy narrows what the role may do; by default there is none.
	SessionPolicy string
	// RoleDuration is how long the role's credentials last, to the second; 0 leaves it to STS.
	RoleDuration time.Duration
	// SessionTags are tags of the role's session, at most 50.
	SessionTags []Tag
	// WebIdentity is a token (a JWT), the path of a file with one, or oidc/ISSUER/… (file, env, env_path,
	// github, google, azure, circleci, circleci_v2); RoleARN is assumed with it.
	WebIdentity secret.Secret
	// STSEndpoint replaces AWS's own endpoint of STS. STSRegion is the deployment's region, where STS is called unless the
	// endpoint's host names one.
	STSEndpoint, STSRegion string
	// AllowHTTP permits an STSEndpoint with http:// that is neither loopback nor private.
	AllowHTTP bool
	// CAFile and Insecure are how the certificates of STS are verified: with further authorities, in PEM form, or not at all.
	CAFile   string
	Insecure bool
	// Signing asks for an identity that signs: the environment's API key is passed over.
	Signing bool
	// AllowProcess permits credential_process in a profile: a program that the AWS SDK starts.
	AllowProcess bool
	// Provider is a caller's own source of credentials, such as the Retrieve of an aws.CredentialsProvider. It beats all of
	// the above. It is a function, since those cannot be printed.
	Provider aws.CredentialsProviderFunc `json:"-"`
	// Source is the identity that RoleARN is assumed with, in place of what the other options name. It is no API key.
	Source *Identity `json:"-"`

	http config.HTTPClient // what STS and the SDK's chain are asked with; the pool sets it
}

// maxTags is how many session tags STS takes.
const maxTags = 50

// Tag is a session tag.
type Tag struct{ Key, Value string }

// IsAmbient reports whether nothing is said, so that the environment decides.
func (o *Options) IsAmbient() bool {
	return o.Provider == nil && !o.APIKey.IsSet() && o.AccessKeyID == "" && !o.SecretAccessKey.IsSet() && o.Profile == "" && o.RoleARN == "" && !o.WebIdentity.IsSet()
}

var (
	errHalfPair    = errors.New("aws_access_key_id and aws_secret_access_key belong together: one of them is missing")
	errLoneToken   = errors.New("aws_session_token needs aws_access_key_id and aws_secret_access_key: the environment's are not joined with it")
	errNoRole      = errors.New("aws_web_identity_token needs aws_role_name")
	errSource      = errors.New("a role is assumed with an identity that signs, not with an API key")
	errTags        = errors.New("aws_session_tags are more than the 50 that STS takes")
	errTokenSource = errors.New("aws_web_identity_token names a source that Outcrop does not have: use a token, a file, " +
		"oidc/file/PATH, oidc/env/VARIABLE, oidc/env_path/VARIABLE, oidc/github/AUDIENCE, oidc/google/AUDIENCE, oidc/azure/SCOPE, oidc/circleci/ or oidc/circleci_v2/")
)

// check refuses what could only work by mixing in the environment's credentials, and what STS would refuse.
func (o *Options) check() error {
	switch {
	case (o.AccessKeyID == "") == o.SecretAccessKey.IsSet():
		return errHalfPair
	case o.SessionToken.IsSet() && o.AccessKeyID == "":
		return errLoneToken
	case o.WebIdentity.IsSet() && o.RoleARN == "":
		return errNoRole
	case o.Source != nil && (o.RoleARN == "" || o.Source.bearer != nil):
		return errSource
	case len(o.SessionTags) > maxTags:
		return errTags
	case o.SessionName != "" && !validSessionName(o.SessionName):
		return fmt.Errorf("aws_session_name %q is not 2 to 64 of the characters A-Z a-z 0-9 _ + = , . @ -", o.SessionName)
	}
	return nil
}

func validSessionName(name string) bool {
	if len(name) < 2 || len(name) > 64 {
		return false
	}
	for i := range len(name) {
		if !sessionNameByte(name[i]) {
			return false
		}
	}
	return true
}

func sessionNameByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '_', '+', '=', ',', '.', '@', '-':
		return true
	}
	return false
}

// sortedTags returns the tags in the order of their keys, so that the same set is the same identity.
func (o *Options) sortedTags() []Tag {
	tags := slices.Clone(o.SessionTags)
	slices.SortFunc(tags, func(a, b Tag) int { return cmp.Compare(a.Key, b.Key) })
	return tags
}

// key names an identity in the pool. Secrets take part through their digests only. ok is false for what cannot be
// shared: a caller's own provider, or what is assumed with one.
func (o *Options) key() (key string, ok bool) {
	source := ""
	if o.Source != nil {
		source = o.Source.key
	}
	text, err := json.Marshal([]any{
		o.APIKey.Digest(), o.AccessKeyID, o.SecretAccessKey.Digest(), o.SessionToken.Digest(), o.Profile, o.RoleARN, o.SessionName, o.ExternalID,
		o.SourceIdentity, o.SessionPolicy, o.RoleDuration, o.sortedTags(), o.WebIdentity.Digest(), o.STSEndpoint, o.stsRegionKey(), o.AllowHTTP, o.AllowProcess, o.CAFile, o.Insecure, o.Signing, source,
	})
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err == nil && o.Provider == nil && (o.Source == nil || source != "")
}

// stsRegionKey is the region where it makes an identity another one: only roles ask STS. Ambient and profile identities
// may do so, too.
func (o *Options) stsRegionKey() string {
	if o.RoleARN == "" && (o.APIKey.IsSet() || o.AccessKeyID != "" && o.Profile == "") {
		return ""
	}
	return o.STSRegion
}
