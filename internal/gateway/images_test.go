package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // some models answer with JPEG
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/sim"
)

// simulated starts a gateway for every model in front of a simulated Bedrock.
func simulated(t *testing.T) *rig {
	t.Helper()
	bedrock := sim.New(sim.Options{Auth: sim.AuthOff})
	upstream, err := bedrock.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bedrock.Close)
	return newRig(t, fmt.Sprintf(embedding, upstream, testKey), nil)
}

// drawing is a PNG; the left half is transparent if it has a hole.
func drawing(t *testing.T, width, height int, hole bool) []byte {
	t.Helper()
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		for y := range height {
			alpha := byte(255)
			if hole && x < width/2 {
				alpha = 0
			}
			picture.SetNRGBA(x, y, color.NRGBA{R: byte(x), G: byte(y), A: alpha})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

type imageAnswer struct {
	Data []struct {
		B64 string `json:"b64_json"`
		URL string `json:"url"`
	}
	OutputFormat string `json:"output_format"`
	Size         string
	Error        struct{ Code, Message string }
}

func imagesOf(t *testing.T, body string) (imageAnswer, []image.Image) {
	t.Helper()
	var answer imageAnswer
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v: %.200s", err, body)
	}
	var list []image.Image
	for _, d := range answer.Data {
		raw, err := base64.StdEncoding.DecodeString(d.B64)
		if err != nil {
			t.Fatal(err)
		}
		picture, _, err := image.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, picture)
	}
	return answer, list
}

// TestImagesOfEveryModel asks every image model of the catalogue for images, or to change one, against the simulator, which
// checks each family's body as AWS does.
func TestImagesOfEveryModel(t *testing.T) {
	models, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	g := simulated(t)
	source := base64.StdEncoding.EncodeToString(drawing(t, 64, 48, false))
	mask := base64.StdEncoding.EncodeToString(drawing(t, 64, 48, true))
	asked := map[string]int{}
	for _, m := range models.Models() {
		path, body := "/v1/images/generations", `"prompt":"an otter","n":2`
		switch {
		case m.Mode == "image":
		case m.Mode != "image_edit":
			continue
		case strings.Contains(m.ID, "style-transfer"):
			path, body = "/v1/images/edits", `"image":["`+source+`","`+source+`"],"n":2`
		default:
			path, body = "/v1/images/edits", `"image":"data:image/png;base64,`+source+`","prompt":"an otter","n":2`
			if strings.Contains(m.ID, "inpaint") || strings.Contains(m.ID, "erase") {
				body += `,"mask":"` + mask + `"`
			}
			for word, more := range map[string]string{"outpaint": `"left":16`, "search-replace": `"search_prompt":"a dog"`, "search-recolor": `"select_prompt":"fur"`} {
				if strings.Contains(m.ID, word) {
					body += "," + more
				}
			}
		}
		asked[m.Mode]++
		resp, text := g.send(http.MethodPost, path, `{"model":"bedrock/`+m.ID+`",`+body+`}`, bearer(testKey))
		if resp.StatusCode != 200 {
			t.Errorf("%s: %d %.300s", m.ID, resp.StatusCode, text)
			continue
		}
		if _, list := imagesOf(t, text); len(list) != 2 || list[0].Bounds().Dx() < 64 {
			t.Errorf("%s: %d images", m.ID, len(list))
		}
		r := g.books.next(t)
		if !strings.HasPrefix(r.Type, "aimage_") || !r.CostKnown || r.Cost <= 0 || r.Usage.Made != 2 || r.Usage.Input != 0 {
			t.Errorf("%s: %+v", m.ID, r)
		}
	}
	if asked["image"] < 10 || asked["image_edit"] < 12 {
		t.Errorf("%v models", asked)
	}
}

