package image

import (
	"math"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// stabilityImage are Stability's later models that make images: SD3, SD3.5, Stable Image Core and Ultra.
var stabilityImage = family{
	name: "stability-image", knows: []string{"stability.sd3", "stable-image-core", "stable-image-ultra"}, encode: encodeStability, decode: decodeStability,
}

func encodeStability(e *encoder) {
	isCore, isUltra := strings.Contains(e.id, "image-core"), strings.Contains(e.id, "image-ultra")
	formats := []string{"png", "jpeg"}
	if isCore || isUltra {
		formats = append(formats, "webp")
	}
	e.plainWish(formats...)
	switch {
	case e.asked.Task == llm.ImageVary:
		e.refuse("prompt", e.ref.ID+" needs a prompt to vary an image: use /images/edits")
	case e.asked.Task == llm.ImageEdit && isCore:
		e.refuse("model", e.ref.ID+" does not edit images")
	case e.asked.Prompt.IsEmpty():
		e.missing("prompt", "")
	}
	var body object
	body.set("prompt", e.asked.Prompt.AppendJSON(nil))
	w := e.said.or(e.usual)
	if e.asked.Task == llm.ImageEdit {
		if e.asked.Mask != nil {
			e.unsupported("mask", string(e.asked.Mask.Base64))
		}
		picture := e.one()
		if picture == nil && e.own.get("image") == nil {
			e.missing("image", "")
		}
		body.picture("image", picture)
		if !isUltra {
			body.text("mode", "image-to-image")
		}
		if e.own.get("strength") == nil && e.base.get("strength") == nil {
			body.set("strength", []byte("0.7"))
		}
		if w.width != 0 { // the image's own shape holds
			e.unsupported("size", strconv.Itoa(w.width)+"x"+strconv.Itoa(w.height))
		}
	} else if e.own.get("aspect_ratio") == nil && w.width != 0 {
		body.text("aspect_ratio", aspectRatio(w.width, w.height))
	}
	body.fillAll(e.own)
	body.text("output_format", w.format)
	body.fillAll(e.base)
	e.repeat(body)
}

// ratios are those that Stability's models have, the squarer first.
var ratios = [...][2]int{{1, 1}, {5, 4}, {4, 5}, {3, 2}, {2, 3}, {16, 9}, {9, 16}, {21, 9}, {9, 21}}

// aspectRatio returns the ratio that is nearest to a size's.
func aspectRatio(width, height int) string {
	best, least := ratios[0], math.Inf(1)
	for _, r := range ratios {
		off := math.Abs(math.Log(float64(width)/float64(height)) - math.Log(float64(r[0])/float64(r[1])))
		if off < least-1e-9 {
			best, least = r, off
		}
	}
	return strconv.Itoa(best[0]) + ":" + strconv.Itoa(best[1])
}

func decodeStability(body []byte, wanted int) (*llm.Images, error) {
	found := &llm.Images{}
	var images, seeds [][]byte
	for image := range jsonscan.Elements(jsonscan.Member(body, "images")) {
		images = append(images, inner(image))
	}
	for seed := range jsonscan.Elements(jsonscan.Member(body, "seeds")) {
		seeds = append(seeds, seed)
	}
	refused := make([]bool, len(images))
	i := 0
	for raw := range jsonscan.Elements(jsonscan.Member(body, "finish_reasons")) {
		if reason := jsonscan.Text(raw); reason != "" {
			if strings.Contains(reason, "Inference error") {
				return nil, inferenceError("the model failed to make an image: " + reason)
			}
			found.Filtered++
			found.Reason = "the model's content filter refused the request: " + reason
			if i < len(refused) {
				refused[i] = true
			}
		}
		i++
	}
	if len(images) == 0 && found.Filtered > 0 { // one reason stands for them all
		found.Filtered = wanted
	}
	for i, image := range images {
		if refused[i] || image == nil {
			continue
		}
		made := llm.MadeImage{Base64: image}
		if i < len(seeds) && string(seeds[i]) != "null" {
			made.Seed = seeds[i]
		}
		found.List = append(found.List, made)
	}
	return found, nil
}
