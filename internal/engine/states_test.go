package engine

import (
	"testing"

	"github.com/outcrop-ai/outcrop/internal/router"
)

// What is left of limits is known of deployments that nobody has called, too.
func TestStates(t *testing.T) {
	limits := router.Limits{Requests: 4, Tokens: 1000}
	b := newBench(t, answer(plainAnswer), &router.Deployment{ID: "a", Group: "g", Model: nova, Limits: limits}, &router.Deployment{ID: "b", Group: "h", Model: nova, Limits: limits, Region: "eu-west-1"})
	call := said("g", "hi")
	if _, failed := b.Chat(t.Context(), call); failed != nil {
		t.Fatal(failed)
	}
	got := map[string]DeploymentState{}
	b.States(func(s DeploymentState) { got[s.ID] = s })
	if s := got["a"]; s.Idle || s.Group != "g" || s.Region != "us-east-1" || s.Limits != (router.Use{Requests: 4, Tokens: 1000}) || s.Left.Requests != 3 || s.Left.Tokens > 1000 {
		t.Errorf("who was called is %+v", s)
	}
	if s := got["b"]; !s.Idle || s.Region != "eu-west-1" || s.Left != s.Limits || s.Model != "us.amazon.nova-pro-v1:0" {
		t.Errorf("who was not is %+v", s)
	}
}
