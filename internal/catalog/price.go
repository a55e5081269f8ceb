package catalog

import (
	"maps"
	"math"
	"strconv"
	"strings"
)

// Rate is a price in pico-dollars (1e-12 USD) for one token, or for one of another [Unit], if it is known.
type Rate struct {
	Pico  int64
	Known bool
}

// Rates are the prices of the kinds of tokens.
type Rates struct{ Input, Output, CacheRead, CacheWrite5m, CacheWrite1h Rate }

// LongRates hold for requests whose whole prompt is longer than Above tokens.
type LongRates struct {
	Above int64
	Rates
	Tiers map[string]Rates
}

// Unit is something other than a text token that AWS charges for.
type Unit string

// The units. Their values are the names in the data.
const (
	// UnitAudioInput and UnitAudioOutput are tokens of speech.
	UnitAudioInput  Unit = "audio_input"
	UnitAudioOutput Unit = "audio_output"
	// UnitImageInput is a token of an image that was read.
	UnitImageInput Unit = "image_input_tokens"
	// UnitInputImage is an image that was read, UnitImage one that was made.
	UnitInputImage Unit = "per_input_image"
	UnitImage      Unit = "per_image"
	// UnitSecond is a second that a call takes; UnitVideoSecond and UnitAudioSecond are seconds of media, read or made.
	UnitSecond      Unit = "per_second"
	UnitVideoSecond Unit = "per_video_second"
	UnitAudioSecond Unit = "per_audio_second"
	// UnitMadeVideoSecond is a second of video that was made, where a configuration tells it from one that was read. The data
	// has one price for both, since no model does both.
	UnitMadeVideoSecond Unit = "per_made_video_second"
	// UnitQuery is a query of a reranker or an embedder, UnitWebSearch a search that the model made on the server.
	UnitQuery     Unit = "per_query"
	UnitWebSearch Unit = "per_web_search"
)

// scale returns what a price of the data is multiplied by to get pico-dollars for one.
func (u Unit) scale() float64 {
	if strings.HasPrefix(string(u), "per_") {
		return perOne
	}
	return perMillion
}

// Price is what a call costs. Its maps and lists are shared and must not be changed.
type Price struct {
	// Key names the price for people: the id with its profile, and the region; or what else chose it. Version names the
	// price list.
	Key, Version string
	Rates
	// Tiers are the service tiers that replace some of the rates, Long the rates of long prompts, shortest first.
	Tiers map[string]Rates
	Long  []LongRates
	// Units are the prices of what is not a text token; one that is missing is unknown. Guardrail are those of a guardrail's
	// text unit by its policy.
	Units     map[Unit]Rate
	Guardrail map[string]Rate
}

// TokenPair returns what a token of a prompt and one of an answer cost together, in pico-dollars.
func (p *Price) TokenPair() float64 { return float64(p.Input.Pico + p.Output.Pico) }

// batch is the tier of batch jobs.
const batch = "batch"

// At returns the rates of a request with a prompt of that many tokens in a service tier. What a tier or a long prompt has
// no price for stays as it is; a batch price has no long tier unless the data gives one.
func (p *Price) At(prompt int64, tier string) Rates {
	over, tiered := p.Tiers[tier]
	rates := p.Rates
	for i := range p.Long {
		l := &p.Long[i]
		if prompt <= l.Above {
			break
		}
		longOver, longTiered := l.Tiers[tier]
		if tier == batch && tiered && !longTiered {
			continue
		}
		rates, over = l.Rates.or(p.Rates), longOver
	}
	return over.or(rates).filled()
}

// or returns r with what it lacks from other.
func (r Rates) or(other Rates) Rates {
	pick := func(a, b Rate) Rate {
		if a.Known {
			return a
		}
		return b
	}
	return Rates{
		pick(r.Input, other.Input), pick(r.Output, other.Output), pick(r.CacheRead, other.CacheRead),
		pick(r.CacheWrite5m, other.CacheWrite5m), pick(r.CacheWrite1h, other.CacheWrite1h),
	}
}

// filled gives cache prices that nobody tells the price of what they are: plain input, and a longer write the price of
// the shorter.
func (r Rates) filled() Rates {
	r = r.or(Rates{CacheRead: r.Input, CacheWrite5m: r.Input})
	return r.or(Rates{CacheWrite1h: r.CacheWrite5m})
}

const (
	perMillion = 1e6  // USD per million tokens, in pico-dollars per token
	perOne     = 1e12 // USD for one, in pico-dollars
	// maxPico bounds a rate: a million dollars for one of anything is no price.
	maxPico = 1e18
)

