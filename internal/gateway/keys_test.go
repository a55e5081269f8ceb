package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/gateway/admin"
	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/test/databases"
)

// keyRig is a gateway with a store of keys in front of the simulator.
type keyRig struct {
	*rig
	bedrock   *sim.Server
	store     *relational.Store
	directory *account.Directory
}

// onBoth runs a test on each of the databases, side by side.
func onBoth(t *testing.T, f func(t *testing.T, store *relational.Store)) {
	t.Helper()
	databases.Each(t, func(t *testing.T, d databases.Database) { f(t, d.Open(t)) })
}

// newKeyRig starts a gateway whose keys are in a store. extra is YAML that follows the deployments; general are further lines
// of general_settings.
func newKeyRig(t *testing.T, store *relational.Store, extra, general string, change ...func(*account.DirectoryOptions)) *keyRig {
	t.Helper()
	bedrock, url := upstream(t, sim.Options{})
	yaml := simConfig(url, "") + moreModels(url) + withKey + general + extra
	options := account.DirectoryOptions{Store: store, Poll: 20 * time.Millisecond}
	for _, c := range change {
		c(&options)
	}
	directory := account.NewDirectory(t.Context(), options)
	g := &keyRig{bedrock: bedrock, store: store, directory: directory}
	c, problems := config.Parse("config.yaml", []byte(yaml), noEnv)
	if config.HasErrors(problems) {
		t.Fatal(problems)
	}
	l := c.LitellmSettings
	g.rig = newRigOn(t, store, yaml, func(o *Options) {
		api, err := admin.New(admin.Options{
			Directory: directory, Spend: &admin.StoredSpend{Store: store, Limits: o.Limits}, Logger: o.Logger,
			Settings: admin.Settings{
				DefaultKey: l.DefaultKeyGenerateParams, UpperKey: l.UpperboundKeyGenerateParams, KeyGeneration: l.KeyGenerationSettings,
				DefaultTeam: l.DefaultTeamParams, DefaultUser: l.DefaultInternalUserParams,
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		o.Admin = api
		o.Keys = account.KeysOf(account.KeyOptions{Master: c.GeneralSettings.MasterKey, Header: c.GeneralSettings.KeyHeaderName, Directory: directory, Addresses: addressesOf(t, c)})
		o.EnforceUser, o.AdminRoutes, o.AllowedRoutes, o.UserHeader = c.GeneralSettings.EnforceUserParam, c.GeneralSettings.AdminOnlyRoutes, c.GeneralSettings.AllowedRoutes, http.CanonicalHeaderKey(c.GeneralSettings.UserHeaderName)
	})
	g.users.directory = directory
	t.Cleanup(directory.Close)
	return g
}

// moreModels are nova, in an access group, and haiku in Frankfurt.
func moreModels(url string) string {
	params := fmt.Sprintf("aws_access_key_id: %s, aws_secret_access_key: %s, aws_bedrock_runtime_endpoint: %q", sim.AccessKeyID, sim.SecretAccessKey, url)
	return fmt.Sprintf(`  - {model_name: nova, litellm_params: {model: bedrock/us.amazon.nova-pro-v1:0, aws_region_name: us-east-1, %[1]s}, model_info: {access_groups: [beta, cheap]}}
  - {model_name: haiku, litellm_params: {model: bedrock/anthropic.claude-3-haiku-20240307-v1:0, aws_region_name: eu-central-1, %[1]s}}
  - {model_name: embed, litellm_params: {model: bedrock/amazon.titan-embed-text-v2:0, aws_region_name: us-east-1, %[1]s}}
`, params)
}

// answerOf is an answer as JSON, of whatever shape.
type answerOf map[string]any

func (a answerOf) text(path string) string {
	var v any = map[string]any(a)
	for part := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[part]
	}
	switch v := v.(type) {
	case string:
		return v
	case nil:
		return "null"
	}
	data, _ := json.Marshal(v)
	return string(data)
}

// as sends a request with a key, and wants a status.
func (g *keyRig) as(key string, status int, method, path, body string) answerOf {
	g.t.Helper()
	header := bearer(key)
	if key == "" {
		header = nil
	}
	resp, text := g.send(method, path, body, header)
	if resp.StatusCode != status {
		g.t.Errorf("%s %s %s: %d %s; want %d", method, path, body, resp.StatusCode, text, status)
	}
	var answer answerOf
	if strings.HasPrefix(text, "[") {
		var list []any
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			g.t.Fatalf("%s: %v", text, err)
		}
		return answerOf{"list": list}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		g.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	return answer
}

// admin sends a request with the master key, and wants 200.
func (g *keyRig) admin(path, body string) answerOf {
	g.t.Helper()
	if body == "" {
		return g.as(testKey, http.StatusOK, http.MethodGet, path, "")
	}
	return g.as(testKey, http.StatusOK, http.MethodPost, path, body)
}

// key makes a key.
func (g *keyRig) key(body string) string {
	g.t.Helper()
	return g.admin("/key/generate", body).text("key")
}

// chats wants a status of a chat with a model, and a type of error.
func (g *keyRig) chats(key, model string, status int, kind string) {
	g.t.Helper()
	answer := g.as(key, status, http.MethodPost, "/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"Hi"}]}`)
	if got := answer.text("error.type"); status != http.StatusOK && got != kind {
		g.t.Errorf("%s: type %q, want %q", model, got, kind)
	}
}

func TestLifeOfAKey(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		made := g.admin("/key/generate", `{"key_alias":"ci","models":["claude"],"max_budget":25,"budget_duration":"30d","rpm_limit":60,"tpm_limit":200000,"metadata":{"tags":["ci"]},"duration":"1h"}`)
		key, hash := made.text("key"), made.text("token")
		for path, want := range map[string]string{
			"key_name": "sk-..." + key[len(key)-4:], "key_alias": "ci", "models": `["claude"]`, "aliases": "{}", "spend": "0", "max_budget": "25", "budget_duration": "30d",
			"rpm_limit": "60", "tpm_limit": "200000", "max_parallel_requests": "null", "metadata": `{"tags":["ci"]}`, "team_id": "null", "token_id": hash, "created_by": "default_user_id",
		} {
			if got := made.text(path); got != want {
				t.Errorf("%s is %s, want %s", path, got, want)
			}
		}
		if len(key) != 46 || !strings.HasPrefix(key, "sk-") || strings.ContainsAny(key, "/, ") || made.text("expires") == "null" || made.text("budget_reset_at") == "null" {
			t.Errorf("the answer is %v", made)
		}
		g.chats(key, "claude", 200, "")
		r := g.books.next(t)
		if r.KeyHash != hash || r.KeyAlias != "ci" {
			t.Errorf("the row has the key %s %s", r.KeyHash, r.KeyAlias)
		}

		if blocked := g.admin("/key/block", `{"key":"`+key+`"}`); blocked.text("blocked") != "true" {
			t.Errorf("the answer is %v", blocked)
		}
		g.chats(key, "claude", 401, "auth_error")
		g.admin("/key/unblock", `{"key":"`+hash+`"}`)
		g.chats(key, "claude", 200, "")

		updated := g.admin("/key/update", `{"key":"`+key+`","models":["nova"],"max_budget":null,"duration":"-1"}`)
		if updated.text("models") != `["nova"]` || updated.text("max_budget") != "null" || updated.text("expires") != "null" || updated.text("rpm_limit") != "60" {
			t.Errorf("the updated key is %v", updated)
		}
		g.chats(key, "claude", 403, "key_model_access_denied")
		g.chats(key, "nova", 200, "")

		again := g.admin("/key/regenerate", `{"key":"`+key+`","grace_period":"24h"}`)
		fresh := again.text("key")
		if fresh == key || again.text("key_alias") != "ci" || again.text("models") != `["nova"]` {
			t.Errorf("the new text's answer is %v", again)
		}
		g.chats(key, "nova", 200, "") // in its grace
		g.books.next(t)
		g.chats(fresh, "nova", 200, "")
		if r := g.books.next(t); r.KeyHash != again.text("token") {
			t.Errorf("the row has %s", r.KeyHash)
		}
		last := g.as(testKey, 200, http.MethodPost, "/key/"+fresh+"/regenerate", "").text("key")
		g.chats(fresh, "nova", 401, "token_not_found_in_db") // without a grace
		g.chats(last, "nova", 200, "")

		if gone := g.admin("/key/delete", `{"key_aliases":["ci"]}`); !strings.Contains(gone.text("deleted_keys"), account.HashKey(secretOf(last))) {
			t.Errorf("deleted: %v", gone)
		}
		g.chats(last, "nova", 401, "token_not_found_in_db")
		g.as(testKey, 404, http.MethodPost, "/key/delete", `{"keys":["`+last+`"]}`)

		// A key that LiteLLM has made: its digest was imported.
		const old = "sk-litellm-N2Vm3cQvT8xk"
		e := account.Entity{Kind: account.EntityKey, ID: account.HashKey(secretOf(old)), Data: json.RawMessage(`{}`)}
		if _, err := store.Put(t.Context(), []account.Entity{e}); err != nil {
			t.Fatal(err)
		}
		g.chats(old, "claude", 200, "")
	})
}

func TestKeysOfTwoGateways(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		one, two := newKeyRig(t, store, "", ""), newKeyRig(t, store, "", "")
		key := one.key(`{}`)
		two.chats(key, "claude", 200, "") // at once
		one.admin("/key/block", `{"key":"`+key+`"}`)
		deadline := time.Now().Add(time.Second)
		for {
			resp, _ := two.send(http.MethodPost, "/v1/chat/completions", hello, bearer(key))
			if resp.StatusCode == http.StatusUnauthorized {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("a block on one gateway does not act on the other within a second")
			}
		}
	})
}

