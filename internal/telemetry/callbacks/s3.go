package callbacks

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// Signer signs a request for S3; payloadHash is the SHA-256 of its body, in hex.
type Signer interface {
	Authenticate(ctx context.Context, r *http.Request, payloadHash string) error
}

// S3Options say where payloads go in S3.
type S3Options struct {
	// Bucket and Region are required; Path is put before each object's key.
	Bucket, Region, Path string
	// Endpoint replaces AWS's; VirtualHosted puts the bucket into its host.
	Endpoint      string
	VirtualHosted bool
	// TeamPrefix and KeyPrefix put the team's and the key's name before the date. Hourly has a folder for each hour.
	TeamPrefix, KeyPrefix, Hourly bool
	// Encryption and KMSKey are S3's server-side encryption: AES256 or aws:kms.
	Encryption, KMSKey string
	// Signer signs the requests.
	Signer Signer
	// TLS says which certificates are trusted; nil is the usual ones.
	TLS *tls.Config
	// StripBase64 leaves images and files out of messages.
	StripBase64 bool
}

// s3Parallel is how many objects are put at once.
const s3Parallel = 8

// s3 puts each payload into an object of its own: LiteLLM's s3_v2, with its names of objects. Putting one twice leaves one.
type s3 struct {
	S3Options
	client *http.Client
	base   string // ends with a slash
	writer *Writer
}

func newS3(o *Options) (*s3, error) {
	s := &s3{S3Options: o.S3, client: newClient(), writer: &o.Writer}
	if t, ok := s.client.Transport.(*http.Transport); ok && s.TLS != nil {
		t.TLSClientConfig = s.TLS
	}
	switch {
	case s.Bucket == "":
		return nil, errors.New("s3_callback_params.s3_bucket_name is not set")
	case s.Region == "":
		return nil, errors.New("s3_callback_params.s3_region_name is not set, nor is AWS_REGION")
	case s.Signer == nil:
		return nil, errors.New("there is no identity to sign as")
	}
	endpoint := s.Endpoint
	// A dot in the bucket's name fits no certificate of AWS's.
	hosted := s.VirtualHosted
	if endpoint == "" {
		endpoint = "https://s3." + s.Region + ".amazonaws.com"
		if strings.HasPrefix(s.Region, "cn-") {
			endpoint += ".cn"
		}
		hosted = !strings.Contains(s.Bucket, ".")
	}
	u, err := checkURL("s3_callback_params.s3_endpoint_url", endpoint)
	if err != nil {
		return nil, err
	}
	if hosted {
		u.Host = s.Bucket + "." + u.Host
	}
	s.base = strings.TrimSuffix(u.String(), "/") + "/"
	if !hosted {
		s.base += escapeKey(s.Bucket) + "/"
	}
	return s, nil
}

func (*s3) Name() string { return S3 }

func (s *s3) close() { s.client.CloseIdleConnections() }

// Send puts a batch, some at once. What failed can be tried again.
func (s *s3) Send(ctx context.Context, batch []*telemetry.Event) ([]*telemetry.Event, error) {
	errs := make([]error, len(batch))
	next := make(chan int, len(batch))
	for i := range batch {
		next <- i
	}
	close(next)
	var workers sync.WaitGroup
	for range min(s3Parallel, len(batch)) {
		workers.Go(func() {
			for i := range next {
				errs[i] = s.put(ctx, batch[i])
			}
		})
	}
	workers.Wait()
	var left []*telemetry.Event
	var why error
	lost := 0
	for i, err := range errs {
		switch {
		case err == nil:
		case isFinal(err):
			lost++
			why = err
		default:
			left = append(left, batch[i])
			why = err
		}
	}
	if lost > 0 {
		return left, &refusedError{lost, why}
	}
	return left, why
}

func (s *s3) put(ctx context.Context, e *telemetry.Event) error {
	if s.StripBase64 && e.Content != nil {
		bare, content := *e, *e.Content
		content.Messages = withoutFiles(content.Messages)
		bare.Content = &content
		e = &bare
	}
	body, err := s.writer.Payload(e)
	if err != nil {
		return err
	}
	r, err := telemetry.NewRequest(ctx, http.MethodPut, s.base+escapeKey(s.key(e)), body)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	if s.Encryption != "" {
		r.Header.Set("X-Amz-Server-Side-Encryption", s.Encryption)
	}
	if s.KMSKey != "" {
		r.Header.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", s.KMSKey)
	}
	if err := s.Signer.Authenticate(ctx, r, hash); err != nil {
		return err
	}
	_, err = do(s.client, r)
	return err
}

// maxKey and maxName bound an object's key and the last part of it, in bytes: S3's limit, and LiteLLM's.
const (
	maxKey  = 1024
	maxName = 255
)

// key returns the object's key: path/team/key/date/time-H-M-S-micros_id.json.
func (s *s3) key(e *telemetry.Event) string {
	at := e.Start.UTC()
	var folder string
	if s.Path != "" {
		folder = strings.TrimRight(s.Path, "/") + "/"
	}
	if s.TeamPrefix && e.Caller.TeamID != "" {
		folder += flat(e.Caller.TeamID) + "/"
	}
	if s.KeyPrefix && e.Caller.KeyAlias != "" {
		folder += flat(e.Caller.KeyAlias) + "/"
	}
	folder += at.Format("2006-01-02") + "/"
	if s.Hourly {
		folder += at.Format("15") + "/"
	}
	id := e.RequestID
	if id == "" {
		id = e.CallID
	}
	name := flat(fmt.Sprintf("time-%s-%06d_%s", at.Format("15-04-05"), at.Nanosecond()/1000, id))
	if room := min(maxName, maxKey-len(folder)) - len(".json"); len(name) > room {
		name = name[:max(room, 0)]
	}
	return folder + name + ".json"
}

// flat replaces what would be a folder, or is trouble in a URL.
func flat(name string) string { return strings.NewReplacer("/", "_", ":", "_").Replace(name) }

// escapeKey escapes an object's key as S3 has it signed: all but letters, digits and -._~/.
func escapeKey(key string) string {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, len(key))
	for i := range len(key) {
		switch c := key[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~/", c) >= 0:
			out = append(out, c)
		default:
			out = append(out, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(out)
}
