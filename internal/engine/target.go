package engine

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/embed"
	"github.com/outcrop-ai/outcrop/internal/bedrock/image"
	"github.com/outcrop-ai/outcrop/internal/bedrock/invoke"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// target is a deployment with everything about it that does not change from call to call.
type target struct {
	key        targetKey
	deployment *router.Deployment // with the "*" of a wildcard filled in
	connection Connection
	client     *wire.Client
	region, id string // id goes into the URL
	endpoint   string // address of the endpoint, for people; empty if it is not one of AWS's public ones
	plain      string // path of the whole answer's operation
	stream     string // path of the stream's; the same for what cannot stream
	streams    bool   // answers come as events
	mode       mode   // of the model, empty if it is not known
	state      *router.State
	rules      router.Rules // when it is left alone
	limited    bool         // its quotas are configured
	price      catalog.Price
	priced     bool
	warning    string
	messages   *target         // the same one where Claude's own words are taken, see codecFor; nil if that is this one, or none
	ways       []catalog.Route // further ways to the model, see codecFor and leastLoss
	attributed bool            // calls go as identities that name their callers
	shared     *target         // the one that this is a copy of for an attributed call
}

// onInvoke returns the target for a model that Converse turned out not to serve, and remembers it: nobody is sent to
// Converse again. It is nil where the name asked for Converse, or where the family's body is not known.
func (e *Engine) onInvoke(t *target) *target {
	ref := t.deployment.Ref
	if ref.Route != catalog.RouteConverse || ref.Forced || !invoke.Serves(ref) {
		return nil
	}
	next := t.throughInvoke()
	if t.shared != nil {
		e.targets.CompareAndSwap(t.key, t.shared, t.shared.throughInvoke())
	} else {
		e.targets.CompareAndSwap(t.key, t, next)
	}
	return next
}

// throughInvoke returns the same target on InvokeModel.
func (t *target) throughInvoke() *target {
	d, next := *t.deployment, *t
	d.Ref.Route = catalog.RouteInvoke
	next.deployment = &d
	next.route()
	return &next
}

// route sets the paths of the deployment's route.
func (t *target) route() {
	m := t.deployment.Ref.Model
	switch t.deployment.Ref.Route {
	case catalog.RouteRerank:
		t.plain, t.streams = "/rerank", false
	case catalog.RouteConverseLike: // the address is whole
		t.plain, t.stream, t.streams = "", "", true
	case catalog.RouteChatCompletions, catalog.RouteResponses, catalog.RouteMessages, catalog.RouteMantle:
		t.plain, t.streams = t.nativePath(), m.Streams()
		t.stream = t.plain
	case catalog.RouteInvoke:
		t.plain, t.stream, t.streams = wire.ModelPath(t.id, "invoke"), wire.ModelPath(t.id, "invoke-with-response-stream"), m.Streams()
	default:
		t.plain, t.stream, t.streams = wire.ModelPath(t.id, "converse"), wire.ModelPath(t.id, "converse-stream"), m.ConverseStreams()
	}
	if !t.streams {
		t.stream = t.plain
	}
}

type targetKey struct {
	deployment *router.Deployment
	matched    string
	modelID    string // a call's own
}

// maxTargets bounds the targets that are kept: clients can ask for any name behind a wildcard.
const maxTargets = 4096

// mode is what a client wants of a model, by the catalogue's word.
type mode string

const (
	modeAny       mode = "" // of requests in AWS's own words: AWS says what the model does
	modeChat      mode = "chat"
	modeResponses mode = "responses"
	modeEmbedding mode = "embedding"
	modeRerank    mode = "rerank"
	modeImage     mode = "image"
	modeImageEdit mode = "image_edit"
)

// endpoints are where models of a mode are asked.
var endpoints = map[mode]string{modeChat: "/v1/chat/completions", modeEmbedding: "/v1/embeddings", modeRerank: "/v1/rerank", modeImage: "/v1/images/generations", modeImageEdit: "/v1/images/edits"}

// modeOf reads a mode of the configuration, in LiteLLM's words.
func modeOf(said string) mode {
	if said == "image_generation" {
		return modeImage
	}
	return mode(said)
}

// serves reports whether a target may do what is wanted. Which image model makes images and which changes them is the
// codec's to say.
func (t *target) serves(want mode) bool {
	return want == modeAny || t.mode == "" || t.mode == want || want == modeImage && t.mode == modeImageEdit
}

