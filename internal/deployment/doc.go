// Package deployment makes of a configuration what calls are routed to: its deployments, the connections by which each of
// them reaches AWS, and the rules of routing.
//
// In goes a config.Config without errors, out come a [Table] (the router's deployments and the engine's connections, one
// to each) and an engine.Routing. A connection knows whom its deployment goes as and at which endpoint, what callers may
// say of that themselves, and the sessions that name them. The gateway and the Go SDK make theirs here, so that the same
// configuration makes the same upstream calls.
//
// The package serves no request and calls no model. Start reading at [NewTable] and [NewRouting].
package deployment
