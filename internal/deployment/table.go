package deployment

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// Table is what a configuration's model_list comes to: who answers to which name, and how AWS is reached.
type Table struct {
	Router      *router.Router
	Connections []engine.Connection
	// PassThrough relays what is asked of no model. It is none of the router's.
	PassThrough *router.Deployment
	// ways are what the connections send through, one to each.
	ways []way
}

// way is what a connection sends through. own is it again where it was made here, nil where it was given.
type way struct {
	transport http.RoundTripper
	own       *http.Transport
}

// Close ends idle connections to AWS.
func (t *Table) Close() {
	for _, w := range t.ways {
		if w.own != nil {
			w.own.CloseIdleConnections()
		}
	}
}

// Unverified lists the ids of the deployments that look at no certificate: ssl_verify is off for them.
func (t *Table) Unverified() []string {
	var ids []string
	for _, d := range t.Router.All() {
		if own := t.ways[d.Connection].own; own != nil && own.TLSClientConfig.InsecureSkipVerify {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

// Options are what deployments are made with. Catalog, Pool and Env are required.
type Options struct {
	Catalog *catalog.Catalog
	Pool    *identity.Pool
	// Env is the environment with the configuration's own variables.
	Env       func(string) (string, bool)
	UserAgent string

	// What follows is a program's own, and nil for the gateway. Credentials stand in for the environment's, for deployments
	// that say nothing of their identity, or a role alone; Token, in their place, is asked for a bearer token before each
	// call. Transport sends all calls; the table does not close it.
	Credentials aws.CredentialsProviderFunc
	Token       func(context.Context) (string, error)
	Transport   http.RoundTripper
}

// get returns a variable, empty if it is not set.
func (o *Options) get(name string) string {
	value, _ := o.Env(name)
	return value
}

// NewTable makes the deployments of a configuration that has no errors. Problems that only the model catalogue can see are
// errors that name the deployment.
func NewTable(c *config.Config, o Options) (*Table, error) {
	t := &Table{}
	var list []*router.Deployment
	weights := shuffleWeights(c.ModelList)
	for i := range c.ModelList {
		entry := &c.ModelList[i]
		d, err := deployment(c, entry, o.Catalog)
		if err != nil {
			return nil, fmt.Errorf("%s: model_list[%d] (%s): %w", entry.Pos, i, entry.ModelName, err)
		}
		d.Weight = weights[i]
		connection, err := newConnection(c, entry, &o)
		if err != nil {
			return nil, fmt.Errorf("%s: model_list[%d] (%s): %w", entry.Pos, i, entry.ModelName, err)
		}
		d.Connection = len(t.Connections)
		if d.Ref.Route == catalog.RouteConverseLike || strings.HasPrefix(d.Model, anyDirect) {
			own, err := newDirect(c, entry, connection.header, connection.way.transport, o.UserAgent)
			if err != nil {
				return nil, fmt.Errorf("%s: model_list[%d] (%s): %w", entry.Pos, i, entry.ModelName, err)
			}
			t.Connections = append(t.Connections, own)
		} else {
			t.Connections = append(t.Connections, connection)
		}
		t.ways = append(t.ways, connection.way)
		list = append(list, d)
	}
	var aliases []router.Alias
	for name, a := range c.RouterSettings.ModelGroupAlias {
		aliases = append(aliases, router.Alias{Name: name, Group: a.Model, Hidden: a.Hidden})
	}
	t.Router = router.New(list, aliases)
	return t, t.passThrough(c, &o)
}

// anyDirect begins the model of a wildcard whose models all have one address.
const anyDirect = "bedrock/" + string(catalog.RouteConverseLike) + "/"

// shuffleWeights follows LiteLLM: a group is shuffled by the first of weight, rpm and tpm that any of its deployments
// has; those without it get nothing.
func shuffleWeights(list []config.Deployment) []float64 {
	weights := make([]float64, len(list))
	byName := map[string][]int{}
	for i := range list {
		byName[list[i].ModelName] = append(byName[list[i].ModelName], i)
	}
	quota := func(n *int) (float64, bool) {
		if n == nil {
			return 0, false
		}
		return float64(*n), true
	}
	for _, group := range byName {
		for _, of := range []func(*config.LitellmParams) (float64, bool){
			func(p *config.LitellmParams) (float64, bool) {
				if p.Weight == nil {
					return 0, false
				}
				return *p.Weight, true
			},
			func(p *config.LitellmParams) (float64, bool) { return quota(p.RPM) },
			func(p *config.LitellmParams) (float64, bool) { return quota(p.TPM) },
		} {
			found := false
			for _, i := range group {
				w, ok := of(&list[i].Params)
				weights[i] = w
				found = found || ok
			}
			if found {
				break
			}
		}
	}
	return weights
}

func deployment(c *config.Config, entry *config.Deployment, cat *catalog.Catalog) (*router.Deployment, error) {
	p := &entry.Params
	times := c.Timeouts(entry)
	d := &router.Deployment{
		ID: entry.Info.ID, Group: entry.ModelName, Model: p.Model, BaseModel: entry.Info.BaseModel, ModelID: p.ModelID, Region: p.AWSRegionName, Project: p.AWSBedrockProjectID,
		GuardrailLocked: !entry.Info.GuardrailOverridable, Remove: p.AdditionalDropParams, Prices: prices(entry),
		Timeouts: router.Timeouts{Total: times.Total, FirstByte: times.FirstByte, FirstEvent: times.Stream, Idle: times.StreamIdle},
		Drain:    c.OnClientDisconnect(entry) == config.Drain, ForwardHeaders: forwards(c, entry.ModelName), Mode: entry.Info.Mode,
		Policy: llm.Policy{
			Drop: c.DropParams(entry), Modify: c.ModifyParams(entry), Allowed: p.AllowedOpenAIParams, MaxTokens: int64(p.DefaultMaxTokens),
			GuardLastTurn: p.GuardrailLastUserTurn, UnknownBetas: betaPolicy(p.UnknownAnthropicBetas),
		},
	}
	if p.Order != nil {
		d.Order = *p.Order
	}
	quotas(c, entry, d)
	if len(p.Defaults) > 0 {
		defaults, control, err := openai.DecodeDefaults(p.Defaults)
		if err != nil {
			return nil, fmt.Errorf("litellm_params: %w", err)
		}
		openai.FlatGuardrail(defaults)
		d.Defaults, d.Policy.CacheRules = defaults, control.CacheRules
	}
	if beta := headerValue(p, "anthropic-beta"); beta != "" {
		if d.Defaults == nil {
			d.Defaults = &llm.Request{}
		}
		d.Defaults.AddBetas(beta)
	}
	if err := continueMessages(p, d); err != nil {
		return nil, err
	}
	if err := promptOf(p, d); err != nil {
		return nil, err
	}
	if !strings.Contains(p.Model, "*") {
		ref, err := cat.ResolveWithBase(p.Model, entry.Info.BaseModel)
		if err != nil {
			return nil, err
		}
		d.Ref = ref
		if m := ref.Model; m != nil {
			d.Context, d.MaxOutput = m.Context, m.MaxOutput
			if d.Mode == "" {
				d.Mode = m.LiteLLMMode()
			}
		}
		if d.Mode == "" {
			d.Mode = "chat"
		}
	}
	limits(&entry.Info, d)
	d.Access = entry.Info.AccessGroups
	if len(entry.Info.Extra) > 0 {
		d.Info = entry.Info.Extra
	}
	return d, nil
}

// limits applies what the configuration says of the model's size.
func limits(info *config.ModelInfo, d *router.Deployment) {
	set := func(dst *int64, v *int) {
		if v != nil {
			*dst = int64(*v)
		}
	}
	set(&d.MaxOutput, info.MaxTokens)
	set(&d.MaxOutput, info.MaxOutputTokens)
	set(&d.Context, info.MaxInputTokens)
}

func prices(entry *config.Deployment) map[string]float64 {
	if len(entry.Params.Prices) == 0 {
		return entry.Info.Prices
	}
	merged := map[string]float64{}
	for name, usd := range entry.Info.Prices {
		merged[name] = usd
	}
	for name, usd := range entry.Params.Prices {
		merged[name] = usd
	}
	return merged
}

func forwards(c *config.Config, group string) bool {
	if c.GeneralSettings.ForwardClientHeaders {
		return true
	}
	for _, name := range c.LitellmSettings.ModelGroupSettings.ForwardClientHeaders {
		if name == group {
			return true
		}
	}
	return false
}

func headerValue(p *config.LitellmParams, name string) string {
	for key, value := range p.ExtraHeaders {
		if strings.EqualFold(key, name) {
			return value.Reveal()
		}
	}
	return ""
}

// continueMessages reads the messages that repair a conversation, in the words of a request.
func continueMessages(p *config.LitellmParams, d *router.Deployment) error {
	if len(p.UserContinueMessage)+len(p.AssistantContinueMessage) == 0 {
		return nil
	}
	members := map[string]json.RawMessage{}
	if len(p.UserContinueMessage) > 0 {
		members["user_continue_message"] = p.UserContinueMessage
	}
	if len(p.AssistantContinueMessage) > 0 {
		members["assistant_continue_message"] = p.AssistantContinueMessage
	}
	text, err := json.Marshal(members)
	if err != nil {
		return err
	}
	_, control, err := openai.DecodeDefaults(text)
	if err != nil {
		return fmt.Errorf("litellm_params: %w", err)
	}
	d.Policy.UserContinue, d.Policy.AssistantContinue = control.UserContinue, control.AssistantContinue
	return nil
}

func betaPolicy(word string) llm.BetaPolicy {
	switch word {
	case "drop":
		return llm.BetasDrop
	case "refuse":
		return llm.BetasRefuse
	default:
		return llm.BetasPass
	}
}

// promptOf reads how an imported model wants its conversation as one text.
func promptOf(p *config.LitellmParams, d *router.Deployment) error {
	prompt := llm.Prompt{
		Template: p.PromptTemplate, ModelName: p.HFModelName, Initial: p.InitialPromptValue, Final: p.FinalPromptValue,
		BOS: p.BOSToken, EOS: p.EOSToken, RawTokens: p.RawPromptTokens,
	}
	if len(p.Roles) > 0 {
		if err := json.Unmarshal(p.Roles, &prompt.Roles); err != nil {
			return fmt.Errorf("litellm_params: roles: %w", err)
		}
	}
	d.Policy.Prompt = &prompt
	return nil
}