func TestModelRightsHoldEverywhere(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "router_settings: {model_group_alias: {gpt-4: claude}, fallbacks: [{nova: [claude]}]}\n", "")
		const sonnet = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
		only := g.key(`{"models":["nova"]}`)
		const chat = `{"model":"claude","messages":[{"role":"user","content":"Hi"}]}`
		for path, body := range map[string]string{
			"/v1/chat/completions": chat, "/engines/claude/chat/completions": chat, "/openai/deployments/claude/chat/completions": chat,
			"/v1/completions": `{"model":"claude","prompt":"x"}`, "/v1/embeddings": `{"model":"claude","input":"x"}`,
			"/v1/rerank": `{"model":"claude","query":"x","documents":["x"]}`, "/v1/images/generations": `{"model":"claude","prompt":"x"}`,
		} {
			if answer := g.as(only, 403, http.MethodPost, path, body); answer.text("error.type") != "key_model_access_denied" || answer.text("error.code") != "403" || answer.text("error.param") != "model" {
				t.Errorf("%s: %v", path, answer)
			}
		}
		for _, id := range []string{"claude", sonnet, "gpt-4", "bedrock%2F" + sonnet} {
			resp, text := g.send(http.MethodPost, "/bedrock/model/"+id+"/converse", `{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}`, bearer(only))
			if resp.StatusCode != 403 || resp.Header.Get("X-Amzn-Errortype") != "AccessDeniedException" {
				t.Errorf("%s: %d %s %s", id, resp.StatusCode, resp.Header.Get("X-Amzn-Errortype"), text)
			}
		}
		for body, want := range map[string]int{
			`{"input":{"text":"x"},"retrieveAndGenerateConfiguration":{"knowledgeBaseConfiguration":{"modelArn":"arn:aws:bedrock:us-east-1::foundation-model/` + sonnet + `"}}}`: 403,
			`{"foundationModel":"` + sonnet + `"}`: 403,
		} {
			path := "/bedrock/retrieveAndGenerate"
			if strings.Contains(body, "foundationModel") {
				path = "/bedrock/agents/inline/sessions/s"
			}
			if resp, text := g.send(http.MethodPost, path, body, bearer(only)); resp.StatusCode != want || resp.Header.Get("X-Amzn-Errortype") != "AccessDeniedException" || !strings.Contains(text, "not available for this API key") {
				t.Errorf("%s: %d %s", path, resp.StatusCode, text)
			}
		}
		if answer := g.as(only, 403, http.MethodPost, "/v1/messages", `{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}`); answer.text("type") != "error" || answer.text("error.type") != "permission_error" {
			t.Errorf("messages: %v", answer)
		}
		for _, model := range []string{"claude", "gpt-4", sonnet, "bedrock/" + sonnet, "nothing-of-this-name"} {
			g.chats(only, model, 403, "key_model_access_denied")
		}
		g.chats(only, "nova", 200, "")

		// Fallbacks: the client's are refused, the configuration's are passed over.
		g.as(only, 403, http.MethodPost, "/v1/chat/completions", `{"model":"nova","fallbacks":["claude"],"messages":[{"role":"user","content":"Hi"}]}`)
		const failing = `{"model":"nova","messages":[{"role":"user","content":"[[fault:internal;model=nova]]"}]}`
		g.as(only, 500, http.MethodPost, "/v1/chat/completions", failing)
		g.as(testKey, 200, http.MethodPost, "/v1/chat/completions", failing)

		for models, want := range map[string][]string{
			`["claude"]`: {"claude", "gpt-4"}, `["beta"]`: {"nova"}, `["gpt-4"]`: {"gpt-4"}, `["no-default-models"]`: nil,
		} {
			key := g.key(`{"models":` + models + `}`)
			var got []string
			answer := g.as(key, 200, http.MethodGet, "/v1/models", "")
			for _, m := range answer["data"].([]any) {
				got = append(got, m.(map[string]any)["id"].(string))
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("models of %s: %q, want %q", models, got, want)
			}
			for _, name := range want {
				g.chats(key, name, 200, "")
				g.as(key, 200, http.MethodGet, "/v1/models/"+name, "")
			}
			g.as(key, 403, http.MethodGet, "/v1/models/haiku", "")
		}
		wild := g.key(`{"models":["bedrock/*"]}`)
		g.chats(wild, sonnet, 200, "")
		g.chats(wild, "bedrock/"+sonnet, 200, "")
		g.chats(wild, "claude", 403, "key_model_access_denied")
		bare := g.key(`{"models":["` + sonnet + `"]}`)
		g.chats(bare, "bedrock/"+sonnet, 200, "")
		g.chats(g.key(`{"models":["all-proxy-models"]}`), "claude", 200, "")

		alias := g.key(`{"models":["nova"],"aliases":{"gpt-9":"nova","gpt-10":"claude"}}`)
		g.chats(alias, "gpt-9", 200, "")
		g.chats(alias, "gpt-10", 403, "key_model_access_denied")
		if answer := g.as(alias, 200, http.MethodPost, "/v1/chat/completions", `{"model":"gpt-9","messages":[{"role":"user","content":"Hi"}]}`); answer.text("model") != "gpt-9" {
			t.Errorf("the answer's model is %s", answer.text("model"))
		}

		// The team, the organization and the user.
		org := g.admin("/organization/new", `{"organization_alias":"acme","models":["claude","nova"]}`).text("organization_id")
		team := g.admin("/team/new", `{"team_alias":"red","organization_id":"`+org+`","models":["claude","haiku","cheap-one"],"model_aliases":{"cheap-one":"nova"}}`).text("team_id")
		of := g.key(`{"team_id":"` + team + `"}`)
		g.chats(of, "claude", 200, "")
		g.chats(of, "cheap-one", 200, "")
		g.chats(of, "nova", 403, "team_model_access_denied")
		g.chats(of, "haiku", 403, "org_model_access_denied")
		g.admin("/team/model/add", `{"team_id":"`+team+`","models":["nova"]}`)
		g.chats(of, "nova", 200, "")
		g.admin("/team/model/delete", `{"team_id":"`+team+`","models":["claude","nova","haiku","cheap-one"]}`)
		g.chats(of, "claude", 403, "team_model_access_denied")
		user := g.admin("/user/new", `{"user_id":"ada","models":["nova"]}`).text("key")
		g.chats(user, "nova", 200, "")
		g.chats(user, "claude", 403, "key_model_access_denied")
		g.admin("/team/block", `{"team_id":"`+team+`"}`)
		g.chats(of, "nova", 401, "auth_error")
	})
}

