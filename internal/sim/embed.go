package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// embedder is one embedding model's own language behind InvokeModel.
type embedder struct {
	// ids are parts of the ids of its models.
	ids   []string
	shape *shape
	// answer embeds what a checked body holds, and returns its tokens.
	answer func(body map[string]any) (out object, tokens int, refused *apiError)
}

// behindARN returns the model that an ARN stands for, as far as a body tells: ARNs of provisioned throughput and of
// application inference profiles name none. Other ids stand for themselves.
func behindARN(model string, body []byte) string {
	var m members
	if !isARN(model) || json.Unmarshal(body, &m) != nil {
		return model
	}
	switch {
	case m.have("taskType") && m.have("singleEmbeddingParams"):
		return "nova-2-multimodal-embeddings"
	case m.have("taskType"):
		return "nova-canvas"
	case m.have("text_prompts"):
		return "stable-diffusion-xl"
	case m.have("texts") || m.have("images"):
		return "cohere.embed"
	case m.have("dimensions") || m.have("normalize") || m.have("embeddingTypes"):
		return "titan-embed-text-v2"
	case m.have("inputImage") || m.have("embeddingConfig"):
		return "titan-embed-image"
	case m.have("inputText") && len(m) == 1:
		return "titan-embed"
	}
	return model
}

// embedderOf returns nil for models that embed nothing.
func embedderOf(model string) *embedder {
	for i := range embedders() {
		for _, part := range embedders()[i].ids {
			if strings.Contains(model, part) {
				return &embedders()[i]
			}
		}
	}
	return nil
}

var embedders = sync.OnceValue(func() []embedder {
	types := list(oneOf("float", "int8", "uint8", "binary", "ubinary"))
	image := text().matching(`data:image/[a-z]+;base64,.+`)
	cohere := func(more ...member) *shape {
		return structure("Request", append([]member{
			may("texts", list(text().from(1)).between(1, 96)), may("images", list(image).between(1, 1)), need("input_type", oneOf("search_document", "search_query", "classification", "clustering", "image")),
			may("truncate", oneOf("NONE", "START", "END")), may("embedding_types", types),
		}, more...)...)
	}
	part := tagged("content", may("text", structure("text", need("type", text()), need("text", text()))),
		may("image_url", structure("image_url", need("type", text()), need("image_url", structure("image_url", need("url", image))))))
	source := union("source", may("bytes", blob().from(1)), may("s3Location", structure("s3Location", need("uri", text()), may("bucketOwner", text()))))
	medium := structure("medium", need("format", text()), need("source", source), may("detailLevel", text()), may("embeddingMode", text()))
	media := union("mediaSource", may("base64String", blob().from(1)), may("s3Location", structure("s3Location", need("uri", text()), may("bucketOwner", text()))))
	return []embedder{
		{ids: []string{"titan-embed-text-v2"}, shape: structure("Request", need("inputText", text().from(1)), may("dimensions", integer()), may("normalize", boolean()),
			may("embeddingTypes", list(oneOf("float", "binary")))), answer: titanV2Answer},
		{ids: []string{"titan-embed-image"}, shape: structure("Request", may("inputText", text().from(1)), may("inputImage", blob().from(1)),
			may("embeddingConfig", structure("embeddingConfig", need("outputEmbeddingLength", integer())))), answer: titanImageAnswer},
		{ids: []string{"titan-embed"}, shape: structure("Request", need("inputText", text().from(1))), answer: func(body map[string]any) (object, int, *apiError) {
			said, _ := body["inputText"].(string)
			return object{"embedding": unitVector(said, 1536), "inputTextTokenCount": countTokens(said)}, countTokens(said), nil
		}},
		{ids: []string{"cohere.embed-v4"}, shape: cohere(may("output_dimension", integer()), may("max_tokens", integer()),
			may("inputs", list(structure("input", need("content", list(part)))))), answer: cohereAnswer(1536)},
		{ids: []string{"cohere.embed"}, shape: cohere(), answer: cohereAnswer(1024)},
		{ids: []string{"nova-2-multimodal-embeddings"}, shape: structure("Request", may("schemaVersion", oneOf("nova-multimodal-embed-v1")), need("taskType", oneOf("SINGLE_EMBEDDING")),
			need("singleEmbeddingParams", structure("singleEmbeddingParams", need("embeddingPurpose", text()), may("embeddingDimension", integer()),
				may("text", structure("text", may("value", text().from(1)), may("source", source), need("truncationMode", oneOf("START", "END", "NONE")))),
				may("image", medium), may("video", medium), may("audio", medium)))), answer: novaAnswer},
		{ids: []string{"marengo-embed-2"}, shape: structure("Request", need("inputType", oneOf("text", "image", "video", "audio")), may("inputText", text().from(1)),
			may("textTruncate", oneOf("end", "none")), may("mediaSource", media), may("embeddingOption", anyJSON()), may("startSec", number()), may("lengthSec", number())), answer: marengoAnswer(1024)},
		{ids: []string{"marengo-embed"}, shape: structure("Request", need("inputType", oneOf("text", "image", "text_image")), may("text", structure("text", need("inputText", text().from(1)))),
			may("image", structure("image", need("mediaSource", media))), may("text_image", structure("text_image", need("inputText", text().from(1)), need("mediaSource", media))),
			may("inferenceId", text())), answer: marengoAnswer(512)},
	}
})

