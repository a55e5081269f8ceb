// Package storetest is what every store must do, as tests that each database runs.
//
// In comes a function that opens an empty database, out come failures. The package is imported by tests alone. Start
// reading at [Run].
package storetest
