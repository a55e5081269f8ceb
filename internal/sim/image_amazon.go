package sim

import (
	"slices"
	"strconv"
	"strings"
)

// amazonPainters are Titan Image Generator and Nova Canvas.
func amazonPainters() []painter {
	return []painter{
		{ids: []string{"nova-canvas"}, shape: amazonShape(1024, "VIRTUAL_TRY_ON"), answer: paintAmazon},
		{ids: []string{"titan-image"}, shape: amazonShape(512), answer: paintAmazon},
	}
}

func amazonShape(prompt float64, more ...string) *shape {
	words := func(name string) member { return may(name, text().between(1, prompt)) }
	negative, img := words("negativeText"), blob().from(1)
	one := func(name string, members ...member) member { return may(name, structure(name, members...)) }
	mask := []member{words("text"), negative, need("image", img), words("maskPrompt"), may("maskImage", img)}
	return structure("Request",
		need("taskType", oneOf(append([]string{"TEXT_IMAGE", "COLOR_GUIDED_GENERATION", "IMAGE_VARIATION", "INPAINTING", "OUTPAINTING", "BACKGROUND_REMOVAL"}, more...)...)),
		one("textToImageParams", need("text", text().between(1, prompt)), negative, may("conditionImage", img), may("controlMode", oneOf("CANNY_EDGE", "SEGMENTATION")),
			may("controlStrength", number().between(0, 1)), may("style", text())),
		one("colorGuidedGenerationParams", need("colors", list(text().matching(`#[0-9A-Fa-f]{6}`)).between(1, 10)), words("text"), negative, may("referenceImage", img)),
		one("imageVariationParams", need("images", list(img).between(1, 5)), words("text"), negative, may("similarityStrength", number().between(0.2, 1))),
		one("inPaintingParams", mask...),
		one("outPaintingParams", append(mask, may("outPaintingMode", oneOf("DEFAULT", "PRECISE")))...),
		one("backgroundRemovalParams", need("image", img)),
		one("virtualTryOnParams", need("sourceImage", img), need("referenceImage", img), may("maskType", oneOf("IMAGE", "GARMENT", "PROMPT")), may("garmentBasedMask", anyJSON()),
			may("promptBasedMask", anyJSON()), may("imageBasedMask", anyJSON()), may("maskExclusions", anyJSON()), may("mergeStyle", text()), may("returnMask", boolean())),
		one("imageGenerationConfig", may("numberOfImages", integer().between(1, 5)), may("width", integer()), may("height", integer()), may("quality", oneOf("standard", "premium")),
			may("cfgScale", number().between(1.1, 10)), may("seed", integer().between(0, 2147483646))))
}

// amazonParams are the members that belong to the tasks.
func amazonParams(task string) string {
	return map[string]string{
		"TEXT_IMAGE": "textToImageParams", "COLOR_GUIDED_GENERATION": "colorGuidedGenerationParams", "IMAGE_VARIATION": "imageVariationParams",
		"INPAINTING": "inPaintingParams", "OUTPAINTING": "outPaintingParams", "BACKGROUND_REMOVAL": "backgroundRemovalParams", "VIRTUAL_TRY_ON": "virtualTryOnParams",
	}[task]
}

func paintAmazon(p *painting) (object, *apiError) {
	task := p.text("taskType")
	params := amazonParams(task)
	again := "please reformat your input and try again."
	for name := range p.body {
		if strings.HasSuffix(name, "Params") && name != params {
			return nil, validationError("Malformed input request: #/%s: is not permitted for taskType %s, %s", name, task, again)
		}
	}
	own, ok := p.body[params].(map[string]any)
	if !ok {
		return nil, validationError("Malformed input request: #: required key [%s] not found, %s", params, again)
	}
	if task == "BACKGROUND_REMOVAL" && p.body["imageGenerationConfig"] != nil {
		return nil, validationError("Malformed input request: #: extraneous key [imageGenerationConfig] is not permitted, %s", again)
	}
	if isMasked := task == "INPAINTING" || task == "OUTPAINTING"; isMasked && (own["maskPrompt"] == nil) == (own["maskImage"] == nil) {
		return nil, validationError("Exactly one of maskPrompt and maskImage must be given for taskType %s.", task)
	}
	images := []string{"conditionImage", "referenceImage", "image", "maskImage", "sourceImage"}
	var source string
	for name, value := range own {
		text, isText := value.(string)
		if !isText || !slices.Contains(images, name) {
			continue
		}
		if _, ok := picture(text); !ok {
			return nil, validationError("The %s is not an image that can be read.", name)
		}
		if name == "image" || name == "sourceImage" {
			source = text
		}
	}
	width, height := p.number("imageGenerationConfig.width", 1024), p.number("imageGenerationConfig.height", 1024)
	if size, ok := picture(source); ok && size.X > 0 {
		width, height = size.X, size.Y
	} else if refused := canvasSize(p.model, width, height); refused != nil {
		return nil, refused
	}
	n := p.number("imageGenerationConfig.numberOfImages", 1)
	said, _ := own["text"].(string)
	good := n - filtered(said, n)
	drawn := []string{}
	for i := range good {
		drawn = append(drawn, paint(width, height, "png", said, string(mustJSON(own)), strconv.Itoa(p.number("imageGenerationConfig.seed", 12)+i)))
	}
	out := object{"images": drawn, "error": nil}
	switch {
	case good == 0:
		out["error"] = "This request has been blocked by our content filters."
	case good < n:
		out["error"] = "Some images were blocked by our content filters."
	case string(mustJSON(own["returnMask"])) == "true":
		out["maskImage"] = paint(width, height, "png", "mask")
	}
	return out, nil
}

// canvasSize refuses the sizes that Nova Canvas does not make.
func canvasSize(model string, width, height int) *apiError {
	if !strings.Contains(model, "canvas") {
		return nil
	}
	short, tall := min(width, height), max(width, height)
	if short < 320 || tall > 4096 || width%16 != 0 || height%16 != 0 || tall > 4*short || width*height > 4_194_304 {
		return validationError("Invalid image size: %dx%d.", width, height)
	}
	return nil
}
