package converse

import (
	"math"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// sampling is what goes into inferenceConfig, after the model's rules.
type sampling struct {
	hasMax, hasTemperature, hasTopP, hasTopK bool
	maxTokens, topK                          int64
	temperature, topP                        float64
	stop                                     []string
	// rest are members of the client's own inferenceConfig that have no field above.
	rest []llm.Field
}

// maxStops is AWS's limit.
const maxStops = 2500

func (e *encoder) planSampling() {
	r, s := e.req, &e.sample
	if r.MaxTokens != nil {
		s.hasMax, s.maxTokens = true, *r.MaxTokens
	}
	if r.Temperature != nil {
		s.hasTemperature, s.temperature = true, *r.Temperature
	}
	if r.TopP != nil {
		s.hasTopP, s.topP = true, *r.TopP
	}
	if r.TopK != nil {
		s.hasTopK, s.topK = true, *r.TopK
	}
	s.stop = r.Stop
	if e.fields.inference != nil {
		e.readInference()
	}
	e.checkSampling()
}

// readInference takes over the client's own inferenceConfig; parameters under their own names win.
func (e *encoder) readInference() {
	s := &e.sample
	scan := jsonscan.New(e.fields.inference)
	more, err := scan.OpenObject()
	for ; err == nil && more; more, err = scan.NextMember() {
		key, keyErr := scan.Key()
		value, valueErr := scan.Skip()
		if keyErr != nil || valueErr != nil {
			return
		}
		if string(value) == "null" {
			continue
		}
		ok := true
		switch string(key) {
		case "maxTokens":
			ok = takeInt(value, &s.hasMax, &s.maxTokens)
		case "temperature":
			ok = takeFloat(value, &s.hasTemperature, &s.temperature)
		case "topP":
			ok = takeFloat(value, &s.hasTopP, &s.topP)
		case "stopSequences":
			if s.stop == nil {
				s.stop, ok = stringList(value)
			}
		default:
			s.rest = append(s.rest, llm.Field{Name: string(key), Value: value})
		}
		if !ok {
			e.refuse("inferenceConfig."+string(key), "inferenceConfig."+string(key)+" has the wrong type")
			return
		}
	}
}

func takeInt(raw []byte, has *bool, value *int64) bool {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err == nil && !*has {
		*has, *value = true, n
	}
	return err == nil
}

func takeFloat(raw []byte, has *bool, value *float64) bool {
	f, err := strconv.ParseFloat(string(raw), 64)
	if err == nil && !*has {
		*has, *value = true, f
	}
	return err == nil
}

// stringList reads a JSON array of strings.
func stringList(raw []byte) ([]string, bool) {
	s := jsonscan.New(raw)
	var out []string
	if s.Peek() != jsonscan.KindArray {
		return nil, false
	}
	more, err := s.OpenArray()
	for ; err == nil && more; more, err = s.NextElement() {
		if s.Peek() != jsonscan.KindString {
			return nil, false
		}
		text, err := s.String()
		if err != nil {
			return nil, false
		}
		out = append(out, llm.RawText(text).String())
	}
	return out, err == nil
}

func (e *encoder) checkSampling() {
	s := &e.sample
	if s.hasMax && s.maxTokens < 1 {
		e.refuse("max_tokens", "max_tokens must be at least 1")
	}
	if least := e.m.minMaxTokens(); s.hasMax && s.maxTokens < least {
		s.maxTokens = least
		e.req.Lose("max_tokens", "raised")
	}
	if s.hasTemperature && !isFinite(s.temperature) {
		e.refuse("temperature", "temperature must be a number")
	}
	if s.hasTopP && !isFinite(s.topP) {
		e.refuse("top_p", "top_p must be a number")
	}
	if e.m.noSampling {
		if s.hasTemperature && s.temperature != 1 {
			e.unsupported("temperature")
		}
		if s.hasTopP && s.topP != 1 {
			e.unsupported("top_p")
		}
		if s.hasTopK {
			e.unsupported("top_k")
		}
		s.hasTemperature, s.hasTopP, s.hasTopK = false, false, false
	}
	if s.hasTopK && e.m.body != nil && e.m.body.NoTopK {
		e.unsupported("top_k")
		s.hasTopK = false
	}
	if s.hasTemperature && s.hasTopP && e.m.noTopPBesideTemperature && e.req.Policy.Drop {
		s.hasTopP = false
		e.req.Lose("top_p", "unsupported")
	}
	e.checkStop()
}

func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

func (e *encoder) checkStop() {
	s := &e.sample
	if len(s.stop) == 0 {
		return
	}
	if e.m.noStop {
		e.unsupported("stop")
		s.stop = nil
		return
	}
	if len(s.stop) > maxStops {
		e.refuse("stop", "more than 2500 stop sequences")
	}
	blank := 0
	for _, stop := range s.stop {
		if llm.NewText(stop).IsBlank() {
			blank++
		}
	}
	if blank == 0 {
		return
	}
	kept := make([]string, 0, len(s.stop)-blank)
	for _, stop := range s.stop {
		if !llm.NewText(stop).IsBlank() {
			kept = append(kept, stop)
		}
	}
	s.stop = kept
}

func (e *encoder) inferenceConfig() {
	s := &e.sample
	if !s.hasMax && !s.hasTemperature && !s.hasTopP && len(s.stop) == 0 && len(s.rest) == 0 {
		return
	}
	e.member("inferenceConfig")
	start := len(e.dst)
	if s.hasMax {
		e.dst = strconv.AppendInt(append(e.dst, `,"maxTokens":`...), s.maxTokens, 10)
	}
	if s.hasTemperature {
		e.dst = appendFloat(append(e.dst, `,"temperature":`...), s.temperature)
	}
	if s.hasTopP {
		e.dst = appendFloat(append(e.dst, `,"topP":`...), s.topP)
	}
	for i, stop := range s.stop {
		if i == 0 {
			e.dst = append(e.dst, `,"stopSequences":[`...)
		} else {
			e.dst = append(e.dst, ',')
		}
		e.dst = llm.AppendString(e.dst, stop)
	}
	if len(s.stop) > 0 {
		e.dst = append(e.dst, ']')
	}
	for i := range s.rest {
		e.dst = llm.AppendString(append(e.dst, ','), s.rest[i].Name)
		e.dst = append(append(e.dst, ':'), s.rest[i].Value...)
	}
	e.dst[start] = '{'
	e.dst = append(e.dst, '}')
}

func appendFloat(dst []byte, f float64) []byte { return strconv.AppendFloat(dst, f, 'g', -1, 64) }
