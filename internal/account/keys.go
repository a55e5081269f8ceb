package account

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// MasterKeyHash is what rows and log lines have for the master key: the SHA-256 in hex of the words
// "litellm_proxy_master_key", as with LiteLLM. The key's own digest is kept nowhere: a guess could be tried on it.
const MasterKeyHash = "05315140fffb69fbf877806e62016cf1e0fb2669ac12e060a13915f0942ee017"

// KeyOptions are what [Keys] are made of. The zero value lets everybody call, as [Anonymous].
type KeyOptions struct {
	// Master is the master key. With a publicly known one (see [IsWeak]) callers must send it, but it makes nobody an [Admin].
	Master secret.Secret
	// Header names a further header in which clients may send their key, before all others; it may be empty.
	Header string
	// Directory knows the other keys; nil is that there are none.
	Directory *Directory
	// Addresses says where requests come from, AllowedIPs which of those addresses may call at all; none is all.
	Addresses  Addresses
	AllowedIPs []netip.Prefix
	// MaxWrong is how many wrong keys an address may send in a minute before it is refused for the rest of it; 0 is any
	// number.
	MaxWrong int
	// AdmitUnavailable lets keys call that nobody can look up while the store is away, as users without rights but to models.
	AdmitUnavailable bool
}

// Keys knows the keys that may call. It is safe for concurrent use.
type Keys struct {
	o KeyOptions
	// required says that there is a master key; digest is its SHA-256.
	required bool
	digest   [sha256.Size]byte
	caller   Caller
	guesses  guesses
	// seen is where the master key, and keys that somebody chose, were last sent from: those are let in although there are
	// guesses from the same address. A proxy may stand before all of them.
	seen sync.Map // digest → *atomic.Value of netip.Addr
}

// NewKeys returns the keys of a gateway that has no other than this master key.
func NewKeys(master secret.Secret, header string) *Keys {
	return KeysOf(KeyOptions{Master: master, Header: header})
}

// KeysOf returns the keys of a gateway.
func KeysOf(o KeyOptions) *Keys {
	k := &Keys{o: o, required: o.Master.IsSet(), guesses: guesses{limit: o.MaxWrong}}
	k.o.Header = http.CanonicalHeaderKey(o.Header)
	if k.required {
		k.digest = sha256.Sum256([]byte(o.Master.Reveal()))
		k.caller.KeyHash = MasterKeyHash
		if !IsWeak(o.Master) {
			k.caller.Role = Admin
		}
	}
	return k
}

// Header returns the name of the further header in which clients may send their key, empty if there is none.
func (k *Keys) Header() string { return k.o.Header }

// Directory returns what knows the keys, nil if there are none but the master key.
func (k *Keys) Directory() *Directory { return k.o.Directory }

// Address returns where a request comes from.
func (k *Keys) Address(r *http.Request) netip.Addr { return k.o.Addresses.Of(r) }

// AddressText returns the same as text, empty where it is not known.
func (k *Keys) AddressText(r *http.Request) string { return k.o.Addresses.Text(r) }

// Authenticate says who sent a request. The error never holds a key. Its status is 401, but for an address that may not call
// (403), one that has sent too many wrong keys (429), and a key that nobody can look up now (503).
//
// The key is hashed before anything looks at it, and digests are compared in constant time: how long a refusal takes says
// nothing about how near a guess was. No database is asked for a key that is known, nor for a text that cannot be a key.
func (k *Keys) Authenticate(r *http.Request) (Caller, *llm.Error) {
	if len(k.o.AllowedIPs) > 0 && !within(k.o.AllowedIPs, k.o.Addresses.Of(r)) {
		return Caller{}, refusedAddress()
	}
	if !k.required {
		return Caller{}, nil
	}
	text, malformed := FromHeader(r.Header, k.o.Header)
	switch {
	case malformed:
		return Caller{}, &llm.Error{
			Kind: llm.KindAuth, Code: codeInvalidKey,
			Message: "Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix.",
		}
	case text == "":
		return Caller{}, &llm.Error{
			Kind: llm.KindAuth, Code: codeInvalidKey,
			Message: "Authentication Error, No api key passed in.",
			Hint:    "Send the gateway's key as Authorization: Bearer <key>, or as x-api-key or api-key.",
		}
	}
	now := time.Now()
	digest := sum(text)
	isMaster := subtle.ConstantTimeCompare(digest[:], k.digest[:]) == 1
	if k.o.MaxWrong > 0 && !isMade(text) {
		address := k.o.Addresses.Of(r)
		if wait, over := k.guesses.over(address, now); over && !k.wasSeen(&digest, address) {
			return Caller{}, tooManyGuesses(wait)
		}
	}
	if isMaster {
		k.see(&digest, r)
		return k.caller, nil
	}
	c, failed := k.lookUp(r, text, &digest, now)
	if failed != nil {
		return Caller{}, failed
	}
	if !isMade(text) {
		k.see(&digest, r)
	}
	return *c, nil
}

