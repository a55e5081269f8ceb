package catalog

import "slices"

// override is what differs from the base model in a profile, a region, a surface or under an alias. An empty one says that
// the thing exists and is the same.
type override struct {
	// ID is an alias, or the model's name on a surface. Region is where the alias is served.
	ID     string `json:"id,omitempty"`
	Region string `json:"region,omitempty"`
	// Factor multiplies the prices before Price replaces some.
	Factor           float64              `json:"factor,omitempty"`
	Price            *prices              `json:"price,omitempty"`
	Context          optional[int64]      `json:"context"`
	MaxOutput        optional[int64]      `json:"max_output"`
	Dimensions       optional[int64]      `json:"dimensions"`
	Mode             string               `json:"mode,omitempty"`
	EndOfLife        optional[string]     `json:"end_of_life"`
	Endpoints        optional[[]string]   `json:"endpoints"`
	MoreCapabilities []string             `json:"more_capabilities,omitempty"`
	Profiles         map[string]*override `json:"profiles,omitempty"`
	Regions          map[string]*override `json:"regions,omitempty"`
	Note             string               `json:"note,omitempty"`
	// Misspelt says that AWS does not know the alias: the model's own id is called.
	Misspelt bool `json:"misspelt,omitempty"`
}

// price returns p as it is under the override.
func (o *override) price(p prices) prices {
	if o.Factor != 0 {
		p = p.times(o.Factor)
	}
	if o.Price != nil {
		p = p.with(o.Price)
	}
	return p
}

// model changes m, a copy, to what it is under the override.
func (o *override) model(m *Model) {
	o.Context.replace(&m.Context)
	o.MaxOutput.replace(&m.MaxOutput)
	o.Dimensions.replace(&m.Dimensions)
	o.EndOfLife.replace(&m.EndOfLife)
	o.Endpoints.replace(&m.Endpoints)
	if o.Mode != "" {
		m.Mode = o.Mode
	}
	if len(o.MoreCapabilities) > 0 {
		m.Capabilities = slices.Concat(m.Capabilities, o.MoreCapabilities)
	}
}

// mantle is the surface behind [RouteMantle]: it has names, regions and some prices of its own.
const mantle = "mantle"

// overrides are what changes a model, in the order in which it applies: an alias, then a region, a profile or a surface, then
// what that one holds inside. Entries may be nil.
type overrides [3]*override

// overrides returns what changes ref's model in a region. A region that the data lists goes before the profile: AWS bills a
// cross-region call by the region that it was made in.
func (ref *Ref) overrides(region string) overrides {
	m := ref.Model
	if m == nil {
		return overrides{}
	}
	if surface := m.Surfaces[mantle]; surface != nil && ref.Route == RouteMantle {
		return overrides{ref.alias, surface, surface.Regions[region]}
	}
	if o := m.RegionOverrides[region]; o != nil {
		return overrides{ref.alias, o, o.Profiles[ref.Profile]}
	}
	return overrides{ref.alias, m.ProfileOverrides[ref.Profile]}
}

// ModelIn returns ref's model as it is in a region: with the limits, the end of life and the capabilities that differ for
// the profile, the region or the route. It is nil when the model is unknown, and must not be changed.
func (c *Catalog) ModelIn(ref Ref, region string) *Model {
	list := ref.overrides(region)
	if list == (overrides{}) {
		return ref.Model
	}
	m := *ref.Model
	for _, o := range list {
		if o != nil {
			o.model(&m)
		}
	}
	return &m
}
