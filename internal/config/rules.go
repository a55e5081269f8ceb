package config

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	// strategies are LiteLLM's routing strategies, and headroom.
	strategies = []string{
		"simple-shuffle", "least-busy", "latency-based-routing", "usage-based-routing", "usage-based-routing-v2", "cost-based-routing", "headroom",
	}
	// preCallChecks are LiteLLM's; those that are false are not done.
	preCallChecks = map[string]bool{
		"prompt_caching": true, "session_affinity": true, "deployment_affinity": true, "enforce_model_rate_limits": true,
		"forward_client_headers_by_model_group": true, // by litellm_settings.model_group_settings
		"responses_api_deployment_check":        false, "encrypted_content_affinity": false, "router_budget_limiting": true,
	}
	// servedModes are those of the modes that there are endpoints for.
	servedModes = []string{"chat", "completion", "embedding", "rerank", "image_generation", "image_edit"}
	// modes are LiteLLM's modes of a model.
	modes = []string{
		"chat", "completion", "embedding", "image_generation", "image_edit", "rerank", "responses",
		"audio_transcription", "audio_speech", "moderation", "video_generation", "realtime", "batch", "ocr", "search", "guardrail",
	}
	// betaPolicies are what can become of unknown feature flags.
	betaPolicies = []string{"pass", "drop", "refuse"}
	// ledgerSyncs are the ways to force rows to the disk.
	ledgerSyncs = []string{"none", "interval", "always"}
	// templates are the ways in which a conversation becomes one text.
	templates = []string{"llama2", "llama3", "llama4", "chatml", "r1", "mistral"}
	// schemes are the beginnings of database URLs.
	schemes = []string{"sqlite:", "postgres://", "postgresql://"}

	regionShape    = regexp.MustCompile(`^[a-z0-9-]+$`)
	budgetDuration = regexp.MustCompile(`^[1-9][0-9]{0,4}(s|m|h|d|w|mo)$`)
	// roleShape is an IAM role's ARN: IAM User Guide, "IAM identifiers".
	roleShape = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$`)
	// sessionShape is STS's pattern of RoleSessionName: STS API Reference, AssumeRole.
	sessionShape = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// checkText checks a string by the words of its check tag.
func (l *loader) checkText(n *node, path, s string, checks []string) bool {
	name := lastKey(path)
	if s == "" {
		return true
	}
	for _, check := range checks {
		before := len(l.list)
		switch check {
		case "cache-type", "cache-mode", "budget-duration", "timezone", "token-type":
			l.checkAccount(n, path, check, s)
		case "no-comma":
			if strings.HasSuffix(s, ",") {
				l.errorf(n.at, path, "%s ends with a comma: YAML needs none between lines", name)
			}
		case "region":
			if !regionShape.MatchString(s) {
				l.errorf(n.at, path, "%s must be a region such as us-east-1, not %s", name, n.quote())
			}
		case "role":
			if !roleShape.MatchString(s) {
				l.errorf(n.at, path, "%s must be the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME, not %s", name, n.quote())
			}
		case "session-name":
			if !sessionShape.MatchString(s) {
				l.errorf(n.at, path, "%s must be 2 to 64 letters, digits or characters of _+=,.@-", name)
			}
		case "url":
			l.checkURL(n, path, name, s)
		case "service":
			if s != "off" {
				l.checkURL(n, path, name, s)
			}
		case "header":
			if !isToken(s) {
				l.errorf(n.at, path, "%s must be the name of a header, not %s", name, n.quote())
			}
		case "disconnect":
			l.checkWord(n, path, s, []string{string(Cancel), string(Drain)})
		case "ledger-policy":
			l.checkWord(n, path, s, []string{string(LedgerRefuse), string(LedgerDrop)})
		case "ledger-sync":
			l.checkWord(n, path, s, ledgerSyncs)
		case "callback-type":
			if s != "generic_api" {
				l.errorf(n.at, path, "%s must be generic_api, not %s", name, n.quote())
			}
		case "log-format":
			l.checkWord(n, path, s, []string{"json_array", "ndjson", "single"})
		case "caller-identity":
			l.checkWord(n, path, s, []string{"api_key_alias", "user_email", "both"})
		case "partition":
			l.checkWord(n, path, s, []string{"day", "hour"})
		case "mode":
			if !slices.Contains(modes, s) {
				l.add(Error, n.at, path, Nearest(s, modes), "unknown %s %s", name, n.quote())
			} else if !slices.Contains(servedModes, s) {
				l.once("mode."+s, Warning, n.at, path, "models of mode %s are not served yet", s)
			}
		case "template":
			l.checkWord(n, path, s, templates)
		case "betas":
			l.checkWord(n, path, s, betaPolicies)
		case "strategy":
			if !slices.Contains(strategies, s) {
				l.add(Error, n.at, path, Nearest(s, strategies), "unknown %s %s", name, n.quote())
			}
		}
		if len(l.list) > before && l.list[len(l.list)-1].Severity == Error {
			return false
		}
	}
	return true
}

// checkAccount checks the words of what is counted, and of what is kept.
func (l *loader) checkAccount(n *node, path, check, s string) {
	name := lastKey(path)
	switch check {
	case "cache-type":
		l.checkCacheType(n, path, s)
	case "cache-mode":
		l.checkWord(n, path, s, []string{"default_on", "default_off"})
	case "budget-duration":
		if !budgetDuration.MatchString(s) {
			l.errorf(n.at, path, "%s must be a number and a unit, such as 30s, 20m, 12h, 1d, 2w or 1mo, not %s", name, n.quote())
		}
	case "timezone":
		if _, err := time.LoadLocation(s); err != nil || s == "Local" {
			l.errorf(n.at, path, "%s must be a time zone such as Europe/Berlin, not %s", name, n.quote())
		}
	case "token-type":
		l.checkWord(n, path, s, []string{"total", "input", "output"})
	}
}

// checkCacheType complains about a place for answers that there is not.
func (l *loader) checkCacheType(n *node, path, s string) {
	switch s {
	case "local", "redis":
	case "disk", "s3", "gcs", "azure-blob", "redis-semantic", "qdrant-semantic", "valkey-semantic":
		l.errorf(n.at, path, "type %s is not there: answers are kept in memory (local) or in Valkey or Redis (redis)", s)
	default:
		l.checkWord(n, path, s, []string{"local", "redis"})
	}
}

// checkPreCall complains about rules for the choice of a deployment that are not there.
func (l *loader) checkPreCall(n *node, path string) {
	for _, item := range n.items {
		if done, known := preCallChecks[item.text]; !known {
			l.add(Error, item.at, path, Nearest(item.text, slices.Sorted(maps.Keys(preCallChecks))), "unknown %s %s", lastKey(path), item.quote())
		} else if !done {
			l.warnf(item.at, path, "%s is not there yet", item.text)
		}
	}
}

// checkNetworks complains about what is no address nor network.
func (l *loader) checkNetworks(n *node, path string) {
	for _, item := range n.items {
		_, errAddress := netip.ParseAddr(item.text)
		_, errNetwork := netip.ParsePrefix(item.text)
		if errAddress != nil && errNetwork != nil {
			l.errorf(item.at, path, "%s must hold addresses or networks such as 10.0.0.0/8, not %s", lastKey(path), item.quote())
		}
	}
}

// checkRoutes complains about what is no path.
func (l *loader) checkRoutes(n *node, path string) {
	for _, item := range n.items {
		if !strings.HasPrefix(item.text, "/") || strings.Contains(strings.TrimSuffix(item.text, "/*"), "*") {
			l.errorf(item.at, path, "%s must hold paths such as /chat/completions or /bedrock/*, not %s", lastKey(path), item.quote())
		}
	}
}

// checkURL checks the address of a service.
func (l *loader) checkURL(n *node, path, name, s string) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" {
		l.errorf(n.at, path, "%s must be a URL such as https://host/path, without user, query or fragment", name)
	}
}

// checkWord complains about a text that is none of words.
func (l *loader) checkWord(n *node, path, s string, words []string) {
	if !slices.Contains(words, s) {
		last := len(words) - 1
		l.add(Error, n.at, path, Nearest(s, words), "%s must be %s or %s, not %s", lastKey(path), strings.Join(words[:last], ", "), words[last], n.quote())
	}
}

// checkParams checks what must fit together in litellm_params. n has the named credential's values in it.
func (l *loader) checkParams(n *node, path string, p *LitellmParams) {
	l.checkModel(n, path, p)
	l.checkIdentity(n, path, p)
	l.checkHeaders(n, path, p)
	l.checkEndpoints(n, path, p)
	if m := n.present("model_id"); m != nil && p.Model == "" {
		l.errorf(m.at, path+".model_id", "model_id needs model, which says what the model is")
	}
	model := p.ModelID
	if !strings.Contains(model, "arn:") {
		model = p.Model
	}
	if region := arnRegion(model); region != "" && p.AWSRegionName != "" && region != p.AWSRegionName {
		at := n.present("aws_region_name")
		l.warnf(at.at, path+".aws_region_name", "aws_region_name is %s, but the ARN of the model is in %s; AWS will refuse the call",
			at.quote(), region)
	}
}

// arnRegion returns the region of the ARN in a model string, "" if there is none.
func arnRegion(model string) string {
	i := strings.Index(model, "arn:")
	if i < 0 {
		return ""
	}
	parts := strings.SplitN(model[i:], ":", 5)
	if len(parts) < 5 {
		return ""
	}
	return parts[3]
}

// checkIdentity checks that the credential parameters name one identity.
func (l *loader) checkIdentity(n *node, path string, p *LitellmParams) {
	// A key that is misspelt, or whose variable is missing, was complained about already.
	id, key, token := n.get("aws_access_key_id"), n.get("aws_secret_access_key"), n.get("aws_session_token")
	slip := slices.ContainsFunc(n.fields, func(f field) bool {
		return slips[f.key] == "aws_access_key_id" || slips[f.key] == "aws_secret_access_key"
	})
	missing := func(x *node) bool { return x != nil && x.kind == kindMissing }
	// So was one whose value was refused.
	bad := func(x *node, set bool) bool { return x.isSet() && !set && x.text != "" }
	if !slip && !missing(id) && !missing(key) && !bad(id, p.AWSAccessKeyID != "") && !bad(key, p.AWSSecretAccessKey.IsSet()) {
		switch {
		case p.AWSAccessKeyID != "" && !p.AWSSecretAccessKey.IsSet():
			l.errorf(id.at, path+".aws_access_key_id", "aws_access_key_id needs aws_secret_access_key beside it")
		case p.AWSAccessKeyID == "" && p.AWSSecretAccessKey.IsSet():
			l.errorf(key.at, path+".aws_secret_access_key", "aws_secret_access_key needs aws_access_key_id beside it")
		case p.AWSAccessKeyID == "" && p.AWSSessionToken.IsSet():
			l.errorf(token.at, path+".aws_session_token", "aws_session_token needs aws_access_key_id and aws_secret_access_key beside it")
		}
	}
	role := n.get("aws_role_name").isSet() || missing(n.get("aws_role_name"))
	if w := n.present("aws_web_identity_token"); w != nil && p.AWSWebIdentityToken.IsSet() && !role {
		l.errorf(w.at, path+".aws_web_identity_token", "aws_web_identity_token needs aws_role_name, the role to assume with it")
	}
	if _, ambient := l.lookup("AWS_ROLE_NAME"); !role && !ambient {
		for _, name := range []string{"aws_session_name", "aws_external_id", "aws_session_tags", "aws_session_policy", "aws_role_duration"} {
			if x := n.present(name); x != nil {
				l.warnf(x.at, path+"."+name, "%s has no effect without aws_role_name", name)
			}
		}
	}
	if p.APIKey.IsSet() {
		for _, name := range []string{"aws_access_key_id", "aws_profile_name", "aws_role_name", "aws_web_identity_token"} {
			if x := n.present(name); x != nil && x.text != "" {
				l.warnf(x.at, path+"."+name, "%s is not used: the api_key beside it wins", name)
			}
		}
	}
}

// checkHeaders looks for two identities at once.
func (l *loader) checkHeaders(n *node, path string, p *LitellmParams) {
	headers := n.present("extra_headers")
	if headers == nil {
		return
	}
	for _, f := range headers.fields {
		if !strings.EqualFold(f.key, "authorization") {
			continue
		}
		h := join(path+".extra_headers", f.key)
		switch {
		case strings.HasPrefix(f.value.text, "AWS4-HMAC-SHA256"):
			l.warnf(f.at, h, "a signature in extra_headers is not sent: it cannot fit the requests")
		case p.APIKey.IsSet():
			l.warnf(f.at, h, "Authorization in extra_headers replaces the api_key beside it")
		case p.AWSAccessKeyID != "" || p.AWSRoleName != "" || p.AWSProfileName != "":
			l.warnf(f.at, h, "Authorization in extra_headers replaces the AWS credentials beside it: nothing is signed")
		}
	}
}

// checkEndpoints refuses to send keys and prompts in the clear over other people's networks.
func (l *loader) checkEndpoints(n *node, path string, p *LitellmParams) {
	for name, s := range map[string]string{
		"api_base": p.APIBase, "aws_bedrock_runtime_endpoint": p.AWSBedrockRuntimeEndpoint, "aws_sts_endpoint": p.AWSSTSEndpoint,
		"aws_bedrock_control_plane_endpoint": p.AWSBedrockControlPlaneEndpoint,
		"aws_bedrock_agent_runtime_endpoint": p.AWSBedrockAgentRuntimeEndpoint, "aws_bedrock_mantle_endpoint": p.AWSBedrockMantleEndpoint,
	} {
		u, err := url.Parse(s)
		if s == "" || err != nil || u.Scheme != "http" || p.AllowHTTPUpstream || isNear(u.Hostname()) {
			continue
		}
		l.errorf(n.get(name).at, join(path, name), "%s sends keys and prompts in the clear; use https, or set allow_http_upstream: true", name)
	}
}

// isNear tells whether a host is this machine or on a private network: by its address, or by a name that no public
// name server knows.
func isNear(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast()
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".internal") ||
		strings.HasSuffix(host, ".local")
}

// checkInfo checks model_info.
func (l *loader) checkInfo(n *node, path string, info *ModelInfo) {
	if id := n.present("id"); id != nil && id.kind == kindString && id.text == "" {
		l.errorf(id.at, path+".id", "model_info.id must not be empty")
		info.ID = ""
	}
}

// general checks general_settings.
func (l *loader) general(n *node, g *GeneralSettings) {
	if key := n.present("master_key"); key != nil && !g.MasterKey.IsSet() && key.kind == kindString && key.text == "" {
		l.errorf(key.at, "general_settings.master_key", "master_key is empty; leave the line out to run without one")
	}
	if db := n.present("database_url"); db != nil && g.DatabaseURL.IsSet() && !isDatabaseURL(g.DatabaseURL.Reveal()) {
		l.errorf(db.at, "general_settings.database_url", "database_url must begin with sqlite: or postgresql://")
	}
}

// isDatabaseURL reports whether a text names a database of a kind that there is.
func isDatabaseURL(text string) bool {
	return slices.ContainsFunc(schemes, func(s string) bool { return strings.HasPrefix(text, s) })
}

// crossCheck checks what refers from one section to another.
func (l *loader) crossCheck(tree *node, c *Config) {
	l.checkAttribution(c)
	groups := make([]string, 0, len(c.ModelList))
	for i := range c.ModelList {
		groups = append(groups, c.ModelList[i].ModelName)
	}
	served := func(name string) bool {
		return slices.ContainsFunc(groups, func(g string) bool { return g == name || matches(g, name) })
	}
	if aliases := tree.get("router_settings").get("model_group_alias"); aliases != nil {
		for _, f := range aliases.fields {
			a, target := c.RouterSettings.ModelGroupAlias[f.key], f.value
			if m := target.get("model"); m != nil {
				target = m
			}
			if a.Model != "" && !served(a.Model) {
				l.add(Error, target.at, join("router_settings.model_group_alias", f.key), Nearest(a.Model, groups),
					"alias %q stands for %s, which no entry of model_list has as model_name", clip(f.key), target.quote())
			}
		}
	}
	list := tree.get("litellm_settings").get("model_group_settings").get("forward_client_headers_to_llm_api")
	if list != nil {
		for i, item := range list.items {
			if item.kind == kindString && !served(item.text) {
				l.add(Error, item.at, fmt.Sprintf("litellm_settings.model_group_settings.forward_client_headers_to_llm_api[%d]", i),
					Nearest(item.text, groups), "no entry of model_list has the model_name %s", item.quote())
			}
		}
	}
}

// matches tells whether a model_name with one * matches name.
func matches(pattern, name string) bool {
	before, after, ok := strings.Cut(pattern, "*")
	return ok && len(name) >= len(before)+len(after) && strings.HasPrefix(name, before) && strings.HasSuffix(name, after)
}

// isRoles tells whether n holds marks around the texts of roles, and complains if it does not.
func (l *loader) isRoles(n *node, path string) bool {
	if n.kind != kindMap {
		l.errorf(n.at, path, "roles must be a mapping of system, user and assistant, not %s", n.what())
		return false
	}
	for _, role := range n.fields {
		where := join(path, role.key)
		if !slices.Contains([]string{"system", "user", "assistant"}, role.key) {
			l.add(Error, role.at, where, Nearest(role.key, []string{"system", "user", "assistant"}), "unknown role %q", clip(role.key))
			return false
		}
		if role.value.kind != kindMap {
			l.errorf(role.value.at, where, "%s must be a mapping with pre_message and post_message, not %s", role.key, role.value.what())
			return false
		}
		for _, mark := range role.value.fields {
			if mark.key != "pre_message" && mark.key != "post_message" {
				l.add(Error, mark.at, join(where, mark.key), Nearest(mark.key, []string{"pre_message", "post_message"}), "unknown key %q", clip(mark.key))
				return false
			}
			if mark.value.kind != kindString {
				l.errorf(mark.value.at, join(where, mark.key), "%s must be text, not %s", mark.key, mark.value.quote())
				return false
			}
		}
	}
	return true
}
