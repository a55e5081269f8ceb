package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// ClientParam is a connection parameter that clients may set.
type ClientParam struct {
	// Name is the parameter's; base_url is api_base.
	Name string
	// Pattern matches the values that clients may send, in full; nil is any value.
	Pattern *regexp.Regexp
}

// ClientParams are the connection parameters that clients may set.
type ClientParams []ClientParam

// Find returns the parameter of that name, nil if there is none.
func (c ClientParams) Find(name string) *ClientParam {
	for i := range c {
		if c[i].Name == name {
			return &c[i]
		}
	}
	return nil
}

// clientParams are the parameters that can be given to clients.
var clientParams = []string{
	"api_base", "base_url", "api_key", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_region_name",
	"aws_session_name", "aws_profile_name", "aws_role_name", "aws_external_id", "aws_web_identity_token", "aws_sts_endpoint",
	"aws_bedrock_runtime_endpoint",
}

// clientParams reads configurable_clientside_auth_params: names, and mappings of names to patterns.
func (l *loader) clientParams(n *node, path string, dst *ClientParams) {
	const shape = "configurable_clientside_auth_params must be a list of names and of {name: pattern}"
	if n.kind != kindList {
		l.errorf(n.at, path, "%s, not %s", shape, n.what())
		return
	}
	out := make(ClientParams, 0, len(n.items))
	for i, item := range n.items {
		p := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case item.kind == kindString:
			l.clientParam(item, p, item.text, nil, &out)
		case item.kind == kindMap && len(item.fields) == 1 && item.fields[0].value.kind == kindString:
			f := item.fields[0]
			if _, err := regexp.Compile(f.value.text); err != nil { // alone: no bracket of its own may close ours
				l.errorf(f.value.at, join(p, f.key), "the pattern of %s is no regular expression of RE2's kind", clip(f.key))
				continue
			}
			l.clientParam(item, join(p, f.key), f.key, regexp.MustCompile(`^(?:`+f.value.text+`)$`), &out)
		default:
			l.errorf(item.at, p, "%s", shape)
		}
	}
	*dst = out
}

func (l *loader) clientParam(n *node, path, name string, pattern *regexp.Regexp, dst *ClientParams) {
	if !slices.Contains(clientParams, name) {
		if _, known := find(SectionParams, name); known {
			l.warnf(n.at, path, "%s cannot be given to clients: requests with it are refused", clip(name))
			return
		}
		shown := strconv.Quote(clip(name))
		if n.kind == kindString {
			shown = n.quote()
		}
		l.add(Error, n.at, path, Nearest(name, clientParams), "%s is no parameter that can be given to clients", shown)
		return
	}
	if name == "base_url" {
		name = "api_base"
	}
	if dst.Find(name) != nil {
		l.errorf(n.at, path, "%s stands here twice", name)
		return
	}
	*dst = append(*dst, ClientParam{name, pattern})
}
