package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/deployment"
	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// identity asks STS who the deployment is.
func (s *surgery) identity(ctx context.Context, x *diagnosis, p *deployment.Probe) {
	if p.Identity == nil {
		x.add("identity", stateOK, "nothing is signed: the configured header or key goes as it is", "")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	who, err := p.WhoAmI(ctx)
	switch {
	case errors.Is(err, identity.ErrBearer):
		s.key(x, p.Identity)
	case err != nil:
		x.fail("identity", err)
	default:
		x.Account, x.Principal = who.Account, who.ARN
		x.add("identity", stateOK, who.ARN, "")
	}
}

// soon is how long before the end of a short-term API key its operator is told.
const soon = time.Hour

// key looks at an API key, of which STS knows nothing.
func (s *surgery) key(x *diagnosis, i *identity.Identity) {
	const hint = "Short-term keys are not renewed: give a new one, a file that is kept up to date (api_key: file:/path), or a role."
	at, short := i.Expires()
	switch left := at.Sub(s.now()); {
	case short && left <= 0:
		x.add("identity", stateFailed, i.Describe()+": it has ended", hint)
	case short && left < soon:
		x.add("identity", stateWarning, i.Describe()+": that is soon", hint)
	default:
		x.add("identity", stateOK, i.Describe()+" (STS cannot say whose it is)", "")
	}
}

// fail adds a failure with what AWS says of it.
func (x *diagnosis) fail(check string, err error) {
	detail, hint := toldBy(err)
	x.add(check, stateFailed, detail, hint)
}

func toldBy(err error) (detail, hint string) {
	var e *llm.Error
	if !errors.As(err, &e) {
		return err.Error(), ""
	}
	return e.Error(), e.Hint
}

// skewed is from when on AWS refuses signatures; half of it is worth a warning.
const skewed = 5 * time.Minute

// endpoint asks the endpoint for anything at all, without credentials: an answer of any status shows that it is there, and
// its date tells AWS's time.
func (s *surgery) endpoint(ctx context.Context, x *diagnosis, p *deployment.Probe) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Runtime.URL("/"), nil)
	if err != nil {
		x.fail("endpoint", err)
		return
	}
	start := s.now()
	answer, err := p.Transport.RoundTrip(r)
	if err != nil {
		x.add("endpoint", stateFailed, r.URL.Host+" cannot be reached: "+err.Error(), "Look at DNS, routes, security groups, HTTPS_PROXY and NO_PROXY; behind a proxy that opens TLS, set AWS_CA_BUNDLE.")
		return
	}
	_ = answer.Body.Close()
	took := s.now().Sub(start)
	x.add("endpoint", stateOK, fmt.Sprintf("%s answers within %v", r.URL.Host, took.Round(time.Millisecond)), "")
	at, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		x.add("clock", stateUnknown, "the endpoint does not tell its time", "")
		return
	}
	off := at.Sub(start.Add(took / 2)).Round(time.Second)
	state, hint := stateOK, ""
	if off.Abs() >= skewed/2 {
		state, hint = stateWarning, "The gateway corrects for this, but set the machine's clock: web identities and TLS depend on it, too."
	}
	x.add("clock", state, fmt.Sprintf("AWS is %v ahead", off), hint)
}

// modelFacts is what the control plane says of a model.
type modelFacts struct {
	Details struct {
		ID        string   `json:"modelId"`
		Inference []string `json:"inferenceTypesSupported"`
		Lifecycle struct {
			Status string `json:"status"`
		} `json:"modelLifecycle"`
	} `json:"modelDetails"`
}

// profileFacts is what the control plane says of an inference profile.
type profileFacts struct {
	ARN    string `json:"inferenceProfileArn"`
	Status string `json:"status"`
	Models []struct {
		ARN string `json:"modelArn"`
	} `json:"models"`
}

// model asks the control plane for the model or the inference profile, which costs nothing. That the identity may not ask
// is no fault: calls do not need it.
func (x *diagnosis) model(ctx context.Context, d *router.Deployment, p *deployment.Probe) {
	id := d.Ref.ID
	if d.ModelID != "" {
		id = d.ModelID
	}
	switch {
	case strings.Contains(d.Model, "*"):
		x.add("model", stateUnknown, "a wildcard: each request names the model", "")
		return
	case p.Control == nil:
		x.add("model", stateUnknown, "the configuration names no control plane for this endpoint to ask (aws_bedrock_control_plane_endpoint)", "")
		return
	case d.Ref.Profile != "" || strings.Contains(id, "inference-profile/"):
		x.profile(ctx, id, p)
	case d.Ref.ARN == nil || d.Ref.ARN.Kind == "foundation-model":
		var facts modelFacts
		if !x.ask(ctx, p.Control, "model", "/foundation-models/"+wire.Label(id), "bedrock:GetFoundationModel", &facts) {
			return
		}
		m := facts.Details
		switch {
		case len(m.Inference) > 0 && !slices.Contains(m.Inference, "ON_DEMAND") && !slices.Contains(m.Inference, "PROVISIONED"):
			x.add("model", stateFailed, id+" can be called through an inference profile only", "Use one of its profiles (us., eu., global., …).")
		case m.Lifecycle.Status == "LEGACY":
			x.add("model", stateWarning, id+" is there, but legacy: AWS will end it", "")
		default:
			x.add("model", stateOK, id+" is offered in "+p.Region+"; only --call shows whether the account may use it", "")
		}
	default:
		x.add("model", stateUnknown, "only --call shows whether "+id+" can be called", "")
	}
}

