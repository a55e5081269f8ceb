package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// The layouts of times in a signature, and what ends a key's scope:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
const (
	signedTime  = "20060102T150405Z"
	signedDay   = "20060102"
	scopeEnd    = "aws4_request"
	authorizing = "AWS4-HMAC-SHA256"
)

// dayKey signs the requests of one day with one secret. What the SDK's signer works out for each request anew (scope,
// key schedule of the HMAC) stands here.
type dayKey struct {
	of         *aws.Credentials // renewed ones are others
	day, scope string
	macs       sync.Pool
}

func newDayKey(c *aws.Credentials, day, region, service string) *dayKey {
	key := []byte("AWS4" + c.SecretAccessKey)
	for _, part := range []string{day, region, service, scopeEnd} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return &dayKey{
		of: c, day: day,
		scope: day + "/" + region + "/" + service + "/" + scopeEnd,
		macs:  sync.Pool{New: func() any { return hmac.New(sha256.New, key) }},
	}
}

func (k *dayKey) sum(dst, message []byte) []byte {
	mac, _ := k.macs.Get().(hash.Hash) // it holds nothing else
	mac.Reset()
	mac.Write(message)
	dst = mac.Sum(dst)
	k.macs.Put(mac)
	return dst
}

// header is one that a signature covers.
type header struct {
	name   string // canonical, of letters, digits and hyphens
	values []string
}

// sign signs the requests that this program makes of itself: without a query, with plain header values. It leaves others
// alone and reports false: they are for the SDK's signer, to whose results its own are equal (TestSignatureLikeSDK,
// FuzzSignature), at a quarter of the cost.
func (s *Signer) sign(c *aws.Credentials, r *http.Request, payloadHash string, at time.Time) bool {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	if r.URL.RawQuery != "" || r.URL.ForceQuery || r.URL.Opaque != "" || r.ContentLength > 0 || !plain(c.SessionToken) || !plain(host) || strings.HasSuffix(host, ":80") || strings.HasSuffix(host, ":443") {
		return false
	}
	var (
		space [1536]byte
		list  [16]header
		sum   [sha256.Size]byte
	)
	stamp := s.stampOf(at)
	values := make([]string, 3)
	values[0] = stamp
	headers := append(list[:0], header{"Host", nil}, header{"X-Amz-Date", values[0:1:1]})
	if c.SessionToken != "" {
		values[1] = c.SessionToken
		headers = append(headers, header{"X-Amz-Security-Token", values[1:2:2]})
	}
	for name, values := range r.Header {
		switch name {
		case "Authorization", "User-Agent", "X-Amzn-Trace-Id", "Expect", "Transfer-Encoding": // what proxies on the way may change
			continue
		case "X-Amz-Date", "X-Amz-Security-Token": // those of an earlier try
			if name == "X-Amz-Date" || c.SessionToken != "" {
				continue
			}
		case "Host", "Content-Length":
			return false
		}
		if len(headers) == len(list) || !canonical(name) || slices.ContainsFunc(values, func(v string) bool { return !plain(v) }) {
			return false
		}
		headers = append(headers, header{name, values})
	}
	// In canonical names, capitals stand where the names agree or differ from another capital: the order is that of the
	// small letters.
	slices.SortFunc(headers, func(a, b header) int { return strings.Compare(a.name, b.name) })

	b := append(space[:0], r.Method...)
	b = append(b, '\n')
	b = appendEscaped(b, r.URL)
	b = append(b, '\n', '\n')
	for _, h := range headers {
		b = appendLower(b, h.name)
		b = append(b, ':')
		if h.values == nil {
			b = append(b, host...)
		}
		for i, v := range h.values {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, v...)
		}
		b = append(b, '\n')
	}
	b = append(b, '\n')
	from := len(b)
	for i, h := range headers {
		if i > 0 {
			b = append(b, ';')
		}
		b = appendLower(b, h.name)
	}
	to := len(b)
	b = append(b, '\n')
	b = append(b, payloadHash...)
	sum = sha256.Sum256(b)

	key := s.day.Load()
	if key == nil || key.of != c || key.day != stamp[:len(signedDay)] {
		key = newDayKey(c, stamp[:len(signedDay)], s.region, s.service)
		s.day.Store(key)
	}
	var text [256]byte
	toSign := append(text[:0], authorizing+"\n"...)
	toSign = append(toSign, stamp...)
	toSign = append(toSign, '\n')
	toSign = append(toSign, key.scope...)
	toSign = append(toSign, '\n')
	toSign = hex.AppendEncode(toSign, sum[:])
	signature := key.sum(sum[:0], toSign)

	proof := append(toSign[:0], authorizing+" Credential="...)
	proof = append(proof, c.AccessKeyID...)
	proof = append(proof, '/')
	proof = append(proof, key.scope...)
	proof = append(proof, ", SignedHeaders="...)
	proof = append(proof, b[from:to]...)
	proof = append(proof, ", Signature="...)
	values[2] = string(hex.AppendEncode(proof, signature))
	r.Header["X-Amz-Date"] = values[0:1:1]
	if c.SessionToken != "" {
		r.Header["X-Amz-Security-Token"] = values[1:2:2]
	}
	r.Header["Authorization"] = values[2:3:3]
	return true
}

