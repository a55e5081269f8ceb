package account

import (
	"slices"
	"testing"
)

func TestModelRights(t *testing.T) {
	type lists struct {
		key, team, member, user, org []string
		noTeam                       bool
		aliases, teamAliases         map[string]string
	}
	f := func(l lists, want, model string, names ...string) {
		t.Helper()
		c := Caller{Key: &Key{Terms: Terms{Models: l.key}, Aliases: l.aliases}, User: &User{Terms: Terms{Models: l.user}}, Organization: &Organization{Terms: Terms{Models: l.org}}}
		if !l.noTeam {
			c.Team, c.Member = &Team{Terms: Terms{Models: l.team}, ModelAliases: l.teamAliases}, &Member{Models: l.member}
		}
		m := c.Ask(model)
		if len(names) > 0 {
			m.Group = names[0]
			m.Access = names[1:]
		}
		got := ""
		if failed := c.MayUse(&m); failed != nil {
			got = failed.Type
			if failed.Status() != 403 || failed.Param != "model" {
				t.Errorf("%+v %s: %v", l, model, failed)
			}
		}
		if got != want {
			t.Errorf("%+v %s: got %q, want %q", l, model, got, want)
		}
	}
	only := func(models ...string) []string { return models }
	f(lists{}, "", "claude")
	f(lists{key: only("claude")}, "", "claude")
	f(lists{key: only("claude")}, "key_model_access_denied", "nova")
	f(lists{key: only("clau")}, "key_model_access_denied", "claude")
	f(lists{key: only("Claude")}, "key_model_access_denied", "claude")
	f(lists{key: only("*")}, "", "claude")
	f(lists{key: only("bedrock/*")}, "", "bedrock/x")
	f(lists{key: only("bedrock/*")}, "key_model_access_denied", "claude")
	f(lists{key: only("*sonnet*")}, "", "us.claude-sonnet-4")
	f(lists{key: only("us.*sonnet")}, "key_model_access_denied", "us.claude-sonnet-4")
	f(lists{key: only("a*a")}, "key_model_access_denied", "a")
	f(lists{key: only(AllModels)}, "", "claude")
	f(lists{key: only(NoDefaultModels)}, "key_model_access_denied", "claude")
	f(lists{key: only(NoDefaultModels, "claude")}, "", "claude")
	f(lists{key: only("beta")}, "", "claude", "claude", "beta")
	f(lists{key: only("beta")}, "key_model_access_denied", "claude", "claude", "stable")
	f(lists{key: only("claude")}, "", "gpt-4", "claude") // the configuration's alias for it
	f(lists{key: only("gpt-4")}, "", "gpt-4", "claude")

	// All lists must have it.
	f(lists{team: only("claude")}, "", "claude")
	f(lists{team: only("nova")}, "team_model_access_denied", "claude")
	f(lists{key: only("claude"), team: only("nova")}, "team_model_access_denied", "claude")
	f(lists{key: only(TeamModels), team: only("nova")}, "", "nova")
	f(lists{key: only(TeamModels), team: only("nova")}, "team_model_access_denied", "claude")
	f(lists{key: only(TeamModels), noTeam: true}, "key_model_access_denied", "claude")
	f(lists{key: only(AllModels), team: only("nova")}, "team_model_access_denied", "claude")
	f(lists{member: only("nova")}, "team_model_access_denied", "claude")
	f(lists{org: only("nova")}, "org_model_access_denied", "claude")
	f(lists{team: only(AllModels), org: only("nova")}, "org_model_access_denied", "claude")

	// The user's list counts only where the key has no team.
	f(lists{user: only("nova"), noTeam: true}, "user_model_access_denied", "claude")
	f(lists{user: only("nova")}, "", "claude")

	// Aliases.
	f(lists{key: only("claude"), aliases: map[string]string{"gpt-4": "claude"}}, "", "gpt-4", "claude")
	f(lists{key: only("claude"), aliases: map[string]string{"gpt-4": "nova"}}, "key_model_access_denied", "gpt-4", "nova")
	f(lists{team: only("claude"), aliases: map[string]string{"claude": "opus"}}, "team_model_access_denied", "claude", "opus") // no way around the team's list
	f(lists{team: only("cheap"), aliases: map[string]string{"cheap": "opus"}}, "team_model_access_denied", "cheap", "opus")
	f(lists{team: only("cheap"), teamAliases: map[string]string{"cheap": "nova"}}, "", "cheap", "nova")
	f(lists{team: only("nova"), teamAliases: map[string]string{"cheap": "nova"}}, "", "cheap", "nova")
	f(lists{org: only("cheap"), teamAliases: map[string]string{"cheap": "opus"}}, "org_model_access_denied", "cheap", "opus")
	f(lists{user: only("cheap"), noTeam: true, aliases: map[string]string{"cheap": "opus"}}, "user_model_access_denied", "cheap", "opus")
	f(lists{key: only("x"), aliases: map[string]string{"x": "y"}, teamAliases: map[string]string{"y": "nova"}}, "", "x", "nova")
}

