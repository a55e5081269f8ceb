package config

import "slices"

// callbackNames are LiteLLM's names of the callbacks that Outcrop has, and what it calls them.
var callbackNames = map[string]string{
	"otel": "otel", "file": "file", "s3_v2": "s3_v2", "s3": "s3_v2", "generic_api": "generic_api", "generic": "generic_api", "langfuse": "langfuse",
	"prometheus": "", // /metrics is always there
}

// checkCallbacks names the callbacks that nobody will be told through.
func (l *loader) checkCallbacks(n *node, path string) {
	for _, item := range n.items {
		if item.kind != kindString {
			continue
		}
		if _, known := callbackNames[item.text]; !known {
			l.warnf(item.at, path, "Outcrop does not have the callback %s: nobody is told of calls through it (those it has: otel, file, s3_v2, generic_api, langfuse, prometheus)", item.quote())
		}
	}
}

// Callback is one that the configuration asks for.
type Callback struct {
	Name             string
	Success, Failure bool
}

// CallbackList returns the callbacks that the configuration asks for and that Outcrop has, each once, by Outcrop's names.
func (s *LitellmSettings) CallbackList() []Callback {
	var list []Callback
	add := func(names []string, success, failure bool) {
		for _, name := range names {
			name = callbackNames[name]
			if name == "" {
				continue
			}
			i := slices.IndexFunc(list, func(c Callback) bool { return c.Name == name })
			if i < 0 {
				i = len(list)
				list = append(list, Callback{Name: name})
			}
			list[i].Success, list[i].Failure = list[i].Success || success, list[i].Failure || failure
		}
	}
	add(s.Callbacks, true, true)
	add(s.SuccessCallback, true, false)
	add(s.FailureCallback, false, true)
	return list
}
