package image

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

// drawn returns a PNG whose pixels have the given opacities, in one row.
func drawn(t testing.TB, alphas ...uint8) []byte {
	picture := image.NewNRGBA(image.Rect(0, 0, len(alphas), 1))
	for x, a := range alphas {
		picture.SetNRGBA(x, 0, color.NRGBA{R: 200, G: 100, A: a})
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.AppendEncode(nil, out.Bytes())
}

// TestMasks looks at every pixel of masks that were made of transparency.
func TestMasks(t *testing.T) {
	for _, c := range []struct {
		name          string
		alphas        []uint8
		changeIsWhite bool
		want          []uint8
	}{
		{"inpainting: what is transparent is black", []uint8{0, 255, 127, 128}, false, []uint8{0, 255, 0, 255}},
		{"outpainting, Stability: what is transparent is white", []uint8{0, 255, 127, 128}, true, []uint8{255, 0, 255, 0}},
		{"nothing is transparent", []uint8{255, 255}, false, nil},
	} {
		made, err := convert(&llm.Picture{Base64: drawn(t, c.alphas...), Format: "png", Path: "mask"}, c.changeIsWhite)
		if err != nil {
			t.Fatal(c.name, err)
		}
		if c.want == nil {
			if made != nil {
				t.Errorf("%s: a mask was made", c.name)
			}
			continue
		}
		picture, failed := png.Decode(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(made)))
		if failed != nil {
			t.Fatal(c.name, failed)
		}
		gray, ok := picture.(*image.Gray)
		if !ok || gray.Bounds() != image.Rect(0, 0, len(c.want), 1) || !bytes.Equal(gray.Pix, c.want) {
			t.Errorf("%s: %T %v, want %v", c.name, picture, picture, c.want)
		}
	}
	for name, p := range map[string]*llm.Picture{
		"no PNG": {Base64: []byte("iVBORw0KGgo="), Format: "png", Path: "mask"},
		"large":  {Base64: tall(t), Format: "png", Path: "mask"},
	} {
		if _, err := convert(p, false); err == nil || err.Param != "mask" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if made, err := convert(&llm.Picture{Base64: []byte("/9j/"), Format: "jpeg"}, false); made != nil || err != nil {
		t.Errorf("a JPEG has no transparency: %s, %v", made, err)
	}
}

// tall returns the head of a PNG of 100,000 × 100,000 pixels.
func tall(t testing.TB) []byte {
	raw, err := base64.StdEncoding.DecodeString(string(drawn(t, 0)))
	if err != nil {
		t.Fatal(err)
	}
	copy(raw[16:24], []byte{0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0})
	// Without its checksum the head is refused before its size is looked at.
	binary.BigEndian.PutUint32(raw[29:33], crc32.ChecksumIEEE(raw[12:29]))
	return base64.StdEncoding.AppendEncode(nil, raw)
}

func TestDataURLs(t *testing.T) {
	for raw, want := range map[string]string{
		`"data:image/png;base64,AAAA"`:                                  `"AAAA"`,
		`{"a":"data:image/png;base64,AAAA","b":["data:image/jpeg,BB"]}`: `{"a":"AAAA","b":["BB"]}`,
		`"see \"data:image/png;base64,AAAA\""`:                          `"see \"data:image/png;base64,AAAA\""`,
		`"data:image/png"`:                                              `"data:image/png"`,
		`{"text":"a, b"}`:                                               `{"text":"a, b"}`,
	} {
		if got := string(withoutDataURLs([]byte(raw))); got != want {
			t.Errorf("%s: %s", raw, got)
		}
	}
}

// TestTooLarge sends more than AWS takes.
func TestTooLarge(t *testing.T) {
	r := &llm.Request{Image: &llm.Image{
		Task: llm.ImageEdit, Prompt: llm.NewText("x"),
		Sources: []llm.Picture{{Base64: bytes.Repeat([]byte("A"), MaxBody), Format: "jpeg", Path: "image"}},
	}}
	_, err := Encode(r, catalog.Ref{ID: "amazon.nova-canvas-v1:0"})
	if known, ok := err.(*llm.Error); !ok || known.Kind != llm.KindTooLarge || known.Param != "image" {
		t.Errorf("%v", err)
	}
}

// TestUnknownModels tells the family by the id, or says that it cannot.
func TestUnknownModels(t *testing.T) {
	for id, want := range map[string]string{
		"stability.stable-diffusion-xl-v9": "sdxl", "stability.sd3-9-v1:0": "stability-image", "us.stability.stable-image-inpaint-v9:0": "stability-edit",
		"amazon.nova-canvas-v9:0": "amazon-image", "meta.llama3": "",
	} {
		f := familyOf(catalog.Ref{ID: id})
		if want == "" && f != nil || want != "" && (f == nil || f.name != want) {
			t.Errorf("%s: %v", id, f)
		}
	}
	r := &llm.Request{Image: &llm.Image{Prompt: llm.NewText("x")}}
	if _, err := Encode(r, catalog.Ref{ID: "meta.llama3"}); err == nil || !strings.Contains(err.Error(), "base_model") {
		t.Error(err)
	}
}

// FuzzDecode reads answers of every family: what comes of one are images that can stand in a JSON string.
func FuzzDecode(f *testing.F) {
	ids := []string{"stability.stable-diffusion-xl-v1", "stability.sd3-large-v1:0", "amazon.nova-canvas-v1:0"}
	for i := range ids {
		for _, seed := range []string{
			`{"artifacts":[{"seed":1,"base64":"AAAA","finishReason":"SUCCESS"},{"finishReason":"CONTENT_FILTERED"}]}`, `{"seeds":[7],"finish_reasons":[null],"images":["AAAA"]}`,
			`{"finish_reasons":["Filter reason: prompt"]}`, `{"images":["AAAA",5,null],"error":"some"}`, `{"images":{}}`, `{"artifacts":[5]}`, `[]`, `{`,
		} {
			f.Add(i, seed)
		}
	}
	f.Fuzz(func(t *testing.T, family int, body string) {
		if family < 0 {
			family = -(family + 1)
		}
		r := &llm.Request{N: 2, Image: &llm.Image{Prompt: llm.NewText("x")}}
		job, err := Encode(r, catalog.Ref{ID: ids[family%len(ids)]})
		if err != nil {
			t.Fatal(err)
		}
		made, err := job.Decode(0, []byte(body))
		if err != nil {
			return
		}
		for _, image := range made.List {
			if !json.Valid(append(append([]byte{'"'}, image.Base64...), '"')) || image.Seed != nil && !json.Valid(image.Seed) {
				t.Errorf("%s: %s %s", body, image.Base64, image.Seed)
			}
		}
		if made.Filtered < 0 || int64(len(made.List)) != made.Usage.Made {
			t.Errorf("%s: %+v", body, made)
		}
	})
}
