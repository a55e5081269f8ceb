package catalog

import (
	"encoding/json"
	"math"
	"strconv"
)

// optional is a value of the data that may be absent, or null, which takes an inherited one away.
type optional[T any] struct {
	set, null bool
	value     T
}

// UnmarshalJSON reads a value or null.
func (o *optional[T]) UnmarshalJSON(data []byte) error {
	o.set = true
	if string(data) == "null" {
		o.null = true
		return nil
	}
	return json.Unmarshal(data, &o.value)
}

// replace puts o in the place of dst, if it says anything.
func (o *optional[T]) replace(dst *T) {
	if o.set {
		*dst = o.value
	}
}

// number is an optional price in USD.
type number struct {
	set, null bool
	value     float64
}

// UnmarshalJSON reads a number or null. It is called a thousand times at start, so it goes straight to strconv.
func (n *number) UnmarshalJSON(data []byte) error {
	n.set = true
	if string(data) == "null" {
		n.null = true
		return nil
	}
	if len(data) == 0 || data[0] != '-' && (data[0] < '0' || data[0] > '9') {
		return json.Unmarshal(data, &n.value) // no number: encoding/json words the error
	}
	v, err := strconv.ParseFloat(string(data), 64)
	n.value = v
	return err
}

func (n *number) replace(dst *number) {
	switch {
	case n.null:
		*dst = number{}
	case n.set:
		*dst = *n
	}
}

// tokenPrices are prices of kinds of tokens, in USD per million.
type tokenPrices struct {
	Input        number `json:"input"`
	Output       number `json:"output"`
	CacheRead    number `json:"cache_read"`
	CacheWrite5m number `json:"cache_write_5m"`
	CacheWrite1h number `json:"cache_write_1h"`
}

func (t *tokenPrices) list() [5]*number {
	return [5]*number{&t.Input, &t.Output, &t.CacheRead, &t.CacheWrite5m, &t.CacheWrite1h}
}

func (t *tokenPrices) times(x float64) {
	for _, n := range t.list() {
		n.value = round(n.value * x)
	}
}

// tiers are the service tiers with prices of their own.
type tiers struct {
	Batch     optionalTier `json:"batch"`
	Flex      optionalTier `json:"flex"`
	Priority  optionalTier `json:"priority"`
	Ultrafast optionalTier `json:"ultrafast"`
}

// tierNames returns the names of tiers, in the order of [tiers.list].
func tierNames() [4]string { return [4]string{batch, "flex", "priority", "ultrafast"} }

func (t *tiers) list() [4]*optionalTier {
	return [4]*optionalTier{&t.Batch, &t.Flex, &t.Priority, &t.Ultrafast}
}

// times multiplies the tiers' prices; what it changes is not shared with the copy that t was made from.
func (t *tiers) times(x float64) {
	for _, tier := range t.list() {
		if tier.tokenPrices != nil {
			scaled := *tier.tokenPrices
			scaled.times(x)
			tier.tokenPrices = &scaled
		}
	}
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

// longTiers is a list of long tiers that may be absent, or null, which takes an inherited one away.
type longTiers struct {
	set  bool
	list []longTier
}

// UnmarshalJSON reads a list or null.
func (l *longTiers) UnmarshalJSON(data []byte) error {
	l.set, l.list = true, nil
	return strictly(data, &l.list)
}

// prices are all prices of a model, or of an override. Token prices are in USD per million tokens, those whose name begins
// with per_ in USD for one.
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

// units returns the prices that are not for plain text tokens, in the order of [unitNames].
func (p *prices) units() [10]*number {
	return [10]*number{
		&p.AudioInput, &p.AudioOutput, &p.ImageInputTokens, &p.PerInputImage, &p.PerImage, &p.PerSecond, &p.PerVideoSecond, &p.PerAudioSecond,
		&p.PerQuery, &p.PerWebSearch,
	}
}

func unitNames() [10]Unit {
	return [10]Unit{
		UnitAudioInput, UnitAudioOutput, UnitImageInput, UnitInputImage, UnitImage, UnitSecond, UnitVideoSecond, UnitAudioSecond, UnitQuery,
		UnitWebSearch,
	}
}

// times multiplies every price but those of web searches and guardrails, which do not follow a model's factor. The result
// shares nothing that it changed with p.
func (p prices) times(x float64) prices {
	p.tokenPrices.times(x)
	p.tiers.times(x)
	names := unitNames()
	for i, n := range p.units() {
		if names[i] != UnitWebSearch {
			n.value = round(n.value * x)
		}
	}
	long := make([]longTier, len(p.Long.list))
	for i, l := range p.Long.list {
		l.tokenPrices.times(x)
		l.tiers.times(x)
		long[i] = l
	}
	p.Long.list = long
	return p
}

// with returns p with what other says in its place: a price by itself, a tier and the list of long tiers as a whole.
func (p prices) with(other *prices) prices {
	dst := p.tokenPrices.list()
	for i, n := range other.tokenPrices.list() {
		n.replace(dst[i])
	}
	units := p.units()
	for i, n := range other.units() {
		n.replace(units[i])
	}
	tiers := p.tiers.list()
	for i, t := range other.tiers.list() {
		if t.set {
			*tiers[i] = *t
		}
	}
	if other.Long.set {
		p.Long = other.Long
	}
	if other.PerGuardrailUnit != nil {
		p.PerGuardrailUnit = other.PerGuardrailUnit
	}
	return p
}

// round keeps ten significant digits, which takes the noise of a multiplication away.
func round(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) {
		return v
	}
	scale := math.Pow(10, 9-math.Floor(math.Log10(math.Abs(v))))
	if math.IsInf(scale, 0) { // smaller than any price
		return v
	}
	return math.Round(v*scale) / scale
}
