package main

import (
	"context"
	"sync"

	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/store/valkey"
)

// openReplicas prepares the talk with the gateway's other replicas, if the configuration says where they meet. A server
// that is away does not keep the gateway from starting.
func (g *gatewayProcess) openReplicas() (err error) {
	if url := g.config.RedisURL(g.env); url.IsSet() {
		g.replicas, err = valkey.Open(valkey.Options{URL: url.Reveal()})
	}
	return err
}

// joinReplicas has the gateway speak with its other replicas until it leaves them.
func (g *gatewayProcess) joinReplicas(e *engine.Engine) {
	if g.replicas == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var speaking sync.WaitGroup
	speaking.Go(func() { e.Share(ctx, g.replicas) })
	g.silence = func() {
		cancel()
		speaking.Wait()
	}
}

// leaveReplicas ends the talk.
func (g *gatewayProcess) leaveReplicas() error {
	if g.silence != nil {
		g.silence()
	}
	if g.changes != nil {
		g.changes.Close()
	}
	if g.replicas == nil {
		return nil
	}
	return g.replicas.Close()
}