// form sends a multipart form as OpenAI's clients do. Fields whose name begins with "@" are files.
func (g *rig) form(path string, fields [][2]string) (*http.Response, string) {
	g.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, f := range fields {
		name, isFile := strings.CutPrefix(f[0], "@")
		var part io.Writer
		var err error
		if isFile {
			part, err = w.CreateFormFile(name, "picture.bin")
		} else {
			part, err = w.CreateFormField(name)
		}
		if err == nil {
			_, err = io.WriteString(part, f[1])
		}
		if err != nil {
			g.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		g.t.Fatal(err)
	}
	header := bearer(testKey)
	header.Set("Content-Type", w.FormDataContentType())
	return g.send(http.MethodPost, path, body.String(), header)
}

// TestImageForms uploads images.
func TestImageForms(t *testing.T) {
	g := simulated(t)
	source, hole := string(drawing(t, 64, 48, false)), string(drawing(t, 64, 48, true))
	canvas, prompt := [2]string{"model", "bedrock/amazon.nova-canvas-v1:0"}, [2]string{"prompt", "an otter"}
	for _, c := range []struct {
		name   string
		path   string
		fields [][2]string
		status int
		says   string
		images int
	}{
		{"an image and a mask", "edits", [][2]string{canvas, prompt, {"@image", source}, {"@mask", hole}, {"n", "2"}}, 200, "", 2},
		{"two images", "edits", [][2]string{canvas, prompt, {"@image[]", source}, {"@image[]", hole}}, 200, "", 1},
		{"a configuration as text", "edits", [][2]string{canvas, prompt, {"@image", source}, {"imageGenerationConfig", `{"numberOfImages":3,"cfgScale":8}`}}, 200, "", 3},
		{"a number as text", "edits", [][2]string{{"model", "bedrock/stability.sd3-large-v1:0"}, prompt, {"@image", source}, {"strength", "0.3"}, {"seed", "7"}}, 200, "", 1},
		{"the model's own image", "edits", [][2]string{{"model", "bedrock/us.stability.stable-style-transfer-v1:0"}, {"@image", source}, {"@style_image", hole}}, 200, "", 1},
		{"a variation", "variations", [][2]string{canvas, {"@image", source}, {"n", "2"}, {"size", "512x512"}}, 200, "", 2},
		{"no image", "edits", [][2]string{canvas, prompt}, 400, `"param":"image"`, 0},
		{"a document", "edits", [][2]string{canvas, prompt, {"@image", "%PDF-1.7"}}, 400, `"param":"image"`, 0},
		{"a GIF", "edits", [][2]string{canvas, prompt, {"@image", "GIF89a"}}, 400, `PNG, JPEG or WebP`, 0},
		{"n in words", "edits", [][2]string{canvas, prompt, {"@image", source}, {"n", "two"}}, 400, `"param":"n"`, 0},
		{"no model", "edits", [][2]string{prompt, {"@image", source}}, 400, `"param":"model"`, 0},
		{"a text twice", "edits", [][2]string{canvas, prompt, prompt, {"@image", source}}, 400, `duplicate_key`, 0},
	} {
		resp, body := g.form("/v1/images/"+c.path, c.fields)
		if resp.StatusCode != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %.300s", c.name, resp.StatusCode, body)
			continue
		}
		if c.status == 200 {
			if _, list := imagesOf(t, body); len(list) != c.images {
				t.Errorf("%s: %d images", c.name, len(list))
			}
		}
	}
	resp, body := g.send(http.MethodPost, "/v1/images/edits", "x", http.Header{"Authorization": bearer(testKey)["Authorization"], "Content-Type": {"multipart/form-data"}})
	if resp.StatusCode != 400 || !strings.Contains(body, `"param":"Content-Type"`) {
		t.Errorf("no boundary: %d %s", resp.StatusCode, body)
	}
}

// endless is an upload that goes on.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

// TestUploadTooLarge refuses an upload before it has ended: by its length, or as soon as it is over the limit.
func TestUploadTooLarge(t *testing.T) {
	g := simulated(t)
	for _, c := range []struct {
		length int64
		read   int
	}{{20_000_000, 0}, {-1, 19_500_000}} {
		body := &endless{}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/images/edits", body)
		r.ContentLength = c.length
		r.Header = bearer(testKey)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=XX")
		w := httptest.NewRecorder()
		g.server.ServeHTTP(w, r)
		if w.Code != http.StatusRequestEntityTooLarge || body.read > c.read {
			t.Errorf("%d: %d after %d bytes: %s", c.length, w.Code, body.read, w.Body)
		}
	}
}

// TestFilteredImages are errors when none is left, and a warning else.
func TestFilteredImages(t *testing.T) {
	g := simulated(t)
	for _, c := range []struct {
		model, prompt string
		n, status     int
		images        int
		warning       string
	}{
		{"amazon.nova-canvas-v1:0", "x [filter:all]", 3, 400, 0, ""},
		{"amazon.nova-canvas-v1:0", "x [filter:1]", 3, 200, 2, "1 of 3 images filtered: Some images were blocked by our content filters."},
		{"stability.stable-diffusion-xl-v1", "x [filter:1]", 1, 400, 0, ""},
		{"stability.sd3-large-v1:0", "x [filter:all]", 2, 400, 0, ""},
		{"stability.sd3-large-v1:0", "x [error]", 1, 502, 0, ""},
		{"stability.stable-diffusion-xl-v1", "x [error]", 1, 502, 0, ""},
	} {
		resp, body := g.send(http.MethodPost, "/v1/images/generations", fmt.Sprintf(`{"model":"bedrock/%s","prompt":"%s","n":%d}`, c.model, c.prompt, c.n), bearer(testKey))
		answer, list := imagesOf(t, body)
		if resp.StatusCode != c.status || len(list) != c.images || resp.Header.Get("X-Outcrop-Warning") != c.warning {
			t.Errorf("%s %s: %d, %d images, %q %.200s", c.model, c.prompt, resp.StatusCode, len(list), resp.Header.Get("X-Outcrop-Warning"), body)
		}
		if c.status == 400 && answer.Error.Code != "content_policy_violation" {
			t.Errorf("%s: %+v", c.model, answer.Error)
		}
		if r := g.books.next(t); c.status == 400 && (r.Cost != 0 || r.Usage.Made != 0) || c.status == 200 && r.Usage.Made != int64(c.images) {
			t.Errorf("%s: %+v", c.model, r)
		}
	}
}