// otherMode says that a model is for something else, and where that is.
func otherMode(id string, want, is mode) *llm.Error {
	message := id + " is no " + string(want) + " model: the catalogue has it as " + string(is)
	if where := endpoints[is]; where != "" {
		message += ", which " + where + " serves"
	}
	return &llm.Error{Kind: llm.KindInvalid, Code: "invalid_model", Param: "model", Message: message}
}

// targetOf returns the first target of a name.
func (e *Engine) targetOf(model string) (*target, *llm.Error) {
	list, matched, err := e.o.Router.Group(model, e.o.Catalog.Knows)
	if err != nil {
		return nil, e.unknown(model, modeChat)
	}
	return e.known(list[0], matched, modeChat, "")
}

// known returns the target of a deployment, for calls with a model id of their own if modelID is not empty.
func (e *Engine) known(d *router.Deployment, matched string, want mode, modelID string) (*target, *llm.Error) {
	key := targetKey{d, matched, modelID}
	if t, ok := e.targets.Load(key); ok {
		return t.(*target), nil //nolint:forcetypeassert // the map holds nothing else
	}
	if modelID != "" {
		own := *d
		own.ModelID = modelID
		d = &own
	}
	t, failed := e.target(d, matched, false)
	if failed != nil && want == modeAny { // AWS may serve what is not translated
		key.matched = relayed + matched
		if t, ok := e.targets.Load(key); ok {
			return t.(*target), nil //nolint:forcetypeassert // as above
		}
		t, failed = e.target(d, matched, true)
	}
	if failed != nil {
		return nil, failed
	}
	t.key, t.state = key, &router.State{}
	t.nameCodecs()
	if e.count.Add(1) <= maxTargets {
		kept, _ := e.targets.LoadOrStore(key, t)
		return kept.(*target), nil //nolint:forcetypeassert // as above
	}
	return t, nil
}

// unknown says that nothing answers to a name, and what does. Who asks in AWS's own words knows the id: it hears the names.
func (e *Engine) unknown(model string, want mode) *llm.Error {
	const shown, most = 80, 5
	name := model
	if len(name) > shown {
		name = name[:shown] + "…"
	}
	message := "The model '" + name + "' does not exist or is not configured here."
	var names []string
	for _, n := range e.o.Router.Names() {
		if !strings.Contains(n, "*") {
			names = append(names, n)
		}
	}
	var near []string
	if want != modeAny {
		near = e.o.Catalog.Nearest(model, 3, names...)
	}
	switch {
	case len(near) > 0:
		message += " Did you mean " + strings.Join(near, ", ") + "?"
	case len(names) > 0:
		message += " There are " + strings.Join(names[:min(len(names), most)], ", ") + "."
	}
	return &llm.Error{Kind: llm.KindNotFound, Code: "model_not_found", Param: "model", Message: message + " GET /v1/models lists what there is."}
}

// relayed is put before the matched text in the key of a target that can only be asked in AWS's own words.
const relayed = "\x00"

// target makes the target of a deployment. relay says that it is asked in AWS's own words, so that it does not matter what of
// the model is translated.
func (e *Engine) target(d *router.Deployment, matched string, relay bool) (*target, *llm.Error) {
	filled := *d
	if matched != "" {
		filled.Model = strings.Replace(d.Model, "*", matched, 1)
		if rest, ok := strings.CutPrefix(filled.Model, "bedrock/bedrock/"); ok { // the client said it, too
			filled.Model = "bedrock/" + rest
		}
		ref, err := e.o.Catalog.ResolveWithBase(filled.Model, d.BaseModel)
		if err != nil {
			return nil, &llm.Error{Kind: llm.KindInvalid, Code: "invalid_model", Param: "model", Message: err.Error()}
		}
		filled.Ref = e.spoken(&filled, ref)
	}
	d = &filled
	t := &target{deployment: d, id: d.Ref.ID}
	if m := d.Ref.Model; m != nil {
		t.mode = mode(m.Mode)
		if t.mode == modeResponses { // of models that have no other endpoint; they chat all the same
			t.mode = modeChat
		}
	} else if said := modeOf(d.Mode); said != modeChat && endpoints[said] != "" { // chat is what is assumed, not said
		t.mode = said
	}
	if !relay {
		if failed := t.translated(); failed != nil {
			return nil, failed
		}
		t.id = d.Ref.ID
	}
	idRegion := ""
	if d.ModelID != "" {
		t.id = d.ModelID
		if ref, err := e.o.Catalog.Resolve(d.ModelID); err == nil {
			idRegion = ref.Region
		}
	}
	t.connection = e.o.Connections[d.Connection]
	path, arn := d.Ref.Region, ""
	if d.Ref.ARN != nil {
		path, arn = "", d.Ref.Region
	}
	t.region, t.warning = t.connection.Region(path, arn, idRegion)
	if failed := e.connect(t); failed != nil {
		return nil, failed
	}
	t.attributed = attributes(t.connection)
	e.value(t)
	e.bound(t)
	return t, nil
}

