package sim

import (
	"strings"
	"sync"
)

// requestShapes are the request shapes of the operations, from the public service model of bedrock-runtime.
type requestShapes struct {
	converse, converseStream, countTokens *shape
}

// shapes is built on first use: the table costs a dozen regular expressions, which a start should not pay.
var shapes = sync.OnceValue(func() requestShapes {
	s3 := structure("S3Location",
		need("uri", text().between(1, 1024).matching(`s3://[a-z0-9][\.\-a-z0-9]{1,61}[a-z0-9](/.*)?`)),
		may("bucketOwner", text().matching(`[0-9]{12}`)))
	bytesOrS3 := func(name string) *shape { return union(name, may("bytes", blob().from(1)), may("s3Location", s3)) }
	citing := structure("CitationsConfig", need("enabled", boolean()))
	failure := structure("ErrorBlock", may("message", text()))
	texts := func(name string) *shape { return list(union(name, may("text", text()))) }

	image := structure("ImageBlock", need("format", oneOf("png", "jpeg", "gif", "webp")), need("source", bytesOrS3("ImageSource")), may("error", failure))
	document := structure("DocumentBlock",
		may("format", oneOf("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md")),
		need("name", text().between(1, 200)),
		need("source", union("DocumentSource", may("bytes", blob().from(1)), may("s3Location", s3), may("text", text()), may("content", texts("DocumentContentBlock")))),
		may("context", text()), may("citations", citing))
	video := structure("VideoBlock", need("format", oneOf("mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp")), need("source", bytesOrS3("VideoSource")))
	audio := structure("AudioBlock", need("format", oneOf("mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg", "mpga", "pcm", "webm")), need("source", bytesOrS3("AudioSource")), may("error", failure))

	useID := text().between(1, 64).matching(`[a-zA-Z0-9_.:-]+`)
	toolName := text().between(1, 64).matching(`[a-zA-Z0-9_-]+`)
	searchResult := structure("SearchResultBlock", need("source", text()), need("title", text()),
		need("content", list(structure("SearchResultContentBlock", need("text", text())))), may("citations", citing))
	// The service model knows server_tool_use alone, but newer Claude answers with tool_use here, and clients send
	// answers back as they came.
	toolUse := structure("ToolUseBlock", need("toolUseId", useID), need("name", toolName), need("input", anyJSON()), may("type", oneOf("server_tool_use", "tool_use")))
	toolResult := structure("ToolResultBlock", need("toolUseId", useID),
		need("content", list(union("ToolResultContentBlock", may("json", anyJSON()), may("text", text()), may("image", image), may("document", document), may("video", video), may("searchResult", searchResult)))),
		may("status", oneOf("success", "error")), may("type", text()))

	guard := union("GuardrailConverseContentBlock",
		may("text", structure("GuardrailConverseTextBlock", need("text", text()), may("qualifiers", list(oneOf("grounding_source", "query", "guard_content"))))),
		may("image", structure("GuardrailConverseImageBlock", need("format", oneOf("png", "jpeg")), need("source", union("GuardrailConverseImageSource", may("bytes", blob().from(1)))))))
	cachePoint := structure("CachePointBlock", need("type", oneOf("default")), may("ttl", oneOf("5m", "1h")))
	reasoning := union("ReasoningContentBlock",
		may("reasoningText", structure("ReasoningTextBlock", need("text", text()), may("signature", text()))), may("redactedContent", blob()))

	span := func(name, index string) *shape {
		return structure(name, may(index, integer().from(0)), may("start", integer().from(0)), may("end", integer().from(0)))
	}
	citation := structure("Citation", may("title", text()), may("source", text()), may("sourceContent", texts("CitationSourceContent")),
		may("location", union("CitationLocation",
			may("web", structure("WebLocation", may("url", text()), may("domain", text()))),
			may("documentChar", span("DocumentCharLocation", "documentIndex")), may("documentPage", span("DocumentPageLocation", "documentIndex")),
			may("documentChunk", span("DocumentChunkLocation", "documentIndex")), may("searchResultLocation", span("SearchResultLocation", "searchResultIndex")))))
	cited := structure("CitationsContentBlock", may("content", texts("CitationGeneratedContent")), may("citations", list(citation)))
	toolReference := func(name string) *shape {
		return structure(name, need("tool", structure("ToolReference", may("type", text().between(1, 64)), may("name", text().between(1, 128)), may("serverName", text().between(1, 128)))))
	}

	block := union("ContentBlock", may("text", text()), may("image", image), may("document", document), may("video", video), may("audio", audio),
		may("toolUse", toolUse), may("toolResult", toolResult), may("guardContent", guard), may("cachePoint", cachePoint),
		may("reasoningContent", reasoning), may("citationsContent", cited), may("searchResult", searchResult),
		may("toolAddition", toolReference("ToolAdditionBlock")), may("toolRemoval", toolReference("ToolRemovalBlock")))
	messages := list(structure("Message", need("role", oneOf("user", "assistant", "system")), need("content", list(block))))
	system := list(union("SystemContentBlock", may("text", text().from(1)), may("guardContent", guard), may("cachePoint", cachePoint)))

	toolSpec := structure("ToolSpecification", need("name", toolName), may("description", text().from(1)),
		need("inputSchema", union("ToolInputSchema", may("json", anyJSON()))), may("strict", boolean()))
	toolConfig := structure("ToolConfiguration",
		need("tools", list(union("Tool", may("toolSpec", toolSpec), may("systemTool", structure("SystemTool", need("name", toolName))), may("cachePoint", cachePoint))).from(1)),
		may("toolChoice", union("ToolChoice", may("auto", structure("AutoToolChoice")), may("any", structure("AnyToolChoice")), may("tool", structure("SpecificToolChoice", need("name", toolName))))))

	inference := structure("InferenceConfiguration", may("maxTokens", integer().from(1)), may("temperature", number().between(0, 1)),
		may("topP", number().between(0, 1)), may("stopSequences", list(text().from(1)).between(0, 2500)))
	guardrail := func(more ...member) *shape {
		return structure("GuardrailConfiguration", append([]member{
			may("guardrailIdentifier", text().to(2048)),
			may("guardrailVersion", text().matching(`(|([1-9][0-9]{0,7})|(DRAFT))`)), may("trace", oneOf("enabled", "disabled", "enabled_full")),
		}, more...)...)
	}
	output := structure("OutputConfig", may("effort", text().to(16)), may("textFormat", structure("OutputFormat", need("type", oneOf("json_schema")),
		need("structure", union("OutputFormatStructure", may("jsonSchema", structure("JsonSchemaDefinition", need("schema", text()), may("name", text()), may("description", text()))))))))
	const metadata = `[a-zA-Z0-9\s:_@$#=/+,-.]`

	converse := func(name string, guardrail *shape) *shape {
		return structure(name,
			may("messages", messages), may("system", system), may("inferenceConfig", inference), may("toolConfig", toolConfig), may("guardrailConfig", guardrail),
			may("additionalModelRequestFields", anyJSON()), may("promptVariables", mapping(text(), union("PromptVariableValues", may("text", text())))),
			may("additionalModelResponseFieldPaths", list(text().between(1, 256)).between(0, 10)),
			may("requestMetadata", mapping(text().between(1, 256).matching(metadata+`{1,256}`), text().between(0, 256).matching(metadata+`{0,256}`)).between(1, 16)),
			may("performanceConfig", structure("PerformanceConfiguration", may("latency", oneOf("standard", "optimized")))),
			may("serviceTier", structure("ServiceTier", need("type", oneOf("priority", "default", "flex", "reserved")))), may("outputConfig", output))
	}
	return requestShapes{
		converse:       converse("ConverseRequest", guardrail()),
		converseStream: converse("ConverseStreamRequest", guardrail(may("streamProcessingMode", oneOf("sync", "async")))),
		countTokens: structure("CountTokensRequest", need("input", union("CountTokensInput",
			may("invokeModel", structure("InvokeModelTokensRequest", need("body", blob()))),
			may("converse", structure("ConverseTokensRequest", may("messages", messages), may("system", system), may("toolConfig", toolConfig), may("additionalModelRequestFields", anyJSON())))))),
	}
})