// rate turns USD into a rate. What is no price, because it is below zero, not a number or absurd, is not known.
func rate(usd, scale float64) Rate {
	pico := math.Round(usd * scale)
	if math.IsNaN(pico) || pico < 0 || pico > maxPico {
		return Rate{}
	}
	return Rate{int64(pico), true}
}

func (n *number) rate(scale float64) Rate {
	if !n.set || n.null {
		return Rate{}
	}
	return rate(n.value, scale)
}

func (t *tokenPrices) rates() Rates {
	return Rates{
		t.Input.rate(perMillion), t.Output.rate(perMillion), t.CacheRead.rate(perMillion), t.CacheWrite5m.rate(perMillion), t.CacheWrite1h.rate(perMillion),
	}
}

func (t *tiers) rates() map[string]Rates {
	var list map[string]Rates
	names := tierNames()
	for i, tier := range t.list() {
		if tier.tokenPrices != nil {
			if list == nil {
				list = map[string]Rates{}
			}
			list[names[i]] = tier.rates()
		}
	}
	return list
}

// unitRates returns the known prices of units, nil when there are none.
func (p *prices) unitRates() map[Unit]Rate {
	var list map[Unit]Rate
	names := unitNames()
	for i, n := range p.units() {
		if r := n.rate(names[i].scale()); r.Known {
			if list == nil {
				list = map[Unit]Rate{}
			}
			list[names[i]] = r
		}
	}
	return list
}

// Price returns what a call of ref in a region costs, and whether anything of that is known: the model's prices, changed by
// the region if the data lists it, else by the profile. Capacity that is paid by the hour (provisioned throughput and the
// tuned models on it, imported models, SageMaker endpoints) costs nothing per call; its key says so. A deployment of a
// tuned model on demand is billed by tokens, as the model that it was made from.
func (c *Catalog) Price(ref Ref, region string) (Price, bool) {
	if ref.ARN != nil {
		switch ref.ARN.Kind {
		case "provisioned-model", "custom-model", "imported-model", "endpoint":
			free := Rate{0, true}
			units := map[Unit]Rate{}
			for _, name := range unitNames() {
				units[name] = free
			}
			return Price{Key: ref.ARN.Kind + "/paid by the hour", Version: c.version, Rates: Rates{free, free, free, free, free}, Units: units}, true
		}
	}
	if ref.Model == nil {
		return Price{Version: c.version}, false
	}
	basis := priceBasis{ref.Model, ref.overrides(region)}
	known, ok := c.priced.Load(basis)
	if !ok {
		known, _ = c.priced.LoadOrStore(basis, basis.price())
	}
	p, _ := known.(Price)
	p.Key, p.Version = ref.priceKey(region), c.version
	return p, p.Rates != Rates{} || p.Units != nil || p.Guardrail != nil
}

// ImageRate returns the price of one image of a size in pixels (0 for the model's usual one) made in so many steps (0 for
// the usual number), of models whose price depends on them. It is not known for others.
func ImageRate(m *Model, width, height, steps int) Rate {
	if m == nil || len(m.ImagePrices) == 0 || m.Prices.PerImage.set {
		return Rate{}
	}
	const manySteps = 50
	wantSteps := "50-steps"
	if steps > manySteps {
		wantSteps = "max-steps"
	}
	usual, larger := Rate{}, Rate{}
	for key, usd := range m.ImagePrices {
		size, s, _ := strings.Cut(key, "/")
		if s != wantSteps {
			continue
		}
		w, h, ok := strings.Cut(size, "-x-")
		wide, err := strconv.Atoi(w)
		high, bad := strconv.Atoi(h)
		switch {
		case err == nil && bad == nil && ok && (width <= wide && height <= high):
			usual = rate(usd, perOne)
		case err != nil || len(m.ImagePrices) == 2: // "max", or a model whose only size stands for all
			larger = rate(usd, perOne)
		}
	}
	if usual.Known {
		return usual
	}
	return larger
}

// priceBasis is what a price follows from. There are no more of them than the data has overrides, whatever clients ask for.
type priceBasis struct {
	model     *Model
	overrides overrides
}

// price works the price out.
func (b priceBasis) price() Price {
	p := b.model.Prices
	for _, o := range b.overrides {
		if o != nil {
			p = o.price(p)
		}
	}
	out := Price{Rates: p.tokenPrices.rates(), Tiers: p.tiers.rates(), Units: p.unitRates()}
	for i := range p.Long.list {
		l := &p.Long.list[i]
		out.Long = append(out.Long, LongRates{Above: l.Above, Rates: l.tokenPrices.rates(), Tiers: l.tiers.rates()})
	}
	for policy, usd := range p.PerGuardrailUnit {
		if out.Guardrail == nil {
			out.Guardrail = map[string]Rate{}
		}
		out.Guardrail[policy] = rate(usd, perOne)
	}
	return out
}

