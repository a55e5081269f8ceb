package engine

import (
	"context"
	"math"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
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
	// usage is what it makes or reads by the second, as it was asked for: AWS does not tell.
	usage  llm.Usage
	booked bool
	// held is what the call that started it holds of budgets until it is known what the job has cost; nil when it does not any
	// more. timer ends it.
	held  *account.Lease
	timer *time.Timer
}

// holdFor is how long a job of which nobody wants to know whether it is done holds what it may cost: no job of AWS's runs so
// long.
const holdFor = 24 * time.Hour

func (j *jobs) add(arn string, one *job) {
	if one.held != nil {
		one.timer = time.AfterFunc(holdFor, func() { j.release(one) })
	}
	j.release(j.put(arn, one))
}

// put remembers a job, and returns the one that is forgotten for it, nil if none is.
func (j *jobs) put(arn string, one *job) (forgotten *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.known == nil {
		j.known = map[string]*job{}
	}
	if len(j.order) >= maxJobs {
		forgotten = j.known[j.order[0]]
		delete(j.known, j.order[0])
		j.order = j.order[1:]
	}
	j.known[arn] = one
	j.order = append(j.order, arn)
	return forgotten
}

// release gives back what a job holds of budgets, once.
func (j *jobs) release(one *job) {
	if one == nil {
		return
	}
	j.mu.Lock()
	held := one.held
	one.held = nil
	j.mu.Unlock()
	if held != nil {
		one.timer.Stop()
		held.Settle(context.Background(), &llm.Usage{}, 0)
	}
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
	r.engine.jobs.add(arn, &job{target: r.call.target, usage: jobUsage(jsonscan.Member(r.native.Body, "modelInput")), held: r.call.lease.Detach()})
}

// finished books a job that is done when it is first asked about.
func (r *NativeReply) finished(data []byte) {
	call, e := r.call, r.engine
	call.costKnown = true
	one := e.jobs.find(r.native)
	if !r.native.asksForJobs() || one == nil {
		return
	}
	switch jsonscan.Text(jsonscan.Member(data, "status")) {
	case "Failed": // which costs nothing
		call.ended = one
		return
	case "Completed":
		if call.ended = one; !e.jobs.book(one) {
			return
		}
	default:
		return
	}
	call.Usage, call.HasUsage, call.costKnown = one.usage, true, false
	if one.target.priced {
		next := *call.target
		next.price, next.priced = one.target.price, true
		call.target = &next
		e.price(call)
	}
}

// jobUsage returns what a job is asked to make or read by the second.
func jobUsage(input []byte) llm.Usage {
	u := llm.Usage{VideoMade: videoMade(input)}
	if u.VideoMade == 0 {
		readBy(input, &u)
	}
	if u == (llm.Usage{}) { // something that nobody knows how to count
		u.Uncounted = true
	}
	u.Estimated = true
	return u
}

// videoMade returns how long a video is asked for: Nova Reel's durationSeconds, which is 6 where a single shot is asked for
// without it, and 6 for each of the shots that are named one by one; or Luma's duration, as 5s, which it assumes.
func videoMade(input []byte) time.Duration {
	const mostSeconds, shotSeconds = 3600, 6
	text := string(jsonscan.Member(input, "videoGenerationConfig", "durationSeconds"))
	switch {
	case text != "":
	case jsonscan.Member(input, "taskType") != nil:
		shots := 0
		for range jsonscan.Elements(jsonscan.Member(input, "multiShotManualParams", "shots")) {
			shots++
		}
		if jsonscan.Text(jsonscan.Member(input, "taskType")) == "TEXT_VIDEO" {
			shots = 1
		}
		text = strconv.Itoa(shots * shotSeconds)
	case jsonscan.Member(input, "duration") != nil:
		text = strings.TrimSuffix(jsonscan.Text(jsonscan.Member(input, "duration")), "s")
	case jsonscan.Member(input, "prompt") != nil:
		text = "5" // seconds, unless it is told
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0 && n <= mostSeconds) {
		return 0
	}
	return time.Duration(math.Round(n * float64(time.Second)))
}
