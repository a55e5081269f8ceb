package engine

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// maxJobs bounds the asynchronous calls that are remembered; the oldest go first.
const maxJobs = 4096

// jobs are the asynchronous calls that were started here, by their ARNs: who asks about one must be whom AWS knows it from, and
// what it costs is known when it is done. After a restart they are asked about as the configured identity, and cost nothing.
type jobs struct {
	mu    sync.Mutex // guards what follows
	known map[string]*job
	order []string
}

// job is an asynchronous call.
type job struct {
	target *target
	// seconds of video are asked for; 0 if nobody said how many, or it is no video.
	seconds float64
	booked  bool
}

func (j *jobs) add(arn string, one *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.known == nil {
		j.known = map[string]*job{}
	}
	if len(j.order) >= maxJobs {
		delete(j.known, j.order[0])
		j.order = j.order[1:]
	}
	j.known[arn] = one
	j.order = append(j.order, arn)
}

// find returns the job that a request asks about, nil if it asks about none that is known.
func (j *jobs) find(n *Native) *job {
	label, isJob := strings.CutPrefix(n.Path, "/async-invoke/")
	if !isJob {
		return nil
	}
	arn, err := url.PathUnescape(label)
	if err != nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.known[arn]
}

// book reports whether a job that is done is to be booked: once.
func (j *jobs) book(one *job) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	first := !one.booked
	one.booked = true
	return first
}

// started remembers a job.
func (r *NativeReply) started(data []byte) {
	arn := jsonscan.Text(jsonscan.Member(data, "invocationArn"))
	if arn == "" {
		return
	}
	r.call.AnswerID = arn
	r.engine.jobs.add(arn, &job{target: r.call.target, seconds: seconds(jsonscan.Member(r.native.Body, "modelInput"))})
}

// finished books a job that is done when it is first asked about.
func (r *NativeReply) finished(data []byte) {
	call, e := r.call, r.engine
	call.costKnown = true
	one := e.jobs.find(r.native)
	if r.native.Method != http.MethodGet || one == nil || jsonscan.Text(jsonscan.Member(data, "status")) != "Completed" || !e.jobs.book(one) {
		return
	}
	rate := one.target.price.Units[catalog.UnitVideoSecond]
	call.Usage, call.HasUsage, call.costKnown = llm.Usage{Estimated: true}, true, false
	if one.seconds > 0 && rate.Known {
		next := *call.target
		next.price, next.priced = one.target.price, true
		call.target = &next
		call.cost, call.costKnown = account.Amount(one.seconds*float64(rate.Pico)), true
		call.lines.Made = call.cost
	}
}

// seconds returns how long a video is asked for: Nova Reel's durationSeconds, which is 6 where a single shot is asked for
// without it, or Luma's duration, as 5s, which it assumes.
func seconds(input []byte) float64 {
	const mostSeconds = 3600
	text := string(jsonscan.Member(input, "videoGenerationConfig", "durationSeconds"))
	switch {
	case text != "":
	case jsonscan.Member(input, "taskType") != nil:
		if text = ""; jsonscan.Text(jsonscan.Member(input, "taskType")) == "TEXT_VIDEO" {
			text = "6"
		}
	case jsonscan.Member(input, "duration") != nil:
		text = strings.TrimSuffix(jsonscan.Text(jsonscan.Member(input, "duration")), "s")
	case jsonscan.Member(input, "prompt") != nil:
		text = "5"
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0 && n <= mostSeconds) {
		return 0
	}
	return n
}