func (x *diagnosis) profile(ctx context.Context, id string, p *deployment.Probe) {
	var facts profileFacts
	if !x.ask(ctx, p.Control, "profile", "/inference-profiles/"+wire.Label(id), "bedrock:GetInferenceProfile", &facts) {
		return
	}
	if facts.ARN != "" {
		x.Resources = append(x.Resources, facts.ARN)
	}
	for _, m := range facts.Models {
		x.Resources = append(x.Resources, m.ARN)
		if arn, err := catalog.ParseARN(m.ARN); err == nil && arn.Region != "" && !slices.Contains(x.Regions, arn.Region) {
			x.Regions = append(x.Regions, arn.Region)
		}
	}
	slices.Sort(x.Regions)
	if facts.Status != "" && facts.Status != "ACTIVE" {
		x.add("profile", stateFailed, id+" is "+facts.Status, "")
		return
	}
	x.add("profile", stateOK, id+" calls "+strings.Join(x.Regions, ", "), "")
}

// maxFacts bounds an answer of the control plane.
const maxFacts = 1 << 20

// ask reads an answer of the control plane; when there is none it says so, and returns false.
func (x *diagnosis) ask(ctx context.Context, c *wire.Client, check, path, action string, facts any) bool {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	reply, err := c.Send(ctx, &wire.Call{Method: http.MethodGet, Path: path})
	if err == nil {
		var text []byte
		if text, err = reply.ReadAll(maxFacts); err == nil {
			err = json.Unmarshal(text, facts)
		}
	}
	if err == nil {
		return true
	}
	detail, hint := toldBy(err)
	var e *llm.Error
	switch {
	case errors.As(err, &e) && e.Kind == llm.KindNotFound:
		x.add(check, stateFailed, detail, hint)
	case errors.As(err, &e) && e.Kind == llm.KindPermission && e.Code != wire.CodeCredentials:
		x.add(check, stateUnknown, "the identity may not ask: "+detail, "Calls do not need it; grant "+action+" to have this checked.")
	default:
		x.add(check, stateUnknown, detail, hint)
	}
	return false
}

// engine returns an engine for one deployment only, so that no other one of its group answers.
func (s *surgery) engine(d *router.Deployment) *engine.Engine {
	return engine.New(engine.Options{Catalog: s.catalog, Router: router.New([]*router.Deployment{d}, nil), Connections: s.table.Connections})
}

func (s *surgery) price(x *diagnosis, d *router.Deployment) {
	if strings.Contains(d.Group, "*") {
		return
	}
	price, known := s.catalog.Price(d.Ref, x.Region)
	if len(d.Prices) > 0 {
		price, known = catalog.Override(price, d.Prices), true
	}
	if !known {
		x.add("price", stateWarning, "unknown: rows of its calls are flagged", "Set input_cost_per_token and output_cost_per_token, or base_model.")
		return
	}
	x.Prices = price.LiteLLM()
	x.add("price", stateOK, price.Key, "")
}

// permissions lists the IAM actions of the deployment's route, and what they are needed on.
func (x *diagnosis) permissions(d *router.Deployment, p *deployment.Probe) {
	x.Actions = append(x.Actions, actionsOf(d)...)
	if len(x.Actions) == 0 || strings.Contains(d.Model, "*") || p.Identity == nil {
		if p.Identity == nil {
			x.Actions = x.Actions[:0]
		}
		return
	}
	if p.Identity.IsBearer() {
		x.Actions = append(x.Actions, "bedrock:CallWithBearerToken")
	}
	if len(x.Resources) > 0 {
		return // the profile's own, from AWS
	}
	id := d.Ref.ID
	if d.ModelID != "" {
		id = d.ModelID
	}
	switch {
	case strings.HasPrefix(id, "arn:"):
		x.Resources = append(x.Resources, id)
	case d.Ref.Profile != "":
		account := x.Account
		if account == "" {
			account = "*"
		}
		base, _ := strings.CutPrefix(id, d.Ref.Profile+".")
		x.Resources = append(x.Resources,
			"arn:"+partitionOf(x.Region)+":bedrock:"+x.Region+":"+account+":inference-profile/"+id, "arn:"+partitionOf(x.Region)+":bedrock:*::foundation-model/"+base)
	default:
		x.Resources = append(x.Resources, "arn:"+partitionOf(x.Region)+":bedrock:"+x.Region+"::foundation-model/"+id)
	}
}

