package llm

import "encoding/json"

// Embed is what an embedding model is asked: a vector for each input.
type Embed struct {
	// Inputs are in the client's order. An input is a text, an image (or video, or audio clip), or a text and an image that
	// are embedded together.
	Inputs [][]Block
	// Dimensions is the wanted length of the vectors; nil leaves it to the model.
	Dimensions *int64
	// Encoding is the wanted form: float, base64, or the name of a type of the provider's (int8, binary, …). Empty is float.
	Encoding string
}

// Embeddings are the vectors, one to each input, in the inputs' order.
type Embeddings struct {
	Vectors []Vector
	Usage   Usage
}

// Vector is the embedding of one input.
type Vector struct {
	// Floats is the vector as a JSON list of numbers, as AWS spelled them; nil if only other types were asked for.
	Floats json.RawMessage
	// ByType are the vectors by the provider's names of their types, where more than floats were asked for.
	ByType []Field
}
