package media

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/outcrop-ai/outcrop/llm"
)

// Format is one kind of file that Bedrock's Converse takes.
type Format struct {
	// Name is AWS's name, such as "png" or "three_gp".
	Name string
	// Kind is the block that carries it.
	Kind llm.BlockKind
}

// byMIME maps MIME types to formats. Beside the registered types it has the spellings that clients are seen to send.
var byMIME = map[string]Format{
	"image/png": {"png", llm.BlockImage}, "image/jpeg": {"jpeg", llm.BlockImage}, "image/jpg": {"jpeg", llm.BlockImage},
	"image/gif": {"gif", llm.BlockImage}, "image/webp": {"webp", llm.BlockImage},

	"application/pdf": {"pdf", llm.BlockDocument}, "application/x-pdf": {"pdf", llm.BlockDocument},
	"text/csv": {"csv", llm.BlockDocument}, "application/csv": {"csv", llm.BlockDocument},
	"application/msword": {"doc", llm.BlockDocument},
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document": {"docx", llm.BlockDocument},
	"application/vnd.ms-excel": {"xls", llm.BlockDocument},
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {"xlsx", llm.BlockDocument},
	"text/html": {"html", llm.BlockDocument}, "application/xhtml+xml": {"html", llm.BlockDocument},
	"text/plain": {"txt", llm.BlockDocument}, "text/markdown": {"md", llm.BlockDocument}, "text/x-markdown": {"md", llm.BlockDocument},

	"video/mp4": {"mp4", llm.BlockVideo}, "video/quicktime": {"mov", llm.BlockVideo}, "video/x-matroska": {"mkv", llm.BlockVideo},
	"video/webm": {"webm", llm.BlockVideo}, "video/x-flv": {"flv", llm.BlockVideo}, "video/mpeg": {"mpeg", llm.BlockVideo},
	"video/mpg": {"mpg", llm.BlockVideo}, "video/x-ms-wmv": {"wmv", llm.BlockVideo}, "video/wmv": {"wmv", llm.BlockVideo},
	"video/3gpp": {"three_gp", llm.BlockVideo}, "video/mov": {"mov", llm.BlockVideo}, "video/mkv": {"mkv", llm.BlockVideo},
	"video/flv": {"flv", llm.BlockVideo},

	"audio/mpeg": {"mp3", llm.BlockAudio}, "audio/mp3": {"mp3", llm.BlockAudio}, "audio/wav": {"wav", llm.BlockAudio},
	"audio/x-wav": {"wav", llm.BlockAudio}, "audio/wave": {"wav", llm.BlockAudio}, "audio/aac": {"aac", llm.BlockAudio},
	"audio/flac": {"flac", llm.BlockAudio}, "audio/ogg": {"ogg", llm.BlockAudio}, "audio/opus": {"opus", llm.BlockAudio},
	"audio/mp4": {"mp4", llm.BlockAudio}, "audio/m4a": {"m4a", llm.BlockAudio}, "audio/x-m4a": {"m4a", llm.BlockAudio},
	"audio/webm": {"webm", llm.BlockAudio}, "audio/pcm": {"pcm", llm.BlockAudio},
}

// byEnding maps file endings to formats where both speak of documents, images and video alike.
var byEnding = map[string]Format{
	"png": {"png", llm.BlockImage}, "jpg": {"jpeg", llm.BlockImage}, "jpeg": {"jpeg", llm.BlockImage},
	"gif": {"gif", llm.BlockImage}, "webp": {"webp", llm.BlockImage},
	"pdf": {"pdf", llm.BlockDocument}, "csv": {"csv", llm.BlockDocument}, "doc": {"doc", llm.BlockDocument},
	"docx": {"docx", llm.BlockDocument}, "xls": {"xls", llm.BlockDocument}, "xlsx": {"xlsx", llm.BlockDocument},
	"html": {"html", llm.BlockDocument}, "htm": {"html", llm.BlockDocument}, "txt": {"txt", llm.BlockDocument},
	"md": {"md", llm.BlockDocument}, "markdown": {"md", llm.BlockDocument},
	"mp4": {"mp4", llm.BlockVideo}, "mov": {"mov", llm.BlockVideo}, "mkv": {"mkv", llm.BlockVideo}, "webm": {"webm", llm.BlockVideo},
	"flv": {"flv", llm.BlockVideo}, "mpeg": {"mpeg", llm.BlockVideo}, "mpg": {"mpg", llm.BlockVideo}, "wmv": {"wmv", llm.BlockVideo},
	"3gp": {"three_gp", llm.BlockVideo}, "three_gp": {"three_gp", llm.BlockVideo},
	"mp3": {"mp3", llm.BlockAudio}, "wav": {"wav", llm.BlockAudio}, "aac": {"aac", llm.BlockAudio}, "flac": {"flac", llm.BlockAudio},
	"ogg": {"ogg", llm.BlockAudio}, "opus": {"opus", llm.BlockAudio}, "m4a": {"m4a", llm.BlockAudio}, "pcm": {"pcm", llm.BlockAudio},
}

// ByMIME returns the format of a MIME type; parameters behind ";" are ignored.
func ByMIME(mime string) (Format, bool) {
	mime, _, _ = strings.Cut(mime, ";")
	f, ok := byMIME[strings.ToLower(strings.TrimSpace(mime))]
	return f, ok
}

// ByName returns the format that the ending of a file name or URL path tells, or that name itself is ("pdf").
func ByName(name string) (Format, bool) {
	name, _, _ = strings.Cut(name, "?")
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:]
	}
	f, ok := byEnding[strings.ToLower(name)]
	return f, ok
}

// Sniff returns the format that the first bytes of a file give away. Text formats have no such bytes, and the Office
// formats share theirs with every archive, so only images, PDF and a few media files are known.
func Sniff(head []byte) (Format, bool) {
	switch {
	case bytes.HasPrefix(head, []byte("\x89PNG")):
		return byEnding["png"], true
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return byEnding["jpeg"], true
	case bytes.HasPrefix(head, []byte("GIF8")):
		return byEnding["gif"], true
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return byEnding["webp"], true
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WAVE":
		return byEnding["wav"], true
	case bytes.HasPrefix(head, []byte("%PDF-")):
		return byEnding["pdf"], true
	default:
		return Format{}, false
	}
}

// SniffBase64 is [Sniff] on the beginning of base64 text.
func SniffBase64(text []byte) (Format, bool) {
	var head [12]byte
	n, err := base64.StdEncoding.Decode(head[:], text[:min(len(text)/4*4, 16)])
	if err != nil && n == 0 {
		return Format{}, false
	}
	return Sniff(head[:n])
}
