package identity

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

func TestProfileFilesAreReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	write(t, path, "[corp]\naws_access_key_id = AKIAONE\naws_secret_access_key = p\n")
	p := newPool(t, environ{"AWS_SHARED_CREDENTIALS_FILE": path})
	at := &clock{at: time.Now()}
	p.now = at.now
	o := Options{Profile: "corp"}
	wantProof(t, p, o, "AKIAONE")
	write(t, path, "[corp]\naws_access_key_id = AKIANUMBERTWO\naws_secret_access_key = p\n")
	wantProof(t, p, o, "AKIAONE")
	at.forward(lookEvery)
	wantProof(t, p, o, "AKIANUMBERTWO")
}

func TestProgramsAreNotStarted(t *testing.T) {
	dir := t.TempDir()
	config, mark := filepath.Join(dir, "config"), filepath.Join(dir, "started")
	write(t, config, "[profile tool]\nregion = eu-west-3\ncredential_process = touch "+mark+"\n[profile chained]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = tool\n")
	for _, profile := range []string{"tool", "chained"} {
		p := newPool(t, environ{"AWS_CONFIG_FILE": config})
		i, err := p.For(Options{Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		_, err = proof(t, i)
		if e := wantError(t, err, llm.KindPermission); !strings.Contains(e.Message, "allow_credential_process") {
			t.Errorf("%s", e.Message)
		}
		if _, err := os.Stat(mark); err == nil {
			t.Fatal("the program was started")
		}
	}
	i, err := newPool(t, environ{"AWS_CONFIG_FILE": config}).For(Options{Profile: "tool", AllowProcess: true})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = proof(t, i)
	if _, err := os.Stat(mark); err != nil {
		t.Error("the program was not started though it may be")
	}
}

func TestRegions(t *testing.T) {
	f := func(s RegionSources, env environ, want string, warns bool) {
		t.Helper()
		region, warning := ResolveRegion(s, env.lookup)
		if region != want || (warning != "") != warns {
			t.Errorf("%+v gives %s, warning %q", s, region, warning)
		}
	}
	all := environ{"AWS_REGION_NAME": "name-1", "AWS_REGION": "region-1", "AWS_DEFAULT_REGION": "default-1"}
	f(RegionSources{Parameter: "p", Profile: "f"}, all, "p", false)
	f(RegionSources{Parameter: "p", Path: "q"}, all, "p", true)
	f(RegionSources{Parameter: "p", ModelID: "a"}, all, "p", true)
	f(RegionSources{Parameter: "p", ModelID: "p", Model: "b"}, all, "p", false)
	f(RegionSources{Path: "q", Profile: "f"}, all, "q", false)
	f(RegionSources{Path: "q", Model: "m"}, all, "q", true)
	f(RegionSources{ModelID: "a", Model: "m"}, all, "a", false)
	f(RegionSources{Model: "m"}, all, "m", false)
	f(RegionSources{Profile: "f"}, all, "name-1", false)
	f(RegionSources{Profile: "f"}, environ{"AWS_REGION": "region-1", "AWS_DEFAULT_REGION": "default-1"}, "region-1", false)
	f(RegionSources{Profile: "f"}, environ{"AWS_DEFAULT_REGION": "default-1"}, "default-1", false)
	f(RegionSources{Profile: "f"}, nil, "f", false)
	f(RegionSources{}, nil, DefaultRegion, true)

	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "[profile corp]\nregion = eu-west-3\n[default]\nregion = eu-north-1\n")
	own := func(o Options, want string) {
		t.Helper()
		i, err := newPool(t, environ{"AWS_CONFIG_FILE": path}).For(o)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := i.Region(t.Context()); got != want || err != nil {
			t.Errorf("%s %v, want %s", got, err, want)
		}
	}
	own(Options{Profile: "corp"}, "eu-west-3")
	own(Options{}, "eu-north-1")
	own(keyed("AKIA", "k", ""), "")
	own(Options{APIKey: secret.New("x")}, "")
}

func TestTheSDKsClientIsBuildable(t *testing.T) {
	// The SDK shortens the time-outs of its instance metadata client only for a client of this type.
	p := NewPool(environ(nil).lookup)
	defer p.Close()
	client, err := p.client(&Options{})
	if _, ok := client.(*awshttp.BuildableClient); !ok || err != nil {
		t.Errorf("%T %v", client, err)
	}
}
