package config

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// params decodes the litellm_params in n, or the credential_values of a named credential, which have the same keys.
// Keys that neither the table nor anybody else knows are the model provider's own and become defaults, which is
// LiteLLM's contract; but one that is nearly a known name is taken for a slip, and one that begins with aws_ is never
// a parameter of a model.
func (l *loader) params(n *node, path string) LitellmParams {
	var p LitellmParams
	var defaults []field
	l.misprint(n, path)
	l.section(n, path, SectionParams, &p, func(f field, path string) bool {
		if set, known := find(SectionParams, f.key); known {
			if set.Status == Supported && isPrice(f.key) {
				l.price(f, path, &p.Prices)
				return true
			}
			return false
		}
		if l.slipped(f, path) {
			return true
		}
		if l.typedDefault(f, path) {
			defaults = append(defaults, f)
		}
		return true
	})
	if len(defaults) > 0 {
		p.Defaults = json.RawMessage(appendObject(nil, defaults))
	}
	return p
}

// misprint takes a key of LiteLLM's documentation for the one that is meant there: whoever copied the example has it.
func (l *loader) misprint(n *node, path string) {
	const printed, meant = "aws_secret_access_id", "aws_access_key_id"
	if n.get(meant) != nil {
		return // then it is a slip like others
	}
	for i := range n.fields {
		if f := &n.fields[i]; f.key == printed {
			l.add(Warning, f.at, join(path, printed), meant, "%s is taken for %s", printed, meant)
			f.key = meant
		}
	}
}

// price stores a price override.
func (l *loader) price(f field, path string, dst *map[string]float64) {
	if !f.value.isSet() {
		return
	}
	usd, ok := number(f.value)
	if !ok {
		l.errorf(f.value.at, path, "%s must be a price in USD, not %s", f.key, f.value.quote())
		return
	}
	if usd < 0 {
		l.errorf(f.value.at, path, "%s must not be negative", f.key)
		return
	}
	if *dst == nil {
		*dst = make(map[string]float64)
	}
	(*dst)[f.key] = usd
}

// slipped complains about a key of litellm_params that must be meant for something else.
func (l *loader) slipped(f field, path string) bool {
	if _, ok := requestParams[f.key]; ok {
		return false
	}
	if meant := slips[f.key]; meant != "" {
		l.add(Error, f.at, path, meant, "unknown key %q in %s", f.key, SectionParams)
		return true
	}
	known := append(names(SectionParams), slices.Sorted(maps.Keys(requestParams))...)
	if near := Nearest(f.key, known); near != "" {
		l.add(Error, f.at, path, near, "unknown key %q in %s", clip(f.key), SectionParams)
		return true
	}
	if other := home(f.key, SectionParams); other != "" {
		l.errorf(f.at, path, "unknown key %q in %s: it belongs in %s", clip(f.key), SectionParams, other)
		return true
	}
	if strings.HasPrefix(f.key, "aws_") || strings.HasPrefix(f.key, "-") {
		l.unknown(SectionParams, f, path)
		return true
	}
	return false
}

// typedDefault checks the type of a request parameter and tells whether it is to be used. A number that a variable
// brought is a number already; a placeholder of an example is left out with a warning, as the example works so.
func (l *loader) typedDefault(f field, path string) bool {
	n := f.value
	want, known := requestParams[f.key]
	if !known || want == anyJSON || n.kind == kindNull || n.kind == kindMissing {
		return true
	}
	ok := true
	switch want {
	case jsonNumber:
		ok = n.kind == kindInt || n.kind == kindFloat
	case jsonInt:
		ok = n.kind == kindInt
	case jsonBool:
		if _, word := truth(n); word && n.kind == kindString {
			n.kind = kindBool
		}
		ok = n.kind == kindBool
	case jsonString:
		if n.kind == kindInt || n.kind == kindFloat || (n.kind == kindBool && n.env != "") {
			n.kind = kindString
		}
		ok = n.kind == kindString
	case jsonList:
		ok = n.kind == kindList
	case jsonObject:
		ok = n.kind == kindMap
	}
	switch {
	case ok:
		return true
	case n.kind == kindString && n.env == "" && isPlaceholder(n.text):
		l.warnf(n.at, path, "%s still has the placeholder %s; it is left out", f.key, clip(n.text))
	default:
		l.errorf(n.at, path, "%s must be %s, not %s", f.key, want, n.quote())
	}
	return false
}

// info decodes model_info. LiteLLM keeps keys that it does not know and shows them in /model/info, and so do we.
func (l *loader) info(n *node, path string) ModelInfo {
	var info ModelInfo
	var rest []field
	l.section(n, path, SectionInfo, &info, func(f field, path string) bool {
		set, known := find(SectionInfo, f.key)
		switch {
		case known && set.Status == Supported && isPrice(f.key):
			l.price(f, path, &info.Prices)
			return true
		case strings.HasPrefix(f.key, "supports_"):
			l.supports(f, path, &info)
			return true
		case known && set.Status == Supported:
			return false
		case known:
			l.admit(SectionInfo, f, path)
		default:
			if near := Nearest(f.key, names(SectionInfo)); near != "" {
				l.add(Warning, f.at, path, near, "%q in %s is kept, but means nothing", clip(f.key), SectionInfo)
			}
		}
		rest = append(rest, f)
		return true
	})
	if len(rest) > 0 {
		info.Extra = json.RawMessage(appendObject(nil, rest))
	}
	return info
}

func (l *loader) supports(f field, path string, info *ModelInfo) {
	if !f.value.isSet() {
		return
	}
	b, ok := truth(f.value)
	if !ok {
		l.errorf(f.value.at, path, "%s must be true or false, not %s", clip(f.key), f.value.quote())
		return
	}
	if info.Supports == nil {
		info.Supports = make(map[string]bool)
	}
	info.Supports[strings.TrimPrefix(f.key, "supports_")] = b
}
