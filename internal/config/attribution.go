package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Attribution says how the sessions of an assumed role name who calls. The zero value is that of a file without
// aws_attribution.
type Attribution struct {
	// Off is true for aws_attribution: false.
	Off bool
	// SessionName is what RoleSessionName is made of: key, key_alias, team, user or end_user; empty leaves it as it is.
	SessionName string
	// Tags are session tags, in the order of the file.
	Tags []AttributionTag
	// MaxSessions bounds how many sessions a deployment has at a time.
	MaxSessions int
	// Refuse says that calls whose caller cannot be named are refused rather than made without a session of their own.
	Refuse bool

	at Pos
}

// AttributionTag is a session tag with the value of From (key, key_alias, team, user or end_user) or, where that is
// empty, Text.
type AttributionTag struct{ Key, From, Text string }

const (
	defaultMaxSessions = 1000
	// sourcePrefix begins the value of a tag that is taken from the caller.
	sourcePrefix = "from:"
	// maxSessionTags is how many tags STS takes.
	maxSessionTags = 50
)

var (
	// attributionKeys are the keys of aws_attribution.
	attributionKeys = []string{"session_name", "tags", "max_sessions", "on_missing"}
	// sources are what of a caller a session can be named after.
	sources = []string{"key", "key_alias", "team", "user", "end_user"}
	// tagShape is STS's pattern of the keys and values of tags: STS API Reference, Tag.
	tagShape = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
)

// attribution reads aws_attribution.
func (l *loader) attribution(n *node, path string, dst *Attribution) {
	if on, ok := truth(n); ok && !on {
		*dst = Attribution{Off: true, at: n.at}
		return
	}
	if n.kind != kindMap {
		l.errorf(n.at, path, "aws_attribution must be false or a mapping with session_name, tags, max_sessions and on_missing, not %s", n.what())
		return
	}
	a := Attribution{MaxSessions: defaultMaxSessions, at: n.at}
	for _, f := range n.fields {
		p := join(path, f.key)
		if !slices.Contains(attributionKeys, f.key) {
			l.add(Error, f.at, p, Nearest(f.key, attributionKeys), "unknown key %q in aws_attribution", clip(f.key))
			continue
		}
		if !f.value.isSet() {
			if f.value.kind == kindMissing { // fail closed: what the variable was to say is not known
				l.errorf(f.value.at, p, "%s of aws_attribution has no value", f.key)
			}
			continue
		}
		switch f.key {
		case "session_name":
			if word, ok := l.text(f.value, p); ok {
				l.checkWord(f.value, p, word, sources)
				a.SessionName = word
			}
		case "tags":
			a.Tags = l.attributionTags(f.value, p)
		case "max_sessions":
			l.value(f.value, p, reflect.ValueOf(&a.MaxSessions).Elem(), []string{"positive"})
		case "on_missing":
			if word, ok := l.text(f.value, p); ok {
				l.checkWord(f.value, p, word, []string{"shared", "refuse"})
				a.Refuse = word == "refuse"
			}
		}
	}
	if a.SessionName == "" && n.get("session_name") == nil && n.get("tags") == nil {
		l.errorf(n.at, path, "aws_attribution needs session_name or tags")
	}
	*dst = a
}

func (l *loader) attributionTags(n *node, path string) []AttributionTag {
	if n.kind != kindMap {
		l.errorf(n.at, path, "tags must be a mapping of tag keys to values, not %s", n.what())
		return nil
	}
	var tags []AttributionTag
	for _, f := range n.fields {
		p := join(path, f.key)
		if !f.value.isSet() {
			l.errorf(f.at, p, "tag %q has no value", clip(f.key))
			continue
		}
		value, ok := l.text(f.value, p)
		if !ok {
			continue
		}
		t := AttributionTag{Key: f.key, Text: value}
		if word, ok := strings.CutPrefix(value, sourcePrefix); ok {
			if !slices.Contains(sources, word) {
				l.add(Error, f.value.at, p, Nearest(word, sources), "from: must be followed by %s or %s, not %s",
					strings.Join(sources[:len(sources)-1], ", "), sources[len(sources)-1], f.value.quote())
				continue
			}
			t.From, t.Text = word, ""
		} else if slices.Contains(sources, value) {
			l.warnf(f.value.at, p, "tag %q is the fixed text %q: write from:%s for that of the caller", clip(f.key), value, value)
		}
		if why := tagTrouble(t); why != "" {
			l.errorf(f.at, p, "tag %q: %s", clip(f.key), why)
			continue
		}
		if slices.ContainsFunc(tags, func(u AttributionTag) bool { return strings.EqualFold(u.Key, t.Key) }) {
			l.errorf(f.at, p, "tag %q stands here twice: AWS looks at no case", clip(f.key))
			continue
		}
		tags = append(tags, t)
	}
	return tags
}

