// Package identity finds out who the gateway is towards AWS, and signs as that.
//
// In go the parameters of one deployment ([Options]), out comes an [Identity] that authenticates calls: static keys, a
// bearer token, a profile, an assumed role, a web identity, or whatever the environment gives. What a deployment says
// explicitly beats the environment, and the two are never mixed. Identities are shared by all deployments that mean
// the same one; credentials are fetched once however many requests wait, and renewed before they expire.
//
// The AWS SDK finds the credentials and makes the signatures. No secret is ever printed. Start reading at [Pool.For].
package identity
