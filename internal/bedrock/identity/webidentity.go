package identity

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// tokenSource reads a web identity token. It is asked anew for each refresh of a role, since what is behind it changes.
type tokenSource func(context.Context) (string, error)

// tokenSource returns what reads the token that Options.WebIdentity names. The sources are those of LiteLLM's
// aws_web_identity_token, and beside them a token or the path of a file. The text is the operator's own, so any path may be
// read.
func (p *Pool) tokenSource(o *Options) (tokenSource, error) {
	v := o.WebIdentity.Reveal()
	if rest, ok := strings.CutPrefix(v, "oidc/"); ok {
		issuer, rest, _ := strings.Cut(rest, "/")
		return p.issuer(o, issuer, rest)
	}
	if strings.Count(v, ".") == 2 && !strings.ContainsAny(v, "/\\ ") { // a JWT: three parts
		return func(context.Context) (string, error) { return v, nil }, nil
	}
	return fileToken(v), nil
}

// issuer returns the source oidc/ISSUER/REST.
func (p *Pool) issuer(o *Options, issuer, rest string) (tokenSource, error) {
	switch issuer {
	case "circleci":
		return p.variableToken("CIRCLE_OIDC_TOKEN"), nil
	case "circleci_v2":
		return p.variableToken("CIRCLE_OIDC_TOKEN_V2"), nil
	}
	if rest == "" {
		return nil, errTokenSource
	}
	switch issuer {
	case "file":
		return fileToken("/" + strings.TrimPrefix(rest, "/")), nil
	case "env_path":
		return func(ctx context.Context) (string, error) { return fileToken(p.get(rest))(ctx) }, nil
	case "env":
		return p.variableToken(rest), nil
	case "github":
		return p.githubToken(o, rest), nil
	case "google":
		return p.googleToken(rest), nil
	case "azure":
		return p.azureToken(rest), nil
	}
	return nil, errTokenSource
}

func fileToken(path string) tokenSource {
	return func(context.Context) (string, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			// A token that was mistaken for a path must not be shown: the error says why, not what.
			var p *os.PathError
			if errors.As(err, &p) {
				err = p.Err
			}
			return "", fmt.Errorf("the file that should hold a web identity token: %w", err)
		}
		return strings.TrimSpace(string(text)), nil
	}
}

func (p *Pool) variableToken(name string) tokenSource {
	return func(context.Context) (string, error) {
		if t := p.get(name); t != "" {
			return t, nil
		}
		return "", fmt.Errorf("the variable %s, which should hold a web identity token, is not set", name)
	}
}

// githubToken asks the service that GitHub Actions gives to jobs with the permission id-token: write
// (docs.github.com, "OpenID Connect reference").
func (p *Pool) githubToken(o *Options, audience string) tokenSource {
	return func(ctx context.Context) (string, error) {
		address, key := p.get("ACTIONS_ID_TOKEN_REQUEST_URL"), p.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
		if address == "" || key == "" {
			return "", errors.New("GitHub Actions gives no web identity token: the job needs the permission id-token: write")
		}
		var answer struct {
			Value string `json:"value"`
		}
		text, err := askToken(ctx, o.http, "GitHub Actions", address, url.Values{"audience": {audience}}, http.Header{
			"Authorization": {"Bearer " + key}, "Accept": {"application/json; api-version=2.0"},
		})
		if err == nil {
			err = tokenIn(text, &answer, &answer.Value, "GitHub Actions")
		}
		return answer.Value, err
	}
}

// googleToken asks the metadata server of Google Cloud, which answers with the bare token (cloud.google.com, "Verifying the
// identity of instances"). GCE_METADATA_HOST is where Google's own libraries look for it, too.
func (p *Pool) googleToken(audience string) tokenSource {
	return func(ctx context.Context) (string, error) {
		address := "http://" + cmp.Or(p.get("GCE_METADATA_HOST"), "metadata.google.internal") +
			"/computeMetadata/v1/instance/service-accounts/default/identity"
		text, err := askToken(ctx, direct(), "Google's metadata server", address, url.Values{"audience": {audience}},
			http.Header{"Metadata-Flavor": {"Google"}})
		return strings.TrimSpace(string(text)), err
	}
}