// translated checks that what the model is for is translated, and sets the way that it goes.
func (t *target) translated() *llm.Error {
	d := t.deployment
	switch t.mode {
	case modeEmbedding:
		if !embed.Serves(d.Ref) {
			return &llm.Error{Kind: llm.KindInvalid, Code: "invalid_model", Param: "model", Message: "the embeddings of " + d.Ref.ID + " are not served yet"}
		}
		d.Ref.Route = catalog.RouteInvoke
	case modeImage, modeImageEdit:
		if !image.Serves(d.Ref) {
			return &llm.Error{Kind: llm.KindInvalid, Code: "invalid_model", Param: "model", Message: "the images of " + d.Ref.ID + " are not served yet"}
		}
		d.Ref.Route = catalog.RouteInvoke
	case modeRerank:
	default:
		return chatRoute(d)
	}
	return nil
}

// spoken resolves the names that models have in Anthropic's own API, which a wildcard lets through.
func (e *Engine) spoken(d *router.Deployment, ref catalog.Ref) catalog.Ref {
	if ref.Model != nil || ref.ARN != nil {
		return ref
	}
	region, _ := e.o.Connections[d.Connection].Region(ref.Region, "", "")
	id := e.o.Catalog.Claude(ref.ID, region)
	if id == "" {
		return ref
	}
	d.Model = strings.Replace(d.Model, ref.ID, id, 1)
	if found, err := e.o.Catalog.ResolveWithBase(d.Model, d.BaseModel); err == nil {
		return found
	}
	return ref
}

// value sets the price, which depends on the region.
func (e *Engine) value(t *target) {
	d := t.deployment
	t.price, t.priced = e.o.Catalog.Price(d.Ref, t.region)
	if len(d.Prices) > 0 {
		t.price = catalog.Override(t.price, d.Prices)
		t.priced = true
	}
}

// bound sets what a target is measured by: its quotas, and when it is left alone.
func (e *Engine) bound(t *target) {
	d := t.deployment
	if m := d.Ref.Model; m != nil && d.Limits.Burn == 0 {
		d.Limits.Burn = m.QuotaBurn
	}
	own := d.Limits
	own.Burn = 0
	t.limited = own != router.Limits{}
	t.rules = e.o.Routing.Cooldown
	if d.AllowedFails != nil {
		t.rules.AllowedFails, t.rules.Own = *d.AllowedFails, true
	}
	if d.Cooldown > 0 {
		t.rules.Cooldown = d.Cooldown
	}
}

// connect sets how a target is reached: client, address and path. Rerankers have an operation of their own on another host,
// which knows no bearer keys; InvokeModel is for those who have nothing else, or ask for it.
func (e *Engine) connect(t *target) *llm.Error {
	d := t.deployment
	t.client = nil
	var err error
	if t.mode == modeRerank {
		asksInvoke := d.Ref.Forced && d.Ref.Route == catalog.RouteInvoke
		d.Ref.Route = catalog.RouteInvoke
		if !asksInvoke {
			t.client, err = t.connection.AgentRuntime(t.region)
		}
		if t.client != nil {
			d.Ref.Route = catalog.RouteRerank
		}
	}
	if d.Ref.Route == catalog.RouteMantle {
		t.client, err = t.connection.Mantle(t.region)
	}
	if t.client == nil && err == nil {
		t.client, err = t.connection.Client(t.region)
	}
	if err != nil {
		return &llm.Error{Kind: llm.KindInvalid, Code: "invalid_model", Param: "model", Message: err.Error()}
	}
	t.endpoint = ""
	if t.client.Endpoint().IsPublic() {
		t.endpoint = t.client.URL("")
	}
	t.route()
	return nil
}