// stamp is a second as requests are signed with it.
type stamp struct {
	second int64
	text   string
}

// stampOf writes a time. Most requests have the second of the one before.
func (s *Signer) stampOf(at time.Time) string {
	last := s.stamp.Load()
	if second := at.Unix(); last == nil || last.second != second {
		last = &stamp{second, at.UTC().Format(signedTime)}
		s.stamp.Store(last)
	}
	return last.text
}

// canonical reports whether name is as net/http writes header names, of letters, digits and hyphens.
func canonical(name string) bool {
	first := true
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z' && !first, c >= 'A' && c <= 'Z' && first, c >= '0' && c <= '9', c == '-':
		default:
			return false
		}
		first = c == '-'
	}
	return name != ""
}

// plain reports whether a value is signed as it is: without spaces that would be taken out, or bytes that need thought.
func plain(v string) bool {
	for i := range len(v) {
		c := v[i]
		if c < ' ' || c > '~' || c == ' ' && (i == 0 || i == len(v)-1 || v[i+1] == ' ') {
			return false
		}
	}
	return true
}

func appendLower(dst []byte, name string) []byte {
	from := len(dst)
	dst = append(dst, name...)
	for i, c := range dst[from:] {
		if c >= 'A' && c <= 'Z' {
			dst[from+i] = c + 'a' - 'A'
		}
	}
	return dst
}

// appendEscaped appends what a URL's path is in a request, escaped once more, as AWS does for every service but S3.
func appendEscaped(dst []byte, u *url.URL) []byte {
	if escaped, ok := appendUsual(dst, u); ok {
		return escaped
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	for i := range len(path) {
		dst = appendByte(dst, path[i])
	}
	return dst
}

// appendUsual is appendEscaped for a URL whose RawPath stands for its Path and has nothing that a URL could not have: then the
// one is what is sent. It works out nothing that is then thrown away.
func appendUsual(dst []byte, u *url.URL) (escaped []byte, ok bool) {
	raw, path := u.RawPath, u.Path
	n := 0
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '%' && i+2 < len(raw):
			var high, low bool
			if c, high = hexDigit(raw[i+1]); high {
				var rest byte
				rest, low = hexDigit(raw[i+2])
				c = c<<4 | rest
			}
			if !low {
				return dst, false
			}
			dst = append(dst, '%', '2', '5', raw[i+1], raw[i+2])
			i += 2
		case unreserved(c) || c == ':' || c == '@':
			dst = appendByte(dst, c)
		default:
			return dst, false
		}
		if n == len(path) || path[n] != c {
			return dst, false
		}
		n++
	}
	return dst, n == len(path) && n > 0
}

func hexDigit(c byte) (value byte, ok bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// unreserved are the bytes that AWS leaves as they are in a path.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~' || c == '/'
}

func appendByte(dst []byte, c byte) []byte {
	if unreserved(c) {
		return append(dst, c)
	}
	const digits = "0123456789ABCDEF"
	return append(dst, '%', digits[c>>4], digits[c&15])
}
