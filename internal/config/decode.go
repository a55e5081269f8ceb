package config

import (
	"encoding/json"
	"fmt"
	"math"
	"net/textproto"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

// loader is one run of a Loader.
type loader struct {
	complaints
	environ
	opts *Loader
	// endpoints are the names of callbacks that the file makes up.
	endpoints []string
}

// section fills the fields of *dst, found by their yaml tags, from the mapping n. Keys that no field has are looked up
// in the section's table and complained about; extra may take some of them first, by answering true.
func (l *loader) section(n *node, path string, s Section, dst any, extra func(f field, path string) bool) {
	switch n.kind {
	case kindMap:
	case kindNull, kindMissing:
		return
	default:
		l.errorf(n.at, path, "%s must be a mapping, not %s", lastKey(path), n.what())
		return
	}
	fields := fieldsOf(dst)
	for _, f := range n.fields {
		p := join(path, f.key)
		if extra != nil && extra(f, p) {
			continue
		}
		target, typed := fields[f.key]
		if !l.admit(s, f, p) || !typed {
			continue
		}
		l.value(f.value, p, target.value, target.checks)
	}
}

// admit complains about a key that is not supported, and tells whether its value is to be used.
func (l *loader) admit(s Section, f field, path string) bool {
	set, known := find(s, f.key)
	switch {
	case !known:
		l.unknown(s, f, path)
	case set.Status == Supported:
		return true
	case set.Status == Refused:
		l.errorf(f.at, path, "%s in %s: %s", f.key, s, set.Reason)
	case f.value.kind == kindNull || f.value.kind == kindMissing:
	// A switch that is off in LiteLLM is off here too.
	case f.value.kind == kindBool && f.value.text == "false":
	case set.Status == Ignored:
		l.once(string(s)+"."+f.key, Note, f.at, path, "%s in %s has no effect: %s", f.key, s, set.Reason)
	default:
		l.once(string(s)+"."+f.key, Warning, f.at, path, "Outcrop does not have %s in %s: %s", f.key, s, set.Reason)
	}
	return false
}

func (l *loader) unknown(s Section, f field, path string) {
	if rest, ok := strings.CutPrefix(f.key, "-"); ok && rest != "" {
		l.errorf(f.at, path, "unknown key %q in %s: a list item needs a space after its dash, and its keys need indentation", clip(f.key), s)
		return
	}
	suggestion := slips[f.key]
	if _, ok := find(s, suggestion); !ok {
		suggestion = Nearest(f.key, names(s))
	}
	if suggestion == "" {
		if other := home(f.key, s); other != "" {
			l.errorf(f.at, path, "unknown key %q in %s: it belongs in %s", clip(f.key), s, other)
			return
		}
	}
	l.add(Error, f.at, path, suggestion, "unknown key %q in %s", clip(f.key), s)
}

// target is where a key's value goes, and what is checked of it.
type target struct {
	value  reflect.Value
	checks []string
}

// fieldsOf lists the tagged fields of the struct behind the pointer.
func fieldsOf(dst any) map[string]target {
	v := reflect.ValueOf(dst).Elem()
	out := make(map[string]target, v.NumField())
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		if name := tag.Get("yaml"); name != "" && name != "-" {
			out[name] = target{v.Field(i), strings.Split(tag.Get("check"), ",")}
		}
	}
	return out
}

// value stores n in dst, or complains. A null and an unset variable leave dst as it is.
func (l *loader) value(n *node, path string, dst reflect.Value, checks []string) {
	if !n.isSet() {
		return
	}
	name := lastKey(path)
	if dst.Kind() == reflect.Pointer {
		fresh := reflect.New(dst.Type().Elem())
		before := len(l.list)
		l.value(n, path, fresh.Elem(), checks)
		if !slices.ContainsFunc(l.list[before:], func(p Problem) bool { return p.Severity == Error }) {
			dst.Set(fresh)
		}
		return
	}
	if l.routing(n, path, dst.Addr().Interface()) {
		return
	}
	switch p := dst.Addr().Interface().(type) {
	case *secret.Secret:
		if s, ok := l.text(n, path); ok {
			if slices.Contains(checks, "no-comma") && strings.HasSuffix(s, ",") {
				l.errorf(n.at, path, "%s ends with a comma: YAML needs none between lines", name)
				return
			}
			*p = secret.New(s)
		}
	case *time.Duration:
		d, ok := seconds(n)
		if !ok {
			l.errorf(n.at, path, `%s must be seconds or a duration such as "30s", not %s`, name, n.quote())
			return
		}
		if d < 0 {
			l.errorf(n.at, path, "%s must not be negative", name)
			return
		}
		*p = d
	case *json.RawMessage:
		l.raw(n, path, p, checks)
	case *map[string]secret.Secret:
		l.headers(n, path, p)
	case *[]string:
		l.strings(n, path, p, checks)
	case *[]float64:
		l.numbers(n, path, p, checks)
	case *TLSVerify:
		l.tlsVerify(n, path, p, checks)
	case *SessionTags:
		l.sessionTags(n, path, p)
	case *ClientParams:
		l.clientParams(n, path, p)
	case *Attribution:
		l.attribution(n, path, p)
	case *ModelGroupSettings:
		l.section(n, path, SectionGroups, p, nil)
	case *bool:
		b, ok := truth(n)
		if !ok {
			l.errorf(n.at, path, "%s must be true or false, not %s", name, n.quote())
			return
		}
		*p = b
	case *int:
		f, ok := number(n)
		if !ok || f != math.Trunc(f) || math.Abs(f) > math.MaxInt32*1e6 {
			l.errorf(n.at, path, "%s must be a whole number, not %s", name, n.quote())
			return
		}
		if l.inRange(n, path, f, checks) {
			*p = int(f)
		}
	case *float64:
		f, ok := number(n)
		if !ok {
			l.errorf(n.at, path, "%s must be a number, not %s", name, n.quote())
			return
		}
		if l.inRange(n, path, f, checks) {
			*p = f
		}
	default:
		// Strings and named strings.
		if slices.Contains(checks, "mark") && n.kind == kindString { // <s> is no gap that was left
			dst.SetString(n.text)
			return
		}
		if s, ok := l.text(n, path); ok && l.checkText(n, path, s, checks) {
			dst.SetString(s)
		}
	}
}

