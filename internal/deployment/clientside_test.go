package deployment

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/secret"
)

// TestTheAgentsHostIsOneOfThePattern: the host that goes with a permitted one must be permitted, too.
func TestTheAgentsHostIsOneOfThePattern(t *testing.T) {
	f := func(pattern, address string, want string) {
		t.Helper()
		k := &connection{
			identity: &identity.Identity{}, header: http.Header{},
			clientside: config.ClientParams{{Name: paramAPIBase, Pattern: regexp.MustCompile(pattern)}},
		}
		way, failed := k.As("us-east-1", &engine.Call{Connection: map[string]secret.Secret{paramAPIBase: secret.New(address)}})
		if failed != nil {
			t.Fatal(failed)
		}
		if got := way.Connection.(*connection).agent; got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	f("^https://.*$", "https://bedrock-runtime.corp.example", "https://bedrock-agent-runtime.corp.example")
	f("^https://bedrock-runtime.*$", "https://bedrock-runtime.corp.example", switchedOff)
	f("^https://proxy$", "https://proxy", "https://proxy")
}
