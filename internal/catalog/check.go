package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// Problem is something that is wrong in a catalogue's data.
type Problem struct {
	// Model is the id of the model that it was found in, "catalogue" outside of one. Message says what is wrong.
	Model, Message string
}

// String returns the model and what is wrong with it.
func (p Problem) String() string { return p.Model + ": " + p.Message }

// strictly decodes what a custom decoder was given: an unknown member is an error there, too.
func strictly(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// Check returns everything that is wrong with a catalogue's data, nil when nothing is. Data that cannot be decoded, because
// of a wrong type or of a member or price whose name is not known, is one problem.
func Check(data []byte) []Problem {
	f, err := decode(data)
	if err != nil {
		return []Problem{{"catalogue", err.Error()}}
	}
	k := &checker{ids: map[string]bool{}}
	if err := noMemberTwice(data); err != nil {
		k.found("catalogue", "%v", err)
	}
	if f.Schema != 1 || f.Version == "" || f.Units == "" {
		k.found("catalogue", "schema must be 1, version and units must be said")
	}
	last := ""
	for _, m := range f.Models {
		if m == nil {
			k.found("catalogue", "an empty entry")
			continue
		}
		if m.ID < last {
			k.found(m.ID, "the models must be sorted by id")
		}
		last = m.ID
		k.model(m)
	}
	return k.problems
}

// noMemberTwice finds a name that stands twice in one object: the decoder would silently take the last.
func noMemberTwice(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	type level struct {
		names  map[string]bool // nil in an array
		isName bool            // the next token is a member's name
	}
	var stack []level
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		top := len(stack) - 1
		if name, ok := token.(string); ok && top >= 0 && stack[top].isName {
			if stack[top].names[name] {
				return fmt.Errorf("the member %q stands twice in one object", name)
			}
			stack[top].names[name], stack[top].isName = true, false
			continue
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{map[string]bool{}, true})
			continue
		case json.Delim('['):
			stack = append(stack, level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:top]
		}
		if top := len(stack) - 1; top >= 0 && stack[top].names != nil { // a value has ended
			stack[top].isName = true
		}
	}
}

type checker struct {
	problems []Problem
	ids      map[string]bool
}

func (k *checker) found(model, format string, args ...any) {
	k.problems = append(k.problems, Problem{model, fmt.Sprintf(format, args...)})
}

func (k *checker) id(model, id string) {
	switch {
	case id == "" || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		k.found(model, "%q is no id", id)
	case k.ids[id]:
		k.found(model, "the id or alias %s stands twice", id)
	}
	k.ids[id] = true
}

func (k *checker) oneOf(model, what, value string, known ...string) {
	if !slices.Contains(known, value) {
		k.found(model, "%s is %q, not one of %s", what, value, strings.Join(known, ", "))
	}
}

func (k *checker) each(model, what string, values []string, known ...string) {
	seen := map[string]bool{}
	for _, v := range values {
		k.oneOf(model, what, v, known...)
		if seen[v] {
			k.found(model, "%s has %q twice", what, v)
		}
		seen[v] = true
	}
}

func modes() []string {
	return []string{"chat", "responses", "embedding", "image", "image_edit", "rerank", "realtime", "video", "guardrail"}
}

func (k *checker) model(m *Model) {
	k.id(m.ID, m.ID)
	if strings.Contains(m.ID, "/") {
		k.found(m.ID, "an id holds no /")
	}
	if m.Provider == "" || m.Family == "" || m.Body == "" || m.Mode != "guardrail" && (len(m.Input) == 0 || len(m.Output) == 0) {
		k.found(m.ID, "provider, family, body, input and output must be said")
	}
	k.oneOf(m.ID, "mode", m.Mode, modes()...)
	k.oneOf(m.ID, "route", string(m.Route),
		string(RouteConverse), string(RouteInvoke), string(RouteChatCompletions), string(RouteMantle), string(RouteRerank), string(RouteAsync))
	k.each(m.ID, "input", m.Input, "text", "image", "document", "video", "audio")
	k.each(m.ID, "output", m.Output, "text", "image", "video", "audio", "embedding", "score")
	k.each(m.ID, "endpoints", m.Endpoints, "chat/completions", "responses", "messages")
	if m.Converse != nil {
		k.oneOf(m.ID, "converse.support", m.Converse.Support, "", "no", "limited")
	}
	k.date(m.ID, "end_of_life", m.EndOfLife)
	k.sizes(m.ID, m.Context, m.MaxOutput, m.Dimensions)
	if r := m.Reasoning; r != nil {
		k.each(m.ID, "reasoning.kinds", r.Kind, "budget", "adaptive", "effort", "native")
		k.each(m.ID, "reasoning.levels", r.Levels, "none", "minimal", "xhigh", "max", "!none", "!minimal", "!xhigh", "!max")
		k.oneOf(m.ID, "reasoning.ceiling", r.Ceiling, "", "high", "xhigh", "max")
	}
	if m.Cache != nil {
		k.each(m.ID, "cache.ttl", m.Cache.TTL, "5m", "1h")
		k.sizes(m.ID, m.Cache.MinTokens)
	}
	k.capabilities(m.ID, m.Capabilities)
	k.prices(m.ID, "price", &m.Prices)
	for name, usd := range m.ImagePrices {
		k.usd(m.ID, "image_prices."+name, usd, perOne)
	}
	for region, list := range m.ProvisionedPerSecond {
		if region != "*" && !isRegion(region) {
			k.found(m.ID, "%q is not a region", region)
		}
		for commitment, usd := range list {
			k.oneOf(m.ID, "provisioned_per_second."+region, commitment, "1m", "6m")
			k.usd(m.ID, "provisioned_per_second."+region, usd, perOne)
		}
	}
	k.overrides(m)
}

