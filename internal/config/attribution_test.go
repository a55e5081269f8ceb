package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const someRole = "aws_role_name: arn:aws:iam::111122223333:role/r"

func TestAttribution(t *testing.T) {
	f := func(want []string, lines ...string) *Config {
		t.Helper()
		return complains(t, model(lines...), nil, want...)
	}
	c := f(nil, someRole, `aws_attribution: {session_name: key, tags: {CostCenter: "4711", Team: from:team, N: 7, K: "from:key_alias"}, max_sessions: 5, on_missing: refuse}`)
	a := c.Attribution(&c.ModelList[0])
	tags := []AttributionTag{{"CostCenter", "", "4711"}, {"Team", "team", ""}, {"N", "", "7"}, {"K", "key_alias", ""}}
	if a == nil || a.SessionName != "key" || !slices.Equal(a.Tags, tags) || a.MaxSessions != 5 || !a.Refuse {
		t.Errorf("%+v", a)
	}
	c = f(nil, someRole, "aws_attribution: {session_name: end_user}")
	if a := c.Attribution(&c.ModelList[0]); a == nil || a.MaxSessions != 1000 || a.Refuse {
		t.Errorf("%+v", a)
	}
	c = f(nil, someRole)
	if a := c.Attribution(&c.ModelList[0]); a != nil {
		t.Errorf("off by default: %+v", a)
	}
	// A warning leaves it in place.
	c = f([]string{`config.yaml:6:38: warning: tag "Team" is the fixed text "team": write from:team for that of the caller`}, someRole, "aws_attribution: {tags: {Team: team}}")
	if a := c.Attribution(&c.ModelList[0]); a == nil || a.Tags[0] != (AttributionTag{"Team", "", "team"}) {
		t.Errorf("%+v", a)
	}

	one := func(want string, lines ...string) {
		t.Helper()
		f([]string{"config.yaml:" + want}, lines...)
	}
	one("6:24: error: aws_attribution must be false or a mapping with session_name, tags, max_sessions and on_missing, not a string", someRole, "aws_attribution: key")
	one("6:24: error: aws_attribution needs session_name or tags", someRole, "aws_attribution: {on_missing: refuse}")
	one(`6:25: error: unknown key "sesion_name" in aws_attribution; did you mean "session_name"?`, someRole, "aws_attribution: {sesion_name: key, tags: {a: b}}")
	one(`6:39: error: session_name must be key, key_alias, team, user or end_user, not "teem"; did you mean "team"?`, someRole, "aws_attribution: {session_name: teem}")
	one(`6:57: error: on_missing must be shared or refuse, not "deny"`, someRole, "aws_attribution: {session_name: team, on_missing: deny}")
	one("6:59: error: max_sessions must be more than 0", someRole, "aws_attribution: {session_name: team, max_sessions: 0}")
	one("6:31: error: tags must be a mapping of tag keys to values, not a list", someRole, "aws_attribution: {tags: [a]}")
	one(`6:35: error: from: must be followed by key, key_alias, team, user or end_user, not "from:teem"; did you mean "team"?`, someRole, "aws_attribution: {tags: {a: from:teem}}")
	one(`6:32: error: tag "aws:x": keys that begin with aws: are AWS's own`, someRole, "aws_attribution: {tags: {'aws:x': from:team}}")
	one(`6:32: error: tag "a&b": keys and values are made of letters, digits, spaces and _.:/=+-@`, someRole, "aws_attribution: {tags: {a&b: from:team}}")
	one(`6:32: error: tag "a": keys and values are made of letters, digits, spaces and _.:/=+-@`, someRole, "aws_attribution: {tags: {a: 'R&D'}}")
	one(`6:32: error: tag "a": a value has at most 256 characters`, someRole, "aws_attribution: {tags: {a: "+strings.Repeat("x", 257)+"}}")
	one(`6:41: error: tag "A" stands here twice: AWS looks at no case`, someRole, "aws_attribution: {tags: {a: bbbb, A: c}}")
	one(`6:24: error: session tag "team" stands in aws_session_tags and in aws_attribution`, someRole, "aws_attribution: {tags: {team: from:team}}", "aws_session_tags: [{Key: Team, Value: x}]")
	f([]string{
		"config.yaml:6:39: warning: environment variable NONE is not set, but session_name needs it; the key counts as absent",
		"config.yaml:6:39: error: session_name of aws_attribution has no value",
	}, someRole, "aws_attribution: {session_name: os.environ/NONE}")
}

