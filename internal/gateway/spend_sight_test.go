package gateway

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
)

// TestWhoSeesWhichSpend: a user sees what all of his keys have spent, whoever leads a team what it has, an administrator and
// a viewer everything.
func TestWhoSeesWhichSpend(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		g.admin("/team/new", `{"team_id":"red","members_with_roles":[{"role":"admin","user_id":"lead"},{"role":"user","user_id":"kim"}]}`)
		g.admin("/user/new", `{"user_id":"watch","user_role":"proxy_admin_viewer","auto_create_key":false}`)
		key := func(body string) string { return g.admin("/key/generate", body).text("key") }
		kim, lead, viewer := key(`{"user_id":"kim"}`), key(`{"user_id":"lead"}`), key(`{"user_id":"watch"}`)

		start := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
		row := func(n uint64, key, user, team string) account.Record {
			return account.Record{CallID: "call-" + key, Entry: n, KeyHash: key, UserID: user, TeamID: team, Model: "model-" + key, Group: "g", Cost: 1e12, CostKnown: true, Start: start, End: start}
		}
		if err := store.Append(t.Context(), []account.Record{row(1, "hash-a1", "kim", "red"), row(2, "hash-a2", "kim", ""), row(3, "hash-b1", "lee", "red"), row(4, "hash-c1", "max", "blue")}); err != nil {
			t.Fatal(err)
		}
		all := []string{"hash-a1", "hash-a2", "hash-b1", "hash-c1"}
		f := func(who, path string, want ...string) {
			t.Helper()
			resp, text := g.send(http.MethodGet, path, "", bearer(who))
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %d %s", path, resp.StatusCode, text)
			}
			for _, key := range all {
				wanted := false
				for _, w := range want {
					wanted = wanted || w == key
				}
				if strings.Contains(text, key) != wanted {
					t.Errorf("%s: want %v, got %s", path, want, text)
				}
			}
		}
		const days = "start_date=2026-08-01&end_date=2026-08-02"
		for _, path := range []string{
			"/spend/logs?x=", "/spend/logs/v2?x=", "/spend/keys?x=", "/spend/logs?" + days, "/spend/logs?format=csv", "/global/spend/keys?" + days, "/global/spend/models?" + days,
			"/global/spend/report?group_by=api_key&" + days, "/global/spend/report?group_by=model&" + days, "/user/daily/activity?" + days,
		} {
			f(kim, path, "hash-a1", "hash-a2")
			f(viewer, path, all...)
			f(lead, path)
			f(lead, path+"&team_id=red", "hash-a1", "hash-b1")
		}
		f(lead, "/global/spend/report?team_id=red&"+days, "hash-a1", "hash-b1")
		f(lead, "/team/daily/activity?team_ids=red&"+days, "hash-a1", "hash-b1")
		f(lead, "/spend/logs?summarize=false&team_id=red&api_key=hash-b1&"+days, "hash-b1")
		f(kim, "/spend/logs?"+days+"&api_key=hash-a2", "hash-a2")
		f(kim, "/spend/logs?"+days+"&api_key=hash-b1")
		f(viewer, "/spend/logs?"+days+"&team_id=red", "hash-a1", "hash-b1")
		f(viewer, "/spend/logs?"+days+"&team_id=red&model=model-hash-b1", "hash-b1")
		if resp, text := g.send(http.MethodGet, "/spend/users", "", bearer(kim)); resp.StatusCode != http.StatusOK || !strings.Contains(text, `"kim"`) || strings.Contains(text, `"lee"`) {
			t.Errorf("%d %s", resp.StatusCode, text)
		}
		for _, path := range []string{"/spend/logs?user_id=lee", "/spend/users?user_id=lee", "/spend/tags", "/global/spend/report?internal_user_id=lee&" + days, "/global/spend/report?team_id=red&" + days, "/global/spend/report?customer_id=x&" + days} {
			if resp, text := g.send(http.MethodGet, path, "", bearer(kim)); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %d %s", path, resp.StatusCode, text)
			}
		}
	})
}
