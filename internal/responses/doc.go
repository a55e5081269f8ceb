// Package responses keeps answers of the Responses API, so that a later request can go on from one by its id.
//
// In comes a [Response] with what was said and what came back, as JSON in OpenAI's words; it comes out by its id, for its
// owner alone: to everybody else it is not there. [Memory] keeps them while the process lives and within bounds; a database
// keeps them for good. The package knows neither HTTP nor what the JSON means. Start reading at [Response].
package responses