// granted asks IAM whether the identity may do what its calls need, as far as IAM can be asked.
func (x *diagnosis) granted(ctx context.Context, p *deployment.Probe) {
	if p.Identity == nil || p.Identity.IsBearer() || len(x.Actions) == 0 || x.Principal == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	denied, err := p.Denied(ctx, x.Principal, x.Actions, x.Resources)
	switch {
	case errors.Is(err, identity.ErrNotAsked):
		x.add("permissions", stateUnknown, "IAM cannot be asked about this identity", "")
	case err != nil:
		x.add("permissions", stateUnknown, "IAM does not say: "+err.Error(), "Calls do not need it; grant iam:SimulatePrincipalPolicy to have this checked.")
	case len(denied) > 0:
		x.add("permissions", stateFailed, "not allowed: "+strings.Join(denied, ", "), "Add the actions to a policy of the identity; a policy with conditions may allow them all the same, which --call shows.")
	default:
		x.add("permissions", stateOK, "the policies of the identity allow "+strings.Join(x.Actions, ", "), "")
	}
}

// actionsOf lists the IAM actions of a deployment's calls.
func actionsOf(d *router.Deployment) []string {
	var list []string
	switch d.Ref.Route {
	case catalog.RouteConverseLike:
		return nil
	case catalog.RouteMantle:
		return []string{"bedrock-mantle:CreateInference"}
	case catalog.RouteRerank:
		list = []string{"bedrock:Rerank", "bedrock:InvokeModel"}
	default:
		list = []string{"bedrock:InvokeModel"}
		if d.Mode == "chat" || d.Mode == "" {
			list = append(list, "bedrock:InvokeModelWithResponseStream")
		}
	}
	if d.Defaults != nil && len(d.Defaults.Guardrail) > 0 {
		list = append(list, "bedrock:ApplyGuardrail")
	}
	return list
}

// partitionOf is the partition in the ARNs of a region.
func partitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "eusc-"):
		return "aws-eusc"
	}
	return "aws"
}

// call asks the model for as little as can be: a chat model for one token, whole and streamed, others for one embedding or
// the rank of one document.
func (s *surgery) call(ctx context.Context, x *diagnosis, d *router.Deployment) {
	e := s.engine(d)
	switch {
	case strings.Contains(d.Group+d.Model, "*"):
		x.add("call", stateUnknown, "a wildcard: each request names the model", "")
	case d.Mode == "chat":
		const body = `"max_tokens":1,"messages":[{"role":"user","content":"Hi"}]`
		s.try(ctx, x, d, "call", body, openai.DecodeChat, func(ctx context.Context, c *engine.Call) *llm.Error {
			_, failed := e.Chat(ctx, c)
			return failed
		})
		s.try(ctx, x, d, "stream", body+`,"stream":true`, openai.DecodeChat, func(ctx context.Context, c *engine.Call) *llm.Error { return streamed(ctx, e, c) })
	case d.Mode == "embedding":
		s.try(ctx, x, d, "call", `"input":"Hi"`, openai.DecodeEmbeddings, func(ctx context.Context, c *engine.Call) *llm.Error {
			_, failed := e.Embed(ctx, c)
			return failed
		})
	case d.Mode == "rerank":
		s.try(ctx, x, d, "call", `"query":"Hi","documents":["Hi"]`, openai.DecodeRerank, func(ctx context.Context, c *engine.Call) *llm.Error {
			_, failed := e.Rerank(ctx, c)
			return failed
		})
	default:
		x.add("call", stateUnknown, "models of mode "+d.Mode+" are not called: what they make costs more than a word", "")
	}
}

// try makes one call.
func (s *surgery) try(ctx context.Context, x *diagnosis, d *router.Deployment, check, body string,
	decode func([]byte) (*llm.Request, *openai.Control, error), do func(context.Context, *engine.Call) *llm.Error,
) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	req, _, err := decode(append(append(llm.AppendString([]byte(`{"model":`), d.Group), ','), (body + "}")...))
	if err != nil {
		x.fail(check, err)
		return
	}
	if failed := do(ctx, &engine.Call{ID: "doctor", Start: s.now(), Request: req}); failed != nil {
		x.fail(check, failed)
		return
	}
	x.add(check, stateOK, d.Ref.ID+" answers", "")
}

// streamed reads a stream to its end.
func streamed(ctx context.Context, e *engine.Engine, c *engine.Call) *llm.Error {
	stream, failed := e.ChatStream(ctx, c)
	if failed != nil {
		return failed
	}
	defer stream.Close()
	for {
		_, err := stream.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			if errors.As(err, &failed) {
				return failed
			}
			return &llm.Error{Kind: llm.KindUpstream, Message: "the stream broke", Cause: err}
		}
	}
}
