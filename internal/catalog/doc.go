// Package catalog knows Bedrock's models: what an id, an inference profile or an ARN means, what a model can do, how much
// it holds, and what it costs.
//
// In goes a name as a client or a configuration writes it, out come a [Ref] with the base model behind it and the
// [Price] of a call. The facts are data, models.json, embedded and read once; a test checks them. A model that is not
// among them works all the same: nothing is taken as missing, and its price is unknown, never zero.
//
// Start reading at [Catalog.Resolve] and [Catalog.Price].
package catalog
