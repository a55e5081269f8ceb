package catalog

import (
	"errors"
	"fmt"
	"strings"
)

// Route is one of the ways to call a model.
type Route string

// The routes.
const (
	// RouteConverse is the Converse API, RouteInvoke the InvokeModel API with the body of the model's family.
	RouteConverse Route = "converse"
	RouteInvoke   Route = "invoke"
	// RouteConverseLike is Converse's body sent to an address of the configuration's.
	RouteConverseLike Route = "converse_like"
	// RouteChatCompletions, RouteResponses and RouteMessages are bedrock-runtime's own endpoints in OpenAI's and Anthropic's
	// words, RouteMantle is the separate host of such endpoints.
	RouteChatCompletions Route = "chat_completions"
	RouteResponses       Route = "responses"
	RouteMessages        Route = "messages"
	RouteMantle          Route = "mantle"
	// RouteRerank is the Rerank API, RouteAsync StartAsyncInvoke: no name asks for them, models do.
	RouteRerank Route = "agent-rerank"
	RouteAsync  Route = "async"
)

// Ref is what a model's name means.
type Ref struct {
	// Name is the name as it was given; ID is what goes into AWS's URL.
	Name, ID string
	// Model is the base model behind the name, nil when it is unknown.
	Model *Model
	// Route is the way to call it; Forced says that the name asked for it.
	Route  Route
	Forced bool
	// API is the endpoint on Mantle's host, by the word of the route that is the same endpoint of bedrock-runtime's; empty
	// where the name tells none.
	API Route
	// Family is the family word that stood before an ARN. It forces the family's route, unless a route word does.
	Family string
	// Region is the one in the name's path, else the one of its ARN.
	Region string
	// Profile is the geography of a cross-region inference profile: us, eu, global, ….
	Profile string
	// ARN is the parsed ARN, nil when the id is none.
	ARN *ARN
	// Beta1M says that the name ended in "[1m]", by which some clients ask for the long context window.
	Beta1M bool

	alias *override
}

// ARN is the Amazon Resource Name of something that can be called as a model.
type ARN struct {
	Partition, Service, Region, Account string
	// Kind and Resource are the parts of the resource: foundation-model and its id, inference-profile and its id, ….
	Kind, Resource string
}

// maxName bounds a name: AWS's own limit for a model id is 2,048 characters.
const maxName = 2048 + 128

var (
	errEmpty     = errors.New("the model's name is empty")
	errLong      = errors.New("the model's name is too long")
	errCharacter = errors.New("the model's name holds a blank or a control character")
	errTwice     = errors.New("the model's name holds two routes or two regions")
)

// Resolve reads a name: [bedrock/][route/][region/][family/]id, whole segments from the left, each kind at most once, route
// and region in either order. An id that the catalogue does not know is no error. Errors are names that cannot be called at
// all: empty ones, blanks and control characters, malformed ARNs, routes to other services.
func (c *Catalog) Resolve(name string) (Ref, error) { return c.ResolveWithBase(name, "") }

// ResolveWithBase is Resolve for a deployment whose base_model says what is behind an opaque ARN.
func (c *Catalog) ResolveWithBase(name, base string) (Ref, error) {
	ref := Ref{Name: name}
	switch {
	case name == "":
		return ref, errEmpty
	case len(name) > maxName:
		return ref, errLong
	}
	for i := range len(name) {
		if name[i] <= ' ' || name[i] == 0x7f {
			return ref, errCharacter
		}
	}
	if a := c.aliases[name]; a != nil { // some aliases have the shape of a path
		ref.ID, ref.Model, ref.alias = strings.TrimPrefix(name, "bedrock/"), a.model, a.override
		ref.Route = a.model.Route
		return ref, nil
	}
	rest, isMantle := strings.CutPrefix(name, "bedrock_mantle/") // LiteLLM's provider of that host
	if isMantle {
		ref.Route, ref.Forced = RouteMantle, true
	} else {
		rest = strings.TrimPrefix(name, "bedrock/")
	}
	rest, err := ref.path(rest)
	if err != nil {
		return ref, err
	}
	if trimmed, ok := strings.CutSuffix(rest, "[1m]"); ok {
		rest, ref.Beta1M = trimmed, true
	}
	if rest == "" {
		return ref, errEmpty
	}
	ref.ID = rest
	if strings.HasPrefix(rest, "arn:") {
		return ref, c.resolveARN(&ref, base)
	}
	ref.Model, ref.Profile, ref.alias = c.lookup(rest)
	if ref.alias != nil && ref.alias.Misspelt {
		ref.ID = ref.Model.ID
	}
	onMantle := c.mantle[rest]
	if ref.Model == nil {
		ref.Model = onMantle
	}
	c.behind(&ref, base)
	ref.defaultRoute()
	if onMantle != nil && ref.Model == onMantle && !ref.Forced {
		ref.Route = RouteMantle
	}
	return ref, nil
}

// behind takes the model that a deployment's base_model names, when the name itself tells none.
func (c *Catalog) behind(ref *Ref, base string) {
	if ref.Model != nil || base == "" {
		return
	}
	if b, err := c.Resolve(base); err == nil {
		ref.Model, ref.Profile, ref.alias = b.Model, b.Profile, b.alias
	}
}

