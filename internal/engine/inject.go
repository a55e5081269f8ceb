package engine

import (
	"slices"

	"github.com/outcrop-ai/outcrop/llm"
)

// injectCachePoints puts cache points where the configuration or the request asks for them by rule (LiteLLM's
// cache_control_injection_points). A block that has one keeps it.
func injectCachePoints(r *llm.Request, rules []llm.CacheRule) {
	for i := range rules {
		rule := &rules[i]
		switch {
		case rule.Tools:
			if n := len(r.Tools); n > 0 {
				r.Tools = slices.Clone(r.Tools) // those of a deployment's defaults are shared
				if t := &r.Tools[n-1]; t.Cache == nil {
					t.Cache = &llm.CachePoint{TTL: rule.TTL}
				}
			}
		case rule.Index != nil:
			at := *rule.Index
			switch {
			case at < 0:
				at += int64(messageCount(r))
			case len(r.System) > 0 && r.System[0].Path.In == llm.InSystem: // which counts as the first message
				at--
			}
			markBlocks(r, rule.TTL, func(message int32, _ string) bool { return int64(message) == at })
		default:
			markBlocks(r, rule.TTL, func(_ int32, role string) bool { return role == rule.Role })
		}
	}
}

// messageCount returns how many messages the client sent, system messages among them.
func messageCount(r *llm.Request) int32 {
	last := int32(-1)
	for i := range r.System {
		last = max(last, r.System[i].Path.Message)
	}
	for i := range r.Messages {
		for j := range r.Messages[i].Blocks {
			last = max(last, r.Messages[i].Blocks[j].Path.Message)
		}
	}
	return last + 1
}

// markBlocks puts a cache point behind the last block of each of the client's messages that want picks.
func markBlocks(r *llm.Request, ttl string, want func(message int32, role string) bool) {
	mark := func(blocks []llm.Block, role string) {
		for i := range blocks {
			b := &blocks[i]
			lastOfMessage := i == len(blocks)-1 || blocks[i+1].Path.Message != b.Path.Message
			if !lastOfMessage || b.Cache != nil {
				continue
			}
			of := role
			if b.Kind == llm.BlockToolResult {
				of = "tool"
			}
			if want(b.Path.Message, of) {
				b.Cache = &llm.CachePoint{TTL: ttl}
			}
		}
	}
	mark(r.System, "system")
	for i := range r.Messages {
		mark(r.Messages[i].Blocks, r.Messages[i].Role.String())
	}
}
