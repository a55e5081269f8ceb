package config

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/configuration.md")

const referencePath = "../../docs/configuration.md"

// TestReference holds docs/configuration.md to the comments of config.go and the table of settings.go.
func TestReference(t *testing.T) {
	want := reference(t)
	if *update {
		if err := os.WriteFile(referencePath, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/configuration.md is not what the source says; run go test ./internal/config -run TestReference -update and read the difference")
	}
}

// documented are the parts of the page: section, struct, and where it stands in a file.
var documented = []struct {
	section Section
	typ     string
	where   string
}{
	{SectionEntry, "Deployment", "`model_list[]`"},
	{SectionParams, "LitellmParams", "`model_list[].litellm_params`, `credential_list[].credential_values`"},
	{SectionInfo, "ModelInfo", "`model_list[].model_info`"},
	{SectionLitellm, "LitellmSettings", "`litellm_settings`"},
	{SectionGroups, "ModelGroupSettings", "`litellm_settings.model_group_settings`"},
	{SectionMetrics, "MetricsGroup", "`litellm_settings.prometheus_metrics_config[]`"},
	{SectionFile, "FileCallback", "`litellm_settings.file_callback_params`"},
	{SectionS3, "S3Callback", "`litellm_settings.s3_callback_params`"},
	{SectionStrategy, "RoutingStrategyArgs", "`router_settings.routing_strategy_args`"},
	{SectionCache, "CacheParams", "`litellm_settings.cache_params`"},
	{SectionProviderBudget, "ProviderBudget", "`router_settings.provider_budget_config.bedrock`"},
	{SectionRouter, "RouterSettings", "`router_settings`"},
	{SectionGeneral, "GeneralSettings", "`general_settings`"},
	{SectionRedis, "Redis", "`general_settings.coordination_redis`"},
	{SectionAlerting, "AlertingArgs", "`general_settings.alerting_args`"},
	{SectionCallback, "CallbackSetting", "`callback_settings.NAME`"},
}

const introduction = `# Configuration

<!-- Generated from the comments of internal/config. Do not edit: go test ./internal/config -run TestReference -update -->

Outcrop reads LiteLLM's ` + "`config.yaml`" + ` as it is. ` + "`outcrop check --config FILE`" + ` lists every problem with file, line and column:
errors stop the start, warnings name what will not work as written, notes name lines without effect.

- ` + "`os.environ/NAME`" + ` as a whole value, at any depth, is replaced by that variable. If it is not set the key counts as
  absent, with a warning; for ` + "%s" + ` it is an error.
- ` + "`environment_variables`" + ` adds variables for this configuration; the process environment stays as it is.
- ` + "`include`" + ` lists further files, relative to the one that names them: lists are joined, mappings merged, later values win.
- YAML anchors and merge keys work. Top-level keys that begin with ` + "`x-`" + `, or hold an anchor, are places for shared values.
- ` + "`credential_list`" + ` holds named credentials (` + "`credential_name`, `credential_values`" + `). A deployment takes one by
  ` + "`litellm_credential_name`" + `; parameters that stand beside the name win.
- Durations are seconds (` + "`30`, `0.5`" + `) or have a unit (` + "`500ms`, `30s`, `5m`, `1h30m`, `7d`, `1w`, `1mo`" + `). Secrets are never printed.
- Any other key of ` + "`litellm_params`" + ` is a default for requests: OpenAI's parameters (` + "`temperature`, `max_tokens`, `tools`" + ` …)
  and those of the model's provider (` + "`top_k`, `requestMetadata`, `performanceConfig`, `guardrailConfig`" + ` …). What a client
  sends wins. A key that is nearly a known name is taken for a slip, and is an error.
`

func reference(t *testing.T) []byte {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	quoted := make([]string, len(needed))
	for i, n := range needed {
		quoted[i] = "`" + n + "`"
	}
	fmt.Fprintf(&b, introduction, strings.Join(quoted, ", "))
	for _, d := range documented {
		doc, fields := structOf(t, file, d.typ)
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", d.where, doc)
		b.WriteString("| key | type | meaning |\n|---|---|---|\n")
		for _, f := range fields {
			set, known := find(d.section, f.key)
			if !known {
				t.Errorf("%s.%s is not in the table", d.section, f.key)
			}
			if f.doc == "" {
				t.Errorf("%s.%s has no comment", d.section, f.key)
			}
			text := cell(f.doc)
			if set.Status != Supported {
				text = "*" + set.Status.String() + ": " + cell(set.Reason) + ".* " + text
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.key, f.typ, text)
		}
		if prices := pricesOf(d.section); len(prices) > 0 {
			fmt.Fprintf(&b, "| %s | number | Price in USD per unit, in place of the catalogue's. 0 is a price: free. |\n", strings.Join(prices, ", "))
		}
	}
	b.WriteString("\n## Names that LiteLLM knows and Outcrop does not have\n\nA warning (*not yet*), a note (*accepted, no effect*) or an error (*refused*) names each of them once.\n")
	for _, s := range Sections() {
		rows := missingOf(s)
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n| status | why | names |\n|---|---|---|\n%s", s, strings.Join(rows, ""))
	}
	return b.Bytes()
}

// missingOf groups the settings of a section that are not supported by status and reason, in the order of the table.
func missingOf(s Section) []string {
	type group struct {
		status Status
		reason string
	}
	var order []group
	names := map[group][]string{}
	for _, x := range Settings(s) {
		if x.Status == Supported {
			continue
		}
		g := group{x.Status, x.Reason}
		if names[g] == nil {
			order = append(order, g)
		}
		names[g] = append(names[g], "`"+x.Name+"`")
	}
	slices.SortStableFunc(order, func(a, b group) int { return int(b.status) - int(a.status) })
	var out []string
	for _, g := range order {
		out = append(out, fmt.Sprintf("| %s | %s | %s |\n", g.status, cell(g.reason), strings.Join(names[g], ", ")))
	}
	return out
}

func pricesOf(s Section) []string {
	var out []string
	for _, x := range Settings(s) {
		if x.Status == Supported && isPrice(x.Name) {
			out = append(out, "`"+x.Name+"`")
		}
	}
	return out
}

type documentedField struct{ key, typ, doc string }

// structOf returns the comment of a struct and its fields that have a key. The name of the Go field that begins a
// comment is replaced by what a reader of the file knows.
func structOf(t *testing.T, file *ast.File, name string) (string, []documentedField) {
	t.Helper()
	for _, decl := range file.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE || g.Specs[0].(*ast.TypeSpec).Name.Name != name {
			continue
		}
		s, ok := g.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType)
		if !ok {
			continue
		}
		var out []documentedField
		for _, f := range s.Fields.List {
			if f.Tag == nil {
				continue
			}
			key := reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("yaml")
			if key == "" || key == "-" {
				continue
			}
			out = append(out, documentedField{key, typeWord(t, f.Type), lead(f.Doc.Text(), f.Names[0].Name)})
		}
		return lead(g.Doc.Text(), name), out
	}
	t.Fatalf("config.go has no struct %s", name)
	return "", nil
}

