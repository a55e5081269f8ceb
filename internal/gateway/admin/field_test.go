package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

func TestDollars(t *testing.T) {
	f := func(want string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			a, wrong := parseUSD(json.RawMessage(text))
			got := "none"
			switch {
			case wrong != "":
				got = "refused"
			case a != nil:
				got = a.String()
			}
			if got != want {
				t.Errorf("%s is %s, want %s", text, got, want)
			}
		}
	}
	f("25", `25`, `25.0`, `"25"`, `2.5e1`, ` 25 `)
	f("0", `0`, `0.0`, `"0"`)
	f("0.000000000001", `1e-12`, `0.000000000001`, `9e-13`)
	f("0.1", `0.1`, `"0.1"`)
	f("none", `null`, `""`)
	f("refused", `-1`, `true`, `[]`, `"many"`, `1e300`, `9000001`, `1e-999999999`, `1e999999999`, `"1/3"`, `"0x10"`, `"1_0"`, `NaN`, `"Inf"`, `1e-20`)
}

func TestTimes(t *testing.T) {
	f := func(want, text string) {
		t.Helper()
		at, ok := parseTime(text)
		if got := when(at); ok != (want != "refused") || ok && want != "null" && got != want {
			t.Errorf("%s: got %v %v, want %s", text, got, ok, want)
		}
	}
	f("2026-12-31T00:00:00Z", "2026-12-31T00:00:00Z")
	f("2026-12-30T23:00:00Z", "2026-12-31T00:00:00+01:00")
	f("2026-12-31T01:02:03.5Z", "2026-12-31T01:02:03.500000")
	f("2026-12-31T00:00:00Z", "2026-12-31")
	f("null", "")
	f("refused", "tomorrow")
}

func TestLonger(t *testing.T) {
	if !longer("1mo", "30d") || longer("24h", "1d") || !longer("2d", "24h") {
		t.Error("durations are compared wrongly")
	}
}

// bodies are decoders of every body of the API.
func bodies() map[string]func([]byte) *llm.Error {
	return map[string]func([]byte) *llm.Error{
		"key": func(b []byte) *llm.Error {
			var v keyBody
			_, failed := decode(b, &v, keyFields(), keyRequestFields())
			show(Answer{}, &v, keyFields())
			return failed
		},
		"user": func(b []byte) *llm.Error {
			var v userBody
			_, failed := decode(b, &v, userFields(), userRequestFields())
			show(Answer{}, &v, userFields())
			return failed
		},
		"team": func(b []byte) *llm.Error {
			var v teamBody
			_, failed := decode(b, &v, teamFields(), teamRequestFields())
			show(Answer{}, &v, teamFields())
			return failed
		},
		"customer": func(b []byte) *llm.Error {
			var v customerBody
			_, failed := decode(b, &v, customers().fields)
			return failed
		},
		"organization": func(b []byte) *llm.Error {
			var v organizationBody
			_, failed := decode(b, &v, organizations().fields)
			return failed
		},
		"tag": func(b []byte) *llm.Error {
			var v tagBody
			_, failed := decode(b, &v, tags().fields)
			return failed
		},
	}
}

// What is shown can be said again, and comes out the same.
func TestAnswersAreBodies(t *testing.T) {
	const said = `{"key_alias":"a","models":["m"],"max_budget":1.5,"soft_budget":1,"budget_duration":"30d","budget_limits":[{"budget_duration":"1d","max_budget":2}],"model_max_budget":{"m":{"max_budget":1,"budget_duration":"1d","rpm_limit":1,"tpm_limit":2}},
		"rpm_limit":1,"tpm_limit":2,"max_parallel_requests":3,"model_rpm_limit":{"m":4},"model_tpm_limit":{"m":5},"aliases":{"x":"m"},"blocked":true,"key_type":"llm_api","allowed_routes":["/chat/completions"],
		"allowed_passthrough_routes":["/a"],"denied_passthrough_routes":["/b"],"allowed_ips":["10.0.0.0/8"],"tags":["t"],"allowed_cache_controls":["no-store"],"metadata":{"a":1},"temp_budget_increase":2,
		"temp_budget_expiry":"2030-01-01T00:00:00Z","permissions":{"p":true},"agent_id":"g","team_id":"t","user_id":"u","organization_id":"o","budget_id":"b","tpm_limit_type":"best_effort_throughput"}`
	var v keyBody
	if _, failed := decode([]byte(said), &v, keyFields()); failed != nil {
		t.Fatal(failed)
	}
	first := Answer{}
	show(first, &v, keyFields())
	text, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	var again keyBody
	if _, failed := decode(text, &again, keyFields()); failed != nil {
		t.Fatal(failed)
	}
	second := Answer{}
	show(second, &again, keyFields())
	if other, _ := json.Marshal(second); string(other) != string(text) {
		t.Errorf("said:\n%s\nsaid again:\n%s", text, other)
	}
	stored, err := json.Marshal(&v.key)
	if err != nil {
		t.Fatal(err)
	}
	var read account.Key
	if err := json.Unmarshal(stored, &read); err != nil {
		t.Fatal(err)
	}
	third := Answer{}
	kept := again
	kept.key = read
	show(third, &kept, keyFields())
	if other, _ := json.Marshal(third); string(other) != string(text) {
		t.Errorf("said:\n%s\nstored:\n%s", text, other)
	}
}

func TestUnknownFieldsAreNamed(t *testing.T) {
	for name, read := range bodies() {
		failed := read([]byte(`{"nonsense":1}`))
		if failed == nil || failed.Status() != http.StatusUnprocessableEntity || failed.Param != "nonsense" {
			t.Errorf("%s: %v", name, failed)
		}
	}
}

func FuzzBodies(f *testing.F) {
	for _, s := range []string{
		`{}`, ``, `null`, `{"models":["a"],"max_budget":1e-7,"metadata":{"tags":["x"]}}`, `{"budget_limits":[{"budget_duration":"1d","max_budget":1}]}`, `{"model_max_budget":{"a":{"budget_limit":"1","time_period":"1d"}}}`,
		`{"teams":["a",{"team_id":"b","user_role":"admin"}]}`, `{"members_with_roles":[{"user_email":"a@b","role":"user"}]}`, `{"temp_budget_expiry":"2026-01-01"}`, `{"a":{"a":{"a":1}}}`, `{"permissions":{"x":1},"agent_id":null}`,
		`{"max_budget":"1e999999999"}`, `{"duration":"-1"}`, `{"key":"sk-x"} x`, `{"models":[],"models":[]}`, "{\"models\":[\"\x00\"]}",
	} {
		f.Add([]byte(s))
	}
	all := bodies()
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, read := range all {
			failed := read(body)
			if failed != nil && failed.Status() != 400 && failed.Status() != 422 {
				t.Errorf("%s: %d", name, failed.Status())
			}
			if failed == nil && !json.Valid(body) && strings.TrimSpace(string(body)) != "" {
				t.Errorf("%s takes what is no JSON: %q", name, body)
			}
		}
	})
}
