package image

import (
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// sdxl is Stable Diffusion XL.
var sdxl = family{name: "sdxl", knows: []string{"stable-diffusion-xl"}, encode: encodeSDXL, decode: decodeSDXL}

func encodeSDXL(e *encoder) {
	e.plainWish("png")
	if e.asked.Prompt.IsEmpty() && e.asked.Task != llm.ImageVary {
		e.missing("prompt", "")
	}
	if e.asked.Task == llm.ImageVary {
		e.refuse("prompt", e.ref.ID+" needs a prompt to vary an image: use /images/edits")
	}
	fields := e.own
	fields.fillAll(e.base)
	prompts := append(e.asked.Prompt.AppendJSON([]byte(`[{"text":`)), `,"weight":1}`...)
	if negative := fields.take("negative_prompt"); negative != nil {
		prompts = append(append(append(prompts, `,{"text":`...), negative...), `,"weight":-1}`...)
	}
	for further := range jsonscan.Elements(fields.take("text_prompts")) {
		prompts = append(append(prompts, ','), further...)
	}
	var body object
	body.set("text_prompts", append(prompts, ']'))
	w := e.said.or(e.usual)
	if e.asked.Task == llm.ImageEdit { // the image's own size holds
		if w.width != 0 {
			e.unsupported("size", strconv.Itoa(w.width)+"x"+strconv.Itoa(w.height))
		}
		picture := e.one()
		if picture == nil && fields.get("init_image") == nil {
			e.missing("image", "")
		}
		body.picture("init_image", picture)
		if mask := e.mask(false); mask != nil {
			body.text("mask_source", "MASK_IMAGE_BLACK")
			body.set("mask_image", quoted(mask))
		} else if fields.get("mask_image") == nil {
			fields.fill("image_strength", []byte("0.35"))
		}
	} else {
		body.integer("width", w.width)
		body.integer("height", w.height)
	}
	body.fillAll(fields)
	e.job.Width, _ = strconv.Atoi(string(body.get("width")))
	e.job.Height, _ = strconv.Atoi(string(body.get("height")))
	e.job.Steps, _ = strconv.Atoi(string(body.get("steps")))
	e.job.exact = true
	e.repeat(body)
}

func decodeSDXL(body []byte, _ int) (*llm.Images, error) {
	found := &llm.Images{}
	for artifact := range jsonscan.Elements(jsonscan.Member(body, "artifacts")) {
		switch reason := jsonscan.Text(jsonscan.Member(artifact, "finishReason")); reason {
		case "CONTENT_FILTERED": // what comes with it is blurred
			found.Filtered++
			found.Reason = "the model's content filter refused the image"
		case "ERROR":
			return nil, inferenceError("the model failed to make an image")
		default:
			if image := inner(jsonscan.Member(artifact, "base64")); image != nil {
				found.List = append(found.List, llm.MadeImage{Base64: image, Seed: jsonscan.Member(artifact, "seed")})
			}
		}
	}
	return found, nil
}