func (ref *Ref) priceKey(region string) string {
	key := ref.Model.ID
	if ref.Profile != "" {
		key = ref.Profile + "." + key
	}
	if ref.Route == RouteMantle && ref.Model.Surfaces[mantle] != nil {
		key = mantle + "/" + key
	}
	if region != "" {
		key += "/" + region
	}
	return key
}

// liteLLM returns LiteLLM's names of token prices, in the order of [Rates.list].
func liteLLM() [5]string {
	return [5]string{
		"input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost", "cache_creation_input_token_cost",
		"cache_creation_input_token_cost_above_1hr",
	}
}

func (r *Rates) list() [5]*Rate {
	return [5]*Rate{&r.Input, &r.Output, &r.CacheRead, &r.CacheWrite5m, &r.CacheWrite1h}
}

// Override returns p with the prices that a configuration gives by LiteLLM's names, in USD per token. They hold for every
// tier and length. Zero is a price; a number that is no price (below zero, infinite) leaves the kind of token without one.
func Override(p Price, usd map[string]float64) Price {
	changed, names := false, liteLLM()
	for i, r := range p.Rates.list() {
		if v, ok := usd[names[i]]; ok {
			*r, changed = rate(v, perOne), true
		}
	}
	if units := unitsOverridden(&p, usd); units != nil {
		if _, byTime := units[UnitSecond]; byTime && !changed { // tokens have no price beside that, as LiteLLM has it
			free := Rate{0, true}
			p.Rates = Rates{free, free, free, free, free}
		}
		all := maps.Clone(p.Units)
		if all == nil {
			all = map[Unit]Rate{}
		}
		maps.Copy(all, units)
		p.Units, changed = all, true
	}
	if changed {
		p.Key, p.Tiers, p.Long = strings.TrimSpace("configured "+p.Key), nil, nil
	}
	return p
}

// unitsOverridden returns the prices of units that a configuration gives, nil if there are none. input_cost_per_second and
// output_cost_per_second are the prices of seconds of media for a model that AWS is paid for by those; for every other model
// either is the price of a second that a call takes, the first before the second: that is how capacity which is paid by the
// hour is spread over calls.
func unitsOverridden(p *Price, usd map[string]float64) map[Unit]Rate {
	var units map[Unit]Rate
	set := func(name string, list ...Unit) {
		v, ok := usd[name]
		if !ok {
			return
		}
		if units == nil {
			units = map[Unit]Rate{}
		}
		for _, unit := range list {
			units[unit] = rate(v, perOne)
		}
	}
	if p.ByMedia() {
		set("input_cost_per_second", UnitVideoSecond, UnitAudioSecond)
		set("output_cost_per_second", UnitMadeVideoSecond)
	} else {
		set("output_cost_per_second", UnitSecond)
		set("input_cost_per_second", UnitSecond)
	}
	set("input_cost_per_video_per_second", UnitVideoSecond)
	set("input_cost_per_audio_per_second", UnitAudioSecond)
	set("output_cost_per_video_per_second", UnitMadeVideoSecond)
	set("output_cost_per_image", UnitImage)
	set("input_cost_per_image", UnitInputImage)
	set("input_cost_per_query", UnitQuery)
	set("web_search_cost_per_query", UnitWebSearch)
	return units
}

// ByMedia reports whether seconds of video or sound cost something.
func (p *Price) ByMedia() bool {
	return len(p.Units) > 0 && (p.Units[UnitVideoSecond].Pico > 0 || p.Units[UnitAudioSecond].Pico > 0 || p.Units[UnitMadeVideoSecond].Pico > 0)
}

// Free reports whether a unit is known to cost nothing.
func (p *Price) Free(unit Unit) bool { return p.Units[unit] == Rate{0, true} }

// ByTime reports whether the time that a call takes costs something.
func (p *Price) ByTime() bool { return len(p.Units) > 0 && p.Units[UnitSecond].Pico > 0 }

// LiteLLM returns the rates by LiteLLM's names, in USD per token.
func (p *Price) LiteLLM() map[string]float64 {
	list, names := map[string]float64{}, liteLLM()
	for i, r := range p.Rates.list() {
		if r.Known {
			list[names[i]] = float64(r.Pico) / perOne
		}
	}
	return list
}