// lookUp says who sent a key that is not the master key.
func (k *Keys) lookUp(r *http.Request, text string, digest *[sha256.Size]byte, now time.Time) (*Caller, *llm.Error) {
	d := k.o.Directory
	if d == nil {
		return nil, k.wrong(r, now)
	}
	var id [2 * sha256.Size]byte
	hex.Encode(id[:], digest[:])
	keys := d.tables[EntityKey]
	o := keys.find(id[:])
	if o == nil {
		switch {
		case !canBeKey(text) || d.absent.has(digest, now):
			return nil, k.wrong(r, now)
		}
		if wait, over := k.guesses.over(k.o.Addresses.Of(r), now); over {
			return nil, tooManyGuesses(wait)
		}
		if err := d.catchUp(r.Context()); err != nil {
			if k.o.AdmitUnavailable && r.Context().Err() == nil {
				return &Caller{Role: Internal, KeyHash: string(id[:]), Key: &Key{Type: keyTypeLLM}}, nil
			}
			return nil, unsure(err)
		}
		if o = keys.find(id[:]); o == nil {
			d.absent.add(digest, now)
			return nil, k.wrong(r, now)
		}
	}
	if age, _ := d.Age(now); age > d.o.MaxAge && !k.o.AdmitUnavailable {
		return nil, unsure(errStale)
	}
	for hops := 0; o.Key.ReplacedBy != "" && hops < maxReplacements; hops++ { // the old text of a key that has a new one
		if next := keys.get(o.Key.ReplacedBy); next != nil && now.Before(o.Key.ReplacedUntil) {
			o = next
			continue
		}
		return nil, expired(o, o.Key.ReplacedUntil)
	}
	found := d.caller(o, now)
	return &found.caller, k.admit(found, o, r, now)
}

// maxReplacements bounds how often a key may have got a new text while the grace of the first still runs.
const maxReplacements = 16

// admit says why a key that there is may not call now.
func (k *Keys) admit(found *resolution, o *Holder, r *http.Request, now time.Time) *llm.Error {
	c := &found.caller
	switch {
	case !c.Key.Expires.IsZero() && !now.Before(c.Key.Expires):
		return expired(o, c.Key.Expires)
	case c.Key.Blocked:
		return &llm.Error{Kind: llm.KindAuth, Message: "Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin."}
	case c.TeamID != "" && c.Team == nil:
		return &llm.Error{Kind: llm.KindAuth, Message: "Authentication Error, The team of this key does not exist any more."}
	case c.Team != nil && c.Team.Blocked:
		return &llm.Error{Kind: llm.KindAuth, Message: "Authentication Error, Team is blocked. Update via `/team/unblock` if you're an admin."}
	case len(c.Key.IPs) > 0 && !within(found.ips, k.o.Addresses.Of(r)):
		return refusedAddress()
	}
	return nil
}

// codeInvalidKey is OpenAI's word for a key that is none.
const codeInvalidKey = "invalid_api_key"

// wrong refuses a key that there is not, and counts it.
func (k *Keys) wrong(r *http.Request, now time.Time) *llm.Error {
	if k.o.MaxWrong > 0 {
		address := k.o.Addresses.Of(r)
		if wait, over := k.guesses.over(address, now); over {
			return tooManyGuesses(wait)
		}
		k.guesses.add(address, now)
	}
	return &llm.Error{
		Kind: llm.KindAuth, Type: "token_not_found_in_db", Code: codeInvalidKey, Param: "key",
		Message: "Authentication Error, Invalid API key provided.",
	}
}

func tooManyGuesses(wait time.Duration) *llm.Error {
	return &llm.Error{Kind: llm.KindRateLimit, Code: "too_many_wrong_keys", RetryAfter: wait, Message: "Too many wrong API keys were sent from this address. Wait before you try again."}
}

// unsure says that nobody knows now whether a key is one. A client that was told 401 would give up for good.
func unsure(cause error) *llm.Error {
	return &llm.Error{
		Kind: llm.KindUnavailable, Type: "service_unavailable", Code: "key_store_unavailable", RetryAfter: time.Second, Cause: cause,
		Message: "The key cannot be looked up now: the store of keys does not answer. Try again.",
	}
}

func expired(o *Holder, when time.Time) *llm.Error {
	return &llm.Error{
		Kind: llm.KindAuth, Type: "expired_key", Param: o.Key.Name,
		Message: "Authentication Error - Expired Key. Key Expiry time " + when.UTC().Format(time.RFC3339),
	}
}

func refusedAddress() *llm.Error {
	return &llm.Error{Kind: llm.KindPermission, Type: "auth_error", Message: "Access forbidden: IP address not allowed."}
}

// see notes where a key was sent from that could be guessed.
func (k *Keys) see(digest *[sha256.Size]byte, r *http.Request) {
	if k.o.MaxWrong <= 0 {
		return
	}
	address := k.o.Addresses.Of(r)
	if v, ok := k.seen.Load(*digest); ok {
		if last := v.(*atomic.Value); last.Load() != any(address) { //nolint:forcetypeassert // the map holds nothing else
			last.Store(address)
		}
		return
	}
	last := &atomic.Value{}
	last.Store(address)
	k.seen.Store(*digest, last)
}

func (k *Keys) wasSeen(digest *[sha256.Size]byte, address netip.Addr) bool {
	v, ok := k.seen.Load(*digest)
	return ok && v.(*atomic.Value).Load() == any(address) //nolint:forcetypeassert // as above
}

// sum is SHA-256 without an allocation for keys of usual length.
func sum(key string) [sha256.Size]byte {
	var room [256]byte
	return sha256.Sum256(append(room[:0], key...))
}
