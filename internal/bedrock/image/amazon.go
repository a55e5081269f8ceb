package image

import (
	"slices"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// amazon are Titan Image Generator and Nova Canvas.
var amazon = family{name: "amazon-image", knows: []string{"titan-image", "nova-canvas"}, encode: encodeAmazon, decode: decodeAmazon}

// perCall is how many images these models make in a call.
const perCall = 5

// task is one of the things that these models do.
type task struct {
	// name is its taskType, params the member of the body with its parameters.
	name, params string
	// text: it takes a prompt. config: it takes imageGenerationConfig.
	text, config bool
}

// Source: the user guide's pages of Titan Image Generator and Nova Canvas.
var tasks = [...]task{
	{"TEXT_IMAGE", "textToImageParams", true, true},
	{"COLOR_GUIDED_GENERATION", "colorGuidedGenerationParams", true, true},
	{"IMAGE_VARIATION", "imageVariationParams", true, true},
	{"INPAINTING", "inPaintingParams", true, true},
	{"OUTPAINTING", "outPaintingParams", true, true},
	{"BACKGROUND_REMOVAL", "backgroundRemovalParams", false, false},
	{"VIRTUAL_TRY_ON", "virtualTryOnParams", false, true},
}

const generationConfig = "imageGenerationConfig"

// isConfig and isTask name the parameters that have their place in imageGenerationConfig or in the task's object, when a
// client writes them loose.
func isConfig(name string) bool {
	switch name {
	case "seed", "cfgScale", "width", "height", "numberOfImages", "quality":
		return true
	}
	return false
}

func isTask(name string) bool {
	switch name {
	case "negativeText", "conditionImage", "controlMode", "controlStrength", "similarityStrength", "maskPrompt", "maskImage", "outPaintingMode", "colors",
		"referenceImage", "image", "images", "sourceImage":
		return true
	}
	return false
}

// sorted are the parameters of one side by their places.
type sorted struct{ top, config, task object }

// sort puts parameters into their places; what is said in the objects themselves goes first. Objects of other tasks stay
// at the top, for AWS to judge.
func (t *task) sort(fields object) sorted {
	var s sorted
	for _, f := range fields {
		switch {
		case f.Name == generationConfig:
			s.config.fillAll(parsed(f.Value))
		case strings.EqualFold(f.Name, t.params): // LiteLLM's inpaintingParams, too
			s.task.fillAll(parsed(f.Value))
		}
	}
	for _, f := range fields {
		name := f.Name
		if name == "negative_prompt" {
			name = "negativeText"
		}
		switch {
		case name == generationConfig, name == "taskType", strings.EqualFold(name, t.params):
		case isConfig(name):
			s.config.fill(name, f.Value)
		case isTask(name):
			s.task.fill(name, f.Value)
		default:
			s.top.fill(name, f.Value)
		}
	}
	return s
}

func encodeAmazon(e *encoder) {
	t := e.task()
	if t == nil {
		return
	}
	own, base := t.sort(e.own), t.sort(e.base)
	w := e.said.or(e.usual)
	e.format(w.format, "png")
	params := own.task
	if t.text && !e.asked.Prompt.IsEmpty() {
		params.fill("text", e.asked.Prompt.AppendJSON(nil))
	}
	if !t.text && !e.asked.Prompt.IsEmpty() {
		e.req.Lose("prompt", "ignored")
	}
	e.style(t, w.style, &params)
	params.fillAll(base.task)
	e.place(t, &params)
	if e.asked.Task == llm.ImageGenerate && t.text && params.get("text") == nil {
		e.missing("prompt", "")
	}

	var config object
	config.integer("width", e.said.width)
	config.integer("height", e.said.height)
	config.integer("numberOfImages", e.req.N)
	config.text("quality", e.quality(e.said.quality))
	config.fillAll(own.config)
	config.fillAll(base.config)
	config.integer("width", e.usual.width)
	config.integer("height", e.usual.height)
	config.text("quality", e.quality(e.usual.quality))
	if !t.config {
		e.withoutConfig(t, config)
		config = nil
	}
	e.size(config)
	e.calls(t, params, config, own.top, base.top)
}

// task returns what the models are asked to do, nil if that is nothing that there is.
func (e *encoder) task() *task {
	name := jsonscan.Text(e.own.get("taskType"))
	if name == "" {
		name = jsonscan.Text(e.base.get("taskType"))
	}
	if name == "" {
		switch {
		case e.asked.Task == llm.ImageGenerate:
			name = "TEXT_IMAGE"
		case e.asked.Task == llm.ImageEdit && (e.asked.Mask != nil || e.own.get("maskPrompt") != nil || e.own.get("maskImage") != nil):
			name = "INPAINTING"
		default:
			name = "IMAGE_VARIATION"
		}
	}
	var names []string
	for i := range tasks {
		if tasks[i].name == name {
			return &tasks[i]
		}
		names = append(names, tasks[i].name)
	}
	e.refuse("taskType", "taskType must be one of "+strings.Join(names, ", "))
	return nil
}

// style is a parameter of Nova Canvas alone, with words of its own.
func (e *encoder) style(t *task, style string, params *object) {
	switch {
	case style == "":
	case t.name == "TEXT_IMAGE" && strings.Contains(e.id, "canvas") && style != "vivid" && style != "natural":
		params.text("style", style)
	default:
		e.unsupported("style", style)
	}
}

// quality says OpenAI's words in Amazon's two.
func (e *encoder) quality(said string) string {
	switch said {
	case "":
		return ""
	case "hd", "high", "xhigh", "max", "premium":
		return "premium"
	case "standard", "medium", "low":
		return "standard"
	}
	e.refuse("quality", "quality must be one of standard, medium, low, hd, high, xhigh, max, premium, auto")
	return ""
}

// place puts the images that were sent where the task wants them.
func (e *encoder) place(t *task, params *object) {
	sources := e.asked.Sources
	missing := func(name string) {
		if params.get(name) == nil && e.asked.Task != llm.ImageGenerate {
			e.missing("image", "")
		}
	}
	switch t.name {
	case "TEXT_IMAGE":
		params.picture("conditionImage", e.one())
	case "COLOR_GUIDED_GENERATION":
		params.picture("referenceImage", e.one())
	case "IMAGE_VARIATION":
		if len(sources) > 5 {
			e.refuse(sources[5].Path, e.ref.ID+" takes five images at most")
		}
		if len(sources) > 0 && params.get("images") == nil {
			list := []byte{'['}
			for i := range sources {
				if i > 0 {
					list = append(list, ',')
				}
				list = append(append(append(list, '"'), sources[i].Base64...), '"')
			}
			params.set("images", append(list, ']'))
		}
		missing("images")
	case "INPAINTING", "OUTPAINTING":
		picture := e.one()
		params.picture("image", picture)
		missing("image")
		e.placeMask(t, picture, params)
	case "BACKGROUND_REMOVAL":
		params.picture("image", e.one())
		missing("image")
	case "VIRTUAL_TRY_ON":
		for i := range sources {
			switch i {
			case 0:
				params.picture("sourceImage", &sources[0])
			case 1:
				params.picture("referenceImage", &sources[1])
			default:
				e.refuse(sources[i].Path, e.ref.ID+" takes two images")
			}
		}
	}
	if e.asked.Mask != nil && t.name != "INPAINTING" && t.name != "OUTPAINTING" {
		e.unsupported("mask", string(e.asked.Mask.Base64))
	}
}

// placeMask says which part is to change: inside the black for INPAINTING, outside it for OUTPAINTING.
func (e *encoder) placeMask(t *task, picture *llm.Picture, params *object) {
	isOut := t.name == "OUTPAINTING"
	if mask := e.mask(isOut); mask != nil {
		params.fill("maskImage", quoted(mask))
	}
	if params.get("maskImage") != nil || params.get("maskPrompt") != nil {
		return
	}
	if picture != nil {
		if own := e.transparency(picture, isOut); own != nil {
			params.set("maskImage", quoted(own))
			return
		}
	}
	e.missing("mask", t.name+" needs a mask or a maskPrompt")
}

// withoutConfig refuses what a task has no place for.
func (e *encoder) withoutConfig(t *task, config object) {
	if e.req.N > 1 {
		e.refuse("n", t.name+" makes one image")
	}
	for _, f := range config {
		switch f.Name {
		case "numberOfImages":
		case "width", "height":
			if e.said.width != 0 && f.Name == "width" {
				e.unsupported("size", strconv.Itoa(e.said.width)+"x"+strconv.Itoa(e.said.height))
			}
		case "quality":
			if e.said.quality != "" {
				e.unsupported("quality", e.said.quality)
			}
		default:
			if e.own.get(f.Name) != nil {
				e.unsupported(f.Name, "")
			}
		}
	}
}

// The sizes that Nova Canvas makes, in pixels.
const (
	canvasLeast, canvasMost = 320, 4096
	canvasStep              = 16
	canvasRatio             = 4
	canvasPixels            = 4_194_304
)

// size checks what Nova Canvas is asked for, and notes the size of the images.
func (e *encoder) size(config object) {
	width, err := strconv.Atoi(string(config.get("width")))
	height, bad := strconv.Atoi(string(config.get("height")))
	if err != nil || bad != nil {
		return
	}
	e.job.Width, e.job.Height, e.job.exact = width, height, true
	if !strings.Contains(e.id, "nova-canvas") {
		return
	}
	if min(width, height) < canvasLeast || max(width, height) > canvasMost || width%canvasStep+height%canvasStep != 0 ||
		max(width, height) > canvasRatio*min(width, height) || width*height > canvasPixels {
		e.refuse("size", e.ref.ID+" makes no images of this size: a side has 320 to 4096 pixels in steps of 16, the ratio is at most 1:4 or 4:1, and there are at most 4,194,304 pixels")
	}
}

// calls plans as many calls as the images take. A seed counts up from call to call: else the images would be equal.
func (e *encoder) calls(t *task, params, config, own, base object) {
	left := max(e.req.N, 1)
	if e.req.N == 0 {
		if n, err := strconv.Atoi(string(config.get("numberOfImages"))); err == nil && n > 0 {
			left = n
		}
	}
	seed, err := strconv.ParseInt(string(config.get("seed")), 10, 64)
	for done := 0; left > 0; {
		n := left
		if e.req.N > perCall {
			n = min(left, perCall)
			config = slices.Clone(config)
			config.set("numberOfImages", strconv.AppendInt(nil, int64(n), 10))
			if err == nil && done > 0 {
				config.set("seed", strconv.AppendInt(nil, seed+int64(done), 10))
			}
		}
		var body object
		body.text("taskType", t.name)
		if len(params) > 0 {
			body.set(t.params, params.append(nil))
		}
		if len(config) > 0 {
			body.set(generationConfig, config.append(nil))
		}
		body.fillAll(own)
		body.fillAll(base)
		e.call(body, n)
		left, done = left-n, done+n
	}
}

func decodeAmazon(body []byte, wanted int) (*llm.Images, error) {
	found := &llm.Images{Reason: jsonscan.Text(jsonscan.Member(body, "error"))}
	for image := range jsonscan.Elements(jsonscan.Member(body, "images")) {
		if text := inner(image); text != nil {
			found.List = append(found.List, llm.MadeImage{Base64: text})
		}
	}
	if found.Reason != "" && len(found.List) < wanted {
		found.Filtered = wanted - len(found.List)
	}
	if mask := jsonscan.Member(body, "maskImage"); inner(mask) != nil {
		found.Fields = append(found.Fields, llm.Field{Name: "maskImage", Value: mask})
	}
	return found, nil
}
