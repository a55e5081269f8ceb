package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// structs are the sections that have a struct.
var structs = map[Section]any{
	SectionParams: &LitellmParams{}, SectionInfo: &ModelInfo{}, SectionLitellm: &LitellmSettings{},
	SectionGroups: &ModelGroupSettings{}, SectionStrategy: &RoutingStrategyArgs{}, SectionProviderBudget: &ProviderBudget{}, SectionCache: &CacheParams{}, SectionRedis: &Redis{}, SectionRouter: &RouterSettings{}, SectionGeneral: &GeneralSettings{},
	SectionEntry: &Deployment{}, SectionFile: &FileCallback{}, SectionMetrics: &MetricsGroup{}, SectionAlerting: &AlertingArgs{}, SectionCallback: &CallbackSetting{}, SectionS3: &S3Callback{},
}

func TestSettingsTable(t *testing.T) {
	for _, s := range Sections() {
		all := Settings(s)
		if len(all) == 0 {
			t.Errorf("%s has no settings", s)
		}
		seen := map[string]bool{}
		for _, x := range all {
			if seen[x.Name] {
				t.Errorf("%s.%s stands twice", s, x.Name)
			}
			seen[x.Name] = true
			if (x.Status == Supported) != (x.Reason == "") {
				t.Errorf("%s.%s: status %s, reason %q", s, x.Name, x.Status, x.Reason)
			}
			if x.Status < Supported || x.Status > Refused {
				t.Errorf("%s.%s has no status", s, x.Name)
			}
		}
	}
}

func TestEverySupportedSettingHasAField(t *testing.T) {
	for s, dst := range structs {
		fields := fieldsOf(dst)
		for _, x := range Settings(s) {
			_, ok := fields[x.Name]
			if x.Status == Supported && !ok && !isPrice(x.Name) && s != SectionEntry {
				t.Errorf("%s.%s is supported but has no field", s, x.Name)
			}
		}
		for name := range fields {
			if _, ok := find(s, name); !ok {
				t.Errorf("field %s of %s is not in the table of settings", name, s)
			}
		}
	}
}

func TestEveryCheckIsKnown(t *testing.T) {
	known := []string{
		"", "no-comma", "region", "role", "session-name", "url", "service", "header", "disconnect", "mode", "strategy", "pre-call", "networks", "routes", "message", "template", "roles", "mark", "betas", "ledger-policy", "ledger-sync",
		"cache-type", "cache-mode", "budget-duration", "timezone", "token-type",
		"not-negative", "positive", "callback", "partition", "metrics", "metric-labels", "caller-identity", "alerting", "alert-types", "callback-type", "event-types", "log-format",
	}
	for s, dst := range structs {
		typ := reflect.TypeOf(dst).Elem()
		for i := range typ.NumField() {
			for check := range strings.SplitSeq(typ.Field(i).Tag.Get("check"), ",") {
				if !slices.Contains(known, check) {
					t.Errorf("%s: unknown check %q", s, check)
				}
			}
		}
	}
}

// A name that LiteLLM knows must never be taken for a slip, and a slip must lead to a name that works.
func TestKnownNamesAreNoSlips(t *testing.T) {
	l := &loader{opts: &Loader{}}
	for _, x := range Settings(SectionParams) {
		if _, ok := requestParams[x.Name]; ok {
			t.Errorf("%s is both a setting and a request parameter", x.Name)
		}
	}
	for name := range requestParams {
		if l.slipped(field{key: name, value: &node{}}, name) {
			t.Errorf("%s is taken for a slip", name)
		}
	}
	for slip, meant := range slips {
		_, request := requestParams[meant]
		if set, ok := find(SectionParams, meant); !request && (!ok || set.Status != Supported) {
			t.Errorf("slip %s leads to %s, which does not work", slip, meant)
		}
		if _, ok := find(SectionParams, slip); ok {
			t.Errorf("slip %s is a setting", slip)
		}
	}
}