// tagTrouble says what STS would refuse of a tag.
func tagTrouble(t AttributionTag) string {
	switch {
	case t.Key == "" || utf8.RuneCountInString(t.Key) > 128:
		return "a key has 1 to 128 characters"
	case len(t.Key) >= 4 && strings.EqualFold(t.Key[:4], "aws:"):
		return "keys that begin with aws: are AWS's own"
	case utf8.RuneCountInString(t.Text) > 256:
		return "a value has at most 256 characters"
	case !tagShape.MatchString(t.Key) || !tagShape.MatchString(t.Text):
		return "keys and values are made of letters, digits, spaces and _.:/=+-@"
	}
	return ""
}

// Attribution returns how calls to d name their callers, nil if they do not.
func (c *Config) Attribution(d *Deployment) *Attribution {
	a := d.Params.AWSAttribution
	if a == nil {
		a = c.LitellmSettings.AWSAttribution
	}
	if a == nil || a.Off {
		return nil
	}
	return a
}

// checkAttribution checks that each deployment whose callers are to be named has a session that can do it. It comes last:
// litellm_settings may stand behind model_list.
func (l *loader) checkAttribution(c *Config) {
	for i := range c.ModelList {
		d := &c.ModelList[i]
		a, p := c.Attribution(d), &d.Params
		if a == nil {
			continue
		}
		at, path, off := d.Pos, fmt.Sprintf("model_list[%d]", i), "; aws_attribution: false leaves this deployment out"
		if p.AWSAttribution != nil {
			at, path, off = a.at, path+".litellm_params.aws_attribution", ""
		}
		_, authorized := findHeader(p, "authorization")
		switch {
		case p.AWSRoleName == "":
			l.errorf(at, path, "aws_attribution needs aws_role_name, the role whose sessions name the callers%s", off)
		case p.APIKey.IsSet():
			l.errorf(at, path, "aws_attribution has no effect with an api_key, which has no session%s", off)
		case authorized:
			l.errorf(at, path, "aws_attribution has no effect with Authorization in extra_headers, which has no session%s", off)
		case p.AWSWebIdentityToken.IsSet() && len(a.Tags) > 0:
			l.errorf(at, path, "tags of aws_attribution do not go with aws_web_identity_token: STS takes tags from the token; session_name does%s", off)
		case len(a.Tags)+len(p.AWSSessionTags) > maxSessionTags:
			l.errorf(at, path, "aws_attribution and aws_session_tags have %d tags; STS takes at most %d%s", len(a.Tags)+len(p.AWSSessionTags), maxSessionTags, off)
		case a.SessionName != "" && p.ClientsideAuthParams.Find("aws_session_name") != nil:
			l.errorf(at, path, "session_name of aws_attribution says who calls, so configurable_clientside_auth_params cannot have aws_session_name%s", off)
		}
		for _, t := range a.Tags {
			if slices.ContainsFunc(p.AWSSessionTags, func(fixed SessionTag) bool { return strings.EqualFold(fixed.Key, t.Key) }) {
				l.errorf(at, path, "session tag %q stands in aws_session_tags and in aws_attribution%s", clip(t.Key), off)
			}
		}
	}
}

func findHeader(p *LitellmParams, name string) (string, bool) {
	for key := range p.ExtraHeaders {
		if strings.EqualFold(key, name) {
			return key, true
		}
	}
	return "", false
}
