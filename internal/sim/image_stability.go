package sim

import (
	"image"
	"strconv"
	"strings"
)

// stabilityPainters are Stable Diffusion XL, and Stability's later models that make images.
func stabilityPainters() []painter {
	prompt := structure("text_prompts", need("text", text().between(1, 2000)), may("weight", number()))
	xl := structure("Request", need("text_prompts", list(prompt).from(1)), may("width", integer().between(128, 1536)), may("height", integer().between(128, 1536)),
		may("cfg_scale", number().between(0, 35)), may("clip_guidance_preset", text()), may("sampler", text()), may("samples", integer().between(1, 1)),
		may("seed", integer().between(0, maxSeed)), may("steps", integer().between(10, 150)), may("style_preset", text()), may("extras", anyJSON()),
		may("init_image", blob().from(1)), may("init_image_mode", oneOf("IMAGE_STRENGTH", "STEP_SCHEDULE")), may("image_strength", number().between(0, 1)),
		may("mask_source", oneOf("MASK_IMAGE_WHITE", "MASK_IMAGE_BLACK", "INIT_IMAGE_ALPHA")), may("mask_image", blob().from(1)))
	later := func(formats ...string) *shape {
		return structure("Request", need("prompt", text().between(1, 10_000)), may("negative_prompt", text().to(10_000)), may("aspect_ratio", oneOf(stabilityRatios...)),
			may("mode", oneOf("text-to-image", "image-to-image")), may("image", blob().from(1)), may("strength", number().between(0, 1)),
			may("seed", integer().between(0, maxSeed)), may("output_format", oneOf(formats...)))
	}
	return []painter{
		{ids: []string{"stable-diffusion-xl"}, shape: xl, answer: paintXL},
		{ids: []string{"stability.sd3"}, shape: later("jpeg", "png"), answer: paintStability},
		{ids: []string{"stable-image-core", "stable-image-ultra"}, shape: later("jpeg", "png", "webp"), answer: paintStability},
	}
}

const maxSeed = 4294967294

var stabilityRatios = []string{"16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"}

func paintXL(p *painting) (object, *apiError) {
	said := string(mustJSON(p.body["text_prompts"]))
	usual := 1024
	if strings.HasSuffix(p.model, "-v0") {
		usual = 512
	}
	width, height := p.number("width", usual), p.number("height", usual)
	if refused := sent(p, "init_image", "mask_image"); refused != nil {
		return nil, refused
	}
	if size, ok := picture(p.text("init_image")); ok && size.X > 0 {
		width, height = size.X, size.Y
	}
	seed := p.seedOf("seed")
	reason, drawn := "SUCCESS", paint(width, height, "png", said, strconv.Itoa(seed))
	switch {
	case filtered(said, 1) > 0:
		reason = "CONTENT_FILTERED"
	case strings.Contains(said, wordError):
		reason, drawn = "ERROR", ""
	}
	return object{"result": "success", "artifacts": []object{{"seed": seed, "base64": drawn, "finishReason": reason}}}, nil
}

func paintStability(p *painting) (object, *apiError) {
	if refused := sent(p, "image"); refused != nil {
		return nil, refused
	}
	size := ratioSize(p.text("aspect_ratio"))
	if p.text("mode") == "image-to-image" {
		if p.text("image") == "" || p.body["strength"] == nil {
			return nil, validationError("Malformed input request: #: image-to-image needs image and strength, please reformat your input and try again.")
		}
		if own, ok := picture(p.text("image")); ok && own.X > 0 {
			size = own
		}
	}
	return p.stability(size), nil
}

// stability is an answer in Stability's words.
func (p *painting) stability(size image.Point) object {
	said := p.text("prompt")
	switch {
	case filtered(said, 1) > 0:
		return object{"finish_reasons": []any{"Filter reason: prompt"}}
	case strings.Contains(said, wordError):
		return object{"finish_reasons": []any{"Inference error"}}
	}
	seed := p.seedOf("seed")
	drawn := paint(size.X, size.Y, p.text("output_format"), said, p.model, strconv.Itoa(seed))
	return object{"seeds": []int{seed}, "finish_reasons": []any{nil}, "images": []string{drawn}}
}

