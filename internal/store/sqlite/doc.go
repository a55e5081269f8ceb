// Package sqlite keeps the book of finished calls in one SQLite file, for a gateway that runs alone.
//
// In come batches of account.Record through [Store.Append]; out go rows of the table spend_logs, whose columns have the
// names of LiteLLM's table where there is one, with money in whole pico-dollars and times in whole microseconds since
// 1970. The schema is brought up to date when the file is opened, forward only.
//
// The package must never write a prompt, an answer or a key. The driver is modernc.org/sqlite, SQLite translated to Go.
// Start reading at [Open] and the files in migrations.
package sqlite
