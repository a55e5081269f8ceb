package main

// ballast is never touched, and so takes no memory. It counts as memory in use all the same, and so keeps the garbage collector,
// which runs whenever what is in use has doubled, from running dozens of times a second over the few megabytes of a gateway.
//
//nolint:gochecknoglobals,unused // it is there to be there
var ballast = make([]byte, 16<<20)
