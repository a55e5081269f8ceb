// Package account says who may call and keeps the book of what every call used and cost.
//
// In come a request's headers, answered by [Keys] with a [Caller] or a refusal; a usage, answered by [Cost] with an exact
// [Amount]; and, when a call is over, one [Record] of it, passed by value. Out go batches of records to a [Sink], written by the one goroutine of a [Ledger]: the request
// path never waits for a database, and a sink that is slow or away delays rows, not answers. What waits, waits in a log on
// disk (package journal), where the death of the process cannot take it.
//
// The package must never keep, log or return a key's text; a key is known by its digest, the master key by a pseudonym.
// It knows no dialect and no database. Start reading at [Keys.Authenticate] and [Ledger.Add]; [Record.fields] says how a
// record is written to the log.
package account
