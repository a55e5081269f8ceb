// Package postgres opens the database that several gateways share: a Postgres server.
//
// In goes a URL, as LiteLLM's users have it in DATABASE_URL, out comes a relational.Store, whose queries and schema are
// those of package relational. The driver is pgx. No error and no log line has the URL's password. Start reading at [Open].
package postgres
