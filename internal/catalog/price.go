package catalog

import (
	"encoding/json"
	"math"
	"strings"
)

// number is a JSON number that may be absent, or null, which takes an inherited one away.
type number struct {
	set, null bool
	value     float64
}

// UnmarshalJSON reads a number or null.
func (n *number) UnmarshalJSON(data []byte) error {
	n.set = true
	if string(data) == "null" {
		n.null = true
		return nil
	}
	return json.Unmarshal(data, &n.value)
}

// tokenPrices are prices of kinds of tokens, in USD per million.
type tokenPrices struct {
	Input        number `json:"input"`
	Output       number `json:"output"`
	CacheRead    number `json:"cache_read"`
	CacheWrite5m number `json:"cache_write_5m"`
	CacheWrite1h number `json:"cache_write_1h"`
}

func (t *tokenPrices) each(do func(*number)) {
	do(&t.Input)
	do(&t.Output)
	do(&t.CacheRead)
	do(&t.CacheWrite5m)
	do(&t.CacheWrite1h)
}

// tiers are the service tiers with prices of their own.
type tiers struct {
	Batch     optionalTier `json:"batch"`
	Flex      optionalTier `json:"flex"`
	Priority  optionalTier `json:"priority"`
	Ultrafast optionalTier `json:"ultrafast"`
}

func (t *tiers) each(do func(name string, tier *optionalTier)) {
	do("batch", &t.Batch)
	do("flex", &t.Flex)
	do("priority", &t.Priority)
	do("ultrafast", &t.Ultrafast)
}

// optionalTier is a tier that may be absent, or null, which takes an inherited one away.
type optionalTier struct {
	set bool
	*tokenPrices
}

// UnmarshalJSON reads a tier or null.
func (t *optionalTier) UnmarshalJSON(data []byte) error {
	t.set = true
	if string(data) == "null" {
		t.tokenPrices = nil
		return nil
	}
	t.tokenPrices = &tokenPrices{}
	return strictly(data, t.tokenPrices)
}

// longTier are the prices of requests whose whole prompt is longer than Above tokens.
type longTier struct {
	Above int64 `json:"above_tokens"`
	tokenPrices
	tiers
}

type longTiers struct {
	set  bool
	list []longTier
}

// UnmarshalJSON reads a list or null.
func (l *longTiers) UnmarshalJSON(data []byte) error {
	l.set, l.list = true, nil
	return strictly(data, &l.list)
}

// prices are all prices of a model, or of an override.
type prices struct {
	tokenPrices
	tiers
	Long             longTiers          `json:"long"`
	AudioInput       number             `json:"audio_input"`
	AudioOutput      number             `json:"audio_output"`
	ImageInputTokens number             `json:"image_input_tokens"`
	PerInputImage    number             `json:"per_input_image"`
	PerImage         number             `json:"per_image"`
	PerSecond        number             `json:"per_second"`
	PerVideoSecond   number             `json:"per_video_second"`
	PerAudioSecond   number             `json:"per_audio_second"`
	PerQuery         number             `json:"per_query"`
	PerWebSearch     number             `json:"per_web_search"`
	PerGuardrailUnit map[string]float64 `json:"per_guardrail_unit"`
}

// override is what differs from the base model in a profile, a region, a surface or under an alias.
type override struct {
	ID     string `json:"id,omitempty"`
	Region string `json:"region,omitempty"`
	// Factor multiplies every token price before Price replaces some.
	Factor           float64              `json:"factor,omitempty"`
	Price            *prices              `json:"price,omitempty"`
	Context          *int64               `json:"context,omitempty"`
	MaxOutput        *int64               `json:"max_output,omitempty"`
	Dimensions       *int64               `json:"dimensions,omitempty"`
	Mode             string               `json:"mode,omitempty"`
	EndOfLife        *string              `json:"end_of_life,omitempty"`
	Endpoints        []string             `json:"endpoints,omitempty"`
	MoreCapabilities []string             `json:"more_capabilities,omitempty"`
	Profiles         map[string]*override `json:"profiles,omitempty"`
	Regions          map[string]*override `json:"regions,omitempty"`
	Note             string               `json:"note,omitempty"`
}

// apply returns p as it is under the override.
func (o *override) apply(p prices) prices {
	if o == nil {
		return p
	}
	if o.Factor != 0 {
		p = p.times(o.Factor)
	}
	if o.Price == nil {
		return p
	}
	replaceTokens(&p.tokenPrices, &o.Price.tokenPrices)
	fresh := map[string]*optionalTier{}
	o.Price.tiers.each(func(name string, t *optionalTier) { fresh[name] = t })
	p.tiers.each(func(name string, t *optionalTier) {
		if fresh[name].set {
			*t = *fresh[name]
		}
	})
	if o.Price.Long.set {
		p.Long = o.Price.Long
	}
	return p
}

func replaceTokens(dst, src *tokenPrices) {
	var list []*number
	src.each(func(n *number) { list = append(list, n) })
	i := 0
	dst.each(func(n *number) {
		if s := list[i]; s.null {
			*n = number{}
		} else if s.set {
			*n = *s
		}
		i++
	})
}

