// Package layout holds the tests of the repository itself: who imports whom, what no part of the program may use, and what
// no file may mention. It has no code of its own; the linter checks the same rules where it can.
package layout
