// Package relational keeps the book of finished calls, and keys, teams and users, in a SQL database.
//
// In come batches of account.Record through [Store.Append] and entities through [Store.Put]; out go rows, sums and changes.
// The queries are one text for SQLite and Postgres; what differs stands in a [Dialect]. Money is in whole pico-dollars and
// times are in whole microseconds since 1970. The schema is brought up to date when a store is opened, forward only.
//
// A row, the counters of spend that its call is charged to and the sums that reports are made of are written in one
// transaction, and a row that was there before changes nothing: so a batch may be written again when nobody knows whether
// it was committed.
//
// The package must never write a key, and a prompt or an answer only where a record has contents. Start reading at [New],
// [Store.Append] and the files in migrations.
package relational
