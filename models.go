package outcrop

import (
	"context"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

// Model says what is known of a model: of any name that a request could have, of a deployment or of Bedrock's. It is
// llm.KindNotFound if the name says no model that is known.
func (c *Client) Model(ctx context.Context, name string) (llm.Model, error) {
	k, err := c.ready(ctx)
	if err != nil {
		return llm.Model{}, err
	}
	d, failed := k.engine.Find(name)
	if failed != nil {
		return llm.Model{}, failed
	}
	if d.Ref.Model == nil {
		return llm.Model{}, &llm.Error{Kind: llm.KindNotFound, Code: "model_not_found", Param: "model", Message: "nothing is known of the model " + name}
	}
	region := k.engine.RegionFor(name)
	m := modelOf(k.catalog.ModelIn(d.Ref, region))
	if price, known := k.catalog.Price(d.Ref, region); known {
		m.Prices, m.PriceRegion = price.LiteLLM(), region
	}
	return m, nil
}

// Models lists the models of Bedrock that are known, sorted by id, with the facts that hold in most regions and without
// prices; see [Client.Model] for those.
func (c *Client) Models(ctx context.Context) ([]llm.Model, error) {
	k, err := c.ready(ctx)
	if err != nil {
		return nil, err
	}
	var list []llm.Model
	for _, m := range k.catalog.Models() {
		list = append(list, modelOf(m))
	}
	return list, nil
}

// Names lists the names of the client's deployments, wildcards as they are written.
func (c *Client) Names(ctx context.Context) ([]string, error) {
	k, err := c.ready(ctx)
	if err != nil {
		return nil, err
	}
	return append([]string(nil), k.engine.Names()...), nil
}

func modelOf(m *catalog.Model) llm.Model {
	out := llm.Model{
		ID: m.ID, Provider: m.Provider, Family: m.Family, Mode: m.Mode, Input: append([]string(nil), m.Input...), Output: append([]string(nil), m.Output...),
		Context: m.Context, MaxOutput: m.MaxOutput, Dimensions: m.Dimensions, Streams: m.Streams(), ProfileOnly: m.ProfileOnly, EndOfLife: m.EndOfLife,
	}
	for _, name := range m.Capabilities {
		if lacks, found := strings.CutPrefix(name, "!"); found {
			out.Lacking = append(out.Lacking, llm.Capability(lacks))
		} else {
			out.Capabilities = append(out.Capabilities, llm.Capability(name))
		}
	}
	for _, geography := range m.Profiles() {
		out.Profiles = append(out.Profiles, geography+"."+m.ID)
	}
	return out
}
