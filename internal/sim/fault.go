package sim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Fault is one thing that goes wrong on demand. As a text it is NAME;key=value;…, for example
// "throttle;retry-after=2;times=1"; in a scenario it is that text or a mapping with the fields below.
//
// Instead of an answer, with AWS's status and exception name (the number alone is a name too where it is unique):
//
//	validation 400, quota 400, access-denied 403, expired-token 403, not-found 404, timeout 408, model-error 424,
//	throttle 429, not-ready 429, internal 500, unavailable 503
//	cut    the connection is closed before any header
//	stall  nothing comes until the client leaves
//
// In a stream, after After frames (default 3; 0 makes it the first frame):
//
//	stream-internal, stream-model-error, stream-validation, stream-throttle, stream-unavailable, stream-timeout
//	              a modelled exception ends the stream (stream-timeout: InvokeModelWithResponseStream only)
//	stream-error  a frame of :message-type error ends the stream
//	cut-stream    the connection is closed between two frames
//	cut-frame     the connection is closed in the middle of a frame
//	stall-stream  nothing more comes until the client leaves
//	corrupt-frame the next frame has a wrong checksum
//	no-metadata, no-message-stop   this event is left out
//
// Operations without a stream answer a stream exception as the same exception over HTTP; cut-stream, cut-frame and
// stall-stream take effect after half of the body, corrupt-frame breaks the JSON, no-metadata leaves the usage out, and
// no-message-stop the stop reason.
type Fault struct {
	Name       string `yaml:"name"`
	After      *int   `yaml:"after"`       // frames before a stream fault; nil: 3
	RetryAfter int    `yaml:"retry_after"` // seconds in a Retry-After header; 0: no header
	Times      int    `yaml:"times"`       // only the first so many matching requests; 0: all
	Model      string `yaml:"model"`       // only models whose id contains this
	Message    string `yaml:"message"`     // instead of AWS's sentence
}

// defaultAfter is enough to have seen text.
const defaultAfter = 3

func (f *Fault) after() int {
	if f.After == nil {
		return defaultAfter
	}
	return *f.After
}

// refusals are the faults that AWS answers with an error.
var refusals = map[string]apiError{
	"validation":    {status: 400, code: "ValidationException", message: "The provided request is not valid."},
	"quota":         {status: 400, code: "ServiceQuotaExceededException", message: "Your request exceeds the service quota for your account."},
	"access-denied": {status: 403, code: "AccessDeniedException", message: "You don't have access to the model with the specified model ID."},
	"expired-token": {status: 403, code: "ExpiredTokenException", message: "The security token included in the request is expired"},
	"not-found":     {status: 404, code: "ResourceNotFoundException", message: "This model version has reached the end of its life. Please refer to the AWS documentation for more details."},
	"timeout":       {status: 408, code: "ModelTimeoutException", message: "Model took too long to process the request."},
	"model-error":   {status: 424, code: "ModelErrorException", message: "The system encountered an unexpected error during processing. Try your request again.", extra: map[string]any{"originalStatusCode": 500, "resourceName": "model"}},
	"throttle":      {status: 429, code: "ThrottlingException", message: "Too many requests, please wait before trying again."},
	"not-ready":     {status: 429, code: "ModelNotReadyException", message: "Model is not ready for inference. Wait and try your request again."},
	"internal":      {status: 500, code: "InternalServerException", message: "The system encountered an unexpected error during processing. Try your request again."},
	"unavailable":   {status: 503, code: "ServiceUnavailableException", message: "Bedrock is unable to process your request."},
}

// statusNames are the faults that a bare status asks for.
var statusNames = map[string]string{
	"400": "validation", "403": "access-denied", "404": "not-found", "408": "timeout",
	"424": "model-error", "429": "throttle", "500": "internal", "503": "unavailable",
}

// streamExceptions are the modelled exceptions of streams: their member's name and what they are over HTTP.
var streamExceptions = map[string]struct {
	member string
	apiError
}{
	"stream-internal":    {"internalServerException", refusals["internal"]},
	"stream-model-error": {"modelStreamErrorException", apiError{status: 424, code: "ModelStreamErrorException", message: "An error occurred while streaming the response. Retry your request.", extra: map[string]any{"originalStatusCode": 500, "originalMessage": "model stream failed"}}},
	"stream-validation":  {"validationException", refusals["validation"]},
	"stream-throttle":    {"throttlingException", refusals["throttle"]},
	"stream-unavailable": {"serviceUnavailableException", refusals["unavailable"]},
	"stream-timeout":     {"modelTimeoutException", refusals["timeout"]},
}

var otherFaults = []string{"cut", "stall", "stream-error", "cut-stream", "cut-frame", "stall-stream", "corrupt-frame", "no-metadata", "no-message-stop"}

// FaultNames lists every name that Fault.Name may have, sorted.
func FaultNames() []string {
	names := append([]string(nil), otherFaults...)
	names = append(names, sortedKeys(refusals)...)
	names = append(names, sortedKeys(streamExceptions)...)
	slices.Sort(names)
	return names
}