// path takes the words before the id off the name.
func (ref *Ref) path(rest string) (string, error) {
	for {
		word, after, ok := strings.Cut(rest, "/")
		if !ok || strings.HasPrefix(rest, "arn:") {
			return rest, nil
		}
		switch {
		case refusedRoute(word):
			return rest, fmt.Errorf("the route %s/ leads to another service of AWS and is not supported for chat", word)
		case isRoute(word):
			if ref.Forced && !ref.combine(Route(word)) {
				return rest, errTwice
			}
			if !ref.Forced {
				ref.Route, ref.Forced = Route(word), true
			}
		case isRegion(word):
			if ref.Region != "" {
				return rest, errTwice
			}
			ref.Region = word
		case ref.Family == "" && isFamilyWord(word) && strings.HasPrefix(after, "arn:"):
			ref.Family = word
		default:
			return rest, nil
		}
		rest = after
	}
}

func isRoute(word string) bool {
	switch Route(word) {
	case RouteConverse, RouteInvoke, RouteConverseLike, RouteMantle:
		return true
	}
	return Route(word).IsNative()
}

// IsNative reports whether the route is an endpoint in OpenAI's or Anthropic's words.
func (r Route) IsNative() bool {
	return r == RouteChatCompletions || r == RouteResponses || r == RouteMessages
}

// combine takes a second route word, which may name an endpoint of Mantle's.
func (ref *Ref) combine(word Route) bool {
	if ref.Route != RouteMantle || ref.API != "" || !word.IsNative() {
		return false
	}
	ref.API = word
	return true
}

// RouteName is the way to call the model, for people: its route, and the endpoint behind it on Mantle's host.
func (ref *Ref) RouteName() string {
	if ref.Route == RouteMantle && ref.API != "" {
		return string(RouteMantle) + "/" + string(ref.API)
	}
	return string(ref.Route)
}

// refusedRoute names other services of AWS that LiteLLM has routes for.
func refusedRoute(word string) bool {
	switch word {
	case "async_invoke", "agent", "agentcore", "claude_platform":
		return true
	}
	return false
}

// isFamilyWord names the words that say which family is behind an ARN.
func isFamilyWord(word string) bool {
	switch word {
	case "llama", "deepseek_r1", "qwen2", "qwen3", "openai", "moonshot", "nova", "nova-2", "mistral", "meta", "anthropic", "amazon", "cohere",
		"ai21", "twelvelabs", "stability":
		return true
	}
	return false
}

// isRegion reports whether a word has the shape of a region: two or more parts and a number, us-east-1, us-gov-west-1.
func isRegion(word string) bool {
	parts := strings.Split(word, "-")
	if len(parts) < 3 || len(word) > 32 {
		return false
	}
	for i, part := range parts {
		for _, ch := range part {
			isDigit := '0' <= ch && ch <= '9'
			if last := i == len(parts)-1; last && !isDigit || !last && (ch < 'a' || ch > 'z') {
				return false
			}
		}
		if part == "" {
			return false
		}
	}
	return true
}

// ParseARN reads an ARN of Bedrock or SageMaker.
func ParseARN(text string) (*ARN, error) {
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] == "" {
		return nil, fmt.Errorf("%q is not an ARN (arn:partition:service:region:account:resource)", clip(text))
	}
	a := &ARN{Partition: parts[1], Service: parts[2], Region: parts[3], Account: parts[4]}
	if a.Service != "bedrock" && a.Service != "sagemaker" {
		return nil, fmt.Errorf("%q is an ARN of the service %q, which serves no models", clip(text), clip(a.Service))
	}
	if a.Region != "" && !isRegion(a.Region) {
		return nil, fmt.Errorf("%q is not the region of an ARN", clip(a.Region))
	}
	var ok bool
	a.Kind, a.Resource, ok = strings.Cut(parts[5], "/")
	if !ok || a.Kind == "" || a.Resource == "" {
		return nil, fmt.Errorf("%q names no resource: kind/id is missing at its end", clip(text))
	}
	return a, nil
}

func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}

// resolveARN finds the model behind an ARN.
func (c *Catalog) resolveARN(ref *Ref, base string) error {
	a, err := ParseARN(ref.ID)
	if err != nil {
		return err
	}
	ref.ARN = a
	if ref.Region == "" {
		ref.Region = a.Region
	}
	switch a.Kind {
	case "foundation-model", "inference-profile":
		ref.Model, ref.Profile, ref.alias = c.lookup(a.Resource)
	case "custom-model": // the id of the model that was tuned stands in the middle
		tuned, _, _ := strings.Cut(a.Resource, "/")
		ref.Model, _ = c.Lookup(tuned)
	}
	c.behind(ref, base)
	ref.defaultRoute()
	return nil
}

// defaultRoute chooses the way for names that ask for none.
func (ref *Ref) defaultRoute() {
	switch {
	case ref.Forced:
	case ref.Family == "nova" || ref.Family == "nova-2":
		ref.Route, ref.Forced = RouteConverse, true
	case ref.Family != "":
		ref.Route, ref.Forced = RouteInvoke, true
	case ref.Model != nil:
		ref.Route = ref.Model.Route
	default:
		ref.Route = RouteConverse
	}
}
