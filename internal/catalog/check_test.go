package catalog

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestEmbeddedDataHasNoProblems(t *testing.T) {
	for _, p := range Check(embedded) {
		t.Error(p)
	}
	if n := len(load(t).Models()); n < 170 {
		t.Errorf("only %d models", n)
	}
}

func TestCheckFindsMistakes(t *testing.T) {
	f := func(models, want string) {
		t.Helper()
		problems := Check([]byte(`{"schema":1,"version":"x","units":"USD","models":[` + models + `]}`))
		if len(problems) == 0 || !strings.Contains(problems[0].String(), want) {
			t.Errorf("%s: got %v, want %q", models, problems, want)
		}
	}
	model := func(members string) string {
		return `{"id":"a.b","provider":"a","family":"f","body":"x","mode":"chat","input":["text"],"output":["text"],"route":"converse"` + members + `}`
	}
	f(model(`,"colour":"red"`), `unknown field "colour"`)
	f(model(`,"price":{"input_each":3}`), `unknown field "input_each"`)
	f(model(`,"price":{"input":"3 USD"}`), "cannot unmarshal string")
	f(model(`,"price":{"input":0.0000001}`), "price.input is finer than a pico-dollar")
	f(model(`,"price":{"input":1e300}`), "price.input is no price")
	f(model(`,"price":{"per_image":-1}`), "price.per_image is negative")
	f(model(`,"price":{"per_guardrail_unit":{"topic":-1}}`), "per_guardrail_unit.topic is negative")
	f(model(`,"price":{"long":[{"above_tokens":5,"batch":{"output":-1}}]}`), "price.long.batch.output is negative")
	f(model(`,"image_prices":{"a/b":-1}`), "image_prices.a/b is negative")
	f(model(`,"provisioned_per_second":{"us-east-1":{"2m":1}}`), `"2m", not one of 1m, 6m`)
	f(model(`,"price":{"flex":{"in":3}}`), `unknown field "in"`)
	f(model(`,"price":{"input":-1}`), "negative")
	f(model(`,"price":{"flex":{"output":-1}}`), "negative")
	f(model(`,"price":{"long":[{"above_tokens":5},{"above_tokens":5}]}`), "must rise")
	f(model("")+","+model(""), "stands twice")
	f(model(`,"aliases":[{"id":"a.b"}]`), "stands twice")
	f(model(`,"capabilities":["telepathy"]`), `"telepathy" is unknown`)
	f(model(`,"capabilities":["tools","!tools"]`), `"tools" stands twice`)
	f(model(`,"end_of_life":"soon"`), "no date")
	f(model(`,"context":-1`), "negative")
	f(model(`,"reasoning":{"kinds":["telepathy"]}`), "reasoning.kinds")
	f(model(`,"cache":{"ttl":["2h"]}`), "cache.ttl")
	f(model(`,"endpoints":["embeddings"]`), "endpoints")
	f(model(`,"surfaces":{"paper":{}}`), `surfaces is "paper"`)
	f(model(`,"surfaces":{"mantle":{"id":"a.b"}}`), "stands twice")
	f(model(`,"regions":{"us-east-1":null}`), "regions.us-east-1 is null")
	f(model(`,"regions":{"us-east-1":{"end_of_life":"soon"}}`), "no date")
	f(model(`,"regions":{"us-east-1":{"price":{"flex":{"input":-1}}}}`), "regions.us-east-1.price.flex.input is negative")
	f(model(`,"regions":{"us-east-1":{"factor":-1}}`), "negative factor")
	f(model(`,"aliases":[{"id":"a.c","profiles":{"moon":{}}}]`), `"moon" is not the geography`)
	f(model(`,"note":"x","note":"y"`), `"note" stands twice in one object`)
	f(strings.Replace(model(""), "a.b", "a.z", 1)+","+model(""), "sorted by id")
	f(strings.Replace(model(""), "a.b", "a/b", 1), "holds no /")
	f("null", "an empty entry")
	f(model(`,"profiles":{"moon":{}}`), `"moon" is not the geography`)
	f(model(`,"regions":{"nowhere":{}}`), `"nowhere" is not a region`)
	f(strings.Replace(model(""), `"chat"`, `"chatter"`, 1), `mode is "chatter"`)
	f(`{"id":"a b"}`, "is no id")

	for _, data := range []string{``, `[]`, `{"schema":1,"version":"x","units":"USD","models":[]} x`, `{"schema":2,"version":"x","units":"USD"}`, `{"schema":1,"units":"USD"}`} {
		if len(Check([]byte(data))) == 0 {
			t.Errorf("nothing is wrong with %s", data)
		}
		if _, err := Parse([]byte(data)); err == nil {
			t.Errorf("%s is parsed", data)
		}
	}
}