func TestEndUsers(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "  user_header_name: X-Customer\n")
		ask := func(status int, user string, header http.Header, model string) answerOf {
			t.Helper()
			h := bearer(testKey)
			for name, values := range header {
				h[name] = values
			}
			resp, text := g.send(http.MethodPost, "/v1/chat/completions", `{"model":"`+model+`","user":"`+user+`","messages":[{"role":"user","content":"Hi"}]}`, h)
			if resp.StatusCode != status {
				t.Errorf("%s %v %s: %d %s", user, header, model, resp.StatusCode, text)
			}
			var answer answerOf
			_ = json.Unmarshal([]byte(text), &answer)
			return answer
		}
		ask(200, "eve", nil, "claude")
		g.admin("/customer/block", `{"user_ids":["eve"]}`)
		ask(403, "eve", nil, "claude")
		ask(403, "", http.Header{"X-Litellm-End-User-Id": {"eve"}}, "claude")
		ask(403, "", http.Header{"X-Litellm-Customer-Id": {"eve"}}, "claude")
		ask(403, "bob", http.Header{"X-Customer": {"eve"}}, "claude")
		ask(200, "bob", nil, "claude")
		resp, _ := g.send(http.MethodPost, "/bedrock/model/claude/converse", `{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}`, http.Header{"Authorization": {"Bearer " + testKey}, "X-Litellm-End-User-Id": {"eve"}})
		if resp.StatusCode != 403 {
			t.Errorf("native: %d", resp.StatusCode)
		}
		g.admin("/end_user/unblock", `{"user_ids":["eve"]}`)
		ask(200, "eve", nil, "claude")

		g.admin("/customer/new", `{"user_id":"max","allowed_model_region":"eu","default_model":"haiku"}`)
		ask(200, "max", nil, "haiku")
		ask(200, "max", nil, "claude") // by haiku, in Frankfurt
		if r := g.books.next(t); r.Region != "eu-central-1" {
			t.Errorf("served in %s", r.Region)
		}
		g.admin("/customer/update", `{"user_id":"max","default_model":null}`)
		ask(400, "max", nil, "claude")
		g.admin("/customer/new", `{"user_id":"kim","models":["nova"]}`)
		if answer := ask(403, "kim", nil, "claude"); answer.text("error.type") != "customer_model_access_denied" {
			t.Errorf("%v", answer)
		}
	})
}

