package account

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// fakeStore keeps entities in memory, and can be away.
type fakeStore struct {
	mu     sync.Mutex
	now    map[EntityKind]map[string]Entity
	feed   []Entity
	away   atomic.Bool
	looks  atomic.Int64 // at the changes
	looked chan struct{}
}

func newFakeStore() *fakeStore {
	return &fakeStore{now: map[EntityKind]map[string]Entity{}, looked: make(chan struct{}, 1<<16)}
}

var errStoreAway = errors.New("away")

func (s *fakeStore) Entities(_ context.Context, yield func(Entity) error) (int64, error) {
	if s.away.Load() {
		return 0, errStoreAway
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.now {
		for _, e := range m {
			if err := yield(e); err != nil {
				return 0, err
			}
		}
	}
	return int64(len(s.feed)), nil
}

func (s *fakeStore) Changes(_ context.Context, after int64) ([]Entity, int64, error) {
	s.looks.Add(1)
	defer func() {
		select {
		case s.looked <- struct{}{}:
		default:
		}
	}()
	if s.away.Load() {
		return nil, after, errStoreAway
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Entity(nil), s.feed[max(0, after-2):]...), int64(len(s.feed)), nil // some are told twice
}

func (s *fakeStore) Put(_ context.Context, list []Entity) ([]Entity, error) {
	if s.away.Load() {
		return nil, errStoreAway
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Entity, len(list))
	for i, e := range list {
		old, exists := s.now[e.Kind][e.ID]
		if exists != (e.Version > 0) || exists && old.Version != e.Version {
			return nil, ErrConflict
		}
		e.Version++
		if !exists && e.CreatedAt.IsZero() {
			e.CreatedAt = time.Now()
		}
		if s.now[e.Kind] == nil {
			s.now[e.Kind] = map[string]Entity{}
		}
		s.now[e.Kind][e.ID], out[i] = e, e
		s.feed = append(s.feed, e)
	}
	return out, nil
}

func (s *fakeStore) Delete(_ context.Context, kind EntityKind, ids []string) (gone []string, err error) {
	if s.away.Load() {
		return nil, errStoreAway
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if _, ok := s.now[kind][id]; ok {
			delete(s.now[kind], id)
			s.feed = append(s.feed, Entity{Kind: kind, ID: id})
			gone = append(gone, id)
		}
	}
	return gone, nil
}

func (s *fakeStore) Spent(_ context.Context, c []Charge) ([]Amount, error) {
	return make([]Amount, len(c)), nil
}
func (s *fakeStore) ResetSpent(context.Context, []Charge, []Amount) error { return nil }

// put stores an entity behind the back of every directory.
func (s *fakeStore) put(t *testing.T, kind EntityKind, id string, data any, change func(*Entity)) Entity {
	t.Helper()
	raw, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	e := Entity{Kind: kind, ID: id, Data: raw}
	s.mu.Lock()
	if old, ok := s.now[kind][id]; ok {
		e.Version, e.CreatedAt = old.Version, old.CreatedAt
	}
	s.mu.Unlock()
	if change != nil {
		change(&e)
	}
	out, err := s.Put(t.Context(), []Entity{e})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// made returns a key that MakeKey could have made.
func made(n int) string {
	return "sk-" + strings.Repeat(string(rune('A'+n)), 43)
}

func hash(text string) string { return HashKey(secret.New(text)) }

// office is a directory with the keys that ask it.
type office struct {
	t     *testing.T
	store *fakeStore
	dir   *Directory
	keys  *Keys
}

func newOffice(t *testing.T, store *fakeStore, change func(*DirectoryOptions, *KeyOptions)) *office {
	t.Helper()
	d := DirectoryOptions{Store: store, Poll: time.Hour} // what is followed, is followed when somebody asks
	o := KeyOptions{Master: secret.New(goodKey)}
	if change != nil {
		change(&d, &o)
	}
	dir := NewDirectory(t.Context(), d)
	t.Cleanup(dir.Close)
	o.Directory = dir
	return &office{t: t, store: store, dir: dir, keys: KeysOf(o)}
}

func (o *office) ask(key string) (Caller, *llm.Error) { return o.askFrom(key, "192.0.2.1:1000") }

func (o *office) askFrom(key, address string) (Caller, *llm.Error) {
	return o.keys.Authenticate((&http.Request{Header: headers("Authorization", "Bearer "+key), RemoteAddr: address}).WithContext(o.t.Context()))
}

// wants checks what becomes of a key: 200 is that it may call.
func (o *office) wants(key string, status int, kind string) Caller {
	o.t.Helper()
	c, failed := o.ask(key)
	switch {
	case failed == nil && status != http.StatusOK:
		o.t.Errorf("the key may call; want %d %s", status, kind)
	case failed != nil && (failed.Status() != status || failed.Type != kind):
		o.t.Errorf("got %d %q %s; want %d %q", failed.Status(), failed.Type, failed.Message, status, kind)
	case failed != nil && strings.Contains(failed.Error()+failed.Hint, key):
		o.t.Errorf("the refusal holds the key: %v", failed)
	}
	return c
}

func TestKeysOfTheDirectory(t *testing.T) {
	s := newFakeStore()
	s.put(t, EntityOrganization, "acme", Organization{}, nil)
	s.put(t, EntityTeam, "red", Team{Members: []Member{{UserID: "ada", Role: "admin"}}}, func(e *Entity) { e.Alias, e.OrganizationID = "Red", "acme" })
	s.put(t, EntityTeam, "stopped", Team{Blocked: true}, nil)
	s.put(t, EntityUser, "ada", User{Role: "proxy_admin"}, nil)
	s.put(t, EntityKey, hash(made(0)), Key{}, func(e *Entity) { e.Alias, e.TeamID, e.UserID = "ci", "red", "ada" })
	s.put(t, EntityKey, hash(made(1)), Key{Name: "sk-...BBBB", Expires: time.Now().Add(-time.Second)}, nil)
	s.put(t, EntityKey, hash(made(2)), Key{Blocked: true}, nil)
	s.put(t, EntityKey, hash(made(3)), Key{}, func(e *Entity) { e.TeamID = "stopped" })
	s.put(t, EntityKey, hash(made(4)), Key{}, func(e *Entity) { e.TeamID = "gone" })
	s.put(t, EntityKey, hash(made(5)), Key{IPs: []string{"10.0.0.0/8", "192.0.2.1"}}, nil)
	s.put(t, EntityKey, hash(made(6)), Key{IPs: []string{"10.0.0.0/8"}}, nil)
	s.put(t, EntityKey, hash(made(7)), Key{Expires: time.Now().Add(time.Hour)}, nil)
	o := newOffice(t, s, nil)
	c := o.wants(made(0), 200, "")
	if c.Role != Admin || c.KeyAlias != "ci" || c.TeamID != "red" || c.TeamAlias != "Red" || c.UserID != "ada" || c.OrganizationID != "acme" || c.KeyHash != hash(made(0)) {
		t.Errorf("the caller is %+v", c)
	}
	if c.Key == nil || c.Team == nil || c.User == nil || c.Organization == nil || c.Member == nil || c.Member.Role != "admin" {
		t.Errorf("the caller lacks something: %+v", c)
	}
	o.wants(made(1), 401, "expired_key")
	if _, failed := o.ask(made(1)); failed.Param != "sk-...BBBB" {
		t.Errorf("the expired key is named %q", failed.Param)
	}
	o.wants(made(2), 401, "")
	o.wants(made(3), 401, "")
	o.wants(made(4), 401, "")
	o.wants(made(5), 200, "")
	o.wants(made(6), 403, "auth_error")
	o.wants(made(7), 200, "")
	o.wants(made(8), 401, "token_not_found_in_db")
	o.wants(goodKey, 200, "")
	o.wants(hash(made(0)), 401, "token_not_found_in_db") // a digest is no key
}

func TestKeysAreFoundOutAboutByAsking(t *testing.T) {
	s := newFakeStore()
	o := newOffice(t, s, nil)
	s.put(t, EntityKey, hash(made(0)), Key{}, nil) // by another replica, a moment ago
	o.wants(made(0), 200, "")
	looks := s.looks.Load()
	for range 100 {
		o.wants(made(0), 200, "")
		o.wants("sk-short", 401, "token_not_found_in_db")
		o.wants("anything that begins otherwise", 401, "token_not_found_in_db")
		o.wants("sk-"+strings.Repeat("a/", 20), 401, "token_not_found_in_db")
	}
	if n := s.looks.Load() - looks; n != 0 {
		t.Errorf("%d looks at the store for keys that are known, or are none", n)
	}
}

func TestManyGuessesCostFewLooks(t *testing.T) {
	s := newFakeStore()
	o := newOffice(t, s, nil)
	var all sync.WaitGroup
	began := time.Now()
	for i := range 200 {
		all.Add(1)
		go func() {
			defer all.Done()
			key := made(0)[:20] + strings.Repeat(string(rune('a'+i%26)), 20) + string(rune('a'+i/26))
			if _, failed := o.ask(key); failed == nil || failed.Status() != http.StatusUnauthorized {
				t.Errorf("a guess got %v", failed)
			}
		}()
	}
	all.Wait()
	if n, most := s.looks.Load(), int64(time.Since(began)/catchUpGap)+2; n > most {
		t.Errorf("200 guesses at once cost %d looks, want at most %d", n, most)
	}
}

func TestChangesActAtOnce(t *testing.T) {
	s := newFakeStore()
	e := s.put(t, EntityKey, hash(made(0)), Key{}, nil)
	o := newOffice(t, s, nil)
	o.wants(made(0), 200, "")
	e.Data = json.RawMessage(`{"blocked":true}`)
	stored, err := o.dir.Put(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	o.wants(made(0), 401, "")
	if _, err := o.dir.Put(t.Context(), e); !errors.Is(err, ErrConflict) {
		t.Errorf("a change of what has been changed meanwhile: %v", err)
	}
	stored[0].Data = json.RawMessage(`{}`)
	if _, err := o.dir.Put(t.Context(), stored[0]); err != nil {
		t.Fatal(err)
	}
	o.wants(made(0), 200, "")
	if _, err := o.dir.Delete(t.Context(), EntityKey, hash(made(0))); err != nil {
		t.Fatal(err)
	}
	o.wants(made(0), 401, "token_not_found_in_db")
	if err := o.dir.Refresh(t.Context()); err != nil { // tells the changes again
		t.Fatal(err)
	}
	o.wants(made(0), 401, "token_not_found_in_db")
}

func TestOthersChangesActWithinAPoll(t *testing.T) {
	s := newFakeStore()
	s.put(t, EntityTeam, "red", Team{}, nil)
	s.put(t, EntityKey, hash(made(0)), Key{}, func(e *Entity) { e.TeamID = "red" })
	o := newOffice(t, s, func(d *DirectoryOptions, _ *KeyOptions) { d.Poll = 5 * time.Millisecond })
	o.wants(made(0), 200, "")
	s.put(t, EntityTeam, "red", Team{Blocked: true}, nil)
	for range 2 { // the one that may be under way, and one that begins after it
		<-s.looked
	}
	for failed := (*llm.Error)(nil); failed == nil; {
		if t.Context().Err() != nil {
			t.Fatal("the block of the team did not act")
		}
		_, failed = o.ask(made(0))
	}
}

// word is what the gateways of a test tell each other.
type word struct{ told, heard chan struct{} }

func (w word) Announce()                  { w.told <- struct{}{} }
func (w word) Announced() <-chan struct{} { return w.heard }

func TestChangesAreToldAndHeard(t *testing.T) {
	s := newFakeStore()
	e := s.put(t, EntityKey, hash(made(0)), Key{}, nil)
	w := word{told: make(chan struct{}, 1), heard: make(chan struct{}, 1)}
	o := newOffice(t, s, func(d *DirectoryOptions, _ *KeyOptions) { d.Poll, d.Invalidations = time.Hour, w })
	o.wants(made(0), 200, "")
	wantsTold := func(want int) {
		t.Helper()
		if got := len(w.told); got != want {
			t.Errorf("%d are told, want %d", got, want)
		}
		for len(w.told) > 0 {
			<-w.told
		}
	}
	wantsTold(0)
	stored, err := o.dir.Put(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	wantsTold(1)
	if _, err := o.dir.Put(t.Context(), e); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	if _, err := o.dir.Delete(t.Context(), EntityKey, "nobody"); err != nil {
		t.Error(err)
	}
	wantsTold(0) // of what has not changed
	s.put(t, EntityKey, hash(made(0)), Key{Blocked: true}, nil)
	o.wants(made(0), 200, "") // nobody has said anything
	w.heard <- struct{}{}
	for failed := (*llm.Error)(nil); failed == nil; {
		if t.Context().Err() != nil {
			t.Fatal("the block did not act")
		}
		_, failed = o.ask(made(0))
	}
	if _, err := o.dir.Delete(t.Context(), EntityKey, stored[0].ID); err != nil {
		t.Fatal(err)
	}
	wantsTold(1)
}

func TestRegeneratedKeysInTheirGrace(t *testing.T) {
	s := newFakeStore()
	s.put(t, EntityKey, hash(made(1)), Key{Replaces: hash(made(0))}, func(e *Entity) { e.Alias = "ci" })
	s.put(t, EntityKey, hash(made(0)), Key{ReplacedBy: hash(made(1)), ReplacedUntil: time.Now().Add(time.Hour)}, nil)
	s.put(t, EntityKey, hash(made(2)), Key{ReplacedBy: hash(made(1)), ReplacedUntil: time.Now().Add(-time.Second)}, nil)
	s.put(t, EntityKey, hash(made(3)), Key{ReplacedBy: hash(made(3)), ReplacedUntil: time.Now().Add(time.Hour)}, nil)
	o := newOffice(t, s, nil)
	if c := o.wants(made(0), 200, ""); c.KeyHash != hash(made(1)) || c.KeyAlias != "ci" {
		t.Errorf("the old text stands for %+v", c)
	}
	o.wants(made(1), 200, "")
	o.wants(made(2), 401, "expired_key")
}

func TestStoreAway(t *testing.T) {
	s := newFakeStore()
	s.put(t, EntityKey, hash(made(0)), Key{}, nil)
	file := filepath.Join(t.TempDir(), "keys.json")
	with := func(d *DirectoryOptions, _ *KeyOptions) { d.Snapshot = file }
	first := newOffice(t, s, with)
	s.away.Store(true)
	first.wants(made(0), 200, "")
	first.wants(made(1), 503, "service_unavailable") // never 401: nobody knows
	first.wants("sk-none", 401, "token_not_found_in_db")
	s.away.Store(false)
	first.wants(made(1), 401, "token_not_found_in_db") // it answers again
	s.away.Store(true)
	first.dir.Close()

	data, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(data), made(0)) || !strings.Contains(string(data), hash(made(0))) {
		t.Fatalf("the snapshot: %v %s", err, data)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the snapshot's mode is %v", info.Mode())
	}

	second := newOffice(t, s, with) // a start without the store
	second.wants(made(0), 200, "")
	second.wants(made(1), 503, "service_unavailable")
	second.wants(goodKey, 200, "")
	s.away.Store(false)
	s.put(t, EntityKey, hash(made(1)), Key{}, nil)
	second.wants(made(1), 200, "")

	s.away.Store(true)
	old := time.Now().Add(-2 * time.Hour)
	second.dir.Close()
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	third := newOffice(t, s, with) // the snapshot is too old
	third.wants(made(0), 503, "service_unavailable")

	none := newOffice(t, s, nil)
	none.wants(made(0), 503, "service_unavailable")
	none.wants(goodKey, 200, "")
	if none.dir.Ready() || third.dir.Ready() {
		t.Error("a directory without its store is ready")
	}

	admits := newOffice(t, s, func(_ *DirectoryOptions, o *KeyOptions) { o.AdmitUnavailable = true })
	c := admits.wants(made(5), 200, "")
	if c.Role != Internal || c.MayCall(&Route{Path: "/key/generate", Groups: []string{RoutesManagement}}) == nil {
		t.Errorf("a key that nobody could look up is %+v", c)
	}
}

func TestSnapshotsThatCannotBeRead(t *testing.T) {
	for _, text := range []string{"", "{", `{"version":99,"entities":[]}`, `[]`, `{"version":1,"entities":[{"Kind":"key","ID":"x","Data":[1]}]}`} {
		file := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := newFakeStore()
		s.away.Store(true)
		o := newOffice(t, s, func(d *DirectoryOptions, _ *KeyOptions) { d.Snapshot = file })
		o.wants(made(0), 503, "service_unavailable")
	}
}

func TestGuessesAreSlowed(t *testing.T) {
	s := newFakeStore()
	const own = "sk-own-7d1b2c94e0af"
	s.put(t, EntityKey, hash(made(0)), Key{}, nil)
	s.put(t, EntityKey, hash(own), Key{}, nil)
	o := newOffice(t, s, func(_ *DirectoryOptions, k *KeyOptions) { k.MaxWrong = 5 })
	status := func(key, address string) int {
		_, failed := o.askFrom(key, address)
		if failed == nil {
			return http.StatusOK
		}
		if failed.Status() == http.StatusTooManyRequests && (failed.RetryAfter <= 0 || failed.RetryAfter > time.Minute) {
			t.Errorf("wait %v", failed.RetryAfter)
		}
		return failed.Status()
	}
	const guesser, other = "198.51.100.7:5000", "198.51.100.8:5000"
	if got := status(own, guesser); got != 200 {
		t.Fatalf("got %d", got)
	}
	for i := range 5 {
		if got := status("sk-wrong", guesser); got != 401 {
			t.Errorf("guess %d: %d", i, got)
		}
	}
	for key, want := range map[string]int{
		"sk-wrong": 429, made(9): 429,
		made(0): 200, // nobody can guess it
		own:     200, // it was sent from here before the guesses
		goodKey: 429, // it was not: whoever guesses cannot tell it from a wrong one
	} {
		if got := status(key, guesser); got != want {
			t.Errorf("%s from the guesser's address: %d, want %d", key, got, want)
		}
		if got := status(key, other); want == 200 && got != 200 || key == goodKey && got != 200 {
			t.Errorf("%s from another address: %d", key, got)
		}
	}
	if got := status(goodKey, "[2001:db8::1]:1"); got != 200 {
		t.Errorf("got %d", got)
	}
}

func TestGuessersAreForgotten(t *testing.T) {
	g := guesses{limit: 2}
	now := time.Now()
	a := parse(t, "192.0.2.1")
	g.add(a, now)
	g.add(a, now)
	if _, over := g.over(a, now.Add(time.Second)); !over {
		t.Error("two wrong keys are not over two")
	}
	if _, over := g.over(a, now.Add(guessWindow)); over || g.hot.Load() != 0 || len(g.addresses) != 0 {
		t.Error("an address is not forgotten after a minute")
	}
	v6, same := parse(t, "2001:db8::1"), parse(t, "2001:db8::ffff")
	g.add(v6, now)
	g.add(same, now)
	if _, over := g.over(parse(t, "2001:db8::2"), now); !over {
		t.Error("a network of IPv6 is not one guesser")
	}
	for i := range 3 * maxTallies {
		g.add(parse(t, "10."+itoa(i>>16)+"."+itoa(i>>8&255)+"."+itoa(i&255)), now)
	}
	if len(g.addresses) > maxTallies {
		t.Errorf("%d addresses are watched", len(g.addresses))
	}
}

func TestAuthenticatingAKeyAllocatesNothing(t *testing.T) {
	s := newFakeStore()
	s.put(t, EntityTeam, "red", Team{}, nil)
	s.put(t, EntityKey, hash(made(0)), Key{}, func(e *Entity) { e.TeamID = "red" })
	o := newOffice(t, s, func(_ *DirectoryOptions, k *KeyOptions) { k.MaxWrong = 100 })
	r := &http.Request{Header: headers("Authorization", "Bearer "+made(0)), RemoteAddr: "192.0.2.1:1000"}
	if n := testing.AllocsPerRun(100, func() {
		if _, failed := o.keys.Authenticate(r); failed != nil {
			t.Fatal(failed)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestBudgetsFillInTerms(t *testing.T) {
	s := newFakeStore()
	ten, five, sixty, hundred := Amount(10), Amount(5), int64(60), int64(100)
	s.put(t, EntityBudget, "b", Budget{Terms{MaxBudget: &ten, BudgetDuration: "30d", RPM: &sixty, TPM: &hundred}}, nil)
	s.put(t, EntityKey, hash(made(0)), Key{Terms: Terms{BudgetID: "b", TPM: &sixty}}, nil)
	s.put(t, EntityKey, hash(made(1)), Key{Terms: Terms{BudgetID: "b", MaxBudget: &five}, TempIncrease: &ten, TempUntil: time.Now().Add(time.Hour)}, nil)
	s.put(t, EntityKey, hash(made(2)), Key{Terms: Terms{MaxBudget: &five}, TempIncrease: &ten, TempUntil: time.Now().Add(-time.Hour)}, nil)
	s.put(t, EntityEndUser, "eve", EndUser{Terms: Terms{BudgetID: "b"}}, nil)
	o := newOffice(t, s, nil)
	k := o.wants(made(0), 200, "").Key
	if *k.MaxBudget != 10 || k.BudgetDuration != "30d" || *k.RPM != 60 || *k.TPM != 60 || k.Since.IsZero() {
		t.Errorf("the key's terms are %+v", k.Terms)
	}
	if k := o.wants(made(1), 200, "").Key; *k.MaxBudget != 15 || k.BudgetDuration != "" {
		t.Errorf("the key's terms are %+v", k.Terms)
	}
	if k := o.wants(made(2), 200, "").Key; *k.MaxBudget != 5 {
		t.Errorf("the key's terms are %+v", k.Terms)
	}
	if u := o.dir.EndUser("eve"); u == nil || *u.MaxBudget != 10 {
		t.Errorf("the end user is %+v", u)
	}
	if o.dir.EndUser("nobody") != nil || o.dir.Tag("none") != nil {
		t.Error("terms of whom nothing was said")
	}
	budget := o.dir.Get(EntityBudget, "b").Entity
	budget.Data = json.RawMessage(`{"max_budget_pico":20}`)
	if _, err := o.dir.Put(t.Context(), budget); err != nil {
		t.Fatal(err)
	}
	if k := o.wants(made(0), 200, "").Key; *k.MaxBudget != 20 || k.RPM != nil {
		t.Errorf("after a change of the budget the key's terms are %+v", k.Terms)
	}
}