// serveEmbedding answers an InvokeModel call of a model that embeds.
func (s *Server) serveEmbedding(w http.ResponseWriter, r *http.Request, c *call, e *embedder, fault *Fault) {
	var body map[string]any
	if refused := checked(c.body, e.shape, &body); refused != nil {
		writeError(w, refused)
		return
	}
	out, tokens, refused := e.answer(body)
	if refused != nil {
		writeError(w, refused)
		return
	}
	if !pause(r.Context(), s.options.Latency) {
		return
	}
	if tokens > 0 {
		w.Header().Set("X-Amzn-Bedrock-Input-Token-Count", strconv.Itoa(tokens))
	}
	w.Header().Set("X-Amzn-Bedrock-Invocation-Latency", strconv.FormatInt(s.options.Latency.Milliseconds(), 10))
	s.deliverBody(w, r, fault, mustJSON(out))
}

// unitVector embeds a text: its pieces of three characters point in directions of their own, so that texts that share many
// of them are near each other. The vector has the length 1.
func unitVector(said string, dimensions int) []float64 {
	v := make([]float64, dimensions)
	padded := []rune("  " + strings.ToLower(said) + "  ")
	for i := 0; i+3 <= len(padded); i++ {
		sum := sha256.Sum256([]byte(string(padded[i : i+3])))
		at := binary.LittleEndian.Uint32(sum[:]) % uint32(dimensions) //nolint:gosec // a few thousand
		sign := 1.0
		if sum[4]&1 == 1 {
			sign = -1
		}
		v[at] += sign
	}
	norm := 0.0
	for _, x := range v {
		norm += x * x
	}
	if norm == 0 {
		v[0], norm = 1, 1
	}
	for i := range v {
		v[i] = math.Round(v[i]/math.Sqrt(norm)*1e6) / 1e6
	}
	return v
}

// signs is the vector as bits.
func signs(v []float64) []int {
	bits := make([]int, len(v))
	for i, x := range v {
		if x > 0 {
			bits[i] = 1
		}
	}
	return bits
}

// dimensionsOf checks a wanted length against those that there are.
func dimensionsOf(wanted any, usual int, offered ...int) (int, *apiError) {
	n, ok := wanted.(float64)
	if !ok {
		return usual, nil
	}
	for _, o := range offered {
		if int(n) == o {
			return o, nil
		}
	}
	return 0, validationError("Malformed input request: #/dimensions: %v is not a valid enum value, please reformat your input and try again.", n)
}

