package gateway

import (
	"net/http"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/internal/store/valkey"
	"github.com/outcrop-ai/outcrop/test/databases"
	"github.com/outcrop-ai/outcrop/test/servers"
)

// replica is a gateway that shares a database and a Valkey with others. poll is the time between two looks at the database.
func replica(t *testing.T, store *relational.Store, shared *servers.Valkey, poll time.Duration) *keyRig {
	t.Helper()
	r, err := valkey.Open(valkey.Options{URL: shared.URL})
	if err != nil {
		t.Fatal(err)
	}
	changes := r.Invalidations(nil)
	t.Cleanup(func() {
		changes.Close()
		_ = r.Close()
	})
	<-changes.Announced() // it has joined
	return newKeyRig(t, store, "", "", func(o *account.DirectoryOptions) { o.Poll, o.Invalidations = poll, changes })
}

// becomes asks with a key until the answer has a status.
func (g *keyRig) becomes(key, model string, status int) {
	g.t.Helper()
	for {
		resp, body := g.send(http.MethodPost, "/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"Hi"}]}`, bearer(key))
		if resp.StatusCode == status {
			return
		}
		select {
		case <-g.t.Context().Done():
			g.t.Fatalf("%d %s, want %d", resp.StatusCode, body, status)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// changesAreSeen makes each kind of change on one gateway and waits until another one acts upon it.
func changesAreSeen(one, two *keyRig) {
	key := one.key(`{"models":["claude"]}`)
	two.becomes(key, "claude", 200)
	one.admin("/key/block", `{"key":"`+key+`"}`)
	two.becomes(key, "claude", 401)
	one.admin("/key/unblock", `{"key":"`+key+`"}`)
	two.becomes(key, "claude", 200)
	one.admin("/key/update", `{"key":"`+key+`","models":["nova"]}`)
	two.becomes(key, "claude", 403)
	fresh := one.admin("/key/regenerate", `{"key":"`+key+`"}`).text("key")
	two.becomes(key, "nova", 401)
	two.becomes(fresh, "nova", 200)
	team := two.admin("/team/new", `{}`).text("team_id")
	member := two.key(`{"team_id":"` + team + `"}`)
	one.becomes(member, "claude", 200)
	two.admin("/team/block", `{"team_id":"`+team+`"}`)
	one.becomes(member, "claude", 401)
	one.admin("/key/delete", `{"keys":["`+fresh+`"]}`)
	two.becomes(fresh, "nova", 401)
}

// TestChangesAreHeardFromOtherGateways: at once, long before the next look at the database.
func TestChangesAreHeardFromOtherGateways(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		shared := servers.StartValkey(t)
		changesAreSeen(replica(t, d.Open(t), shared, 24*time.Hour), replica(t, d.Open(t), shared, 24*time.Hour))
	})
}

// TestChangesAreSeenWithoutValkey: paused or gone, it delays what another gateway changes until the next look at the database,
// and nothing else: who changes something does not wait for it.
func TestChangesAreSeenWithoutValkey(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		shared := servers.StartValkey(t)
		one, two := replica(t, d.Open(t), shared, 20*time.Millisecond), replica(t, d.Open(t), shared, 20*time.Millisecond)
		if err := shared.Pause(); err != nil {
			t.Fatal(err)
		}
		changesAreSeen(one, two)
		if err := shared.Resume(); err != nil {
			t.Fatal(err)
		}
		shared.Stop()
		changesAreSeen(one, two)
	})
}
