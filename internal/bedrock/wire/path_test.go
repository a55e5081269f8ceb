package wire

import (
	"net/url"
	"strings"
	"testing"
)

func TestModelPath(t *testing.T) {
	f := func(id, want string) {
		t.Helper()
		if got := ModelPath(id, "converse"); got != "/model/"+want+"/converse" {
			t.Errorf("%s: %s", id, got)
		}
	}
	f("anthropic.claude-3-5-sonnet-20240620-v1:0", "anthropic.claude-3-5-sonnet-20240620-v1%3A0")
	f("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a0a0a0a0a0a0",
		"arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fa0a0a0a0a0a0")
	f("AZaz09-._~", "AZaz09-._~")
	f("a b%+?#é", "a%20b%25%2B%3F%23%C3%A9")
	f("..", "..")
	f("", "")
}

func FuzzModelPath(f *testing.F) {
	for _, seed := range []string{"amazon.nova-lite-v1:0", "arn:aws:bedrock:us-east-1::foundation-model/x", "%3A", "../..", "a?b#c", "\x00\xff é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		label := Label(id)
		if strings.ContainsAny(label, "/?#:@!$&'()*+,;= \x00") {
			t.Fatalf("%q is not one label: %q", id, label)
		}
		back, err := url.PathUnescape(label)
		if err != nil || back != id {
			t.Fatalf("%q comes back as %q, %v", id, back, err)
		}
		u := url.URL{Scheme: "https", Host: "h", RawPath: ModelPath(id, "converse")}
		if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
			t.Fatal(err)
		}
		if u.EscapedPath() != u.RawPath {
			t.Fatalf("net/url sends %q for %q", u.EscapedPath(), u.RawPath)
		}
	})
}
