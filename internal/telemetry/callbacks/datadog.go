package callbacks

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// Datadog's bounds of one request, and of one log in it, in bytes before they are packed: docs.datadoghq.com/api/latest/logs,
// "Send logs". What is said in a call is left out of a log that would be longer.
const (
	datadogBatch   = 1000
	datadogRequest = 4_000_000
	datadogLog     = 900_000
)

// datadog posts payloads to Datadog's intake of logs, as LiteLLM's datadog does.
type datadog struct {
	client                *http.Client
	address               string
	key                   secret.Secret
	source, service, host string
	tags                  []string
	writer                *Writer
}

// newDatadog makes one of DD_API_KEY and DD_SITE, or of LITELLM_DD_AGENT_HOST and LITELLM_DD_AGENT_PORT. DD_SOURCE, DD_SERVICE,
// DD_ENV, DD_VERSION, HOSTNAME and POD_NAME say who sends.
func newDatadog(o *Options) (*datadog, error) {
	d := &datadog{
		client: newClient(), key: secret.New(o.get("DD_API_KEY")), writer: &o.Writer,
		source: cmp.Or(o.get("DD_SOURCE"), "litellm"), service: cmp.Or(o.get("DD_SERVICE"), "litellm-server"), host: o.get("HOSTNAME"),
	}
	site, agent, base, from := o.get("DD_SITE"), o.get("LITELLM_DD_AGENT_HOST"), o.get("DD_BASE_URL"), "DD_SITE"
	switch {
	case agent != "":
		from, d.address = "LITELLM_DD_AGENT_HOST", "http://"+net.JoinHostPort(agent, cmp.Or(o.get("LITELLM_DD_AGENT_PORT"), "10518"))
	case !d.key.IsSet():
		return nil, missing("DD_API_KEY")
	case site == "":
		return nil, missing("DD_SITE")
	default:
		d.address = "https://http-intake.logs." + site
	}
	if base != "" {
		from, d.address = "DD_BASE_URL", strings.TrimRight(base, "/")
	}
	d.address += "/api/v2/logs"
	if _, err := checkURL(from, d.address); err != nil {
		return nil, err
	}
	d.tags = []string{
		"env:" + cmp.Or(o.get("DD_ENV"), "unknown"), "service:" + d.service, "version:" + cmp.Or(o.get("DD_VERSION"), "unknown"),
		"HOSTNAME:" + d.host, "POD_NAME:" + cmp.Or(o.get("POD_NAME"), "unknown"),
	}
	return d, nil
}

func (*datadog) Name() string { return Datadog }

func (d *datadog) close() { d.client.CloseIdleConnections() }

// datadogEntry is one log.
type datadogEntry struct {
	Source  string `json:"ddsource"`
	Tags    string `json:"ddtags"`
	Host    string `json:"hostname"`
	Message string `json:"message"`
	Service string `json:"service"`
	Status  string `json:"status"`
}

// entry returns the log of a call.
func (d *datadog) entry(e *telemetry.Event) ([]byte, error) {
	message, err := d.writer.Payload(e)
	if err == nil && len(message) > datadogLog && e.Content != nil {
		short, content := *e, *e.Content
		for _, said := range []*json.RawMessage{&content.Messages, &content.Response} {
			if len(*said) > 0 {
				*said = json.RawMessage(`"left out: ` + strconv.Itoa(len(*said)) + ` bytes"`)
			}
		}
		short.Content = &content
		message, err = d.writer.Payload(&short)
	}
	if err != nil {
		return nil, err
	}
	tags := d.tags
	for _, tag := range e.Tags {
		tags = append(tags[:len(tags):len(tags)], "request_tag:"+datadogTag(tag))
	}
	if team := cmp.Or(e.TeamAlias, e.TeamID); team != "" && !d.writer.HideKeys {
		tags = append(tags[:len(tags):len(tags)], "team:"+datadogTag(team))
	}
	status := "info"
	if e.Failed() {
		status = "error"
	}
	return json.Marshal(datadogEntry{d.source, strings.Join(tags, ","), d.host, string(message), d.service, status})
}

// datadogTag makes a value of a tag as Datadog stores it.
func datadogTag(text string) string {
	last := '_'
	return strings.TrimRight(strings.Map(func(r rune) rune {
		r = unicode.ToLower(r)
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-:./", r) {
			r = '_'
		}
		if r == '_' && last == '_' {
			return -1
		}
		last = r
		return r
	}, text), "_")
}

// Send posts a batch, in as many requests as Datadog's bounds ask for.
func (d *datadog) Send(ctx context.Context, batch []*telemetry.Event) ([]*telemetry.Event, error) {
	var left []*telemetry.Event
	var why error
	lost := 0
	for len(batch) > 0 {
		body := []byte{'['}
		n := 0
		for n < len(batch) && n < datadogBatch {
			one, err := d.entry(batch[n])
			if err != nil {
				return left, &refusedError{lost + len(batch), err}
			}
			if n > 0 && len(body)+len(one)+2 > datadogRequest {
				break
			}
			if n > 0 {
				body = append(body, ',')
			}
			body = append(body, one...)
			n++
		}
		err := d.post(ctx, append(body, ']'))
		switch part := batch[:n]; {
		case err == nil:
		case isTooLarge(err) && n > 1: // its bounds are not what they were
			rest, more := d.halves(ctx, part)
			left, lost, why = append(left, rest...), lost+more, err
		case isFinal(err):
			lost, why = lost+n, err
		default:
			left, why = append(left, part...), err
		}
		batch = batch[n:]
	}
	if lost > 0 {
		return left, &refusedError{lost, why}
	}
	if len(left) == 0 {
		return nil, nil
	}
	return left, why
}

// halves sends a batch that is too large as two, and returns what can be tried again and how many were lost.
func (d *datadog) halves(ctx context.Context, batch []*telemetry.Event) (left []*telemetry.Event, lost int) {
	for _, half := range [][]*telemetry.Event{batch[:len(batch)/2], batch[len(batch)/2:]} {
		rest, err := d.Send(ctx, half)
		var refused *refusedError
		if errors.As(err, &refused) {
			lost += refused.count
		}
		left = append(left, rest...)
	}
	return left, lost
}

func isTooLarge(err error) bool {
	var answered *telemetry.StatusError
	return errors.As(err, &answered) && answered.Code == http.StatusRequestEntityTooLarge
}

func (d *datadog) post(ctx context.Context, body []byte) error {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(body); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	r, err := telemetry.NewRequest(ctx, http.MethodPost, d.address, packed.Bytes())
	if err != nil {
		return err
	}
	r.Header.Set("Content-Encoding", "gzip")
	if d.key.IsSet() {
		r.Header.Set("Dd-Api-Key", d.key.Reveal())
	}
	_, err = do(d.client, r)
	return err
}
