package callbacks

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// webhook posts batches: LiteLLM's generic_api, and what a configuration makes of it under names of its own.
type webhook struct {
	name    string
	client  *http.Client
	address secret.Secret // its path or query may hold a token
	headers map[string]secret.Secret
	format  string
	writer  *Writer
}

// The formats of a webhook's requests.
const (
	FormatArray  = "json_array"
	FormatLines  = "ndjson"
	FormatSingle = "single"
)

// newWebhook makes a webhook of the variables GENERIC_LOGGER_ENDPOINT and GENERIC_LOGGER_HEADERS (name=value, with commas
// between them). The configuration's headers win over the variable's.
func newWebhook(o *Options) (*webhook, error) {
	address := o.get("GENERIC_LOGGER_ENDPOINT")
	if address == "" {
		return nil, missing("GENERIC_LOGGER_ENDPOINT")
	}
	if _, err := checkURL("GENERIC_LOGGER_ENDPOINT", address); err != nil {
		return nil, err
	}
	return o.webhook(GenericAPI, secret.New(address), nil, FormatArray), nil
}

// newSumoLogic makes a webhook of Sumo Logic's HTTP source, whose URL is SUMOLOGIC_WEBHOOK_URL: a payload a line.
func newSumoLogic(o *Options) (*webhook, error) {
	address := o.get("SUMOLOGIC_WEBHOOK_URL")
	if address == "" {
		return nil, missing("SUMOLOGIC_WEBHOOK_URL")
	}
	if _, err := checkURL("SUMOLOGIC_WEBHOOK_URL", address); err != nil {
		return nil, err
	}
	return o.webhook(SumoLogic, secret.New(address), nil, FormatLines), nil
}

// newAPI makes a webhook of a name of the configuration's own.
func newAPI(o *Options, name string, api API) (*webhook, error) {
	if !api.Endpoint.IsSet() {
		return nil, errors.New("callback_settings." + name + ".endpoint is not set")
	}
	if _, err := checkURL("callback_settings."+name+".endpoint", api.Endpoint.Reveal()); err != nil {
		return nil, err
	}
	return o.webhook(name, api.Endpoint, api.Headers, cmp.Or(api.Format, FormatArray)), nil
}

func (o *Options) webhook(name string, address secret.Secret, headers map[string]secret.Secret, format string) *webhook {
	w := &webhook{name: name, client: newClient(), address: address, headers: map[string]secret.Secret{}, format: format, writer: &o.Writer}
	for part := range strings.SplitSeq(o.get("GENERIC_LOGGER_HEADERS"), ",") {
		if name, value, ok := strings.Cut(part, "="); ok && strings.TrimSpace(name) != "" {
			w.headers[strings.TrimSpace(name)] = secret.New(strings.TrimSpace(value))
		}
	}
	maps.Copy(w.headers, o.WebhookHeaders)
	maps.Copy(w.headers, headers)
	return w
}

func (w *webhook) Name() string { return w.name }

func (w *webhook) close() { w.client.CloseIdleConnections() }

// Send posts a batch: as one array, as lines, or each call by itself.
func (w *webhook) Send(ctx context.Context, batch []*telemetry.Event) ([]*telemetry.Event, error) {
	if w.format == FormatSingle {
		return w.each(ctx, batch)
	}
	var body []byte
	for i, e := range batch {
		one, err := w.writer.Payload(e)
		if err != nil {
			return nil, &refusedError{len(batch), err}
		}
		switch {
		case w.format == FormatLines:
			body = append(append(body, one...), '\n')
			continue
		case i == 0:
			body = append(body, '[')
		default:
			body = append(body, ',')
		}
		body = append(body, one...)
	}
	if w.format == FormatArray {
		body = append(body, ']')
	}
	switch err := w.post(ctx, body); {
	case err == nil:
		return nil, nil
	case isFinal(err):
		return nil, &refusedError{len(batch), err}
	default:
		return batch, err
	}
}

// each sends the calls of a batch one by one, and stops at the first that fails: the others wait.
func (w *webhook) each(ctx context.Context, batch []*telemetry.Event) ([]*telemetry.Event, error) {
	for i, e := range batch {
		one, err := w.writer.Payload(e)
		if err != nil {
			return batch[i+1:], &refusedError{1, err}
		}
		switch err := w.post(ctx, one); {
		case err == nil:
		case isFinal(err):
			return batch[i+1:], &refusedError{1, err}
		default:
			return batch[i:], err
		}
	}
	return nil, nil
}

func (w *webhook) post(ctx context.Context, body []byte) error {
	r, err := telemetry.NewRequest(ctx, http.MethodPost, w.address.Reveal(), body)
	if err != nil {
		return err
	}
	for name, value := range w.headers {
		r.Header.Set(name, value.Reveal())
	}
	_, err = do(w.client, r)
	return err
}