func TestAttributionNeedsASession(t *testing.T) {
	f := func(want string, lines ...string) {
		t.Helper()
		_, problems := Parse("config.yaml", []byte(model(append(lines, "aws_attribution: {session_name: key, tags: {a: from:team}}")...)), nil)
		if got := strings.Join(printed(problems), "\n"); !strings.Contains(got, "error: "+want) {
			t.Errorf("%v: %s, want %s", lines, got, want)
		}
	}
	f("aws_attribution needs aws_role_name, the role whose sessions name the callers", "rpm: 1")
	f("aws_attribution needs aws_role_name", "aws_access_key_id: a", "aws_secret_access_key: b")
	f("aws_attribution needs aws_role_name", "aws_role_name: os.environ/NONE")
	f("aws_attribution has no effect with an api_key", someRole, "api_key: k")
	f("aws_attribution has no effect with Authorization in extra_headers", someRole, "extra_headers: {authorization: x}")
	f("tags of aws_attribution do not go with aws_web_identity_token", someRole, "aws_web_identity_token: /token")
	f("session_name of aws_attribution says who calls", someRole, "configurable_clientside_auth_params: [aws_session_name]")
	var tags []string
	for i := range 50 {
		tags = append(tags, fmt.Sprintf("{Key: k%d, Value: v}", i))
	}
	f("aws_attribution and aws_session_tags have 51 tags; STS takes at most 50", someRole, "aws_session_tags: ["+strings.Join(tags, ", ")+"]")
	complains(t, model(someRole, "aws_web_identity_token: /token", "aws_attribution: {session_name: team}"), nil)
}

func TestAttributionOfAll(t *testing.T) {
	const text = `
litellm_settings: {aws_attribution: {session_name: team}}
model_list:
  - {model_name: a, litellm_params: {model: bedrock/amazon.nova-lite-v1:0, aws_role_name: 'arn:aws:iam::111122223333:role/r'}}
  - {model_name: b, litellm_params: {model: bedrock/amazon.nova-lite-v1:0, aws_role_name: 'arn:aws:iam::111122223333:role/r', aws_attribution: {session_name: key}}}
  - {model_name: c, litellm_params: {model: bedrock/amazon.nova-lite-v1:0, aws_attribution: false}}
`
	c := complains(t, text, nil)
	got := ""
	for i := range c.ModelList {
		if a := c.Attribution(&c.ModelList[i]); a != nil {
			got += a.SessionName + " "
		} else {
			got += "none "
		}
	}
	if got != "team key none " {
		t.Error(got)
	}
	complains(t, strings.Replace(text, ", aws_attribution: false", "", 1), nil,
		"config.yaml:6:5: error: aws_attribution needs aws_role_name, the role whose sessions name the callers; aws_attribution: false leaves this deployment out")
}

func TestClientParams(t *testing.T) {
	f := func(line string, want ...string) *Config {
		t.Helper()
		return complains(t, model("configurable_clientside_auth_params: "+line), nil, want...)
	}
	c := f(`[api_key, {api_base: "https://[a-z]+\\.corp\\.example"}, aws_region_name]`)
	p := c.ModelList[0].Params.ClientsideAuthParams
	if p.Find("api_key") == nil || p.Find("api_key").Pattern != nil || p.Find("aws_role_name") != nil || len(p) != 3 {
		t.Errorf("%+v", p)
	}
	for value, want := range map[string]bool{
		"https://a.corp.example": true, "https://a.corp.example/x": false, "xhttps://a.corp.example": false, "https://a.corp.example\n": false,
	} {
		if p.Find("api_base").Pattern.MatchString(value) != want {
			t.Errorf("%q: %v", value, !want)
		}
	}
	f("[base_url]")
	c = f("[base_url]")
	if c.ModelList[0].Params.ClientsideAuthParams.Find("api_base") == nil {
		t.Error("base_url is not api_base")
	}
	f("api_key", "config.yaml:5:44: error: configurable_clientside_auth_params must be a list of names and of {name: pattern}, not a string")
	f("[[api_key]]", "config.yaml:5:45: error: configurable_clientside_auth_params must be a list of names and of {name: pattern}")
	f("[{api_key: a, api_base: b}]", "config.yaml:5:45: error: configurable_clientside_auth_params must be a list of names and of {name: pattern}")
	f("[api_kye]", `config.yaml:5:45: error: "api_kye" is no parameter that can be given to clients; did you mean "api_key"?`)
	f("[api_version]", "config.yaml:5:45: warning: api_version cannot be given to clients: requests with it are refused")
	f("[api_base, base_url]", "config.yaml:5:55: error: api_base stands here twice")
	f("[{api_base: '('}]", "config.yaml:5:56: error: the pattern of api_base is no regular expression of RE2's kind")
	f("[{api_base: 'a)|(?:b'}]", "config.yaml:5:56: error: the pattern of api_base is no regular expression of RE2's kind")
}