func TestTagsOfKeysAndTeams(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		team := g.admin("/team/new", `{"tags":["research"],"metadata":{"tags":["lab"]}}`).text("team_id")
		key := g.key(`{"team_id":"` + team + `","tags":["ci"],"metadata":{"tags":["ci","nightly"]}}`)
		g.as(key, 200, http.MethodPost, "/v1/chat/completions", `{"model":"claude","metadata":{"tags":["own"]},"messages":[{"role":"user","content":"Hi"}]}`)
		if got, want := g.books.next(t).Tags, []string{"own", "ci", "nightly", "research", "lab"}; !slices.Equal(got, want) {
			t.Errorf("the row has the tags %q, want %q", got, want)
		}
	})
}

func TestAnEndUserMustBeNamed(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "  enforce_user_param: true\n")
		if answer := g.as(testKey, 400, http.MethodPost, "/v1/chat/completions", hello); answer.text("error.param") != "user" {
			t.Errorf("%v", answer)
		}
		g.as(testKey, 200, http.MethodPost, "/v1/chat/completions", `{"model":"claude","user":"eve","messages":[{"role":"user","content":"Hi"}]}`)
	})
}

func TestRefusalsInEachDialect(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		expired := g.key(`{"duration":"1s"}`)
		h := g.directory.Get(account.EntityKey, account.HashKey(secretOf(expired)))
		past := *h.Key
		past.Expires = time.Now().Add(-time.Minute)
		e := h.Entity
		e.Data, _ = json.Marshal(&past)
		if _, err := g.directory.Put(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		blocked := g.key(`{"blocked":true}`)
		limited := g.key(`{"allowed_routes":["/embeddings"]}`)
		for name, c := range map[string]struct {
			key, kind, code, aws string
			status               int
		}{
			"none":      {"", "auth_error", "invalid_api_key", "UnrecognizedClientException", 401},
			"unknown":   {"sk-unknown-unknown", "token_not_found_in_db", "invalid_api_key", "UnrecognizedClientException", 401},
			"expired":   {expired, "expired_key", "401", "ExpiredTokenException", 401},
			"blocked":   {blocked, "auth_error", "401", "UnrecognizedClientException", 401},
			"the route": {limited, "auth_error", "403", "AccessDeniedException", 403},
		} {
			if answer := g.as(c.key, c.status, http.MethodPost, "/v1/chat/completions", hello); answer.text("error.type") != c.kind || answer.text("error.code") != c.code {
				t.Errorf("%s: %v", name, answer)
			}
			kind := "authentication_error"
			if c.status == 403 {
				kind = "permission_error"
			}
			if answer := g.as(c.key, c.status, http.MethodPost, "/v1/messages", hello); answer.text("type") != "error" || answer.text("error.type") != kind {
				t.Errorf("%s, as Anthropic says it: %v", name, answer)
			}
			header := bearer(c.key)
			if c.key == "" {
				header = nil
			}
			resp, text := g.send(http.MethodPost, "/bedrock/model/claude/converse", `{}`, header)
			if resp.StatusCode != 403 || resp.Header.Get("X-Amzn-Errortype") != c.aws || !strings.Contains(text, `"message"`) {
				t.Errorf("%s, as AWS says it: %d %s %s", name, resp.StatusCode, resp.Header.Get("X-Amzn-Errortype"), text)
			}
		}
	})
}

