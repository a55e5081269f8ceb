package engine

import (
	"time"

	"github.com/outcrop-ai/outcrop/internal/router"
)

// DeploymentState is how a deployment is now.
type DeploymentState struct {
	// ID and Group are the deployment's, Model is what it stands for by AWS's id, Endpoint its address where that is one of
	// AWS's public ones.
	ID, Group, Model, Endpoint string
	// LeftAlone says that it is left alone for a while, Failing that it has failed in this minute.
	LeftAlone, Failing bool
	// Region is where its calls go, as far as that is known.
	Region string
	// Limits are its limits a minute, 0 where there is none, and Left is what is left of them.
	Limits, Left router.Use
	// Idle says that nobody has called it yet.
	Idle bool
}

// States calls yield with each deployment: those that have been called for each of the models that they stood for.
func (e *Engine) States(yield func(DeploymentState)) {
	now := time.Now()
	called := map[[2]string]bool{}
	e.targets.Range(func(_, value any) bool {
		t := value.(*target) //nolint:forcetypeassert // the map holds nothing else
		d := t.deployment
		until, _, _ := t.state.Until(now)
		called[[2]string{d.ID, d.Group}] = true
		yield(DeploymentState{
			ID: d.ID, Group: d.Group, Model: t.id, Endpoint: t.endpoint, LeftAlone: !until.IsZero(), Failing: t.state.Failing(now),
			Region: t.region, Limits: router.Use{Requests: d.Limits.Requests, Tokens: d.Limits.Tokens}, Left: t.state.Quota.Left(now, &d.Limits),
		})
		return true
	})
	for _, d := range e.All() {
		if !called[[2]string{d.ID, d.Group}] {
			whole := router.Use{Requests: d.Limits.Requests, Tokens: d.Limits.Tokens}
			yield(DeploymentState{ID: d.ID, Group: d.Group, Model: d.Ref.ID, Region: d.Region, Limits: whole, Left: whole, Idle: true})
		}
	}
}
