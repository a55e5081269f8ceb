// Package sqlite opens the database of a gateway that runs alone: one SQLite file.
//
// In goes a path, out comes a relational.Store, whose queries and schema are those of package relational. The driver is
// modernc.org/sqlite, SQLite translated to Go. Start reading at [Open].
package sqlite