// ratioSize is about a megapixel in a shape.
func ratioSize(ratio string) image.Point {
	switch ratio {
	case "16:9":
		return image.Pt(1344, 768)
	case "21:9":
		return image.Pt(1536, 640)
	case "3:2":
		return image.Pt(1216, 832)
	case "5:4":
		return image.Pt(1152, 896)
	case "4:5":
		return image.Pt(896, 1152)
	case "2:3":
		return image.Pt(832, 1216)
	case "9:16":
		return image.Pt(768, 1344)
	case "9:21":
		return image.Pt(640, 1536)
	}
	return image.Pt(1024, 1024)
}

// sent checks that what was sent as images are images.
func sent(p *painting, names ...string) *apiError {
	for _, name := range names {
		if text := p.text(name); text != "" {
			if _, ok := picture(text); !ok {
				return validationError("The %s is not an image that can be read.", name)
			}
		}
	}
	return nil
}

// stabilityServices are Stability's services that change images, the more special first.
func stabilityServices() []painter {
	strength := number().between(0, 1)
	grow := may("grow_mask", integer().between(0, 20))
	side := func(name string) member { return may(name, integer().between(0, 2000)) }
	common := func(more ...member) *shape {
		return structure("Request", append([]member{
			need("image", blob().from(1)), may("negative_prompt", text().to(10_000)), may("seed", integer().between(0, maxSeed)),
			may("output_format", oneOf("jpeg", "png", "webp")), may("style_preset", text()),
		}, more...)...)
	}
	prompt, must := may("prompt", text().to(10_000)), need("prompt", text().between(1, 10_000))
	return []painter{
		{ids: []string{"erase-object"}, shape: common(may("mask", blob().from(1)), grow), answer: edited(1)},
		{ids: []string{"outpaint"}, shape: common(prompt, side("left"), side("right"), side("up"), side("down"), may("creativity", strength)), answer: outpainted},
		{ids: []string{"inpaint"}, shape: common(must, may("mask", blob().from(1)), grow), answer: edited(1)},
		{ids: []string{"search-replace"}, shape: common(must, need("search_prompt", text().from(1)), grow), answer: edited(1)},
		{ids: []string{"search-recolor"}, shape: common(must, need("select_prompt", text().from(1)), grow), answer: edited(1)},
		{ids: []string{"remove-background"}, shape: common(), answer: edited(1)},
		{ids: []string{"control-sketch", "control-structure"}, shape: common(must, may("control_strength", strength)), answer: edited(1)},
		{ids: []string{"style-guide"}, shape: common(must, may("fidelity", strength), may("aspect_ratio", oneOf(stabilityRatios...))), answer: edited(1)},
		{ids: []string{"style-transfer"}, shape: structure("Request", need("init_image", blob().from(1)), need("style_image", blob().from(1)), prompt,
			may("negative_prompt", text()), may("seed", integer().between(0, maxSeed)), may("output_format", oneOf("jpeg", "png", "webp")),
			may("style_strength", strength), may("composition_fidelity", strength), may("change_strength", number().between(0.1, 1))), answer: edited(1)},
		{ids: []string{"fast-upscale"}, shape: common(), answer: edited(4)},
		{ids: []string{"-upscale"}, shape: common(must, may("creativity", number().between(0.1, 0.5))), answer: edited(2)},
	}
}

// edited answers with an image some times as large as the one that was sent.
func edited(times int) func(p *painting) (object, *apiError) {
	return func(p *painting) (object, *apiError) {
		if refused := sent(p, "image", "mask", "init_image", "style_image"); refused != nil {
			return nil, refused
		}
		size, _ := picture(p.text("image") + p.text("init_image"))
		if mask, ok := picture(p.text("mask")); ok && mask != size {
			return nil, validationError("The mask must have the size of the image: %dx%d is not %dx%d.", mask.X, mask.Y, size.X, size.Y)
		}
		if size.X == 0 {
			size = image.Pt(1024, 1024)
		}
		return p.stability(size.Mul(times)), nil
	}
}

func outpainted(p *painting) (object, *apiError) {
	if refused := sent(p, "image"); refused != nil {
		return nil, refused
	}
	more := image.Pt(p.number("left", 0)+p.number("right", 0), p.number("up", 0)+p.number("down", 0))
	if more == (image.Point{}) {
		return nil, validationError("At least one of left, right, up and down must be above 0.")
	}
	size, _ := picture(p.text("image"))
	return p.stability(size.Add(more)), nil
}
