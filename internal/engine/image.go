package engine

import (
	"context"
	"maps"
	"net/http"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/bedrock/image"
	"github.com/outcrop-ai/outcrop/internal/bedrock/invoke"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

// Images answers a call for images. The calls that it takes are made side by side, a few at a time; the first failure ends
// them all. The images alias AWS's answers, which live as long as they do.
func (e *Engine) Images(ctx context.Context, call *Call) (*llm.Images, *llm.Error) {
	if failed := e.choose(ctx, call, modeImage); failed != nil {
		return nil, failed
	}
	job, header, failed := e.encodeImages(call)
	if failed != nil {
		return nil, failed
	}
	ctx, leave := e.upstream(ctx, call)
	defer leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ps := upstreamCalls(call, call.target, header, job.Bodies)
	defer ps.release()
	ps.limit = e.o.ImageConcurrency
	made := make([]*llm.Images, len(ps.list))
	failure := e.each(ps, cancel, func(i int) *llm.Error {
		p, j := &ps.list[i], job
		return e.attempt(ctx, p.call, false, e.replanned(p, func(c *Call) (*plan, *llm.Error) {
			again, header, failed := e.encodeImages(c)
			switch {
			case failed != nil:
				return nil, failed
			case len(again.Bodies) != len(ps.list):
				return nil, otherShape(c)
			}
			j = again
			return newPlan(c.target, header, again.Bodies[i]), nil
		}, func(plan *plan) (failed *llm.Error) {
			made[i], failed = e.imagePart(ctx, p.call, plan, j, i)
			return failed
		}))
	})
	call.sum(ps)
	if failure != nil {
		return nil, e.failed(call, failure)
	}
	all, err := job.Join(made)
	if err != nil {
		return nil, e.failed(call, err)
	}
	all.Usage.Time = call.Usage.Time
	if all.Filtered > 0 {
		if call.Warning != "" {
			call.Warning += "; "
		}
		call.Warning += strconv.Itoa(all.Filtered) + " of " + strconv.Itoa(all.Filtered+len(all.List)) + " images filtered: " + ascii(all.Reason)
	}
	return all, nil
}

// encodeImages plans the upstream calls for what the call asks its target, and prices them.
func (e *Engine) encodeImages(call *Call) (*image.Job, http.Header, *llm.Error) {
	t := call.target
	if t.mode != modeImage && t.mode != modeImageEdit { // a model that the catalogue does not know: its id may tell what it is
		t = t.throughInvoke()
	}
	job, err := image.Encode(call.Request, t.deployment.Ref)
	if err != nil {
		return nil, nil, e.refused(err)
	}
	call.target = t.forImages(job)
	header, failed := invoke.GuardrailHeader(call.Request.Guardrail)
	return job, header, failed
}

// imagePart makes one of the calls.
func (e *Engine) imagePart(ctx context.Context, call *Call, p *plan, job *image.Job, i int) (*llm.Images, *llm.Error) {
	data, _, err := e.exchange(ctx, call, p)
	if err != nil {
		return nil, e.failed(call, err)
	}
	made, err := job.Decode(i, data)
	if err != nil {
		return nil, e.failed(call, err)
	}
	call.firstToken = call.answered
	call.Usage, call.HasUsage = made.Usage, true
	e.price(call)
	return made, nil
}

// forImages returns the target with the price of images of a job's size and steps, where that depends on them.
func (t *target) forImages(job *image.Job) *target {
	rate := catalog.ImageRate(t.deployment.Ref.Model, job.Width, job.Height, job.Steps)
	if !rate.Known || len(t.deployment.Prices) > 0 {
		return t
	}
	next := *t
	next.price.Units = maps.Clone(t.price.Units)
	if next.price.Units == nil {
		next.price.Units = map[catalog.Unit]catalog.Rate{}
	}
	next.price.Units[catalog.UnitImage], next.priced = rate, true
	return &next
}

// ascii makes a model's words fit for a header.
func ascii(s string) string {
	const most = 200
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r < ' ' || r > '~' {
			r = '?'
		}
		if len(out) < most {
			out = append(out, byte(r))
		}
	}
	return string(out)
}