func TestParseRefusesWhatCheckFinds(t *testing.T) {
	if _, err := Parse(embedded); err != nil {
		t.Error(err)
	}
	bad := strings.Replace(string(embedded), `"input":12.5`, `"input":-12.5`, 1)
	_, err := Parse([]byte(bad))
	if err == nil || !strings.Contains(err.Error(), "ai21.j2-mid-v1: price.input is negative") {
		t.Errorf("got %v", err)
	}
}

// The schema is for editors and other programs; the decoder does not read it. This keeps the two from drifting apart.
func TestSchemaNamesWhatTheDecoderReads(t *testing.T) {
	var s struct {
		Properties json.RawMessage            `json:"properties"`
		Defs       map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	names := func(parts ...json.RawMessage) []string {
		var list []string
		for _, part := range parts {
			var object struct {
				Properties map[string]json.RawMessage `json:"properties"`
			}
			if err := json.Unmarshal(part, &object); err != nil {
				t.Fatal(err)
			}
			list = append(list, slices.Collect(maps.Keys(object.Properties))...)
		}
		slices.Sort(list)
		return list
	}
	f := func(v any, parts ...json.RawMessage) {
		t.Helper()
		if got, want := names(parts...), members(reflect.TypeOf(v)); !slices.Equal(got, want) {
			t.Errorf("%T: the schema has %v, the decoder %v", v, got, want)
		}
	}
	whole := Schema()
	f(file{}, whole)
	f(Model{}, s.Defs["model"])
	f(override{}, s.Defs["override"])
	f(tokenPrices{}, s.Defs["tokens"])
	f(tiers{}, s.Defs["tiers"])
	f(prices{}, s.Defs["price"], s.Defs["tokens"], s.Defs["tiers"])
}

// members returns the sorted names by which a struct's fields stand in JSON.
func members(of reflect.Type) []string {
	var list []string
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name != "":
			list = append(list, name)
		case field.Anonymous:
			list = append(list, members(field.Type)...)
		}
	}
	slices.Sort(list)
	return list
}

func FuzzParse(f *testing.F) {
	const model = `{"schema":1,"version":"x","units":"u","models":[{"id":"a.b","provider":"a","family":"f","body":"x","mode":"chat","input":["text"],"output":["text"],"route":"converse"`
	f.Add([]byte(model + `}]}`))
	f.Add([]byte(model + `,"price":{"input":1,"flex":null,"long":[{"above_tokens":1,"output":2}]},"profiles":{"us":{"factor":2}}}]}`))
	f.Add([]byte(model + `,"price":{"per_image":1e-9},"regions":{"us-east-1":{"context":null,"price":{"input":null,"long":null}}}}]}`))
	f.Add([]byte(model + `,"aliases":[{"id":"c"}],"surfaces":{"mantle":{"id":"d","regions":{"us-east-1":{"factor":1e308}}}}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		problems := Check(data)
		c, err := Parse(data)
		if (err == nil) != (len(problems) == 0) {
			t.Fatalf("Check finds %v, Parse %v", problems, err)
		}
		if err != nil {
			return
		}
		for _, m := range c.Models() {
			ref, err := c.Resolve(m.ID)
			if err != nil || ref.Model != m {
				t.Fatalf("%q resolves to %v, %v", m.ID, ref.Model, err)
			}
			p, _ := c.Price(ref, "us-east-1")
			rates := p.At(1<<40, "flex")
			for _, rate := range rates.list() {
				if rate.Pico < 0 {
					t.Fatalf("%q has the price %+v", m.ID, p)
				}
			}
		}
	})
}
