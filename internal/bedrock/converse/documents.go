package converse

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/llm"
)

// documentName counts how often a name was wanted in this request.
type documentName struct {
	name string
	uses int
}

// maxDocumentName is AWS's limit, less room for a number behind the name.
const maxDocumentName = 200 - len(" (9999)")

func (e *encoder) document(md *llm.Media, format string, content []byte, p llm.Path) {
	if !isFormat(documentFormats, format) {
		e.refuse(p.String(), "the document has a format that Bedrock does not take: it takes"+strings.TrimRight(documentFormats, " "))
		return
	}
	if e.m.noDocuments {
		e.refuse(p.String(), e.m.name+" does not take documents")
		return
	}
	if e.m.isAnthropic() && isFormat(officeFormats, format) {
		e.refuse(p.String(), "InvokeModel takes PDF and text documents only: use the Converse route for "+format)
		return
	}
	e.begin()
	e.hasDocument = !e.m.isAnthropic() // which needs no text beside it
	e.dst = append(e.dst, `{"document":{"format":"`...)
	e.dst = append(e.dst, format...)
	e.dst = append(e.dst, `","name":`...)
	if e.m.isAnthropic() { // a title, free in form
		e.dst = llm.AppendString(e.dst, md.Name)
	} else {
		e.dst = llm.AppendString(e.dst, e.documentName(md, content))
	}
	e.dst = append(e.dst, `,"source":`...)
	e.sourceOf(md, content, p)
	if !md.Context.IsBlank() {
		e.dst = append(e.dst, `,"context":`...)
		e.dst = md.Context.AppendJSON(e.dst)
	}
	if md.CitationsEnabled {
		e.dst = append(e.dst, `,"citations":{"enabled":true}`...)
	}
	e.dst = append(e.dst, '}', '}')
}

// documentName returns a name that AWS takes and no other document of the request has. The same file gets the same
// name in every turn: the prompt cache stands behind it.
func (e *encoder) documentName(md *llm.Media, content []byte) string {
	name := fitDocumentName(md.Name)
	if name == "" {
		name = "Document-" + contentHash(md, content)
	}
	for {
		d := e.useDocumentName(name)
		if d == 1 {
			return name
		}
		next := name + " (" + strconv.Itoa(d) + ")"
		if e.useDocumentName(next) == 1 {
			return next
		}
	}
}

// useDocumentName counts one more use of name and returns the count.
func (e *encoder) useDocumentName(name string) int {
	for i := range e.documents {
		if e.documents[i].name == name {
			e.documents[i].uses++
			return e.documents[i].uses
		}
	}
	e.documents = append(e.documents, documentName{name: name, uses: 1})
	return 1
}

func contentHash(md *llm.Media, content []byte) string {
	if md.S3 != "" {
		sum := sha256.Sum256([]byte(md.S3))
		return hex.EncodeToString(sum[:hashDigits/2])
	}
	h := sha256.New()
	if !md.Text.IsEmpty() {
		h.Write([]byte(md.Text.String()))
	}
	var chunk [3 * 1024]byte
	for len(content) > 0 {
		n := min(len(content), base64.StdEncoding.EncodedLen(len(chunk)))
		size, err := base64.StdEncoding.Decode(chunk[:], content[:n])
		h.Write(chunk[:size])
		if err != nil {
			break // padding bits that are not zero: AWS decides, the name is stable all the same
		}
		content = content[n:]
	}
	return hex.EncodeToString(h.Sum(nil)[:hashDigits/2])
}

// fitDocumentName keeps what AWS allows in a document's name (letters, digits, single spaces, hyphens, round and
// square brackets), cuts the extension off and returns "" if nothing is left.
func fitDocumentName(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 6 {
		name = name[:i]
	}
	out := make([]byte, 0, len(name))
	for _, r := range name {
		c := byte('-')
		switch {
		case r < 0x80 && (isNameByte(byte(r)) && r != '_' || strings.IndexByte("()[] ", byte(r)) >= 0): //nolint:gosec // ASCII
			c = byte(r) //nolint:gosec // ASCII
		}
		if n := len(out); n > 0 && (c == '-' || c == ' ') && out[n-1] == c {
			continue
		}
		if out = append(out, c); len(out) == maxDocumentName {
			break
		}
	}
	return strings.Trim(string(out), " -")
}