func TestRolesAndRoutes(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		role := func(name string) string {
			return g.admin("/user/new", `{"user_id":"`+name+`","user_role":"`+name+`"}`).text("key")
		}
		keys := map[string]string{
			"proxy_admin": role("proxy_admin"), "proxy_admin_viewer": role("proxy_admin_viewer"), "internal_user": role("internal_user"), "internal_user_viewer": role("internal_user_viewer"),
			"nobody": g.key(`{}`),
		}
		for _, r := range g.server.Routes() {
			if r.Access == Open || r.Access == NeedsKey {
				continue
			}
			path := strings.ReplaceAll(r.Path, "{key}", "x")
			for name, key := range keys {
				resp, text := g.send(r.Method, path, `{}`, bearer(key))
				open := r.Access == NeedsUser || name == "proxy_admin" || r.Access == NeedsViewer && name == "proxy_admin_viewer"
				closed := resp.StatusCode == 403 && strings.Contains(text, `"admin_only"`)
				if closed == open {
					t.Errorf("%s %s as %s: %d %s", r.Method, path, name, resp.StatusCode, text)
				}
			}
		}
		for _, path := range []string{"/key/generate", "/key/update", "/key/delete", "/key/block", "/key/unblock", "/key/regenerate"} {
			body := `{"key":"` + keys["nobody"] + `"}`
			switch path {
			case "/key/generate":
				body = `{}`
			case "/key/delete":
				body = `{"keys":["` + keys["nobody"] + `"]}`
			}
			for _, name := range []string{"proxy_admin_viewer", "internal_user_viewer", "nobody"} {
				g.as(keys[name], 403, http.MethodPost, path, body)
			}
			if path != "/key/generate" {
				g.as(keys["internal_user"], 403, http.MethodPost, path, body)
			}
		}
		g.as(keys["nobody"], 200, http.MethodGet, "/key/info", "") // of itself
		g.as(keys["nobody"], 403, http.MethodGet, "/key/info?key="+keys["internal_user"], "")
		g.as(keys["proxy_admin_viewer"], 200, http.MethodGet, "/key/info?key="+keys["nobody"], "")
	})
}

func TestUsersOwnKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		ada := g.admin("/user/new", `{"user_id":"ada","user_role":"internal_user","max_budget":10,"models":["claude","nova"]}`).text("key")
		own := g.as(ada, 200, http.MethodPost, "/key/generate", `{"key_alias":"mine"}`)
		if own.text("user_id") != "ada" || own.text("created_by") != "ada" || own.text("models") != `["claude","nova"]` {
			t.Errorf("%v", own)
		}
		g.as(ada, 403, http.MethodPost, "/key/generate", `{"user_id":"bob"}`)
		g.as(ada, 403, http.MethodPost, "/key/generate", `{"models":["haiku"]}`) // more than the key that asks may use
		g.as(ada, 403, http.MethodPost, "/key/generate", `{"spend":0}`)
		g.as(ada, 200, http.MethodPost, "/key/update", `{"key_alias":"mine","rpm_limit":5}`)
		g.as(ada, 403, http.MethodPost, "/key/update", `{"key_alias":"mine","user_id":"bob"}`)
		other := g.key(`{"key_alias":"other"}`)
		g.as(ada, 403, http.MethodPost, "/key/delete", `{"keys":["`+other+`"]}`)
		if list := g.as(ada, 200, http.MethodGet, "/key/list", ""); list.text("total_count") != "2" {
			t.Errorf("she sees %v", list)
		}
		g.as(ada, 200, http.MethodPost, "/key/delete", `{"key_aliases":["mine"]}`)

		// Teams: the admin makes keys for all, a member none unless the settings say so.
		team := g.admin("/team/new", `{"members_with_roles":[{"user_id":"ada","role":"admin"},{"user_id":"bob","role":"user"}]}`).text("team_id")
		bob := g.key(`{"user_id":"bob"}`)
		g.as(ada, 200, http.MethodPost, "/key/generate", `{"team_id":"`+team+`","user_id":"bob"}`)
		g.as(bob, 403, http.MethodPost, "/key/generate", `{"team_id":"`+team+`","user_id":"bob"}`)
		g.as(ada, 200, http.MethodPost, "/team/member_add", `{"team_id":"`+team+`","member":{"user_id":"eve","role":"user"},"max_budget_in_team":5}`)
		g.as(bob, 403, http.MethodPost, "/team/member_add", `{"team_id":"`+team+`","member":{"user_id":"tom","role":"admin"}}`)
		g.as(ada, 403, http.MethodPost, "/team/update", `{"team_id":"`+team+`","max_budget":1000}`)
		g.as(bob, 200, http.MethodGet, "/team/info?team_id="+team, "")
		stranger := g.admin("/user/new", `{"user_id":"zoe","user_role":"internal_user"}`).text("key")
		g.as(stranger, 403, http.MethodGet, "/team/info?team_id="+team, "")
	})
}

func TestKeyTextsAreNowhere(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		const canary = "sk-canary-QvT8xkN2Vm3c"
		made, text := g.send(http.MethodPost, "/key/generate", `{"key":"`+canary+`","key_alias":"c"}`, bearer(testKey))
		if made.StatusCode != 200 || strings.Count(text, canary) != 1 || made.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s", made.StatusCode, text)
		}
		hash := account.HashKey(secretOf(canary))
		for _, r := range []struct{ method, path, body string }{
			{"GET", "/key/info?key=" + canary, ""},
			{"POST", "/v2/key/info", `{"keys":["` + canary + `"]}`},
			{"GET", "/key/list?return_full_object=true", ""},
			{"GET", "/key/aliases", ""},
			{"POST", "/key/update", `{"key":"` + canary + `","rpm_limit":3}`},
			{"POST", "/key/update", `{"key":"` + canary + `","nonsense":3}`},
			{"POST", "/key/block", `{"key":"` + canary + `"}`},
			{"POST", "/key/unblock", `{"key":"` + canary + `"}`},
			{"POST", "/key/generate", `{"key":"` + canary + `"}`},
			{"POST", "/key/bulk_update", `{"keys":[{"key":"` + canary + `","tpm_limit":1},{"key":"` + canary + `x"}]}`},
			{"POST", "/key/" + canary + "/reset_spend", `{"reset_to":0}`},
			{"POST", "/key/" + canary + "/nothing", `{}`},
			{"DELETE", "/key/" + canary, ``},
			{"POST", "/key/" + canary + "x/regenerate", `{}`},
			{"POST", "/v1/chat/completions", hello},
			{"POST", "/" + canary, hello},
			{"GET", "/v1/models/" + hash, ""},
			{"POST", "/key/delete", `{"keys":["` + canary + `x"]}`},
		} {
			for _, key := range []string{testKey, canary} {
				if _, text := g.send(r.method, r.path, r.body, bearer(key)); strings.Contains(text, canary) {
					t.Errorf("%s %s shows the key: %s", r.method, r.path, text)
				}
			}
		}
		g.send(http.MethodPost, "/key/"+canary+"/regenerate", `{}`, bearer(testKey))
		g.send(http.MethodPost, "/v1/chat/completions", hello, bearer(canary))
		if logs := g.logs.String(); strings.Contains(logs, canary) {
			t.Errorf("a log line has the key: %s", logs[max(0, strings.Index(logs, canary)-300):strings.Index(logs, canary)+30])
		}
		for _, kind := range []account.EntityKind{account.EntityKey} {
			for h := range g.directory.All(kind) {
				if strings.Contains(string(h.Data)+h.ID+h.Alias, canary) {
					t.Errorf("the store has the key: %s", h.Data)
				}
			}
		}
		for _, r := range g.books.records {
			if strings.Contains(fmt.Sprint(r), canary) {
				t.Errorf("a row has the key: %v", r)
			}
		}
	})
}

