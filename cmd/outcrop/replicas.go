package main

import (
	"context"
	"sync"

	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/store/valkey"
)

// joinReplicas has the gateway speak with its other replicas, if the configuration says where, until the returned function
// is called. A server that is away does not keep the gateway from starting.
func (g *gatewayProcess) joinReplicas(e *engine.Engine) (leave func() error, err error) {
	url := g.config.RedisURL(g.env)
	if !url.IsSet() {
		return func() error { return nil }, nil
	}
	replicas, err := valkey.Open(valkey.Options{URL: url.Reveal()})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var speaking sync.WaitGroup
	speaking.Go(func() { e.Share(ctx, replicas) })
	return func() error {
		cancel()
		speaking.Wait()
		return replicas.Close()
	}, nil
}
