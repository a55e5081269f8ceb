package layout

import (
	"strings"
	"testing"
)

// mayImport says which packages of ours a package may import, tests aside. A name that ends in /… stands for all packages
// below it. The dependencies point one way: see docs/architecture.md, "Who may import whom".
var mayImport = map[string][]string{
	// The Go SDK is the gateway's core without HTTP; the gateway itself answers for other SDKs in process.
	".": {
		"llm", "internal/account", "internal/bedrock/identity", "internal/bedrock/wire", "internal/catalog", "internal/config", "internal/deployment",
		"internal/engine", "internal/gateway", "internal/jsonscan", "internal/media", "internal/secret",
	},
	"llm":                        {},
	"internal/jsonscan":          {},
	"internal/secret":            {},
	"internal/responses":         {},
	"internal/journal":           {},
	"internal/catalog":           {"llm", "internal/jsonscan"},
	"internal/media":             {"llm", "internal/jsonscan"},
	"internal/config":            {"internal/secret"},
	"internal/cache":             {"llm"},
	"internal/router":            {"llm", "internal/catalog", "internal/secret"},
	"internal/account":           {"llm", "internal/catalog", "internal/journal", "internal/secret"},
	"internal/telemetry":         {"llm", "internal/account", "internal/secret"},
	"internal/telemetry/metrics": {"llm", "internal/account", "internal/jsonscan", "internal/telemetry"},
	"internal/dialect/read":      {"llm", "internal/jsonscan"},
	"internal/dialect/anthropic": {"llm", "internal/dialect/read", "internal/jsonscan", "internal/media"},
	"internal/dialect/openai":    {"llm", "internal/catalog", "internal/dialect/read", "internal/jsonscan", "internal/media", "internal/secret"},
	"internal/bedrock/wire":      {"llm", "internal/catalog", "internal/jsonscan", "internal/secret"},
	"internal/bedrock/identity":  {"llm", "internal/bedrock/wire", "internal/secret"},
	"internal/bedrock/converse":  {"llm", "internal/bedrock/wire", "internal/catalog", "internal/jsonscan", "internal/media"},
	"internal/bedrock/embed":     {"llm", "internal/catalog", "internal/jsonscan"},
	"internal/bedrock/image":     {"llm", "internal/catalog", "internal/jsonscan"},
	"internal/bedrock/rerank":    {"llm", "internal/catalog", "internal/jsonscan"},
	// InvokeModel's families say again what Converse's codec prepared: that is the one codec that another may see.
	"internal/bedrock/invoke":   {"llm", "internal/bedrock/converse", "internal/bedrock/wire", "internal/catalog", "internal/jsonscan"},
	"internal/telemetry/alerts": {"internal/account", "internal/secret", "internal/telemetry"},
	"internal/telemetry/callbacks": {
		"internal/account", "internal/jsonscan", "internal/secret", "internal/telemetry",
	},
	"internal/telemetry/traces": {
		"internal/account", "internal/jsonscan", "internal/secret", "internal/telemetry",
	},
	"internal/engine": {
		"llm", "internal/account", "internal/bedrock/…", "internal/catalog", "internal/jsonscan", "internal/media",
		"internal/router", "internal/secret", "internal/telemetry",
	},
	"internal/gateway/admin": {"llm", "internal/account", "internal/secret"},
	"internal/gateway": {
		"internal/cache",
		"internal/gateway/admin",
		"llm", "internal/account", "internal/catalog", "internal/config", "internal/dialect/…", "internal/engine",
		"internal/jsonscan", "internal/media", "internal/responses", "internal/router", "internal/secret", "internal/telemetry",
		"internal/bedrock/wire",
	},
	// It makes the deployments of a configuration: their identities, their connections, and their defaults, which are written
	// in OpenAI's words.
	"internal/deployment": {
		"llm", "internal/account", "internal/bedrock/identity", "internal/bedrock/wire", "internal/catalog", "internal/config",
		"internal/dialect/openai", "internal/engine", "internal/router", "internal/secret",
	},
	"internal/store/relational": {"llm", "internal/account", "internal/responses"},
	"internal/store/valkey":     {"internal/account", "internal/cache", "internal/router"},
	"internal/store/sqlite":     {"internal/store/relational"},
	"internal/store/postgres":   {"internal/store/relational"},
	// The suite that both databases are held to.
	"internal/store/storetest": {"llm", "internal/account", "internal/responses", "internal/store/relational"},
	"internal/sim":             {"internal/bedrock/wire", "internal/catalog"},
	"cmd/outcrop":              {"llm", "internal/…"},
	"bench":                    {"bench/…"},
	"bench/baseline":           {},
	"bench/load":               {},
	"test/layout":              {},
	"test/servers":             {},
	// A test that is to hold on both databases runs on both by this.
	"test/databases":      {"internal/store/postgres", "internal/store/relational", "internal/store/sqlite", "test/servers"},
	"examples/chat":       {".", "llm", "examples/simulation"},
	"examples/failover":   {".", "llm", "examples/simulation"},
	"examples/image":      {".", "llm", "examples/simulation"},
	"examples/pdf":        {".", "llm", "examples/simulation"},
	"examples/rerank":     {".", "llm", "examples/simulation"},
	"examples/search":     {".", "llm", "examples/simulation"},
	"examples/stream":     {".", "llm", "examples/simulation"},
	"examples/structured": {".", "llm", "examples/simulation"},
	"examples/tools":      {".", "llm", "examples/simulation"},
	"examples/vision":     {".", "llm", "examples/simulation"},
	"examples/simulation": {".", "internal/sim"},
}