func TestMasterKeyMayUseEverything(t *testing.T) {
	c := Caller{Role: Admin}
	m := c.Ask("anything")
	if c.MayUse(&m) != nil || !c.Unlimited() || c.MayCall(&Route{Path: "/x"}) != nil || c.MayPass("/x") != nil {
		t.Error("the master key is refused something")
	}
}

func TestRouteRights(t *testing.T) {
	chat := &Route{Path: "/chat/completions", Groups: []string{RoutesLLM}}
	native := &Route{Path: "/bedrock/model/x/converse", Groups: []string{RoutesLLM}}
	manage, info := &Route{Path: "/key/generate", Groups: []string{RoutesManagement}}, &Route{Path: "/key/info", Groups: []string{RoutesManagement, RoutesInfo}}
	f := func(k Key, want ...*Route) {
		t.Helper()
		c := Caller{Key: &k}
		for _, r := range []*Route{chat, native, manage, info} {
			if got := c.MayCall(r) == nil; got != slices.Contains(want, r) {
				t.Errorf("%s %q may call %s: %v", k.Type, k.Routes, r.Path, got)
			}
		}
	}
	f(Key{}, chat, native, manage, info)
	f(Key{Type: "default"}, chat, native, manage, info)
	f(Key{Type: "llm_api"}, chat, native)
	f(Key{Type: "management"}, manage, info)
	f(Key{Type: "read_only"}, info)
	f(Key{Routes: []string{"/chat/completions"}}, chat)
	f(Key{Routes: []string{"/v1/chat/completions"}}, chat)
	f(Key{Routes: []string{"/chat"}})
	f(Key{Routes: []string{"/chat/*"}}, chat)
	f(Key{Routes: []string{"/bedrock/*", "info_routes"}}, native, info)
	f(Key{Routes: []string{"/bed/*"}})
	f(Key{Routes: []string{"llm_api_routes"}}, chat, native)
	f(Key{Type: "llm_api", Routes: []string{"/key/info"}})
}

func TestPassThroughRights(t *testing.T) {
	f := func(want bool, path string, k Key) {
		t.Helper()
		if got := (&Caller{Key: &k}).MayPass(path) == nil; got != want {
			t.Errorf("%+v %s: %v", k, path, got)
		}
	}
	f(true, "/vendor/x", Key{})
	f(true, "/vendor/x", Key{PassRoutes: []string{"/vendor/*"}})
	f(false, "/vendors/x", Key{PassRoutes: []string{"/vendor/*"}})
	f(false, "/vendor/x", Key{DeniedPassRoutes: []string{"/vendor/x"}})
	f(false, "/vendor/x", Key{PassRoutes: []string{"/vendor/*"}, DeniedPassRoutes: []string{"/vendor/x"}})
}

func TestOwnKeys(t *testing.T) {
	f := func(ok bool, text string) {
		t.Helper()
		if wrong := CheckOwnKey(secretOf(text)); (wrong == "") != ok {
			t.Errorf("%s: %q", text, wrong)
		}
	}
	f(true, "sk-own-7d1b2c94e0af")
	f(false, "own-7d1b2c94e0af-aa")
	f(false, "sk-1234")
	f(false, "sk-test-key-12345678")
	f(false, "sk-own 7d1b2c94e0af")
	f(false, "sk-own/7d1b2c94e0af")
	f(false, "sk-own,7d1b2c94e0af")
	f(false, "sk-ömlaut-7d1b2c94e0af")
	seen := map[string]bool{}
	for range 1000 {
		key := MakeKey()
		if text := key.Reveal(); !isMade(text) || !canBeKey(text) || seen[text] || CheckOwnKey(key) != "" {
			t.Fatalf("a key of length %d", len(text))
		}
		seen[key.Reveal()] = true
	}
}
