package relational

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// sliceBits are the bits of an id within a slice of time: a slice is 2^22 µs, 4.2 s.
const sliceBits = placeBits + 22

// alike is what the rows of a group have in common: all that they are found and summed by.
type alike struct {
	// slice is the slice of time in which the call began, hour the hour, in seconds.
	slice, hour                                int64
	key, alias, user, team, organization       string
	endUser, session, model, group, deployment string
	tags                                       string
	failed, cached, priced                     bool
}

// group is rows of a batch that are alike.
type group struct {
	alike
	// first is one of them.
	first *account.Record
	rows  int64
	// pico is the sum of their costs, least and most the bounds of them, all 0 where the price is not known.
	pico, least, most int64
	tokens            [5]int64
}

// groupRows puts the rows of a batch together that are alike: under load they are few groups, and what is kept of rows beside
// the rows costs no more than these. The order is that of each group's first row.
func groupRows(records []*account.Record) []*group {
	var list []*group
	known := map[alike]*group{}
	var g *group // that of the row before: neighbours are mostly alike
	for _, r := range records {
		a := alike{
			slice: placeOf(r.Start, r.Entry) >> sliceBits, hour: floor(r.Start.Unix(), hour),
			key: r.KeyHash, alias: r.KeyAlias, user: r.UserID, team: r.TeamID, organization: r.OrganizationID,
			endUser: r.User, session: r.Session, model: r.Model, group: r.Group, deployment: r.Deployment,
			failed: r.Failed(), cached: r.CacheHit, priced: r.CostKnown,
		}
		if len(r.Tags) > 0 {
			a.tags = strings.Join(r.Tags, "\x00")
		}
		if g == nil || g.alike != a {
			g = known[a]
		}
		if g == nil {
			g = &group{alike: a, first: r}
			if a.priced {
				g.least, g.most = r.Cost, r.Cost
			}
			known[a] = g
			list = append(list, g)
		}
		g.rows++
		if a.priced {
			g.pico, g.least, g.most = sum(g.pico, r.Cost), min(g.least, r.Cost), max(g.most, r.Cost)
		}
		for i, n := range tokens(&r.Usage) {
			g.tokens[i] += n
		}
	}
	return list
}
