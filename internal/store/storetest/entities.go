package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
)

func put(t *testing.T, s *relational.Store, list ...account.Entity) []account.Entity {
	t.Helper()
	result, err := s.Put(t.Context(), list)
	ok(t, err)
	return result
}

func entities(t *testing.T, s *relational.Store) (list []account.Entity, change int64) {
	t.Helper()
	change, err := s.Entities(t.Context(), func(e account.Entity) error {
		list = append(list, e)
		return nil
	})
	ok(t, err)
	return list, change
}

func key(id string, version int64) account.Entity {
	return account.Entity{Kind: account.EntityKey, ID: id, Data: json.RawMessage(`{"a":1}`), Version: version}
}

func entitiesComeBack(t *testing.T, open Open) {
	s, again := open(t)
	list, change := entities(t, s)
	equal(t, len(list), 0)
	equal(t, change, 0)
	made := time.Date(2026, 8, 1, 12, 0, 0, 123456000, time.UTC)
	full := account.Entity{
		Kind: account.EntityKey, ID: "h", Alias: "ci", TeamID: "t", UserID: "u", OrganizationID: "o", CreatedAt: made,
		Data: json.RawMessage(`{"metadata":{"é":"\u0000'"},"max_budget_pico":9223372036854775807}`),
	}
	stored := put(t, s, full)[0]
	equal(t, stored.Version, 1)
	equal(t, stored.CreatedAt, made)
	if time.Since(stored.UpdatedAt).Abs() > time.Hour {
		t.Errorf("changed at %v", stored.UpdatedAt)
	}
	other := put(t, s, account.Entity{Kind: account.EntityTeam, ID: "h", Alias: "ci", Data: json.RawMessage(`{}`)})[0] // of another kind
	list, _ = entities(t, again())
	equal(t, len(list), 2)
	for _, e := range list {
		want := stored
		if e.Kind == account.EntityTeam {
			want = other
		}
		if !reflect.DeepEqual(e, want) {
			t.Errorf("got  %+v\nwant %+v", e, want)
		}
	}
	if _, err := s.Entities(t.Context(), func(account.Entity) error { return errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	// A directory may ask something while it reads.
	_, err := s.Entities(t.Context(), func(account.Entity) error {
		_, err := s.Spent(t.Context(), []account.Charge{{Scope: "key", ID: "h"}})
		return err
	})
	ok(t, err)
}

func entitiesOfOtherVersionsConflict(t *testing.T, open Open) {
	s, _ := open(t)
	conflict := func(list ...account.Entity) {
		t.Helper()
		if _, err := s.Put(t.Context(), list); !errors.Is(err, account.ErrConflict) {
			t.Errorf("got %v", err)
		}
	}
	a := put(t, s, key("a", 0))[0]
	conflict(key("a", 0))
	conflict(key("a", 2))
	conflict(key("nobody", 1))
	a.Alias = "one"
	a = put(t, s, a)[0]
	equal(t, a.Version, 2)
	conflict(key("a", 1))

	b := key("b", 0)
	b.Alias = "one"
	conflict(b)
	conflict(key("c", 0), b) // all or none
	_, err := s.Put(t.Context(), []account.Entity{b})
	if err == nil || !strings.Contains(err.Error(), `"one"`) {
		t.Errorf("got %v", err)
	}
	list, change := entities(t, s)
	equal(t, len(list), 1)

	gone, err := s.Delete(t.Context(), account.EntityKey, []string{"nobody", "a"})
	ok(t, err)
	equal(t, fmt.Sprint(gone), "[a]")
	conflict(a)
	put(t, s, b)           // the name is free again
	put(t, s, key("a", 0)) // and so is the id
	list, now := entities(t, s)
	equal(t, len(list), 2)
	equal(t, now, change+3)
	gone, err = s.Delete(t.Context(), account.EntityTeam, []string{"a"})
	ok(t, err)
	equal(t, len(gone), 0)
}

func changesAreTold(t *testing.T, open Open) {
	s, again := open(t)
	f := func(after int64, want string) int64 {
		t.Helper()
		list, change, err := again().Changes(t.Context(), after)
		ok(t, err)
		var got []string
		for _, e := range list {
			got = append(got, fmt.Sprint(e.Kind, " ", e.ID, " ", e.Version))
		}
		equal(t, strings.Join(got, ", "), want)
		return change
	}
	last := f(0, "")
	put(t, s, key("b", 0), key("a", 0))
	last = f(last, "key a 1, key b 1")
	put(t, s, key("c", 0))
	put(t, s, key("b", 1))
	f(last, "key c 1, key b 2")
	_, err := s.Delete(t.Context(), account.EntityKey, []string{"c"})
	ok(t, err)
	last = f(last, "key b 2, key c 0")
	equal(t, f(last, ""), last)
	_, change := entities(t, s)
	equal(t, change, last)
}

// changesFromManySides: whoever follows changes sees each, though they are made at once.
func changesFromManySides(t *testing.T, open Open) {
	first, again := open(t)
	const sides, each = 4, 15
	follower := again()
	var all sync.WaitGroup
	for side := range sides {
		s := first
		if side > 0 {
			s = again()
		}
		all.Go(func() {
			for i := range each {
				if _, err := s.Put(context.Background(), []account.Entity{key(fmt.Sprint(side, "-", i), 0)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	finished := make(chan struct{})
	go func() { all.Wait(); close(finished) }()
	seen, after, end := map[string]bool{}, int64(0), false
	for {
		list, change, err := follower.Changes(context.Background(), after)
		ok(t, err)
		for _, e := range list {
			seen[e.ID] = true
		}
		after = change
		if end {
			break
		}
		select {
		case <-finished:
			end = true // and once more
		default:
		}
	}
	equal(t, len(seen), sides*each)
}
