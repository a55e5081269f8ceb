package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Problem is something that is wrong in a catalogue's data.
type Problem struct{ Model, Message string }

// String returns the model and what is wrong with it.
func (p Problem) String() string { return p.Model + ": " + p.Message }

func strictly(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// Check returns everything that is wrong with a catalogue's data.
func Check(data []byte) []Problem {
	f, err := decode(data)
	if err != nil {
		return []Problem{{"catalogue", err.Error()}}
	}
	k := &checker{ids: map[string]bool{}}
	if f.Schema != 1 || f.Version == "" || f.Units == "" {
		k.found("catalogue", "schema must be 1, version and units must be said")
	}
	for _, m := range f.Models {
		if m == nil {
			k.found("catalogue", "an empty entry")
			continue
		}
		k.model(m)
	}
	return k.problems
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
	case id == "" || strings.ContainsAny(id, " \t\n"):
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

func (k *checker) model(m *Model) {
	k.id(m.ID, m.ID)
	if m.Provider == "" || m.Family == "" || m.Body == "" || m.Mode != "guardrail" && (len(m.Input) == 0 || len(m.Output) == 0) {
		k.found(m.ID, "provider, family, body, input and output must be said")
	}
	k.oneOf(m.ID, "mode", m.Mode, "chat", "responses", "embedding", "image", "image_edit", "rerank", "realtime", "video", "guardrail")
	k.oneOf(m.ID, "route", string(m.Route), "converse", "invoke", "chat_completions", "mantle", "agent-rerank", "async")
	for _, in := range m.Input {
		k.oneOf(m.ID, "input", in, "text", "image", "document", "video", "audio")
	}
	for _, out := range m.Output {
		k.oneOf(m.ID, "output", out, "text", "image", "video", "audio", "embedding", "score")
	}
	if m.Converse != nil {
		k.oneOf(m.ID, "converse.support", m.Converse.Support, "", "no", "limited")
	}
	if m.EndOfLife != "" {
		if _, err := time.Parse(time.DateOnly, m.EndOfLife); err != nil {
			k.found(m.ID, "end_of_life %q is no date", m.EndOfLife)
		}
	}
	if m.Context < 0 || m.MaxOutput < 0 || m.Dimensions < 0 {
		k.found(m.ID, "a limit is negative")
	}
	if m.Reasoning != nil {
		for _, kind := range m.Reasoning.Kind {
			k.oneOf(m.ID, "reasoning.kinds", kind, "budget", "adaptive", "effort", "native")
		}
		for _, level := range m.Reasoning.Levels {
			k.oneOf(m.ID, "reasoning.levels", strings.TrimPrefix(level, "!"), "none", "minimal", "xhigh", "max")
		}
	}
	if m.Cache != nil {
		for _, ttl := range m.Cache.TTL {
			k.oneOf(m.ID, "cache.ttl", ttl, "5m", "1h")
		}
	}
	k.capabilities(m.ID, m.Capabilities)
	k.prices(m.ID, &m.Prices)
	for name, usd := range m.ImagePrices {
		if usd < 0 {
			k.found(m.ID, "image_prices.%s is negative", name)
		}
	}
	for _, list := range []map[string]*override{m.ProfileOverrides, m.RegionOverrides, m.Surfaces} {
		for name, o := range list {
			k.override(m.ID, name, o)
		}
	}
	for name := range m.ProfileOverrides {
		if !isGeography(name) {
			k.found(m.ID, "%q is not the geography of a profile", name)
		}
	}
	for name := range m.RegionOverrides {
		if !isRegion(name) {
			k.found(m.ID, "%q is not a region", name)
		}
	}
	for _, a := range m.Aliases {
		if a == nil {
			k.found(m.ID, "an empty alias")
			continue
		}
		k.id(m.ID, a.ID)
		k.override(m.ID, a.ID, a)
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
		k.prices(model, o.Price)
	}
	k.capabilities(model, o.MoreCapabilities)
	for _, list := range []map[string]*override{o.Profiles, o.Regions} {
		for inner, nested := range list {
			k.override(model, name+"."+inner, nested)
		}
	}
}

func (k *checker) capabilities(model string, list []string) {
	for _, c := range list {
		if !slices.Contains(allCapabilities(), strings.TrimPrefix(c, "!")) {
			k.found(model, "the capability %q is unknown", c)
		}
	}
}

func (k *checker) prices(model string, p *prices) {
	positive := func(n *number) {
		if n.value < 0 {
			k.found(model, "a price is negative")
		}
	}
	checkTiers := func(t *tiers) {
		t.each(func(_ string, tier *optionalTier) {
			if tier.tokenPrices != nil {
				tier.tokenPrices.each(positive)
			}
		})
	}
	p.tokenPrices.each(positive)
	checkTiers(&p.tiers)
	above := int64(0)
	for i := range p.Long.list {
		l := &p.Long.list[i]
		l.tokenPrices.each(positive)
		checkTiers(&l.tiers)
		if l.Above <= above {
			k.found(model, "the long tiers must rise")
		}
		above = l.Above
	}
	for _, n := range []*number{
		&p.AudioInput, &p.AudioOutput, &p.ImageInputTokens, &p.PerInputImage, &p.PerImage, &p.PerSecond, &p.PerVideoSecond, &p.PerAudioSecond,
		&p.PerQuery, &p.PerWebSearch,
	} {
		positive(n)
	}
}
