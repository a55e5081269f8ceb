package engine

import (
	"context"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/invoke"
	"github.com/outcrop-ai/outcrop/internal/bedrock/rerank"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

const (
	// maxPages bounds how many pages of an answer are asked for.
	maxPages = 20
	// maxUpload is the largest body that AWS takes.
	maxUpload = 25_000_000
)

const hintRerank = "Allow the AWS identity that Outcrop uses the IAM actions bedrock:Rerank and, on the model, bedrock:InvokeModel, " +
	"and see that the account has access to the model (Bedrock console, Model access)."

// Rerank answers a call for a ranking of documents. The results may alias memory that lives as long as they do.
func (e *Engine) Rerank(ctx context.Context, call *Call) (*llm.Ranking, *llm.Error) {
	if failed := e.choose(ctx, call, modeRerank); failed != nil {
		return nil, failed
	}
	ctx, leave := e.upstream(ctx, call)
	defer leave()
	var found *llm.Ranking
	failed := e.attempt(ctx, call, false, func() (failed *llm.Error) {
		found, failed = e.rank(ctx, call)
		return failed
	})
	return found, failed
}

// rank asks the call's target.
func (e *Engine) rank(ctx context.Context, call *Call) (*llm.Ranking, *llm.Error) {
	t := call.target
	if t.mode != modeRerank { // a model that the catalogue does not know, and that nobody asked to rank before
		d, next := *t.deployment, *t
		next.deployment, next.mode = &d, modeRerank
		if failed := e.connect(&next); failed != nil {
			return nil, failed
		}
		t, call.target, call.Deployment, call.Endpoint = &next, &next, &d, next.endpoint
	}
	q, err := rerank.NewQuery(call.Request, t.deployment.Ref)
	if err != nil {
		return nil, e.refused(err)
	}
	header, failed := invoke.GuardrailHeader(call.Request.Guardrail)
	if failed != nil {
		return nil, failed
	}
	call.sent = time.Now()
	found, err := e.pages(ctx, call, q, &plan{target: t, header: header})
	call.answered = time.Now()
	if err != nil {
		known := e.failed(call, err)
		if known.AWSType == "AccessDeniedException" && t.deployment.Ref.Route == catalog.RouteRerank {
			known.Hint = hintRerank
		}
		return nil, known
	}
	found.Usage = q.Usage()
	call.firstToken = call.answered
	call.Usage, call.HasUsage = found.Usage, true
	e.price(call)
	return found, nil
}

// pages makes the upstream call, and those for further pages of its answer.
func (e *Engine) pages(ctx context.Context, call *Call, q *rerank.Query, p *plan) (*llm.Ranking, error) {
	found := &llm.Ranking{}
	token := ""
	for range maxPages {
		next, err := e.page(ctx, call, q, p, token, found)
		switch {
		case err != nil:
			return nil, err
		case next == "" || len(found.Results) >= q.Wanted:
			found.Results = found.Results[:min(len(found.Results), q.Wanted)]
			return found, nil
		case next == token:
			return nil, &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS leads back to the page that it is on"}
		}
		token = next
	}
	return nil, &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS has too many pages"}
}

// page adds one page to found and returns the token of the next.
func (e *Engine) page(ctx context.Context, call *Call, q *rerank.Query, p *plan, token string, found *llm.Ranking) (string, error) {
	p.body = wire.NewBody()
	defer p.body.Release()
	if t := p.target; t.deployment.Ref.Route == catalog.RouteRerank {
		p.body.B = q.AppendRerank(p.body.B, t.modelARN(), token)
	} else {
		p.body.B = q.AppendInvoke(p.body.B)
	}
	if len(p.body.B) > maxUpload {
		return "", &llm.Error{Kind: llm.KindTooLarge, Code: "request_too_large", Param: "documents", Message: "the documents are more than the 25 MB that AWS takes"}
	}
	reply, err := p.target.client.Send(ctx, p.call(call, false, e.o.KeyHeader))
	if err != nil {
		return "", err
	}
	call.Upstream, call.RequestID = reply.Header, reply.RequestID
	data, err := reply.ReadAll(maxAnswer)
	if err != nil {
		return "", err
	}
	return q.Decode(data, found)
}

// modelARN names the model as the Rerank operation wants it: by an ARN. The ids of inference profiles, whose ARNs hold an
// account, stay as they are.
func (t *target) modelARN() string {
	if ref := t.deployment.Ref; ref.Profile != "" || len(t.id) > 4 && t.id[:4] == "arn:" {
		return t.id
	}
	return "arn:" + wire.Partition(t.region) + ":bedrock:" + t.region + "::foundation-model/" + t.id
}