// numbers reads a list of numbers.
func (l *loader) numbers(n *node, path string, dst *[]float64, checks []string) {
	if n.kind != kindList {
		l.errorf(n.at, path, "%s must be a list of numbers, not %s", lastKey(path), n.what())
		return
	}
	out := make([]float64, 0, len(n.items))
	for i, item := range n.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		f, ok := number(item)
		if !ok {
			l.errorf(item.at, at, "%s must hold numbers, not %s", lastKey(path), item.quote())
			return
		}
		if !l.inRange(item, at, f, checks) {
			return
		}
		out = append(out, f)
	}
	*dst = out
}

// inRange checks a number's range.
func (l *loader) inRange(n *node, path string, f float64, checks []string) bool {
	switch {
	case slices.Contains(checks, "not-negative") && f < 0:
		l.errorf(n.at, path, "%s must not be negative", lastKey(path))
		return false
	case slices.Contains(checks, "positive") && f <= 0:
		l.errorf(n.at, path, "%s must be more than 0", lastKey(path))
		return false
	}
	return true
}

// text reads a string. Numbers are taken by their spelling: an external id may be made of digits.
func (l *loader) text(n *node, path string) (string, bool) {
	switch n.kind {
	case kindString, kindInt, kindFloat:
	case kindBool:
		if n.env == "" {
			l.errorf(n.at, path, "%s must be a string, not %s; put it in quotes if it is meant so", lastKey(path), n.what())
			return "", false
		}
	default:
		l.errorf(n.at, path, "%s must be a string, not %s", lastKey(path), n.what())
		return "", false
	}
	if n.env == "" && isPlaceholder(n.text) {
		l.errorf(n.at, path, "%s still has the placeholder %s", lastKey(path), clip(n.text))
		return "", false
	}
	return n.text, true
}

// isPlaceholder tells whether a value is a gap in an example that was never filled in, such as <your-key>.
func isPlaceholder(s string) bool {
	return len(s) > 2 && s[0] == '<' && strings.IndexByte(s, '>') == len(s)-1
}

func (l *loader) strings(n *node, path string, dst *[]string, checks []string) {
	if n.kind == kindString && slices.Contains(checks, "callback") { // LiteLLM takes one callback without a list around it
		n = &node{kind: kindList, at: n.at, items: []*node{n}}
	}
	if n.kind != kindList {
		l.errorf(n.at, path, "%s must be a list of strings, not %s", lastKey(path), n.what())
		return
	}
	out := make([]string, 0, len(n.items))
	for i, item := range n.items {
		if s, ok := l.text(item, fmt.Sprintf("%s[%d]", path, i)); ok {
			out = append(out, s)
		}
	}
	*dst = out
	switch {
	case slices.Contains(checks, "pre-call"):
		l.checkPreCall(n, path)
	case slices.Contains(checks, "networks"):
		l.checkNetworks(n, path)
	case slices.Contains(checks, "routes"):
		l.checkRoutes(n, path)
	case slices.Contains(checks, "metrics"):
		l.checkMetrics(n, path)
	case slices.Contains(checks, "metric-labels"):
		l.checkExcludedLabels(n, path)
	case slices.Contains(checks, "event-types"):
		for _, item := range n.items {
			l.checkWord(item, path, item.text, []string{"llm_api_success", "llm_api_failure"})
		}
	case slices.Contains(checks, "alerting"):
		l.checkAlerting(n, path)
	case slices.Contains(checks, "alert-types"):
		l.checkAlertTypes(n, path)
	}
	if slices.Contains(checks, "callback") {
		l.checkCallbacks(n, path)
	}
}

// raw keeps a value as JSON.
func (l *loader) raw(n *node, path string, dst *json.RawMessage, checks []string) {
	switch {
	case slices.Contains(checks, "message") && !isMessage(n):
		l.errorf(n.at, path, "%s must be a message: a mapping with role and content", lastKey(path))
	case slices.Contains(checks, "roles") && !l.isRoles(n, path):
	default:
		*dst = appendJSON(nil, n)
	}
}