func titanV2Answer(body map[string]any) (object, int, *apiError) {
	n, refused := dimensionsOf(body["dimensions"], 1024, 256, 512, 1024)
	if refused != nil {
		return nil, 0, refused
	}
	said, _ := body["inputText"].(string)
	v := unitVector(said, n)
	byType := object{}
	wanted, _ := body["embeddingTypes"].([]any)
	if len(wanted) == 0 {
		wanted = []any{"float"}
	}
	out := object{"inputTextTokenCount": countTokens(said)}
	for _, kind := range wanted {
		if kind == "float" {
			byType["float"], out["embedding"] = v, v
		} else {
			byType["binary"] = signs(v)
		}
	}
	out["embeddingsByType"] = byType
	return out, countTokens(said), nil
}

func titanImageAnswer(body map[string]any) (object, int, *apiError) {
	said, _ := body["inputText"].(string)
	image, _ := body["inputImage"].(string)
	if said == "" && image == "" {
		return nil, 0, validationError("Malformed input request: #: at least one of inputText and inputImage is required, please reformat your input and try again.")
	}
	n, refused := dimensionsOf(member1(body, "embeddingConfig.outputEmbeddingLength"), 1024, 256, 384, 1024)
	if refused != nil {
		return nil, 0, refused
	}
	return object{"embedding": unitVector(said+image, n), "inputTextTokenCount": countTokens(said), "message": nil}, countTokens(said), nil
}

func cohereAnswer(usual int) func(map[string]any) (object, int, *apiError) {
	return func(body map[string]any) (object, int, *apiError) {
		n, refused := dimensionsOf(body["output_dimension"], usual, 256, 512, 1024, 1536)
		if refused != nil {
			return nil, 0, refused
		}
		var vectors [][]float64
		tokens := 0
		for _, name := range []string{"texts", "images", "inputs"} {
			inputs, _ := body[name].([]any)
			for _, one := range inputs {
				said, ok := one.(string)
				if !ok {
					said = string(mustJSON(one))
				}
				vectors = append(vectors, unitVector(said, n))
				tokens += countTokens(said)
			}
		}
		if vectors == nil {
			return nil, 0, validationError("invalid request: one of texts, images and inputs is required.")
		}
		out := object{"id": "5f1c", "texts": []any{}, "response_type": "embeddings_floats", "embeddings": vectors}
		wanted, _ := body["embedding_types"].([]any)
		if len(wanted) > 0 || usual == 1536 {
			if len(wanted) == 0 {
				wanted = []any{"float"}
			}
			byType := object{}
			for _, kind := range wanted {
				name, _ := kind.(string)
				if name == "float" {
					byType[name] = vectors
					continue
				}
				var bits [][]int
				for _, v := range vectors {
					bits = append(bits, signs(v))
				}
				byType[name] = bits
			}
			out["embeddings"], out["response_type"] = byType, "embeddings_by_type"
		}
		return out, tokens, nil
	}
}

func novaAnswer(body map[string]any) (object, int, *apiError) {
	params, _ := body["singleEmbeddingParams"].(map[string]any)
	n, refused := dimensionsOf(params["embeddingDimension"], 3072, 256, 384, 1024, 3072)
	if refused != nil {
		return nil, 0, refused
	}
	said, _ := member1(params, "text.value").(string)
	kind, tokens := "TEXT", countTokens(said)
	for _, name := range []string{"image", "video", "audio"} {
		if medium, ok := params[name]; ok {
			kind, said, tokens = strings.ToUpper(name), string(mustJSON(medium)), mediaTokens
		}
	}
	return object{"embeddings": []object{{"embeddingType": kind, "embedding": unitVector(said, n)}}}, tokens, nil
}

func marengoAnswer(n int) func(map[string]any) (object, int, *apiError) {
	return func(body map[string]any) (object, int, *apiError) {
		if kind := body["inputType"]; kind == "video" || kind == "audio" {
			return nil, 0, validationError("The inputType %v is only supported with StartAsyncInvoke.", kind)
		}
		kept := map[string]any{}
		for name, v := range body {
			if name != "inputType" && name != "textTruncate" {
				kept[name] = v
			}
		}
		return object{"data": []object{{"embedding": unitVector(string(mustJSON(kept)), n)}}}, 0, nil
	}
}