// azureToken reads the token that a workload identity of AKS has in a file, or asks for that of a managed identity: App
// Service and Container Apps say where in IDENTITY_ENDPOINT, machines have the instance metadata service
// (learn.microsoft.com, "How to use managed identities").
func (p *Pool) azureToken(scope string) tokenSource {
	return func(ctx context.Context) (string, error) {
		if path := p.get("AZURE_FEDERATED_TOKEN_FILE"); path != "" {
			return fileToken(path)(ctx)
		}
		query := url.Values{"resource": {strings.TrimSuffix(scope, "/.default")}}
		if id := p.get("AZURE_CLIENT_ID"); id != "" {
			query.Set("client_id", id)
		}
		header := http.Header{}
		address := p.get("IDENTITY_ENDPOINT")
		if address != "" {
			query.Set("api-version", "2019-08-01")
			header["X-Identity-Header"] = []string{p.get("IDENTITY_HEADER")}
		} else {
			address = cmp.Or(p.get("AZURE_POD_IDENTITY_AUTHORITY_HOST"), "http://169.254.169.254") + "/metadata/identity/oauth2/token"
			query.Set("api-version", "2018-02-01")
			header["Metadata"] = []string{"true"}
		}
		const service = "Azure's managed identity"
		var answer struct {
			Token string `json:"access_token"`
		}
		text, err := askToken(ctx, direct(), service, address, query, header)
		if err == nil {
			err = tokenIn(text, &answer, &answer.Token, service)
		}
		return answer.Token, err
	}
}

// direct returns a client for services of the machine itself, which no proxy leads to. It keeps no connection.
func direct() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

const (
	// tokenTime bounds a question for a token.
	tokenTime = 10 * time.Second
	// maxToken bounds its answer, in bytes.
	maxToken = 64 << 10
)

// askToken sends a GET to address with query added, and returns the body of an answer with status 200.
func askToken(ctx context.Context, client interface {
	Do(*http.Request) (*http.Response, error)
}, service, address string, query url.Values, header http.Header,
) ([]byte, error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the address of %s is malformed", service) // the address may hold a secret
	}
	all := at.Query()
	for name, values := range query {
		all[name] = values
	}
	at.RawQuery = all.Encode()
	ctx, cancel := context.WithTimeout(ctx, tokenTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("the address of %s is malformed", service)
	}
	r.Header = header
	answer, err := client.Do(r)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, &silentError{service, err}
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusInternalServerError {
		return nil, &silentError{service, fmt.Errorf("it answered %d", answer.StatusCode)}
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s gives no web identity token: it answered %d", service, answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxToken))
	if err != nil {
		return nil, fmt.Errorf("the web identity token of %s: %w", service, err)
	}
	return text, nil
}

// tokenIn decodes text into answer, in which token must not stay empty.
func tokenIn(text []byte, answer any, token *string, service string) error {
	if json.Unmarshal(text, answer) != nil || *token == "" {
		return fmt.Errorf("%s answered without a web identity token", service)
	}
	return nil
}

// tokenError says why there is no web identity token. Its text holds nothing of the token, and no address.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return e.err.Error() }

func (e *tokenError) Unwrap() error { return e.err }

// silentError is a service for web identity tokens that does not answer, or fails: that is no lack of a right.
type silentError struct {
	service string
	err     error
}

func (e *silentError) Error() string {
	return e.service + ", which should give a web identity token, cannot be reached: " + e.err.Error()
}

func (e *silentError) Unwrap() error { return e.err }

// ConnectionError marks the failure as the SDK marks its own.
func (e *silentError) ConnectionError() bool { return true }
