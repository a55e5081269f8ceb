package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

// deployments decodes model_list.
func (l *loader) deployments(n *node, credentials map[string]*node, c *Config) {
	if n.kind != kindList {
		l.errorf(n.at, "model_list", "model_list must be a list, not %s", n.what())
		return
	}
	if len(n.items) == 0 {
		l.warnf(n.at, "model_list", "model_list is empty: no model can be called")
	}
	ids := make(map[string]Pos, len(n.items))
	for i, item := range n.items {
		path := fmt.Sprintf("model_list[%d]", i)
		if item.kind != kindMap {
			l.errorf(item.at, path, "an entry of model_list must be a mapping, not %s", item.what())
			continue
		}
		c.ModelList = append(c.ModelList, l.deployment(item, path, credentials, ids))
	}
}

// deployment decodes one entry of model_list. ids holds the ids given so far.
func (l *loader) deployment(n *node, path string, credentials map[string]*node, ids map[string]Pos) Deployment {
	d := Deployment{Pos: n.at}
	for _, f := range n.fields {
		p := join(path, f.key)
		if !l.admit(SectionEntry, f, p) {
			continue
		}
		if f.key == "model_name" && f.value.isSet() {
			d.ModelName, _ = l.text(f.value, p)
		}
	}
	if n.present("model_name") == nil || (d.ModelName == "" && n.get("model_name").kind == kindString && n.get("model_name").text == "") {
		l.errorf(n.at, path+".model_name", "model_name is missing: the name that clients send as model")
	}
	params := n.present("litellm_params")
	if params == nil {
		l.errorf(n.at, path+".litellm_params", "litellm_params is missing: at least litellm_params.model is needed")
	} else {
		p := path + ".litellm_params"
		params = l.withQuotas(n, params)
		params = l.withCredential(params, p, credentials)
		d.Params = l.params(params, p)
		l.checkParams(params, p, &d.Params)
	}
	if info := n.get("model_info"); info != nil {
		d.Info = l.info(info, path+".model_info")
		l.checkInfo(info, path+".model_info", &d.Info)
	}
	l.identify(&d, n, params, path, ids)
	return d
}

// withQuotas takes rpm and tpm, which may also stand beside litellm_params, into it.
func (l *loader) withQuotas(entry, params *node) *node {
	for _, key := range []string{"rpm", "tpm"} {
		for _, f := range entry.fields {
			if f.key == key && params.kind == kindMap && params.get(key) == nil {
				params = &node{kind: kindMap, at: params.at, fields: append(slices.Clone(params.fields), f)}
			}
		}
	}
	return params
}

// withCredential adds the values of the named credential that do not stand in params themselves.
func (l *loader) withCredential(params *node, path string, credentials map[string]*node) *node {
	ref := params.present("litellm_credential_name")
	if ref == nil || ref.kind != kindString {
		return params
	}
	values, ok := credentials[ref.text]
	if !ok {
		near := Nearest(ref.text, slices.Sorted(maps.Keys(credentials)))
		l.add(Error, ref.at, path+".litellm_credential_name", near, "credential_list has no entry %s", ref.quote())
		return params
	}
	merged := &node{kind: kindMap, at: params.at, fields: slices.Clone(params.fields)}
	for _, f := range values.fields {
		// A session token belongs to its key: it never joins another one.
		if f.key == "aws_session_token" && params.get("aws_access_key_id") != nil {
			continue
		}
		if params.get(f.key) == nil {
			merged.fields = append(merged.fields, f)
		}
	}
	return merged
}

// identify gives d its id: the one of the file, else a hash of name and parameters. Secrets enter the hash by their
// own SHA-256. The order of the keys does not matter, and nothing of this machine or run enters.
func (l *loader) identify(d *Deployment, n, params *node, path string, ids map[string]Pos) {
	if id := n.get("model_info").present("id"); d.Info.ID != "" && id != nil {
		if first, ok := ids[d.Info.ID]; ok {
			l.errorf(id.at, path+".model_info.id", "model_info.id %s is taken already, in line %d of %s", id.quote(), first.Line, first.File)
			return
		}
		ids[d.Info.ID] = id.at
		return
	}
	if params == nil {
		params = &node{kind: kindMap}
	}
	text := appendString(nil, d.ModelName)
	text = appendHashed(text, params, "")
	for copies := 1; ; copies++ {
		sum := sha256.Sum256(text)
		d.Info.ID = hex.EncodeToString(sum[:])
		first, taken := ids[d.Info.ID]
		if !taken {
			ids[d.Info.ID] = n.at
			return
		}
		if copies == 1 {
			l.warnf(n.at, path, "this deployment is the same as the one in line %d of %s", first.Line, first.File)
		}
		text = strconv.AppendInt(append(text, '#'), int64(copies), 10)
	}
}

// secretParams are the parameters that enter an id by their own hash only: it may be stored where a secret may not.
// Header values and credentials of unknown providers are taken the same way.
var secretParams = []string{"aws_secret_access_key", "aws_session_token", "aws_web_identity_token", "api_key", "extra_headers"}

// appendHashed appends n in a canonical form: keys sorted, secrets replaced by their digest.
func appendHashed(dst []byte, n *node, key string) []byte {
	switch n.kind {
	case kindMap:
		sorted := slices.Clone(n.fields)
		slices.SortFunc(sorted, func(a, b field) int {
			if a.key < b.key {
				return -1
			}
			return 1
		})
		dst = append(dst, '{')
		for _, f := range sorted {
			if !f.value.isSet() {
				continue
			}
			inner := f.key
			if slices.Contains(secretParams, key) {
				inner = key
			}
			dst = append(appendString(dst, f.key), ':')
			dst = append(appendHashed(dst, f.value, inner), ',')
		}
		return append(dst, '}')
	case kindList:
		dst = append(dst, '[')
		for _, item := range n.items {
			dst = append(appendHashed(dst, item, key), ',')
		}
		return append(dst, ']')
	}
	if slices.Contains(secretParams, key) {
		return append(dst, secret.New(n.text).Digest()...)
	}
	return appendJSON(dst, n)
}
