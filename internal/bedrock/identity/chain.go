package identity

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go/logging"
)

// chain is the AWS SDK's own search, or one profile of the shared files. It is set up at the first use, since that reads
// files and takes milliseconds, and again when the files change.
//
// The SDK reads the process's environment itself, beside what this package hands to it.
type chain struct {
	profile      string
	region       string // for the STS and SSO calls of profiles that name none
	files        sharedFiles
	httpClient   config.HTTPClient
	noMetadata   bool
	allowProcess bool

	mu     sync.Mutex // guards what follows
	loaded aws.Config
	ready  bool
	states [2]fileState
}

// sharedFiles are the paths of AWS's configuration and credentials.
type sharedFiles struct{ config, credentials string }

func findSharedFiles(get func(string) string) sharedFiles {
	f := sharedFiles{get("AWS_CONFIG_FILE"), get("AWS_SHARED_CREDENTIALS_FILE")}
	home := get("HOME")
	if home == "" {
		home, _ = os.UserHomeDir() // none: then there are no files, either
	}
	if f.config == "" {
		f.config = filepath.Join(home, ".aws", "config")
	}
	if f.credentials == "" {
		f.credentials = filepath.Join(home, ".aws", "credentials")
	}
	return f
}

func (f sharedFiles) states() [2]fileState {
	return [2]fileState{stateOf(f.config), stateOf(f.credentials)}
}

// Retrieve asks the SDK for credentials, past its own cache: this package's decides when new ones are needed.
func (c *chain) Retrieve(ctx context.Context) (aws.Credentials, error) {
	loaded, err := c.load(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	if profile := processOf(loaded); profile != "" && !c.allowProcess {
		return aws.Credentials{}, fmt.Errorf("the profile %s has a credential_process, which is a program to start: %w", profile, errProcess)
	}
	if cached, ok := loaded.Credentials.(*aws.CredentialsCache); ok {
		cached.Invalidate()
	}
	creds, err := loaded.Credentials.Retrieve(ctx)
	if err != nil {
		if profile := loginOf(loaded); profile != "" && wantsLogin(err) {
			err = &loginError{profile, err}
		}
	}
	return creds, err
}

// Changed reports whether the shared files have been written to.
func (c *chain) Changed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready && c.states != c.files.states()
}

// Region returns the region of the profile or, where there is none, of the machine that this runs on; "" when neither is
// known.
func (c *chain) Region(ctx context.Context) (string, error) {
	loaded, err := c.load(ctx)
	if err != nil {
		return "", err
	}
	for _, s := range loaded.ConfigSources {
		if shared, ok := s.(config.SharedConfig); ok && shared.Region != "" {
			return shared.Region, nil
		}
	}
	if c.noMetadata || c.profile != "" {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, metadataTime)
	defer cancel()
	out, err := imds.NewFromConfig(loaded).GetRegion(ctx, nil)
	if err != nil {
		return "", nil
	}
	return out.Region, nil
}

func (c *chain) load(ctx context.Context) (aws.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	states := c.files.states()
	if c.ready && states == c.states {
		return c.loaded, nil
	}
	options := []func(*config.LoadOptions) error{
		config.WithSharedConfigFiles([]string{c.files.config}),
		config.WithSharedCredentialsFiles([]string{c.files.credentials}),
		config.WithHTTPClient(c.httpClient),
		config.WithLogger(logging.Nop{}), // what went wrong is in the error
		config.WithDefaultRegion(c.region),
	}
	if c.profile != "" {
		options = append(options, config.WithSharedConfigProfile(c.profile))
	}
	if c.noMetadata {
		options = append(options, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, err
	}
	c.loaded, c.ready, c.states = loaded, true, states
	return loaded, nil
}

var errProcess = errors.New("set general_settings.allow_credential_process to permit that")

// processOf returns the profile, of those that the configuration draws on, that would start a program.
func processOf(loaded aws.Config) string {
	return profileThat(loaded, func(p *config.SharedConfig) bool { return p.CredentialProcess != "" && !p.Credentials.HasKeys() })
}

// loginOf returns the profile, of those that the configuration draws on, that people log in to with IAM Identity Center.
func loginOf(loaded aws.Config) string {
	return profileThat(loaded, func(p *config.SharedConfig) bool { return p.SSOSession != nil || p.SSOStartURL != "" })
}

func profileThat(loaded aws.Config, is func(*config.SharedConfig) bool) string {
	for _, s := range loaded.ConfigSources {
		shared, ok := s.(config.SharedConfig)
		if !ok {
			continue
		}
		for p := &shared; p != nil; p = p.Source {
			if is(p) {
				return p.Profile
			}
		}
	}
	return ""
}

// staticKeys are credentials that never change. They are in a function, since fmt shows what pointers point to, too.
type staticKeys func() aws.Credentials

// Retrieve returns the credentials.
func (s staticKeys) Retrieve(context.Context) (aws.Credentials, error) { return s(), nil }

func isTrue(s string) bool { return strings.EqualFold(s, "true") }
