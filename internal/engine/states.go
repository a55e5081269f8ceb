package engine

import "time"

// DeploymentState is how a deployment that has been called is now.
type DeploymentState struct {
	// ID and Group are the deployment's, Model is what it stands for by AWS's id, Endpoint its address where that is one of
	// AWS's public ones.
	ID, Group, Model, Endpoint string
	// LeftAlone says that it is left alone for a while, Failing that it has failed in this minute.
	LeftAlone, Failing bool
}

// States calls yield with each deployment that has been called.
func (e *Engine) States(yield func(DeploymentState)) {
	now := time.Now()
	e.targets.Range(func(_, value any) bool {
		t := value.(*target) //nolint:forcetypeassert // the map holds nothing else
		d := t.deployment
		until, _, _ := t.state.Until(now)
		yield(DeploymentState{ID: d.ID, Group: d.Group, Model: t.id, Endpoint: t.endpoint, LeftAlone: !until.IsZero(), Failing: t.state.Failing(now)})
		return true
	})
}