func TestImportsPointOneWay(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range goFiles(t) {
		if f.isTest() {
			continue
		}
		allowed, known := mayImport[f.folder()]
		if !known {
			t.Errorf("%s: the folder has no rule: say in mayImport, and in .golangci.yml, what it may import", f.path)
			continue
		}
		seen[f.folder()] = true
		for _, imported := range f.imports {
			ours, found := strings.CutPrefix(imported, module+"/")
			if imported == module {
				ours, found = ".", true
			}
			if found && !matches(allowed, ours) {
				t.Errorf("%s imports %s, and may not", f.path, ours)
			}
		}
	}
	for folder := range mayImport {
		if !seen[folder] {
			t.Errorf("mayImport has a rule for %s, where no Go file is", folder)
		}
	}
}

func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		if folder, below := strings.CutSuffix(p, "…"); p == name || below && strings.HasPrefix(name, folder) {
			return true
		}
	}
	return false
}

// banned are packages that no part of the program may use, tests aside.
var banned = map[string]string{
	"os/exec":               "no request and no configuration may start a program",
	"plugin":                "the binary is static",
	"unsafe":                "no unsafe code of our own",
	"C":                     "the binary is built without cgo",
	"log":                   "use log/slog",
	"io/ioutil":             "use io and os",
	"github.com/pkg/errors": "use errors and fmt.Errorf with %w",
}

func TestBannedPackages(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.isTest() {
			continue
		}
		for _, imported := range f.imports {
			why, bad := banned[imported]
			if imported == "os/exec" && (f.folder() == "bench" || f.folder() == "test/servers") {
				continue // they start whole programs, and are not part of the binary
			}
			if bad {
				t.Errorf("%s imports %s: %s", f.path, imported, why)
			}
		}
	}
}

func TestNoLinkname(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, group := range f.syntax.Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "//go:linkname") || strings.HasPrefix(c.Text, "//export ") {
					t.Errorf("%s: %s reaches around the type system", f.path, c.Text)
				}
			}
		}
	}
}

// A sleep waits for the clock where a test should wait for the event. In a synctest bubble the clock is the event.
func TestTestsDoNotSleep(t *testing.T) {
	for _, f := range goFiles(t) {
		if !f.isTest() || matches(f.imports, "testing/synctest") {
			continue
		}
		for _, name := range calls(f.syntax) {
			if name == "time.Sleep" {
				t.Errorf("%s calls time.Sleep outside of testing/synctest", f.path)
			}
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range goFiles(t) {
		if f.isTest() {
			continue
		}
		documented[f.folder()] = documented[f.folder()] || f.syntax.Doc != nil
	}
	for folder, has := range documented {
		if !has {
			t.Errorf("%s has no package comment", folder)
		}
	}
}
