package account

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"maps"
	"net/netip"
	"sync/atomic"
	"time"
)

// Holder is an entity as a [Directory] keeps it: with its JSON read. One of the pointers is set, that of its kind. Nobody
// changes it.
type Holder struct {
	Entity
	Key          *Key
	Team         *Team
	User         *User
	Organization *Organization
	Budget       *Budget
	EndUser      *EndUser
	Tag          *TagTerms

	// resolved is what was last made of it and of those that it belongs to.
	resolved atomic.Pointer[resolution]
}

// resolution is what an owner comes to while the directory is at one generation, and before a time.
type resolution struct {
	generation uint64
	until      time.Time // zero is for ever
	caller     Caller
	ips        []netip.Prefix // that the key may be sent from
	endUser    *EndUser
	tag        *TagTerms
}

// newHolder reads an entity.
func newHolder(e Entity) (*Holder, error) {
	o := &Holder{Entity: e}
	var into any
	var terms *Terms
	switch e.Kind {
	case EntityKey:
		o.Key = &Key{}
		into, terms = o.Key, &o.Key.Terms
	case EntityTeam:
		o.Team = &Team{}
		into, terms = o.Team, &o.Team.Terms
	case EntityUser:
		o.User = &User{}
		into, terms = o.User, &o.User.Terms
	case EntityOrganization:
		o.Organization = &Organization{}
		into, terms = o.Organization, &o.Organization.Terms
	case EntityBudget:
		o.Budget = &Budget{}
		into, terms = o.Budget, &o.Budget.Terms
	case EntityEndUser:
		o.EndUser = &EndUser{}
		into, terms = o.EndUser, &o.EndUser.Terms
	case EntityTag:
		o.Tag = &TagTerms{}
		into, terms = o.Tag, &o.Tag.Terms
	default:
		return nil, fmt.Errorf("an entity of an unknown kind: %s", e.Kind)
	}
	if len(e.Data) > 0 {
		if err := json.Unmarshal(e.Data, into); err != nil {
			return nil, fmt.Errorf("%s %s cannot be read: %w", e.Kind, e.ID, err)
		}
	}
	terms.Since = e.CreatedAt
	if o.Team != nil {
		for i := range o.Team.Members {
			o.Team.Members[i].Since = e.CreatedAt
		}
	}
	return o, nil
}

// Terms returns the owner's own terms, without those of the budget that it names.
func (o *Holder) Terms() *Terms {
	switch {
	case o.Key != nil:
		return &o.Key.Terms
	case o.Team != nil:
		return &o.Team.Terms
	case o.User != nil:
		return &o.User.Terms
	case o.Organization != nil:
		return &o.Organization.Terms
	case o.Budget != nil:
		return &o.Budget.Terms
	case o.EndUser != nil:
		return &o.EndUser.Terms
	default:
		return &o.Tag.Terms
	}
}

// shards is how many parts a table has: a change copies one of them.
const shards = 64

// table keeps the owners of one kind. Readers take no lock; there is one writer at a time.
type table struct {
	seed   maphash.Seed
	shards [shards]atomic.Pointer[map[string]*Holder]
}

func newTable() *table { return &table{seed: maphash.MakeSeed()} }

func (t *table) get(id string) *Holder {
	if m := t.shards[maphash.String(t.seed, id)%shards].Load(); m != nil {
		return (*m)[id]
	}
	return nil
}

// find is get without an allocation for an id that is no string yet.
func (t *table) find(id []byte) *Holder {
	if m := t.shards[maphash.Bytes(t.seed, id)%shards].Load(); m != nil {
		return (*m)[string(id)]
	}
	return nil
}

// change puts owners and removes those that are nil.
func (t *table) change(list map[string]*Holder) {
	fresh := map[uint64]map[string]*Holder{}
	for id, o := range list {
		i := maphash.String(t.seed, id) % shards
		m := fresh[i]
		if m == nil {
			if old := t.shards[i].Load(); old != nil {
				m = maps.Clone(*old)
			}
			if m == nil {
				m = map[string]*Holder{}
			}
			fresh[i] = m
		}
		if o == nil {
			delete(m, id)
		} else {
			m[id] = o
		}
	}
	for i, m := range fresh {
		t.shards[i].Store(&m)
	}
}

// replace makes list all that there is.
func (t *table) replace(list map[string]*Holder) {
	var fresh [shards]map[string]*Holder
	for id, o := range list {
		i := maphash.String(t.seed, id) % shards
		if fresh[i] == nil {
			fresh[i] = map[string]*Holder{}
		}
		fresh[i][id] = o
	}
	for i := range fresh {
		t.shards[i].Store(&fresh[i])
	}
}

// all calls yield for each owner until it returns false.
func (t *table) all(yield func(*Holder) bool) {
	for i := range t.shards {
		m := t.shards[i].Load()
		if m == nil {
			continue
		}
		for _, o := range *m {
			if !yield(o) {
				return
			}
		}
	}
}
