package invoke

import (
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// document is a request in Converse's words, taken apart to be said again. All of it are spans of that JSON.
type document struct {
	system []block
	turns  []turn
	// The members of inferenceConfig; nil where they are unsaid.
	maxTokens, temperature, topP []byte
	stops                        []string
	// fields are the members of additionalModelRequestFields: what the family's own body calls by these names.
	fields []llm.Field
	tools  []tool
	// choice is toolChoice, schema the JSON Schema of a structured answer, as a JSON string.
	choice, schema []byte

	guardrail, metadata, latency, tier []byte
}

// turn is one message.
type turn struct {
	assistant bool
	blocks    []block
}

// block is a content block: the name of its one member, and its value. cache is the cache point behind it.
type block struct {
	kind  string
	value []byte
	cache []byte
}

// tool is a function, or a tool of the system's own, whose whole definition is then raw.
type tool struct {
	name, description, schema, raw []byte
	strict                         bool
	cache                          []byte
}

// The kinds of blocks, by Converse's names.
const (
	kindText      = "text"
	kindGuarded   = "guardContent"
	kindImage     = "image"
	kindVideo     = "video"
	kindDocument  = "document"
	kindReasoning = "reasoningContent"
	kindToolUse   = "toolUse"
	kindResult    = "toolResult"
	kindCache     = "cachePoint"
	kindCitations = "citationsContent"
)

func readDocument(raw []byte) document {
	var d document
	for name, value := range jsonscan.Members(raw) {
		switch name {
		case "messages":
			for message := range jsonscan.Elements(value) {
				t := turn{assistant: jsonscan.Text(jsonscan.Member(message, "role")) == "assistant"}
				t.blocks = readBlocks(jsonscan.Member(message, "content"))
				d.turns = append(d.turns, t)
			}
		case "system":
			d.system = readBlocks(value)
		case "inferenceConfig":
			d.readInference(value)
		case "additionalModelRequestFields":
			for field, value := range jsonscan.Members(value) {
				d.fields = append(d.fields, llm.Field{Name: field, Value: value})
			}
		case "toolConfig":
			d.readTools(value)
		case "outputConfig":
			d.schema = jsonscan.Member(value, "textFormat", "structure", "jsonSchema", "schema")
		case "guardrailConfig":
			d.guardrail = value
		case "requestMetadata":
			d.metadata = value
		case "performanceConfig":
			d.latency = jsonscan.Member(value, "latency")
		case "serviceTier":
			d.tier = jsonscan.Member(value, "type")
		}
	}
	return d
}

// readBlocks reads content; a cache point belongs to the block before it.
func readBlocks(raw []byte) []block {
	var blocks []block
	for element := range jsonscan.Elements(raw) {
		for kind, value := range jsonscan.Members(element) {
			if kind == kindCache {
				if n := len(blocks); n > 0 {
					blocks[n-1].cache = value
				}
			} else {
				blocks = append(blocks, block{kind: kind, value: value})
			}
			break // a block has one member
		}
	}
	return blocks
}

func (d *document) readInference(raw []byte) {
	for name, value := range jsonscan.Members(raw) {
		switch name {
		case "maxTokens":
			d.maxTokens = value
		case "temperature":
			d.temperature = value
		case "topP":
			d.topP = value
		case "stopSequences":
			for stop := range jsonscan.Elements(value) {
				d.stops = append(d.stops, jsonscan.Text(stop))
			}
		}
	}
}

func (d *document) readTools(raw []byte) {
	for name, value := range jsonscan.Members(raw) {
		if name == "toolChoice" {
			d.choice = value
			continue
		}
		for element := range jsonscan.Elements(value) {
			for kind, value := range jsonscan.Members(element) {
				switch kind {
				case "toolSpec":
					d.tools = append(d.tools, tool{
						name: jsonscan.Member(value, "name"), description: jsonscan.Member(value, "description"),
						schema: jsonscan.Member(value, "inputSchema", "json"), strict: string(jsonscan.Member(value, "strict")) == "true",
						raw: element,
					})
				case kindCache:
					if n := len(d.tools); n > 0 {
						d.tools[n-1].cache = value
					}
				default:
					d.tools = append(d.tools, tool{raw: element})
				}
				break
			}
		}
	}
}

// field returns a member of the family's own fields, and takes it out.
func (d *document) field(name string) []byte {
	for i := range d.fields {
		if d.fields[i].Name == name {
			value := d.fields[i].Value
			d.fields = append(d.fields[:i:i], d.fields[i+1:]...)
			return value
		}
	}
	return nil
}

func (d *document) has(name string) bool { return llm.Lookup(d.fields, name) != nil }

// forcedTool returns the choice's mode (auto, any, tool or "") and the name that it may have.
func (d *document) toolChoice() (mode string, name []byte) {
	for mode, value := range jsonscan.Members(d.choice) {
		return mode, jsonscan.Member(value, "name")
	}
	return "", nil
}

// prefill returns whether the last turn is the assistant's, to be continued.
func (d *document) prefill() bool { return len(d.turns) > 0 && d.turns[len(d.turns)-1].assistant }
