package engine

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/media"
	"github.com/outcrop-ai/outcrop/llm"
)

// AWS is paid for some models by the seconds of video and sound that they read, and tells nobody how many it has counted. A
// file that went up with the request says itself how long it is. One that AWS reads from S3, or whose kind does not say, leaves
// the usage uncounted, and the cost unknown.

// watched adds the seconds of video and sound in a conversation, where the target is paid by them.
func (t *target) watched(r *llm.Request, u *llm.Usage) {
	if !t.price.ByMedia() {
		return
	}
	for i := range r.Messages {
		addSeconds(r.Messages[i].Blocks, u)
	}
}

// addSeconds adds those of blocks.
func addSeconds(blocks []llm.Block, u *llm.Usage) {
	for i := range blocks {
		b := &blocks[i]
		if b.Media == nil || b.Kind != llm.BlockVideo && b.Kind != llm.BlockAudio {
			continue
		}
		raw, spelled := b.Media.Base64.Raw()
		if !spelled {
			raw = []byte(b.Media.Base64.String())
		}
		long, known := lengthOf(raw)
		count(u, b.Kind == llm.BlockAudio, long, known)
	}
}

func count(u *llm.Usage, sound bool, long time.Duration, known bool) {
	switch {
	case !known:
		u.Uncounted = true
	case sound:
		u.AudioIn += long
	default:
		u.VideoIn += long
	}
}

// lengthOf returns how long a file in base64 plays.
func lengthOf(inner []byte) (time.Duration, bool) {
	if len(inner) == 0 {
		return 0, false
	}
	data := make([]byte, base64.StdEncoding.DecodedLen(len(inner)))
	n, err := base64.StdEncoding.Decode(data, inner)
	if err != nil && n == 0 {
		return 0, false
	}
	return media.Length(data[:n])
}

// readBy adds the seconds that the body of a request in AWS's own words has a model read, and returns how many bytes of the
// body the media are: Nova's and Marengo's embeddings, and Pegasus, which speaks of one video.
func readBy(body []byte, u *llm.Usage) (media int) {
	if jsonscan.Valid(body) != nil {
		return 0
	}
	one := func(sound bool, object []byte, source ...string) {
		at := jsonscan.Member(object, source...)
		if at == nil {
			return
		}
		inner, _ := jsonscan.Inner(jsonscan.Member(at, "base64String"))
		if inner == nil {
			inner, _ = jsonscan.Inner(jsonscan.Member(at, "bytes"))
		}
		media += len(inner)
		long, known := lengthOf(inner)
		long, known = between(object, long, known, u)
		count(u, sound, long, known)
	}
	for _, params := range [...]string{"singleEmbeddingParams", "segmentedEmbeddingParams"} {
		one(false, jsonscan.Member(body, params, "video"), "source")
		one(true, jsonscan.Member(body, params, "audio"), "source")
	}
	switch kind := jsonscan.Text(jsonscan.Member(body, "inputType")); {
	case kind == "video" || kind == "audio":
		one(kind == "audio", body, "mediaSource")                        // Marengo 2.7
		one(kind == "audio", jsonscan.Member(body, kind), "mediaSource") // Marengo 3
	case jsonscan.Member(body, "inputPrompt") != nil:
		one(false, body, "mediaSource")
	}
	return media
}

// between returns the part of a file that Marengo is to read: startSec, and lengthSec or endSec. Of a file of which nobody
// knows how long it is, the part that is asked for counts, as an estimate.
func between(object []byte, long time.Duration, known bool, u *llm.Usage) (part time.Duration, counted bool) {
	start, _ := secondsIn(object, "startSec")
	end, bounded := secondsIn(object, "endSec")
	if length, ok := secondsIn(object, "lengthSec"); ok {
		end, bounded = start+length, true
	}
	switch {
	case known && bounded:
		end = min(end, long)
	case known:
		end = long
	case bounded:
		u.Estimated = true
	default:
		return 0, false
	}
	return max(end-start, 0), true
}

// secondsIn reads a number of seconds.
func secondsIn(object []byte, name string) (time.Duration, bool) {
	raw := jsonscan.Member(object, name)
	n, err := strconv.ParseFloat(string(raw), 64)
	const most = 1e6
	if err != nil || !(n >= 0 && n <= most) {
		return 0, false
	}
	return time.Duration(math.Round(n * float64(time.Second))), true
}
