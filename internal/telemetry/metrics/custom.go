package metrics

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// LabelName makes a name that Prometheus takes for a label of any text, as LiteLLM does.
func LabelName(text string) string {
	name := strings.Map(func(r rune) rune {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return '_'
		}
		return r
	}, text)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return "_" + name
	}
	return name
}

// TagLabel is the name of the label that a tag becomes.
func TagLabel(tag string) string { return LabelName("tag_" + tag) }

// custom returns the names of the labels that an operator has made up, in the order of their values.
func (c *Choice) custom() []string {
	var list []string
	for _, path := range c.Metadata {
		list = append(list, LabelName(path))
	}
	for _, tag := range c.Tags {
		list = append(list, TagLabel(tag))
	}
	return list
}

// customOf returns the values of those labels. e is nil where nobody wants to know more than the record has.
func (m *Metrics) customOf(r *account.Record, e *telemetry.Event) string {
	if len(m.o.Metadata)+len(m.o.Tags) == 0 {
		return ""
	}
	values := make([]string, 0, len(m.o.Metadata)+len(m.o.Tags))
	for _, path := range m.o.Metadata {
		value := ""
		if e != nil {
			value = metadataOf(e, strings.TrimPrefix(path, "metadata."))
		}
		values = append(values, value)
	}
	for _, tag := range m.o.Tags {
		value := "false"
		if slices.ContainsFunc(r.Tags, func(t string) bool { return matches(tag, t) }) {
			value = "true"
		}
		values = append(values, value)
	}
	return strings.Join(values, between)
}

// maxValue bounds a label's value that a client has made up, in bytes.
const maxValue = 256

// metadataOf returns what a path leads to in what is known of a call: what its row has of the client, the key and the team
// (spend_logs_metadata), the key's metadata, the request's, and what is known of the caller. Only strings count.
func metadataOf(e *telemetry.Event, path string) string {
	parts := strings.Split(path, ".")
	in := func(object json.RawMessage, prefix ...string) string {
		if len(object) == 0 || jsonscan.Valid(object) != nil {
			return ""
		}
		var text string
		if json.Unmarshal(jsonscan.Member(object, append(prefix, parts...)...), &text) != nil {
			return ""
		}
		return strings.Map(func(r rune) rune {
			if r < ' ' || r == '\u2028' || r == '\u2029' {
				return ' '
			}
			return r
		}, text[:min(len(text), maxValue)])
	}
	var request json.RawMessage
	if e.Content != nil {
		request = e.Content.Metadata
	}
	if v := in(e.Metadata); v != "" {
		return v
	}
	if k := e.Caller.Key; k != nil {
		if v := in(k.Metadata); v != "" {
			return v
		}
	}
	if v := in(request); v != "" {
		return v
	}
	switch path {
	case "user_api_key_hash":
		return e.KeyHash
	case "user_api_key_alias":
		return e.KeyAlias
	case "user_api_key_user_id":
		return e.UserID
	case "user_api_key_user_email":
		if u := e.Caller.User; u != nil {
			return u.Email
		}
	case "user_api_key_team_id":
		return e.TeamID
	case "user_api_key_team_alias":
		return e.TeamAlias
	case "user_api_key_org_id":
		return e.OrganizationID
	case "user_api_key_end_user_id":
		return e.User
	}
	return ""
}

// matches reports whether a tag is meant by a pattern, in which a * is any text.
func matches(pattern, tag string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == tag
	}
	rest, ok := strings.CutPrefix(tag, parts[0])
	for _, part := range parts[1 : len(parts)-1] {
		if ok {
			_, rest, ok = strings.Cut(rest, part)
		}
	}
	return ok && strings.HasSuffix(rest, parts[len(parts)-1])
}
