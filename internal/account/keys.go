package account

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// MasterKeyHash is what rows and log lines have for the master key: the SHA-256 in hex of the words
// "litellm_proxy_master_key", as with LiteLLM. The key's own digest is kept nowhere: a guess could be tried on it.
const MasterKeyHash = "05315140fffb69fbf877806e62016cf1e0fb2669ac12e060a13915f0942ee017"

// Role is what a caller may do.
type Role uint8

// The roles.
const (
	// Anonymous callers may use models; who they are is not known.
	Anonymous Role = iota
	// Admin has sent a master key that is not publicly known, and may do everything.
	Admin
)

// String returns anonymous or LiteLLM's proxy_admin.
func (r Role) String() string {
	if r == Admin {
		return "proxy_admin"
	}
	return "anonymous"
}

// Caller is who calls.
type Caller struct {
	Role Role
	// KeyHash is the name of the caller's key in rows and log lines, empty when nobody was asked for a key. A key can be
	// neither read from it nor tried on it.
	KeyHash string
	// KeyAlias is the name that an operator gave the key; TeamID and UserID say whose it is. They are empty where that is
	// not known: there are no keys but the master key yet.
	KeyAlias, TeamID, UserID string
}

// Admin reports whether the caller may use admin routes.
func (c Caller) Admin() bool { return c.Role == Admin }

// Keys knows the keys that may call. It does not change and is safe for concurrent use.
type Keys struct {
	header string
	// required says that there is a master key; digest is its SHA-256.
	required bool
	digest   [sha256.Size]byte
	caller   Caller
}

// NewKeys returns the keys of a gateway with this master key. header names a further header in which clients may send
// their key, before all others; it may be empty.
//
// Without a master key everybody may call, as [Anonymous]. With a publicly known one (see [IsWeak]) callers must send it,
// but it makes nobody an [Admin].
func NewKeys(master secret.Secret, header string) *Keys {
	k := &Keys{header: http.CanonicalHeaderKey(header), required: master.IsSet()}
	if k.required {
		k.digest = sha256.Sum256([]byte(master.Reveal()))
		k.caller.KeyHash = MasterKeyHash
		if !IsWeak(master) {
			k.caller.Role = Admin
		}
	}
	return k
}

// Header returns the name of the further header in which clients may send their key, empty if there is none.
func (k *Keys) Header() string { return k.header }

// Authenticate says who sent a request with these headers. The error, always of status 401, never holds a key.
//
// The key is hashed before it is compared, and the digests are compared in constant time: how long a refusal takes says
// nothing about how near a guess was.
func (k *Keys) Authenticate(h http.Header) (Caller, *llm.Error) {
	if !k.required {
		return Caller{}, nil
	}
	key, malformed := FromHeader(h, k.header)
	switch {
	case malformed:
		return Caller{}, &llm.Error{
			Kind: llm.KindAuth, Code: "invalid_api_key",
			Message: "Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix.",
		}
	case key == "":
		return Caller{}, &llm.Error{
			Kind: llm.KindAuth, Code: "invalid_api_key",
			Message: "Authentication Error, No api key passed in.",
			Hint:    "Send the gateway's key as Authorization: Bearer <key>, or as x-api-key or api-key.",
		}
	}
	digest := sum(key)
	if subtle.ConstantTimeCompare(digest[:], k.digest[:]) != 1 {
		return Caller{}, &llm.Error{
			Kind: llm.KindAuth, Code: "invalid_api_key", Param: "key",
			Message: "Authentication Error, Invalid API key provided.",
		}
	}
	return k.caller, nil
}

// sum is SHA-256 without an allocation for keys of usual length.
func sum(key string) [sha256.Size]byte {
	var room [256]byte
	return sha256.Sum256(append(room[:0], key...))
}
