package engine

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/outcrop-ai/outcrop/llm"
)

// maxRefusedFlags bounds what is remembered: clients can send any flag.
const maxRefusedFlags = 4096

// refusedFlags remembers which of Anthropic's feature flags AWS has refused for a model, until the program ends: a client
// that sends them with every call pays for the second call once.
type refusedFlags struct {
	known sync.Map // flagKey → true
	count atomic.Int64
}

type flagKey struct{ model, flag string }

// learn takes over that a call with the flags sent was refused, and answered with those that are left of them.
func (f *refusedFlags) learn(model string, sent, left []string) {
	for _, flag := range sent {
		if slices.Contains(left, flag) || f.count.Load() >= maxRefusedFlags {
			continue
		}
		if _, had := f.known.LoadOrStore(flagKey{model, flag}, true); !had {
			f.count.Add(1)
		}
	}
}

// leaveOut takes the flags out of a request that were refused before, by name.
func (f *refusedFlags) leaveOut(model string, r *llm.Request) {
	if len(r.Betas) == 0 || f.count.Load() == 0 {
		return
	}
	r.Betas = slices.DeleteFunc(slices.Clone(r.Betas), func(flag string) bool {
		_, refused := f.known.Load(flagKey{model, flag})
		if refused {
			r.Lose("anthropic_beta."+flag, "refused")
		}
		return refused
	})
}
