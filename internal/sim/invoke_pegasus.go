package sim

import (
	"strings"
	"sync"
)

// pegasus is TwelveLabs Pegasus: a question about one video.
type pegasus struct{}

func (pegasus) speaks(model string, body members) bool {
	return strings.Contains(model, "twelvelabs.pegasus") || isARN(model) && body.have("inputPrompt")
}

var pegasusShape = sync.OnceValue(func() *shape {
	return structure("Request", need("inputPrompt", text().between(1, 8000)),
		need("mediaSource", union("mediaSource", may("base64String", blob().from(1)), may("s3Location", structure("s3Location", need("uri", text().matching("s3://.+")), may("bucketOwner", text()))))),
		may("temperature", number().between(0, 1)), may("maxOutputTokens", integer().between(1, 4096)), may("responseFormat", anyJSON()), guardrailMember())
})

func (pegasus) read(model string, body []byte) (*prompt, *apiError) {
	var req struct {
		InputPrompt     string
		MaxOutputTokens int
		MediaSource     struct{ Base64String []byte }
	}
	if refused := checked(body, pegasusShape(), &req); refused != nil {
		return nil, refused
	}
	p := &prompt{model: model, meter: newMeter(model), maxTokens: req.MaxOutputTokens, choice: "none", lastText: req.InputPrompt}
	p.meter.text(req.InputPrompt)
	p.meter.attach(req.MediaSource.Base64String)
	p.media = append(p.media, attachment{kind: "video", format: "mp4", bytes: len(req.MediaSource.Base64String)})
	return p, nil
}

func pegasusReason(a *answer) string {
	if a.stop == "max_tokens" {
		return "length"
	}
	return "stop"
}

func (pegasus) write(_ *prompt, a *answer, _ *dice) object {
	said, _ := commandR{}.parts(a)
	return object{"message": said, "finishReason": pegasusReason(a)}
}

func (pegasus) stream(_ *prompt, a *answer, _ *dice) []object {
	said, _ := commandR{}.parts(a)
	var out []object
	for _, piece := range split(said, a.chunkSize) {
		out = append(out, object{"message": piece, "finishReason": nil})
	}
	return append(out, object{"message": "", "finishReason": pegasusReason(a)})
}
