package main

import (
	"errors"

	"github.com/outcrop-ai/outcrop/internal/cache"
	"github.com/outcrop-ai/outcrop/internal/gateway"
	"github.com/outcrop-ai/outcrop/internal/store/valkey"
)

// errNoCacheServer says that nobody has said where answers are to be kept.
var errNoCacheServer = errors.New("cache_params.type is redis, and nothing says where the server is: set host and port there, or coordination_redis")

// caching makes the cache of answers that the configuration asks for.
func (g *gatewayProcess) caching() (gateway.Caching, error) {
	l := &g.config.LitellmSettings
	p := &l.CacheParams
	c := gateway.Caching{TTL: p.TTL, Namespace: p.Namespace, OptIn: p.Mode == "default_off", Types: p.SupportedCallTypes, Shared: p.SharedAcrossKeys}
	switch {
	case !l.Cache:
	case p.Type == "redis":
		url := g.config.CacheURL(g.env)
		if !url.IsSet() {
			return c, errNoCacheServer
		}
		replicas, err := valkey.Open(valkey.Options{URL: url.Reveal()})
		if err != nil {
			return c, err
		}
		g.answers = replicas
		c.Store = replicas.Answers("")
	default:
		c.Store = cache.NewMemory(int64(p.MaxSizeMB * (1 << 20)))
	}
	return c, nil
}