// bedrockWords turns what is wrong with a request into the one error that AWS would answer, or nil. Values that cannot
// be read come first, then members that nobody knows, then empty or crowded unions, then all constraints together.
func bedrockWords(problems []problem) *apiError {
	for _, p := range problems {
		if p.what == mismatchType {
			where := ""
			if p.at != nil {
				where = " at " + p.at.dotted()
			}
			return serializationError("%s%s", p.detail, where)
		}
	}
	for _, p := range problems {
		if p.what == mismatchUnknown {
			return modelError("Malformed input request: %s: extraneous key [%s] is not permitted, please reformat your input and try again.", p.at.pointer(), p.detail)
		}
	}
	var constraints []string
	for _, p := range problems {
		switch p.what {
		case mismatchNone, mismatchMany:
			var names []string
			for _, m := range p.shape.members {
				names = append(names, m.name)
			}
			if p.what == mismatchMany {
				return validationError("The %s object at %s sets more than one key: %s. Set exactly one key and try again.", p.shape.name, p.at.dotted(), p.detail)
			}
			return validationError("The %s object at %s must set one of the following keys: %s.", p.shape.name, p.at.dotted(), strings.Join(names, ", "))
		case mismatchMissing:
			constraints = append(constraints, "Value at '"+p.at.coral()+"' failed to satisfy constraint: Member must not be null")
		case mismatchConstraint:
			constraints = append(constraints, "Value at '"+p.at.coral()+"' failed to satisfy constraint: "+p.detail)
		}
	}
	switch len(constraints) {
	case 0:
		return nil
	case 1:
		return validationError("1 validation error detected: %s", constraints[0])
	default:
		return validationError("%d validation errors detected: %s", len(constraints), strings.Join(constraints, "; "))
	}
}