func (k *checker) overrides(m *Model) {
	k.profiles(m.ID, "profiles", m.ProfileOverrides)
	k.regions(m.ID, "regions", m.RegionOverrides)
	for name, o := range m.Surfaces {
		k.oneOf(m.ID, "surfaces", name, mantle, "platform", "invoke")
		if name == mantle && o != nil && o.ID != "" {
			k.id(m.ID, o.ID)
		}
		k.override(m.ID, "surfaces."+name, o)
	}
	for _, a := range m.Aliases {
		if a == nil {
			k.found(m.ID, "an empty alias")
			continue
		}
		k.id(m.ID, a.ID)
		k.override(m.ID, "aliases."+a.ID, a)
	}
}

func (k *checker) profiles(model, what string, list map[string]*override) {
	for name, o := range list {
		if !isGeography(name) {
			k.found(model, "%q is not the geography of a profile", name)
		}
		k.override(model, what+"."+name, o)
	}
}

func (k *checker) regions(model, what string, list map[string]*override) {
	for name, o := range list {
		if !isRegion(name) {
			k.found(model, "%q is not a region", name)
		}
		k.override(model, what+"."+name, o)
	}
}

func (k *checker) override(model, name string, o *override) {
	if o == nil {
		k.found(model, "%s is null", name)
		return
	}
	if o.Factor < 0 {
		k.found(model, "%s has a negative factor", name)
	}
	if o.Price != nil {
		k.prices(model, name+".price", o.Price)
	}
	if o.Mode != "" {
		k.oneOf(model, name+".mode", o.Mode, modes()...)
	}
	if o.Region != "" && !isRegion(o.Region) {
		k.found(model, "%q is not a region", o.Region)
	}
	k.date(model, name+".end_of_life", o.EndOfLife.value)
	k.sizes(model, o.Context.value, o.MaxOutput.value, o.Dimensions.value)
	k.each(model, name+".endpoints", o.Endpoints.value, "chat/completions", "responses", "messages")
	k.capabilities(model, o.MoreCapabilities)
	k.profiles(model, name+".profiles", o.Profiles)
	k.regions(model, name+".regions", o.Regions)
}

func (k *checker) date(model, what, day string) {
	if day == "" {
		return
	}
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		k.found(model, "%s %q is no date", what, day)
	}
}

func (k *checker) sizes(model string, sizes ...int64) {
	for _, n := range sizes {
		if n < 0 {
			k.found(model, "a size in tokens is negative")
		}
	}
}

func (k *checker) capabilities(model string, list []string) {
	seen := map[string]bool{}
	for _, c := range list {
		name := strings.TrimPrefix(c, "!")
		if !slices.Contains(allCapabilities(), Capability(name)) {
			k.found(model, "the capability %q is unknown", c)
		}
		if seen[name] {
			k.found(model, "the capability %q stands twice", name)
		}
		seen[name] = true
	}
}

// usd checks a price that counts in pico-dollars when multiplied by scale: a finer one would be rounded.
func (k *checker) usd(model, what string, usd, scale float64) {
	pico := usd * scale
	switch {
	case usd < 0:
		k.found(model, "%s is negative", what)
	case !rate(usd, scale).Known:
		k.found(model, "%s is no price", what)
	case math.Abs(pico-math.Round(pico)) > 1e-3:
		k.found(model, "%s is finer than a pico-dollar", what)
	}
}

func (k *checker) tokens(model, what string, t *tokenPrices) {
	names := [5]string{"input", "output", "cache_read", "cache_write_5m", "cache_write_1h"}
	for i, n := range t.list() {
		k.usd(model, what+"."+names[i], n.value, perMillion)
	}
}

func (k *checker) tiers(model, what string, t *tiers) {
	names := tierNames()
	for i, tier := range t.list() {
		if tier.tokenPrices != nil {
			k.tokens(model, what+"."+names[i], tier.tokenPrices)
		}
	}
}

func (k *checker) prices(model, what string, p *prices) {
	k.tokens(model, what, &p.tokenPrices)
	k.tiers(model, what, &p.tiers)
	above := int64(0)
	for i := range p.Long.list {
		l := &p.Long.list[i]
		k.tokens(model, what+".long", &l.tokenPrices)
		k.tiers(model, what+".long", &l.tiers)
		if l.Above <= above {
			k.found(model, "the long tiers must rise")
		}
		above = l.Above
	}
	names := unitNames()
	for i, n := range p.units() {
		k.usd(model, what+"."+string(names[i]), n.value, names[i].scale())
	}
	for policy, usd := range p.PerGuardrailUnit {
		k.usd(model, what+".per_guardrail_unit."+policy, usd, perOne)
	}
}
