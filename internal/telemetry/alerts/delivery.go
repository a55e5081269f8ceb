package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

const (
	// maxPending bounds the alerts that wait to be sent; more are lost, and the log says so.
	maxPending = 512
	// maxSends is how often one is sent that does not arrive, firstPause the time until it is sent again, which doubles.
	maxSends   = 6
	firstPause = 2 * time.Second
	// sendPatience bounds one of these.
	sendPatience = 10 * time.Second
	answerLimit  = 64 << 10
)

// delivery is an alert on its way to one place.
type delivery struct {
	kind    Type
	place   string // for the log: webhook, slack or teams
	address secret.Secret
	body    []byte
	sends   int
	next    time.Time
}

func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// tell says an alert to each place that wants it.
func (a *Alerts) tell(m message, now time.Time) {
	if !wants(a.o.Types, m.kind) {
		return
	}
	a.o.Logger.Warn("alert", "alert_type", string(m.kind), "level", m.level, "alert", m.heading())
	add := func(place string, address secret.Secret, body []byte, err error) {
		switch {
		case err != nil:
			a.o.Logger.Error("an alert cannot be said", "alert_type", string(m.kind), "error", err)
		case len(a.pending) >= maxPending:
			a.o.Logger.Error("an alert is lost: too many wait to be sent", "alert_type", string(m.kind), "place", place)
		default:
			a.pending = append(a.pending, &delivery{kind: m.kind, place: place, address: address, body: body, next: now})
		}
	}
	if m.event != nil && a.o.Places.Webhook.IsSet() {
		body, err := json.Marshal(m.event)
		add("webhook", a.o.Places.Webhook, body, err)
	}
	text := m.forPeople(a.o.clock(now), a.o.ProxyURL)
	if list := a.o.Places.ByType[m.kind]; len(list) > 0 {
		for _, address := range list {
			body, err := slack(text)
			add("slack", address, body, err)
		}
	} else if a.o.Places.Slack.IsSet() {
		body, err := slack(text)
		add("slack", a.o.Places.Slack, body, err)
	}
	if a.o.Places.Teams.IsSet() {
		body, err := teams(text)
		add("teams", a.o.Places.Teams, body, err)
	}
}

// send sends what is due. A place that cannot be reached is left alone until the next look.
func (a *Alerts) send(ctx context.Context, now time.Time) {
	away := map[string]bool{}
	left := a.pending[:0]
	for _, d := range a.pending {
		if now.Before(d.next) || ctx.Err() != nil || away[d.place] {
			left = append(left, d)
			continue
		}
		err := a.post(ctx, d)
		if err == nil {
			continue
		}
		d.sends++
		if isFinal(err) || d.sends >= maxSends {
			a.o.Logger.Error("an alert did not arrive", "alert_type", string(d.kind), "place", d.place, "error", err)
			continue
		}
		away[d.place] = true
		d.next = now.Add(firstPause << (d.sends - 1))
		left = append(left, d)
	}
	clear(a.pending[len(left):])
	a.pending = left
}

// isFinal reports whether a place has answered, and would refuse the same again.
func isFinal(err error) bool {
	var answered *telemetry.StatusError
	return errors.As(err, &answered) && answered.Code < http.StatusInternalServerError && answered.Code != http.StatusTooManyRequests && answered.Code != http.StatusRequestTimeout
}

func (a *Alerts) post(ctx context.Context, d *delivery) error {
	r, err := telemetry.NewRequest(ctx, http.MethodPost, d.address.Reveal(), d.body)
	if err != nil {
		return err
	}
	_, err = telemetry.Do(a.client, r, answerLimit)
	return err
}
