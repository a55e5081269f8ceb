package llm

import "encoding/json"

// Completion is a text that a model goes on from, in the shape of the old completions endpoint: one or several prompts,
// each answered by itself, with the parameters of a [Request] whose conversation is empty.
type Completion struct {
	Request
	Prompts []string
}

// Continue returns a completion of prompts.
func Continue(model string, prompts ...string) Completion {
	return Completion{Request: Request{Model: model}, Prompts: prompts}
}

// EmbedRequest is what an embedding model is asked: a vector for each input.
type EmbedRequest struct {
	Model string
	// Inputs are texts. Contents, in their place, are inputs that hold images, films or sound, or a text and an image that
	// are embedded together.
	Inputs   []string
	Contents [][]Block
	// Dimensions is the wanted length of the vectors; 0 leaves it to the model.
	Dimensions int
	// Encoding is float (the default), base64, or the name of a type of the provider's: int8, uint8, binary, ubinary.
	Encoding string
	// Extra are the model's own parameters, see [Extra]: input_type, normalize, …. Params are those of OpenAI's API that have
	// no field here.
	Extra, Params []Field
	// Guardrail is AWS's guardrailConfig, see [Guardrail.Config].
	Guardrail json.RawMessage
	// User and Tags are for the records.
	User string
	Tags []string
	Options
}

// EmbedResponse are the vectors, one to each input.
type EmbedResponse struct {
	// Vectors are in the inputs' order; one is nil where only other types than floats were asked for.
	Vectors [][]float32
	// Base64 are the vectors as base64 of little-endian 32-bit floats, if Encoding asked for it.
	Base64 []string
	// ByType are the vectors in the provider's other types, by name, as AWS spelled them.
	ByType []map[string]json.RawMessage
	Usage  Usage
	Served
}

// ImageRequest is what an image model is asked.
type ImageRequest struct {
	Model, Prompt string
	// N is how many images are wanted; 0 is one.
	N int
	// Size is a width and a height in pixels, "1024x768"; empty leaves it to the model.
	Size string
	// Quality, Style and Format (png, jpeg, webp) are as OpenAI has them; empty means unsaid.
	Quality, Style, Format string
	// Images are those to change or to vary: the contents of PNG, JPEG or WebP files. Mask says which part of the first is
	// to change.
	Images [][]byte
	Mask   []byte
	// Extra are the model's own parameters, see [Extra]: seed, cfg_scale, taskType, …. Params are those of OpenAI's API that
	// have no field here: background, output_compression, ….
	Extra, Params []Field
	// Guardrail is AWS's guardrailConfig, see [Guardrail.Config].
	Guardrail json.RawMessage
	// User and Tags are for the records.
	User string
	Tags []string
	Options
}

// ImageResponse are the images that a model made.
type ImageResponse struct {
	Images []GeneratedImage
	// Filtered is how many more were refused for their content; Reason is what the model said of them.
	Filtered int
	Reason   string
	// Extra are further members of the model's answer.
	Extra []Field
	Usage Usage
	Served
}

// GeneratedImage is one image.
type GeneratedImage struct {
	// Data is the file's content, Type its MIME type.
	Data []byte
	Type string
	// Seed is the seed that it was made with, nil where the model does not say.
	Seed json.RawMessage
}

// RerankRequest is what a reranker is asked: how well each document answers the query.
type RerankRequest struct {
	Model, Query string
	// Documents are texts, see [Texts], or objects.
	Documents []Document
	// TopN is how many results are wanted; 0 is one for each document.
	TopN int
	// Fields are the members of documents that are objects which are looked at, in that order; nil is the whole document.
	Fields []string
	// Extra are the model's own parameters, see [Extra]. Params are those of Cohere's API that have no field here.
	Extra, Params []Field
	// Guardrail is AWS's guardrailConfig, see [Guardrail.Config].
	Guardrail json.RawMessage
	// User and Tags are for the records.
	User string
	Tags []string
	Options
}

// Texts returns texts as documents, for RerankRequest.Documents.
func Texts(texts ...string) []Document {
	list := make([]Document, len(texts))
	for i, text := range texts {
		list[i].Text = NewText(text)
	}
	return list
}

// RerankResponse is the answer of a reranker, the best first.
type RerankResponse struct {
	Results []RerankResult
	Usage   Usage
	Served
}

// RerankResult is one result: the number of its document, and how well that answers the query, from 0 to 1.
type RerankResult struct {
	Index int
	Score float64
}

// InvokeRequest is a request in the model's own words, for InvokeModel. Its body is sent byte for byte.
type InvokeRequest struct {
	Model string
	Body  []byte
	// ContentType and Accept are application/json when empty.
	ContentType, Accept string
	Options
}

// InvokeResponse is a model's answer in its own words.
type InvokeResponse struct {
	Body        []byte
	ContentType string
	Usage       Usage
	Served
}

// GuardrailRequest has a guardrail judge texts without a model, by AWS's ApplyGuardrail.
type GuardrailRequest struct {
	// ID is the guardrail's id or ARN, Version its number or DRAFT.
	ID, Version string
	// Output says that the texts are a model's; else they are a user's.
	Output bool
	// Content are texts, see [TextBlock], [Guarded] with its qualifiers, and images.
	Content []Block
	// Model names the deployment whose identity and region are used; empty is the client's first.
	Model string
}

// GuardrailResponse is a guardrail's verdict.
type GuardrailResponse struct {
	// Intervened says that something was found that the guardrail acts upon. Outputs are the texts to use instead: masked, or
	// the guardrail's own message.
	Intervened bool
	Outputs    []string
	// Reason is AWS's own word on the action. Assessments and Usage are AWS's members of these names, as they came.
	Reason             string
	Assessments, Usage json.RawMessage
	RequestID          string
	// Cost is what AWS will bill for the guardrail's policies.
	Cost Cost
}
