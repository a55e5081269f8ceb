package identity

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// Attribution says how the sessions of a role name who calls, so that AWS's bill does.
type Attribution struct {
	// SessionName is what RoleSessionName is made of; empty leaves it as it is.
	SessionName Source
	// Tags are added to the role's session tags; none of them has the key of one of those.
	Tags []SourcedTag
	// MaxSessions bounds how many sessions a deployment has at a time: each is a call of STS an hour, and a row in the bill.
	MaxSessions int
}

// Source is what of a caller a value is taken from.
type Source string

// The sources.
const (
	FromKey      Source = "key"
	FromKeyAlias Source = "key_alias"
	FromTeam     Source = "team"
	FromUser     Source = "user"
	FromEndUser  Source = "end_user"
)

// SourcedTag is a session tag whose value is taken from From or, where that is empty, is Text.
type SourcedTag struct {
	Key  string
	From Source
	Text string
}

// Names are what is known of a caller. None of them is a credential.
type Names struct{ Key, KeyAlias, Team, User, EndUser string }

func (n *Names) of(s Source) string {
	switch s {
	case FromKey:
		return n.Key
	case FromKeyAlias:
		return n.KeyAlias
	case FromTeam:
		return n.Team
	case FromUser:
		return n.User
	case FromEndUser:
		return n.EndUser
	}
	return ""
}

// MissingError says that a caller lacks what sessions are to be named after.
type MissingError struct{ Source Source }

// Error names what is missing.
func (e *MissingError) Error() string { return "the caller has no " + string(e.Source) }

var (
	// ErrNoRole says that an identity is no role that is assumed, so that there is no session to name.
	ErrNoRole = errors.New("there is no role whose session could name the caller")
	// ErrFull says that a deployment has as many sessions as it may.
	ErrFull = errors.New("there are as many sessions as there may be")
)

// idleAfter is how long a session must not have been used before it makes room for another.
const idleAfter = time.Hour

// Sessions are the identities of one deployment's callers. It is safe for concurrent use.
type Sessions struct {
	pool  *Pool
	rules Attribution

	mu     sync.Mutex // guards what follows
	live   map[string]*list.Element
	recent *list.List // of *session, the one used last first
}

type session struct {
	key      string
	identity *Identity
	used     time.Time
}

// Attribute returns the sessions that a deployment's callers get by the rules.
func (p *Pool) Attribute(rules Attribution) *Sessions {
	return &Sessions{pool: p, rules: rules, live: map[string]*list.Element{}, recent: list.New()}
}

// For returns the identity that calls of a caller go as: o's role, in a session of the caller's own. Its error is a
// *MissingError, ErrNoRole, ErrFull, or that of [Pool.For].
func (s *Sessions) For(o Options, who Names) (*Identity, error) {
	if o.RoleARN == "" || o.APIKey.IsSet() {
		return nil, ErrNoRole
	}
	if o.WebIdentity.IsSet() && len(s.rules.Tags) > 0 { // STS takes the tags from the token
		return nil, ErrNoRole
	}
	o, err := s.rules.apply(o, who)
	if err != nil {
		return nil, err
	}
	key, _ := o.key()
	now := s.pool.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.live[key]; e != nil {
		known := e.Value.(*session) //nolint:forcetypeassert // the list holds nothing else
		known.used = now
		s.recent.MoveToFront(e)
		return known.identity, nil
	}
	if s.recent.Len() >= s.rules.MaxSessions && !s.evict(now) {
		return nil, ErrFull
	}
	i, err := s.pool.For(o)
	if err != nil {
		return nil, err
	}
	s.live[key] = s.recent.PushFront(&session{key, i, now})
	return i, nil
}

// evict forgets the sessions that nobody has used for long, and reports whether there were any. s.mu is held.
func (s *Sessions) evict(now time.Time) bool {
	found := false
	for e := s.recent.Back(); e != nil; e = s.recent.Back() {
		last := e.Value.(*session) //nolint:forcetypeassert // the list holds nothing else
		if now.Sub(last.used) < idleAfter {
			break
		}
		s.recent.Remove(e)
		delete(s.live, last.key)
		found = true
	}
	return found
}

// apply returns o with the session name and the tags of a caller.
func (a *Attribution) apply(o Options, who Names) (Options, error) {
	if a.SessionName != "" {
		name := who.of(a.SessionName)
		if name == "" {
			return o, &MissingError{a.SessionName}
		}
		o.SessionName = sessionNameOf(name)
	}
	o.SessionTags = slices.Clone(o.SessionTags)
	for _, t := range a.Tags {
		value := t.Text
		if t.From != "" {
			if value = who.of(t.From); value == "" {
				return o, &MissingError{t.From}
			}
			value = tagValueOf(value)
		}
		o.SessionTags = append(o.SessionTags, Tag{t.Key, value})
	}
	return o, nil
}

const (
	maxSessionName = 64
	maxTagValue    = 256
	// digestLength is that of the digest, in hex, behind a value that had to be changed.
	digestLength = 10
)

// sessionNameOf makes a RoleSessionName of any text: 2 to 64 of STS's characters. Two texts never give the same name.
func sessionNameOf(text string) string {
	return fitted(text, maxSessionName, sessionNameRune, utf8.RuneCountInString(text) < 2)
}

func sessionNameRune(r rune) bool { return r < utf8.RuneSelf && sessionNameByte(string(r)[0]) }

// tagValueOf makes the value of a session tag of any text: at most 256 of STS's characters. Two texts never give the same
// value.
func tagValueOf(text string) string { return fitted(text, maxTagValue, tagRune, false) }

// tagRune knows the characters of session tags (STS API Reference, Tag): letters, spaces, digits and _.:/=+-@.
func tagRune(r rune) bool {
	return unicode.In(r, unicode.L, unicode.Z, unicode.N) || strings.ContainsRune("_.:/=+-@", r)
}

// fitted returns text with "-" for each character that may not be, cut to limit characters. A text that must be changed, or
// looks as if it had been, ends in a digest of the whole, so that it is no other's.
func fitted(text string, limit int, may func(rune) bool, change bool) string {
	change = change || utf8.RuneCountInString(text) > limit || !utf8.ValidString(text) || endsInDigest(text)
	clean := make([]rune, 0, min(len(text), limit+1))
	for _, r := range text {
		if r == utf8.RuneError || !may(r) {
			r, change = '-', true
		}
		if len(clean) <= limit {
			clean = append(clean, r)
		}
	}
	if !change {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	clean = clean[:min(len(clean), limit-digestLength-1)]
	return string(clean) + "-" + hex.EncodeToString(sum[:])[:digestLength]
}

func endsInDigest(text string) bool {
	at := len(text) - digestLength - 1
	if at < 0 || text[at] != '-' {
		return false
	}
	return strings.Trim(text[at+1:], "0123456789abcdef") == ""
}