func TestManagingBodies(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		refused := func(status int, path, body, param string) {
			t.Helper()
			if answer := g.as(testKey, status, http.MethodPost, path, body); answer.text("error.param") != param {
				t.Errorf("%s %s: %v, want param %s", path, body, answer, param)
			}
		}
		refused(422, "/key/generate", `{"modells":[]}`, "modells")
		refused(422, "/key/generate", `{"models":"claude"}`, "models")
		refused(422, "/key/generate", `{"max_budget":-1}`, "max_budget")
		refused(422, "/key/generate", `{"max_budget":"many"}`, "max_budget")
		refused(422, "/key/generate", `{"rpm_limit":1.5}`, "rpm_limit")
		refused(422, "/key/generate", `{"rpm_limit":-1}`, "rpm_limit")
		refused(422, "/key/generate", `{"duration":"soon"}`, "duration")
		refused(422, "/key/generate", `{"budget_duration":"0d"}`, "budget_duration")
		refused(422, "/key/generate", `{"key_type":"god"}`, "key_type")
		refused(422, "/key/generate", `{"allowed_routes":["chat"]}`, "allowed_routes")
		refused(422, "/key/generate", `{"allowed_ips":["everywhere"]}`, "allowed_ips")
		refused(422, "/key/generate", `{"metadata":[]}`, "metadata")
		refused(422, "/key/generate", `{"guardrails":["x"]}`, "guardrails")
		refused(422, "/key/generate", `{"auto_rotate":true,"rotation_interval":"30d"}`, "auto_rotate")
		refused(422, "/key/generate", `{"tpm_limit_type":"guaranteed_throughput"}`, "tpm_limit_type")
		refused(422, "/key/generate", `{"budget_limits":[{"budget_duration":"1d"}]}`, "budget_limits")
		refused(422, "/key/generate", `{"model_max_budget":{"claude":{"max":1}}}`, "model_max_budget")
		refused(400, "/key/generate", `{"key":"own-7d1b2c94e0af-aa"}`, "key")
		refused(400, "/key/generate", `{"key":"sk-1234"}`, "key")
		refused(400, "/key/generate", `{"temp_budget_increase":5}`, "temp_budget_increase")
		refused(404, "/key/generate", `{"team_id":"nowhere"}`, "team_id")
		refused(404, "/key/generate", `{"budget_id":"nowhere"}`, "budget_id")
		refused(400, "/key/generate", `[]`, "request_body")
		refused(400, "/key/generate", `{"models":[]`, "request_body")
		refused(400, "/key/generate", `{} {}`, "request_body")
		refused(400, "/key/generate", `{"models":[],"models":[]}`, "request_body")
		refused(400, "/key/generate", `{"metadata":`+strings.Repeat(`{"a":`, 100)+"1"+strings.Repeat("}", 101), "request_body")
		refused(400, "/key/update", `{"models":[]}`, "key")
		refused(404, "/key/update", `{"key":"sk-nothing-of-this-name"}`, "key")
		refused(400, "/key/delete", `{}`, "keys")
		refused(400, "/key/service-account/generate", `{}`, "team_id")
		refused(413, "/key/generate", `{"metadata":{"x":"`+strings.Repeat("x", 1<<20)+`"}}`, "request_body")

		// What says nothing is let pass, what nobody acts on comes back.
		made := g.admin("/key/generate", `{"guardrails":[],"auto_rotate":false,"config":{},"permissions":{"get_spend_routes":true},"agent_id":"a","tpm_limit_type":"best_effort_throughput","key_alias":"k",
		"budget_limits":[{"budget_duration":"1d","max_budget":0.1}],"model_max_budget":{"claude":{"budget_limit":"0.0000001","time_period":"1d"},"nova":5},"soft_budget":1e-3}`)
		for path, want := range map[string]string{
			"permissions": `{"get_spend_routes":true}`, "agent_id": "a", "tpm_limit_type": "best_effort_throughput", "budget_limits": `[{"budget_duration":"1d","max_budget":0.1}]`,
			"model_max_budget.claude.max_budget": "1e-7", "model_max_budget.nova.max_budget": "5", "soft_budget": "0.001",
		} {
			if got := made.text(path); got != want {
				t.Errorf("%s is %s, want %s", path, got, want)
			}
		}
		refused(409, "/key/generate", `{"key_alias":"k"}`, "key_alias")
		refused(409, "/key/generate", `{"key":"`+made.text("key")+`"}`, "key")
		g.admin("/key/update", `{"key_alias":"k","agent_id":null}`)
		if info := g.admin("/key/info?key="+made.text("token"), ""); info.text("info.agent_id") != "null" || info.text("info.permissions") != `{"get_spend_routes":true}` {
			t.Errorf("%v", info)
		}
	})
}

