package callbacks

import (
	"context"
	"net/http"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// webhook posts batches as JSON arrays: LiteLLM's generic_api.
type webhook struct {
	client  *http.Client
	address secret.Secret // its path or query may hold a token
	headers map[string]secret.Secret
	writer  *Writer
}

// newWebhook makes a webhook of the variables GENERIC_LOGGER_ENDPOINT and GENERIC_LOGGER_HEADERS (name=value, with commas
// between them). headers win over the variable's.
func newWebhook(o *Options) (*webhook, error) {
	address := o.get("GENERIC_LOGGER_ENDPOINT")
	if address == "" {
		return nil, missing("GENERIC_LOGGER_ENDPOINT")
	}
	if _, err := checkURL("GENERIC_LOGGER_ENDPOINT", address); err != nil {
		return nil, err
	}
	w := &webhook{client: newClient(), address: secret.New(address), headers: map[string]secret.Secret{}, writer: &o.Writer}
	for part := range strings.SplitSeq(o.get("GENERIC_LOGGER_HEADERS"), ",") {
		if name, value, ok := strings.Cut(part, "="); ok && strings.TrimSpace(name) != "" {
			w.headers[strings.TrimSpace(name)] = secret.New(strings.TrimSpace(value))
		}
	}
	for name, value := range o.WebhookHeaders {
		w.headers[name] = value
	}
	return w, nil
}

func (*webhook) Name() string { return GenericAPI }

func (w *webhook) close() { w.client.CloseIdleConnections() }

// Send posts a batch as one array.
func (w *webhook) Send(ctx context.Context, batch []*telemetry.Event) ([]*telemetry.Event, error) {
	body := []byte{'['}
	for i, e := range batch {
		one, err := w.writer.Payload(e)
		if err != nil {
			return nil, &refusedError{len(batch), err}
		}
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, one...)
	}
	body = append(body, ']')
	r, err := newRequest(ctx, http.MethodPost, w.address.Reveal(), body)
	if err != nil {
		return nil, &refusedError{len(batch), err}
	}
	for name, value := range w.headers {
		r.Header.Set(name, value.Reveal())
	}
	if _, err = do(w.client, r); err == nil {
		return nil, nil
	}
	if isFinal(err) {
		return nil, &refusedError{len(batch), err}
	}
	return batch, err
}