// times multiplies every token price, in tiers and long tiers, too; the copy shares nothing with the original.
func (p prices) times(x float64) prices {
	scale := func(n *number) { n.value = round(n.value * x) }
	scaleTiers := func(t *tiers) {
		t.each(func(_ string, tier *optionalTier) {
			if tier.tokenPrices != nil {
				scaled := *tier.tokenPrices
				scaled.each(scale)
				tier.tokenPrices = &scaled
			}
		})
	}
	p.tokenPrices.each(scale)
	scaleTiers(&p.tiers)
	long := make([]longTier, len(p.Long.list))
	for i, l := range p.Long.list {
		l.tokenPrices.each(scale)
		scaleTiers(&l.tiers)
		long[i] = l
	}
	p.Long.list = long
	return p
}

// round keeps ten significant digits, which takes the noise of a multiplication away.
func round(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, 9-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}

// Rate is the price of one token in pico-dollars (1e-12 USD), if it is known.
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

// Price is what the tokens of a call cost.
type Price struct {
	// Key names the price for people: the id, the region and what else chose it. Version names the price list.
	Key, Version string
	Rates
	// Tiers are the service tiers that replace some of the rates, Long the rates of long prompts, shortest first.
	Tiers map[string]Rates
	Long  []LongRates
}

// At returns the rates of a request with a prompt of that many tokens in a service tier. What a tier or a long prompt has
// no price for stays as it is.
func (p *Price) At(prompt int64, tier string) Rates {
	rates, over := p.Rates, p.Tiers[tier]
	for i := range p.Long {
		if l := &p.Long[i]; prompt > l.Above {
			rates, over = l.Rates.or(p.Rates), l.Tiers[tier]
		}
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

func (t *tokenPrices) rates() Rates {
	if t == nil {
		return Rates{}
	}
	// USD per million tokens × 1e6 is pico-dollars per token.
	of := func(n number) Rate { return Rate{int64(math.Round(n.value * 1e6)), n.set && !n.null} }
	return Rates{of(t.Input), of(t.Output), of(t.CacheRead), of(t.CacheWrite5m), of(t.CacheWrite1h)}
}

func (t *tiers) rates() map[string]Rates {
	var list map[string]Rates
	t.each(func(name string, tier *optionalTier) {
		if tier.tokenPrices != nil {
			if list == nil {
				list = map[string]Rates{}
			}
			list[name] = tier.rates()
		}
	})
	return list
}

// Price returns what a call of ref in a region costs, and whether that is known. Capacity that is paid by the hour
// (provisioned throughput, imported and custom deployments) costs nothing per call: its key says so.
func (c *Catalog) Price(ref Ref, region string) (Price, bool) {
	if ref.ARN != nil {
		switch ref.ARN.Kind {
		case "provisioned-model", "imported-model", "custom-model-deployment", "endpoint":
			free := Rate{0, true}
			return Price{Key: ref.ARN.Kind + "/paid by the hour", Version: c.version, Rates: Rates{free, free, free, free, free}}, true
		}
	}
	m := ref.Model
	if m == nil {
		return Price{Version: c.version}, false
	}
	p := ref.alias.apply(m.Prices)
	id := m.ID
	if ref.Profile != "" {
		id = ref.Profile + "." + id
	}
	key := id + "/" + region
	if o := m.RegionOverrides[region]; o != nil {
		p = o.apply(p)
		if nested := o.Profiles[ref.Profile]; nested != nil {
			p = nested.apply(p)
		}
	} else if o := m.ProfileOverrides[ref.Profile]; o != nil {
		p = o.apply(p)
	}
	out := Price{Key: key, Version: c.version, Rates: p.tokenPrices.rates(), Tiers: p.tiers.rates()}
	for i := range p.Long.list {
		l := &p.Long.list[i]
		out.Long = append(out.Long, LongRates{Above: l.Above, Rates: l.tokenPrices.rates(), Tiers: l.tiers.rates()})
	}
	return out, out.Input.Known || out.Output.Known
}

// perToken maps LiteLLM's names of token prices to rates.
func (r *Rates) perToken(do func(name string, rate *Rate)) {
	do("input_cost_per_token", &r.Input)
	do("output_cost_per_token", &r.Output)
	do("cache_read_input_token_cost", &r.CacheRead)
	do("cache_creation_input_token_cost", &r.CacheWrite5m)
	do("cache_creation_input_token_cost_above_1hr", &r.CacheWrite1h)
}

// Override returns p with the prices that a configuration gives by LiteLLM's names, in USD per token. They hold for every
// tier and length; zero is a price.
func Override(p Price, usd map[string]float64) Price {
	changed := false
	p.Rates.perToken(func(name string, rate *Rate) {
		if v, ok := usd[name]; ok {
			*rate, changed = Rate{int64(math.Round(v * 1e12)), true}, true
		}
	})
	if changed {
		p.Key, p.Tiers, p.Long = strings.TrimSpace("configured "+p.Key), nil, nil
	}
	return p
}

// LiteLLM returns the rates by LiteLLM's names, in USD per token.
func (p *Price) LiteLLM() map[string]float64 {
	list := map[string]float64{}
	p.Rates.perToken(func(name string, rate *Rate) {
		if rate.Known {
			list[name] = float64(rate.Pico) / 1e12
		}
	})
	return list
}