// ParseFault reads NAME;key=value;… as described at Fault.
func ParseFault(text string) (*Fault, error) {
	parts := strings.Split(text, ";")
	f := &Fault{Name: strings.TrimSpace(parts[0])}
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		var err error
		switch strings.ReplaceAll(key, "_", "-") {
		case "after":
			var n int
			n, err = strconv.Atoi(value)
			f.After = &n
		case "retry-after":
			f.RetryAfter, err = strconv.Atoi(value)
		case "times":
			f.Times, err = strconv.Atoi(value)
		case "model":
			f.Model = value
		case "message":
			f.Message = value
		default:
			return nil, fmt.Errorf("fault %q: unknown setting %q; there are after, retry-after, times, model, message", f.Name, key)
		}
		if err != nil {
			return nil, fmt.Errorf("fault %q: %s is no number: %q", f.Name, key, value)
		}
	}
	return f, f.normalize()
}

// UnmarshalYAML accepts the text form and a mapping.
func (f *Fault) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		parsed, err := ParseFault(n.Value)
		if err != nil {
			return err
		}
		*f = *parsed
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 { // Node.Decode forgets KnownFields
		if key := n.Content[i]; !slices.Contains([]string{"name", "after", "retry_after", "times", "model", "message"}, key.Value) {
			return fmt.Errorf("line %d: field %s not found in a fault", key.Line, key.Value)
		}
	}
	type plain Fault
	if err := n.Decode((*plain)(f)); err != nil {
		return err
	}
	return f.normalize()
}

func (f *Fault) normalize() error {
	if name, ok := statusNames[f.Name]; ok {
		f.Name = name
	}
	if !slices.Contains(FaultNames(), f.Name) {
		return fmt.Errorf("unknown fault %q; there are %s", f.Name, strings.Join(FaultNames(), ", "))
	}
	if f.RetryAfter < 0 || f.Times < 0 || f.after() < 0 {
		return fmt.Errorf("fault %q: numbers must not be negative", f.Name)
	}
	return nil
}

// refusal is the HTTP error that f stands for, or nil. Streams carry stream exceptions in frames instead.
func (f *Fault) refusal(stream bool) *apiError {
	e, ok := refusals[f.Name]
	if !ok {
		x, isException := streamExceptions[f.Name]
		if !isException || stream {
			return nil
		}
		e = x.apiError
	}
	return f.dressed(e)
}

func (f *Fault) dressed(e apiError) *apiError {
	e.retryAfter = f.RetryAfter
	if f.Message != "" {
		e.message = f.Message
	}
	return &e
}

// disturb applies a stream fault to the frames of a whole answer. What it cannot say with frames (cuts and stalls) is
// left to the writer.
func (f *Fault) disturb(frames []frame) []frame {
	n := min(f.after(), len(frames))
	if x, ok := streamExceptions[f.Name]; ok {
		return append(slices.Clone(frames[:n]), exceptionFrame(x.member, f.dressed(x.apiError).body()))
	}
	switch f.Name {
	case "stream-error":
		message := "The service failed while streaming."
		if f.Message != "" {
			message = f.Message
		}
		return append(slices.Clone(frames[:n]), errorFrame("InternalFailure", message))
	case "corrupt-frame":
		frames = slices.Clone(frames)
		if n == len(frames) {
			n--
		}
		if n >= 0 {
			frames[n].corrupt = true
		}
	case "no-metadata":
		return without(frames, "metadata")
	case "no-message-stop":
		return without(frames, "messageStop")
	}
	return frames
}

func without(frames []frame, name string) []frame {
	return slices.DeleteFunc(slices.Clone(frames), func(f frame) bool {
		v := f.headers.Get(":event-type")
		return v != nil && v.String() == name
	})
}

// counter counts matches by name.
type counter struct {
	mu     sync.Mutex
	counts map[string]int
}

// maxCounters bounds what clients can make the simulator remember.
const maxCounters = 10000

// next returns how often name has been counted, this time included.
func (c *counter) next(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil || len(c.counts) >= maxCounters {
		c.counts = map[string]int{}
	}
	c.counts[name]++
	return c.counts[name]
}

func (c *counter) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts = nil
}

// faultSuffix separates a model id from the fault that it asks for.
const faultSuffix = ".fault-"

// applies decides about a fault that a request asks for itself. where tells the ways of asking apart.
func (s *Server) applies(f *Fault, where string, c *call) bool {
	if f.Model != "" && !strings.Contains(c.asked, f.Model) {
		return false
	}
	if f.Times == 0 {
		return true
	}
	return s.counts.next(strings.Join([]string{"fault", where, f.Name, c.operation, c.asked}, "\x00")) <= f.Times
}

// earlyFault is the fault of the header or the model id.
func (s *Server) earlyFault(h http.Header, c *call) (*Fault, *apiError) {
	where, spec := "header", h.Get("x-outcrop-sim-fault")
	if spec == "" {
		_, suffix, ok := strings.Cut(c.asked, faultSuffix)
		if !ok {
			return nil, nil
		}
		where, spec = "model", suffix
	}
	return s.requested(where, spec, c)
}

// textFault is the fault of [[fault:…]] in the last user text.
func (s *Server) textFault(text string, c *call) (*Fault, *apiError) {
	spec, ok := bracketed(text, "fault:")
	if !ok {
		return nil, nil
	}
	return s.requested("text", spec, c)
}

func (s *Server) requested(where, spec string, c *call) (*Fault, *apiError) {
	f, err := ParseFault(spec)
	if err != nil {
		return nil, validationError("The simulator was asked for a fault that it does not have: %v", err)
	}
	if !s.applies(f, where+"\x00"+spec, c) {
		return nil, nil
	}
	return f, nil
}
