// Package converse speaks Bedrock's Converse and ConverseStream.
//
// In comes an llm.Request and what the catalogue knows of the model; out goes the body that AWS takes, byte for byte
// the same for the same request. Back come AWS's answer or its event-stream frames; out go an llm.Response or the
// events of an llm.Stream. What AWS would refuse and can be known here is refused with the field's name, repaired, or
// left out by name: nothing is lost in silence.
//
// The package never does I/O of its own, knows no client's dialect, and copies prompts, tool schemas and arguments
// without unescaping them. Start reading at [Encode], then messages.go; at [Decode]; at [NewStream].
package converse
