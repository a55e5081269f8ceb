package converse

// Turn is what an answer needs to know about its request. A nil Turn knows nothing and is right for most requests.
// It is not changed after Encode and may be used by several answers.
type Turn struct {
	// names holds the tool names that AWS knows under another name than the client.
	names []nameChange
	// wrapped lists, by AWS's names, the tools whose arguments came into a "value" member because their schema is no
	// object.
	wrapped []string
	// tools lists the client's tool names when textCalls is set.
	tools []string
	// jsonTool is the tool by which the model gives a structured answer; keepProperties says that its schema has a
	// member "properties" of its own.
	jsonTool       string
	keepProperties bool
	// fences says that a Markdown fence around the answer is to be cut.
	fences bool
	// thinkTags says that the family writes its reasoning into the text, between tags.
	thinkTags bool
	// inThought says that the prompt ended inside of reasoning, so that the answer begins there.
	inThought bool
	// textCalls says that the family may write a call as JSON text.
	textCalls bool
}

func (t *Turn) isZero() bool {
	return len(t.names) == 0 && len(t.wrapped) == 0 && t.jsonTool == "" && !t.fences && !t.thinkTags && !t.inThought && !t.textCalls
}

// StartInThought returns t for an answer that begins inside of reasoning which "</think>" ends. t may be nil.
func (t *Turn) StartInThought() *Turn {
	next := Turn{}
	if t != nil {
		next = *t
	}
	next.inThought = true
	return &next
}

// clientName returns the client's name of the tool that AWS calls name.
func (t *Turn) clientName(name []byte) string {
	if t != nil {
		for i := range t.names {
			if t.names[i].upstream == string(name) {
				return t.names[i].client
			}
		}
	}
	return string(name)
}

func (t *Turn) isJSONTool(name []byte) bool {
	return t != nil && t.jsonTool != "" && t.jsonTool == string(name)
}

func (t *Turn) isWrapped(name []byte) bool {
	if t != nil {
		for _, w := range t.wrapped {
			if w == string(name) {
				return true
			}
		}
	}
	return false
}

func (t *Turn) knowsTool(name string) bool {
	for _, n := range t.tools {
		if n == name {
			return true
		}
	}
	return false
}
