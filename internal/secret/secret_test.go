package secret

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const canary = "canary-Zk0x9Qg-hunter2"

// shown fails the test when out holds the canary in a form that a person could read back.
func shown(t *testing.T, how, out string) {
	t.Helper()
	for _, form := range []string{canary, hex.EncodeToString([]byte(canary)), strings.ToUpper(hex.EncodeToString([]byte(canary))), canary[:8]} {
		if strings.Contains(out, form) {
			t.Errorf("%s shows the secret: %s", how, out)
		}
	}
}

type outside struct {
	Name string
	Key  Secret
}

type inside struct{ key Secret }

type nested struct {
	In   inside
	ptr  *inside
	list []Secret
	m    map[string]Secret
}

func TestNoVerbPrintsIt(t *testing.T) {
	s := New(canary)
	values := map[string]any{
		"value":                s,
		"pointer":              &s,
		"exported field":       outside{"n", s},
		"pointer to struct":    &outside{"n", s},
		"unexported field":     inside{s},
		"pointer, unexported":  &inside{s},
		"slice":                []Secret{s},
		"map":                  map[string]Secret{"k": s},
		"interface slice":      []any{s, &s},
		"nested":               nested{inside{s}, &inside{s}, []Secret{s}, map[string]Secret{"k": s}},
		"pointer to nested":    &nested{inside{s}, &inside{s}, []Secret{s}, map[string]Secret{"k": s}},
		"error that carries s": fmt.Errorf("bad key %v: %w", s, errors.New("refused")),
	}
	verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%o", "%b", "%c", "%U", "%e", "%t", "%p", "%10s", "%-10.3v", "%T", "%!"}
	for name, v := range values {
		for _, verb := range verbs {
			shown(t, name+" "+verb, fmt.Sprintf(verb, v))
		}
		shown(t, name+" Sprint", fmt.Sprint(v))
		shown(t, name+" Sprintln", fmt.Sprintln(v))
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := fmt.Sprintf(verb, s); got != Mask {
			t.Errorf("%s gives %q, want %q", verb, got, Mask)
		}
	}
}

func TestNoEncoderWritesIt(t *testing.T) {
	s := New(canary)
	for _, v := range []any{s, &s, outside{"n", s}, []Secret{s}, map[string]Secret{"k": s}, nested{In: inside{s}}} {
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		shown(t, "json", string(out))
	}
	out, err := xml.Marshal(outside{"n", s})
	if err != nil {
		t.Fatal(err)
	}
	shown(t, "xml", string(out))

	got, err := json.Marshal(outside{"n", s})
	if err != nil || string(got) != `{"Name":"n","Key":"****"}` {
		t.Errorf("json gives %s, %v", got, err)
	}
}

func TestNoLogHandlerWritesIt(t *testing.T) {
	s := New(canary)
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		log := slog.New(h)
		log.Info("m", "key", s, "ptr", &s, "struct", outside{"n", s}, "hidden", inside{s}, "ptr to hidden", &inside{s})
		log.With("key", s).WithGroup("g").Info(fmt.Sprint(s), slog.Any("list", []Secret{s}))
	}
	shown(t, "slog", out.String())
	if !strings.Contains(out.String(), Mask) {
		t.Errorf("the mask is missing: %s", out.String())
	}
}

func TestReveal(t *testing.T) {
	if got := New(canary).Reveal(); got != canary {
		t.Errorf("Reveal gives %q", got)
	}
	var unset Secret
	if unset.Reveal() != "" || unset.IsSet() || !unset.IsZero() || unset.String() != "" || unset.Digest() != "" {
		t.Error("the zero Secret is not unset")
	}
	if New("").IsSet() {
		t.Error("an empty text is a set Secret")
	}
}

func TestEqual(t *testing.T) {
	f := func(a, b string, want bool) {
		t.Helper()
		if got := New(a).Equal(New(b)); got != want {
			t.Errorf("%q equal %q: %v", a, b, got)
		}
		if got := New(a).EqualString(b); got != want {
			t.Errorf("%q equal string %q: %v", a, b, got)
		}
	}
	f("sk-abc", "sk-abc", true)
	f("sk-abc", "sk-abd", false)
	f("sk-abc", "sk-ab", false)
	f("sk-abc", "", false)
	f("", "sk-abc", false)
	f("", "", false)
}

func TestDigest(t *testing.T) {
	// SHA-256 of "abc": FIPS 180-4, appendix B.1.
	if got, want := New("abc").Digest(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}
