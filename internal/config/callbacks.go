package config

import (
	"maps"
	"slices"
)

// callbackNames are LiteLLM's names of the callbacks that Outcrop has, and what it calls them.
var callbackNames = map[string]string{
	"otel": "otel", "file": "file", "s3_v2": "s3_v2", "s3": "s3_v2", "generic_api": "generic_api", "generic": "generic_api", "langfuse": "langfuse",
	"langfuse_otel": "langfuse_otel", "datadog": "datadog", "sumologic": "sumologic",
	"prometheus": "", // /metrics is always there
}

// ownCallbacks are their names in messages.
const ownCallbacks = "otel, file, s3_v2, generic_api, langfuse, langfuse_otel, datadog, sumologic, prometheus, and those that callback_settings makes of generic_api"

// callbackSettings reads {NAME: {callback_type: generic_api, endpoint: URL, …}, otel: {message_logging: true}}.
func (l *loader) callbackSettings(n *node, c *Config) {
	const path = "callback_settings"
	if !n.isSet() {
		return
	}
	if n.kind != kindMap {
		l.errorf(n.at, path, "callback_settings must be a mapping of callbacks to their settings, not %s", n.what())
		return
	}
	c.CallbackSettings = map[string]CallbackSetting{}
	for _, f := range n.fields {
		var s CallbackSetting
		l.section(f.value, join(path, f.key), SectionCallback, &s, nil)
		name, known := callbackNames[f.key]
		switch {
		case s.CallbackType != "":
			if f.value.get("endpoint") == nil {
				l.errorf(f.at, join(path, f.key), "callback_settings.%s needs endpoint, the URL that payloads are posted to", clip(f.key))
				continue
			}
			l.endpoints = append(l.endpoints, f.key)
			name = f.key
		case !known:
			l.add(Error, f.at, join(path, f.key), Nearest(f.key, slices.Sorted(maps.Keys(callbackNames))), "there is no callback %s: callback_settings has settings of callbacks, and makes ones of callback_type generic_api", clip(f.key))
			continue
		case s.Endpoint.IsSet() || s.Headers != nil || s.LogFormat != "":
			l.warnf(f.at, join(path, f.key), "endpoint, headers and log_format of %s have no effect without callback_type: generic_api", clip(f.key))
		}
		c.CallbackSettings[name] = s
	}
}

// checkCallbacks names the callbacks that nobody will be told through.
func (l *loader) checkCallbacks(n *node, path string) {
	for _, item := range n.items {
		if item.kind != kindString {
			continue
		}
		if _, known := callbackNames[item.text]; !known && !slices.Contains(l.endpoints, item.text) {
			l.warnf(item.at, path, "Outcrop does not have the callback %s: nobody is told of calls through it (those it has: %s)", item.quote(), ownCallbacks)
		}
	}
}

// Callback is one that the configuration asks for.
type Callback struct {
	Name             string
	Success, Failure bool
	// Settings are those of callback_settings.
	Settings CallbackSetting
}

// Callbacks returns the callbacks that the configuration asks for and that Outcrop has, each once, by Outcrop's names.
func (c *Config) Callbacks() []Callback {
	var list []Callback
	add := func(names []string, success, failure bool) {
		for _, asked := range names {
			name := callbackNames[asked]
			if c.CallbackSettings[asked].CallbackType != "" {
				name = asked
			}
			if name == "" {
				continue
			}
			i := slices.IndexFunc(list, func(c Callback) bool { return c.Name == name })
			if i < 0 {
				i = len(list)
				list = append(list, Callback{Name: name, Settings: c.CallbackSettings[name]})
			}
			list[i].Success, list[i].Failure = list[i].Success || success, list[i].Failure || failure
		}
	}
	s := &c.LitellmSettings
	add(s.Callbacks, true, true)
	add(s.SuccessCallback, true, false)
	add(s.FailureCallback, false, true)
	for i := range list {
		if types := list[i].Settings.EventTypes; types != nil {
			list[i].Success = list[i].Success && slices.Contains(types, "llm_api_success")
			list[i].Failure = list[i].Failure && slices.Contains(types, "llm_api_failure")
		}
	}
	return list
}

// TellsContents reports whether a callback is told what was said.
func (b *Callback) TellsContents() bool {
	if b.Settings.MessageLogging != nil {
		return *b.Settings.MessageLogging
	}
	return b.Name != "otel"
}