// tlsVerify reads a switch or the name of a file.
func (l *loader) tlsVerify(n *node, path string, dst *TLSVerify, checks []string) {
	if on, ok := truth(n); ok {
		*dst = TLSVerify(strconv.FormatBool(on))
		if !on {
			l.warnf(n.at, path, "%s is off: whoever is in between can read credentials and prompts", lastKey(path))
		}
		return
	}
	if s, ok := l.text(n, path); ok && l.checkText(n, path, s, checks) {
		*dst = TLSVerify(s)
	}
}

func (l *loader) headers(n *node, path string, dst *map[string]secret.Secret) {
	if n.kind != kindMap {
		l.errorf(n.at, path, "%s must be a mapping of header names to values, not %s", lastKey(path), n.what())
		return
	}
	out := make(map[string]secret.Secret, len(n.fields))
	spelled := make(map[string]string, len(n.fields))
	for _, f := range n.fields {
		p := join(path, f.key)
		canonical := textproto.CanonicalMIMEHeaderKey(f.key)
		switch {
		case !isToken(f.key):
			l.errorf(f.at, p, "%q is no header name", clip(f.key))
			continue
		case spelled[canonical] != "":
			l.errorf(f.at, p, "header %s stands here twice, as %q and %q", canonical, spelled[canonical], f.key)
			continue
		case slices.Contains([]string{"Host", "Content-Length", "Transfer-Encoding", "Connection"}, canonical):
			l.errorf(f.at, p, "header %s cannot be set: it belongs to the connection", canonical)
			continue
		}
		spelled[canonical] = f.key
		if !f.value.isSet() {
			continue
		}
		if f.value.kind == kindBool {
			out[f.key] = secret.New(f.value.text)
			continue
		}
		s, ok := l.text(f.value, p)
		if !ok {
			continue
		}
		if strings.ContainsFunc(s, func(r rune) bool { return (r < ' ' && r != '\t') || r == 0x7f }) {
			l.errorf(f.value.at, p, "the value of header %s has a control character", canonical)
			continue
		}
		out[f.key] = secret.New(s)
	}
	*dst = out
}

// isToken tells whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

func (l *loader) sessionTags(n *node, path string, dst *SessionTags) {
	const shape = "aws_session_tags must be a list of {Key: …, Value: …}"
	if n.kind != kindList {
		l.errorf(n.at, path, "%s, not %s", shape, n.what())
		return
	}
	if len(n.items) > 50 {
		l.errorf(n.at, path, "aws_session_tags has %d tags; STS takes at most 50", len(n.items))
		return
	}
	out := make(SessionTags, 0, len(n.items))
	for i, item := range n.items {
		p := fmt.Sprintf("%s[%d]", path, i)
		k, v := item.get("Key"), item.get("Value")
		if item.kind != kindMap || len(item.fields) != 2 || k == nil || v == nil {
			l.errorf(item.at, p, "%s", shape)
			continue
		}
		key, okKey := l.text(k, join(p, "Key"))
		value, okValue := l.text(v, join(p, "Value"))
		switch {
		case !okKey || !okValue:
		case key == "" || len([]rune(key)) > 128 || len([]rune(value)) > 256:
			l.errorf(item.at, p, "a session tag has a key of 1 to 128 characters and a value of at most 256")
		case slices.ContainsFunc(out, func(t SessionTag) bool { return strings.EqualFold(t.Key, key) }):
			l.errorf(item.at, p, "session tag %q stands here twice", clip(key))
		default:
			out = append(out, SessionTag{key, value})
		}
	}
	*dst = out
}

func (l *loader) aliases(n *node, path string, dst *Aliases) {
	if n.kind != kindMap {
		l.errorf(n.at, path, "model_group_alias must be a mapping of names to model groups, not %s", n.what())
		return
	}
	out := make(Aliases, len(n.fields))
	for _, f := range n.fields {
		p := join(path, f.key)
		var a Alias
		switch f.value.kind {
		case kindNull, kindMissing:
			continue
		case kindMap:
			for _, g := range f.value.fields {
				switch q := join(p, g.key); g.key {
				case "model":
					a.Model, _ = l.text(g.value, q)
				case "hidden":
					l.value(g.value, q, reflect.ValueOf(&a.Hidden).Elem(), nil)
				default:
					l.add(Error, g.at, q, Nearest(g.key, []string{"model", "hidden"}), "unknown key %q in an alias", clip(g.key))
				}
			}
			if f.value.get("model") == nil {
				l.errorf(f.at, p, "an alias needs model, the name of a model group")
			}
		default:
			a.Model, _ = l.text(f.value, p)
		}
		out[f.key] = a
	}
	*dst = out
}

// isMessage tells whether n looks like a chat message.
func isMessage(n *node) bool {
	role, content := n.present("role"), n.present("content")
	return n.kind == kindMap && role != nil && role.kind == kindString && content != nil &&
		(content.kind == kindString || content.kind == kindList)
}
