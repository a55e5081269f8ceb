package account

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// EntityKind says what an [Entity] is. The words are those of tables, of [Charge.Scope] and of the change feed.
type EntityKind string

// The kinds of entities. Their ids: a key's is the SHA-256 of its text in lower-case hex, as LiteLLM has it, so that an
// imported table of LiteLLM's keys works unchanged; an end user's is what clients call him; a tag's is its name.
const (
	EntityKey          EntityKind = "key"
	EntityUser         EntityKind = "user"
	EntityTeam         EntityKind = "team"
	EntityOrganization EntityKind = "organization"
	EntityBudget       EntityKind = "budget"
	EntityEndUser      EntityKind = "end_user"
	EntityTag          EntityKind = "tag"
)

// Entity is a key, a team, a user, … as a store keeps it: the columns that it is found by, and the rest as JSON, into
// which no store looks. [Key], [Team] and their kin are what the JSON holds.
type Entity struct {
	Kind EntityKind
	ID   string
	// Alias is the name that people gave it, unique among the entities of its kind if it is not empty.
	Alias string
	// TeamID, UserID and OrganizationID say whose it is; empty where that means nothing.
	TeamID, UserID, OrganizationID string
	Data                           json.RawMessage
	CreatedAt, UpdatedAt           time.Time
	// Version counts its changes from 1; 0 is one that is not stored yet.
	Version int64
}

// Errors of an [EntityStore]. They are wrapped.
var (
	// ErrConflict says that an entity exists already, has another version, or that its alias is taken.
	ErrConflict = errors.New("it exists, or has been changed by somebody else")
	// ErrNotFound says that there is no such entity.
	ErrNotFound = errors.New("there is none")
)

// EntityStore keeps entities and what was spent. A directory reads all of it once and follows its changes, so that no
// request waits for a database. SQLite's store and Postgres's implement it, and one suite of tests holds them to it.
type EntityStore interface {
	// Entities calls yield for each entity, and returns the number of the last change that they contain.
	Entities(ctx context.Context, yield func(Entity) error) (change int64, err error)
	// Changes returns what was put or deleted after a change, oldest first, and the number of the last one. A deleted entity
	// has Version 0 and nothing but Kind and ID. Changes that commit out of order are not lost: the same change may be
	// told twice, none is left out.
	Changes(ctx context.Context, after int64) (list []Entity, change int64, err error)
	// Put stores entities, all or none, each one with the next version. One with Version 0 must not exist; another must
	// have the version that it was read with: else the error is ErrConflict. The result has the new versions.
	Put(ctx context.Context, list []Entity) ([]Entity, error)
	// Delete removes the entities that exist, all or none, and returns their ids.
	Delete(ctx context.Context, kind EntityKind, ids []string) ([]string, error)
	// Spent returns what was charged to counters, 0 for those that nothing was.
	Spent(ctx context.Context, counters []Charge) ([]Amount, error)
	// ResetSpent sets counters to amounts: the word of an administrator.
	ResetSpent(ctx context.Context, counters []Charge, to []Amount) error
}

// Invalidations are how the gateways that share a store tell each other that entities have changed, so that nobody has to wait
// for the next look at the store. They carry no entity: the store is what is true, and it is looked at from time to time in any
// case, so whatever is not told costs no more than that time.
type Invalidations interface {
	// Announce tells the others. It waits for nobody.
	Announce()
	// Announced has something to read after another one has announced a change, or when that may have gone unheard.
	Announced() <-chan struct{}
}

// Charge names one counter of spend that calls are charged to: what an owner has spent in one of its budget's periods.
// A record lists those of its call; a store adds the call's cost to each of them in the transaction that writes the
// record's row, and only if the row was not there before: so they are never counted twice and never differ from the rows.
type Charge struct {
	// Scope is the kind of owner: a word of [EntityKind], or "member" (a user in a team), "model" (of a key), "deployment",
	// "global". ID is its id; of a member "team/user", of a model "hash/group".
	Scope, ID string
	// Period is the beginning of the period in seconds since 1970; 0 is all time.
	Period int64
}
