package baseline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Upstream is where the baselines send their calls, and as whom.
type Upstream struct {
	URL                      *url.URL
	Region, KeyID, KeySecret string
}

func (u *Upstream) sign(ctx context.Context, signer *v4.Signer, r *http.Request, body []byte) error {
	sum := sha256.Sum256(body)
	return signer.SignHTTP(ctx, aws.Credentials{AccessKeyID: u.KeyID, SecretAccessKey: u.KeySecret}, r, hex.EncodeToString(sum[:]),
		"bedrock", u.Region, time.Now())
}

// transport is tuned as any proxy's should be; both baselines have it, so that the ratio shows work and not settings.
func transport() *http.Transport {
	return &http.Transport{MaxIdleConnsPerHost: 4096, IdleConnTimeout: 90 * time.Second, DisableCompression: true}
}

// BareProxy relays requests to the upstream as they are, with a SigV4 signature of its own: what
// httputil.ReverseProxy and the AWS SDK's signer give without further thought.
func BareProxy(u Upstream) http.Handler {
	signer := v4.NewSigner()
	return &httputil.ReverseProxy{
		Transport:     transport(),
		FlushInterval: -1,
		Rewrite: func(p *httputil.ProxyRequest) {
			body, err := io.ReadAll(p.In.Body)
			if err != nil {
				return // the upstream sees a request that is cut short and refuses it
			}
			p.SetURL(u.URL)
			p.Out.Host = u.URL.Host
			p.Out.Header.Del("Authorization")
			p.Out.Body, p.Out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			if err := u.sign(p.In.Context(), signer, p.Out, body); err != nil {
				p.Out.Header.Del("Authorization")
			}
		},
	}
}
