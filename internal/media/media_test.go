package media

import (
	"encoding/base64"
	"errors"
	"testing"

	"github.com/outcrop-ai/outcrop/llm"
)

func TestFromDataURL(t *testing.T) {
	f := func(in, mime, content string, want error) {
		t.Helper()
		gotMIME, got, err := FromDataURL([]byte(in))
		if gotMIME != mime || string(got) != content || !errors.Is(err, want) {
			t.Errorf("%s: got %q, %q, %v", in, gotMIME, got, err)
		}
	}
	f("data:image/png;base64,iVBORw0K", "image/png", "iVBORw0K", nil)
	f("DATA:image/png;charset=x;BASE64,iVBORw0K", "image/png", "iVBORw0K", nil)
	f("data:;base64,aGk=", "", "aGk=", nil)
	f("data:text/plain,hi%20you", "text/plain", "aGkgeW91", nil)
	f("data:image/png;base64,iVBORw0", "image/png", "iVBORw0=", nil)
	f("data:image/png;base64,-_-_", "image/png", "+/+/", nil)
	f("data:image/png;base64,aGkg\naGkg", "image/png", "aGkgaGkg", nil)
	f("data:image/png;base64,", "image/png", "", ErrEmpty)
	f("data:image/png;base64,!!!!", "image/png", "", ErrNotBase64)
	f("data:image/png;base64,aaaaa", "image/png", "", ErrNotBase64)
	f("data:text/plain,%zz", "text/plain", "", ErrNotDataURL)
	f("data:image/png", "", "", ErrNotDataURL)
	f("https://example.com/a.png", "", "", ErrNotDataURL)
}

func TestFormats(t *testing.T) {
	f := func(got Format, ok bool, name string, kind llm.BlockKind) {
		t.Helper()
		if !ok || got.Name != name || got.Kind != kind {
			t.Errorf("got %+v %v, want %s", got, ok, name)
		}
	}
	mime := func(s, name string, kind llm.BlockKind) { t.Helper(); g, ok := ByMIME(s); f(g, ok, name, kind) }
	mime("image/jpg", "jpeg", llm.BlockImage)
	mime("Application/PDF; charset=binary", "pdf", llm.BlockDocument)
	mime("video/3gpp", "three_gp", llm.BlockVideo)
	name := func(s, name string, kind llm.BlockKind) { t.Helper(); g, ok := ByName(s); f(g, ok, name, kind) }
	name("report.final.DOCX", "docx", llm.BlockDocument)
	name("s3://b/k.png?versionId=1", "png", llm.BlockImage)
	name("md", "md", llm.BlockDocument)
	sniff := func(s, name string, kind llm.BlockKind) {
		t.Helper()
		g, ok := SniffBase64([]byte(base64.StdEncoding.EncodeToString([]byte(s))))
		f(g, ok, name, kind)
	}
	sniff("\x89PNG\r\n\x1a\n....", "png", llm.BlockImage)
	sniff("\xff\xd8\xff\xe0", "jpeg", llm.BlockImage)
	sniff("GIF89a", "gif", llm.BlockImage)
	sniff("RIFF\x00\x00\x00\x00WEBPVP8 ", "webp", llm.BlockImage)
	sniff("%PDF-1.7", "pdf", llm.BlockDocument)
	if g, ok := SniffBase64([]byte("aGVsbG8gd29ybGQh")); ok {
		t.Errorf("plain text taken for %v", g)
	}
}

func FuzzFromDataURL(f *testing.F) {
	for _, s := range []string{"data:image/png;base64,iVBORw0K", "data:,", "data:a;b;base64,-_", "data:text/plain,%41"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		_, content, err := FromDataURL(in)
		if err != nil {
			return
		}
		if _, err := base64.StdEncoding.DecodeString(string(content)); err != nil {
			t.Fatalf("%q gave %q, which is not standard base64: %v", in, content, err)
		}
	})
}