func TestKeySettings(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, `litellm_settings:
  default_key_generate_params: {models: [nova], max_budget: 5, budget_duration: 1d}
  upperbound_key_generate_params: {max_budget: 10, rpm_limit: 100, duration: 30d}
  default_team_params: {max_budget: 3}
  default_internal_user_params: {user_role: internal_user}
  key_generation_settings:
    team_key_generation: {allowed_team_member_roles: [admin, user], required_params: [tags]}
    personal_key_generation: {allowed_user_roles: [proxy_admin]}
`, "")
		made := g.admin("/key/generate", `{}`)
		if made.text("models") != `["nova"]` || made.text("max_budget") != "5" || made.text("rpm_limit") != "100" || made.text("expires") == "null" {
			t.Errorf("%v", made)
		}
		made = g.admin("/key/generate", `{"max_budget":1000,"duration":"1mo","models":[]}`)
		if made.text("max_budget") != "10" || made.text("models") != "[]" || !strings.Contains(made.text("warnings"), "max_budget was lowered") || !strings.Contains(made.text("warnings"), "duration was lowered") {
			t.Errorf("%v", made)
		}
		user := g.admin("/user/new", `{"user_id":"ada"}`)
		if user.text("user_role") != "internal_user" {
			t.Errorf("%v", user)
		}
		g.as(user.text("key"), 403, http.MethodPost, "/key/generate", `{}`)
		team := g.admin("/team/new", `{"members_with_roles":[{"user_id":"ada","role":"user"}]}`)
		if team.text("max_budget") != "3" {
			t.Errorf("%v", team)
		}
		body := `{"team_id":"` + team.text("team_id") + `","user_id":"ada"`
		g.as(user.text("key"), 400, http.MethodPost, "/key/generate", body+`}`)
		g.as(user.text("key"), 200, http.MethodPost, "/key/generate", body+`,"tags":["x"]}`)
	})
}

func TestRoutesOfTheConfiguration(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "  admin_only_routes: [/rerank]\n  allowed_routes: [/v1/chat/completions, /rerank, /bedrock/*]\n")
		key := g.key(`{}`)
		g.chats(key, "claude", 200, "")
		g.as(key, 403, http.MethodPost, "/v1/rerank", `{}`)
		g.as(key, 403, http.MethodGet, "/v1/models", "")
		g.as(testKey, 200, http.MethodGet, "/v1/models", "")
		resp, _ := g.send(http.MethodPost, "/bedrock/model/claude/converse", `{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}`, bearer(key))
		if resp.StatusCode != 200 {
			t.Errorf("native: %d", resp.StatusCode)
		}
	})
}

func TestListsOfKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		for i := range 25 {
			g.key(fmt.Sprintf(`{"key_alias":"k%02d","user_id":"u%d"}`, i, i%2))
		}
		page := g.admin("/key/list?page=2&size=10&sort_by=key_alias&sort_order=asc&return_full_object=true", "")
		if page.text("total_count") != "25" || page.text("total_pages") != "3" || page.text("current_page") != "2" {
			t.Errorf("%v", page)
		}
		if first := answerOf(page["keys"].([]any)[0].(map[string]any)); first.text("key_alias") != "k10" {
			t.Errorf("the page begins with %v", first)
		}
		if n := g.admin("/key/list?user_id=u1", "").text("total_count"); n != "12" {
			t.Errorf("u1 has %s keys", n)
		}
		if n := g.admin("/key/list?key_alias=k03", "").text("total_count"); n != "1" {
			t.Errorf("%s keys are called k03", n)
		}
		g.as(testKey, 422, http.MethodGet, "/key/list?size=101", "")
		g.as(testKey, 422, http.MethodGet, "/key/list?page=0", "")
		g.as(testKey, 400, http.MethodGet, "/key/list?sort_by=secret", "")
	})
}