// lead makes a sentence of a page out of a Go comment: without the name, beginning in upper case.
func lead(doc, name string) string {
	doc = strings.Join(strings.Fields(doc), " ")
	for _, word := range []string{name + " is ", name + " are ", name + " "} {
		if rest, ok := strings.CutPrefix(doc, word); ok {
			return strings.ToUpper(rest[:1]) + rest[1:]
		}
	}
	return doc
}

func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;", "_", `\_`).Replace(s)
}

// typeWord names a Go type for somebody who writes YAML.
func typeWord(t *testing.T, e ast.Expr) string {
	t.Helper()
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeWord(t, e.X)
	case *ast.ArrayType:
		return "list of " + typeWord(t, e.Elt) + "s"
	case *ast.MapType:
		return "mapping to " + typeWord(t, e.Value)
	case *ast.Ident:
		words := map[string]string{
			"string": "string", "bool": "true or false", "int": "whole number", "float64": "number", "Disconnect": "`cancel` or `drain`",
			"LedgerPolicy": "`refuse` or `drop`", "LedgerSync": "`none`, `interval` or `always`",
			"TLSVerify": "true, false or a file", "SessionTags": "list of `{Key, Value}`", "Aliases": "mapping", "Fallbacks": "list of `{group: [models]}`", "FallbackList": "list of models", "FailureCounts": "mapping", "GroupFailureCounts": "mapping", "Attribution": "mapping or false",
			"ClientParams": "list of names and `{name: pattern}`", "LitellmParams": "mapping", "ModelInfo": "mapping",
			"ModelGroupSettings": "mapping", "RoutingStrategyArgs": "mapping", "Redis": "mapping", "FileCallback": "mapping", "MetricsGroup": "mapping", "AlertURLs": "mapping to URLs", "AlertingArgs": "mapping", "S3Callback": "mapping", "ProviderBudgets": "mapping", "ProviderBudget": "mapping", "CacheParams": "mapping",
		}
		if w, ok := words[e.Name]; ok {
			return w
		}
	case *ast.SelectorExpr:
		words := map[string]string{"Secret": "secret", "Duration": "duration", "RawMessage": "mapping"}
		if w, ok := words[e.Sel.Name]; ok {
			return w
		}
	}
	t.Errorf("no word for the type %#v", e)
	return ""
}
