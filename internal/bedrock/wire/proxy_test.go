package wire

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The process's proxies are read once, so that each setting needs a process of its own: this test, run again.
func TestProxiesOfTheEnvironment(t *testing.T) {
	const asked = "OUTCROP_TEST_PROXY_OF"
	if host := os.Getenv(asked); host != "" {
		transport, err := NewTransport(TransportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+host+"/model/x/converse", nil)
		if err != nil {
			t.Fatal(err)
		}
		proxy, err := transport.Proxy(r)
		if err != nil {
			t.Fatal(err)
		}
		if proxy != nil {
			t.Logf("through %s.", proxy)
		} else {
			t.Log("straight.")
		}
		return
	}
	f := func(host, noProxy, want string) {
		t.Helper()
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), asked+"="+host, "HTTPS_PROXY=http://proxy.corp:3128", "NO_PROXY="+noProxy, "https_proxy=", "no_proxy=")
		out, err := child.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s with NO_PROXY=%s: want %s in %s %v", host, noProxy, want, out, err)
		}
	}
	f("bedrock-runtime.us-east-1.amazonaws.com", "", "through http://proxy.corp:3128.")
	f("bedrock-runtime.us-east-1.amazonaws.com", "example.com", "through http://proxy.corp:3128.")
	f("bedrock-runtime.us-east-1.amazonaws.com", ".amazonaws.com", "straight.")
	f("127.0.0.1", "", "straight.")
}