// chatRoute checks that a chat can go the way that the model's name asks for, and sends those that name no way through
// Converse where the model has it.
func chatRoute(d *router.Deployment) *llm.Error {
	m := d.Ref.Model
	if m != nil && m.Mode != string(modeChat) && m.Mode != string(modeResponses) {
		return otherMode(d.Ref.ID, modeChat, mode(m.Mode))
	}
	if m != nil && !d.Ref.Forced && m.HasConverse() && d.Ref.Route == catalog.RouteChatCompletions {
		d.Ref.Route = catalog.RouteConverse
	}
	switch {
	case d.Ref.Route.IsNative(), d.Ref.Route == catalog.RouteMantle:
		return nativeRoute(d)
	case d.Ref.Route == catalog.RouteConverse, d.Ref.Route == catalog.RouteConverseLike && (!strings.Contains(d.Group, "*") || strings.Contains(d.Group, string(catalog.RouteConverseLike))):
		return nil
	case d.Ref.Route == catalog.RouteInvoke && invoke.Serves(d.Ref):
		return nil
	case d.Ref.Route == catalog.RouteInvoke:
		return &llm.Error{
			Kind: llm.KindInvalid, Code: "invalid_model", Param: "model",
			Message: "it is not known which family of models is behind " + d.Ref.ID + ": set base_model, or write the family's word before the ARN (llama/, openai/, …)",
		}
	}
	return &llm.Error{
		Kind: llm.KindInvalid, Code: "unsupported_route", Param: "model",
		Message: "the route " + string(d.Ref.Route) + " is not supported for chat yet: " + d.Ref.ID + " cannot be called through it",
	}
}

// Find returns the deployment that would answer to a name.
func (e *Engine) Find(name string) (*router.Deployment, *llm.Error) {
	t, err := e.targetOf(name)
	if err != nil {
		return nil, err
	}
	return t.deployment, nil
}

// RegionFor returns the region that the first deployment of a name is called in, empty if there is none.
func (e *Engine) RegionFor(name string) string {
	t, err := e.targetOf(name)
	if err != nil {
		return ""
	}
	return t.region
}

// Names returns the names that clients may ask for, wildcards as they are written.
func (e *Engine) Names() []string { return e.o.Router.Names() }

// Deployments returns the deployments of a name.
func (e *Engine) Deployments(name string) []*router.Deployment { return e.o.Router.Deployments(name) }

// All returns every deployment.
func (e *Engine) All() []*router.Deployment { return e.o.Router.All() }

// Listed is a model that can be asked for by name.
type Listed struct {
	Name, Mode         string
	Context, MaxOutput int64
}

// Behind lists the models of the catalogue that a wildcard's name matches and that can be chatted with: base models and
// their inference profiles.
func (e *Engine) Behind(wildcard string) []Listed {
	prefix, suffix, ok := strings.Cut(wildcard, "*")
	if !ok {
		return nil
	}
	var list []Listed
	add := func(id string, m *catalog.Model) {
		for _, name := range []string{"bedrock/" + id, id} {
			if len(name) > len(prefix)+len(suffix) && strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) {
				list = append(list, Listed{Name: name, Mode: m.LiteLLMMode(), Context: m.Context, MaxOutput: m.MaxOutput})
				return
			}
		}
	}
	for _, m := range e.o.Catalog.Models() {
		isChat := (m.Mode == string(modeChat) || m.Mode == string(modeResponses)) && (m.HasConverse() || m.Route == catalog.RouteInvoke || m.Route == catalog.RouteMantle)
		if !isChat && (m.Mode == string(modeChat) || endpoints[mode(m.Mode)] == "") {
			continue
		}
		if !m.ProfileOnly {
			add(m.ID, m)
		}
		for _, p := range m.Profiles() {
			add(p+"."+m.ID, m)
		}
	}
	return list
}

// Region returns the region that a deployment calls, empty for a wildcard whose models decide.
func (e *Engine) Region(d *router.Deployment) string {
	if strings.Contains(d.Group, "*") {
		return d.Region
	}
	t, err := e.target(d, "", false)
	if err != nil {
		return d.Region
	}
	return t.region
}

// PriceList returns a deployment's prices by LiteLLM's names, in USD per token; nil when they are unknown.
func (e *Engine) PriceList(d *router.Deployment) map[string]float64 {
	if strings.Contains(d.Group, "*") {
		return nil
	}
	t, err := e.target(d, "", false)
	if err != nil || !t.priced {
		return nil
	}
	return t.price.LiteLLM()
}

// Warnings checks every deployment and returns what an operator should know, by deployment id: models that cannot be
// served, regions that disagree, prices that are unknown.
func (e *Engine) Warnings() map[string][]string {
	found := map[string][]string{}
	for _, d := range e.All() {
		if strings.Contains(d.Group, "*") {
			continue
		}
		t, err := e.target(d, "", false)
		if err != nil {
			found[d.ID] = append(found[d.ID], err.Message)
			continue
		}
		if t.warning != "" {
			found[d.ID] = append(found[d.ID], t.warning)
		}
		if !t.priced {
			found[d.ID] = append(found[d.ID], "the price of "+t.id+" is unknown: set input_cost_per_token and output_cost_per_token, or base_model")
		}
	}
	return found
}
