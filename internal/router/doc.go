// Package router chooses the deployment that answers a request.
//
// In goes the name that a client asked for, out comes one [Deployment] of the model group or wildcard that the name
// means, chosen at random by weight. The package knows no HTTP, no JSON and no AWS; it holds no state but the table it
// was built from, so a router may be used from any goroutine. Start reading at [Router.Pick].
package router
