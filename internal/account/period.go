package account

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// ErrDuration says that a text is no budget duration.
var ErrDuration = errors.New("want a number and a unit: 30s, 20m, 12h, 30d, 2w or 1mo")

// duration is a budget duration: a number of one unit.
type duration struct {
	n    int
	unit string
}

// maxUnits bounds the number before a unit: no budget lasts for centuries.
const maxUnits = 100_000

func parseDuration(text string) (duration, error) {
	digits := strings.TrimRight(text, "smhdwo")
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 || n > maxUnits {
		return duration{}, ErrDuration
	}
	d := duration{n, text[len(digits):]}
	switch d.unit {
	case "s", "m", "h", "d", "w", "mo":
		return d, nil
	}
	return duration{}, ErrDuration
}

// CheckDuration reports whether a text is a budget duration: Ns, Nm, Nh, Nd, Nw or Nmo.
func CheckDuration(text string) error {
	_, err := parseDuration(text)
	return err
}

// Lifetime returns the time that a duration ("30s", "20m", "12h", "30d", "2w", "1mo") after from ends. Months are those of
// the calendar.
func Lifetime(text string, from time.Time) (time.Time, error) {
	d, err := parseDuration(text)
	if err != nil {
		return time.Time{}, err
	}
	if d.unit == "mo" {
		return from.AddDate(0, d.n, 0), nil
	}
	return from.Add(time.Duration(d.n) * units(d.unit)), nil
}

func units(unit string) time.Duration {
	switch unit {
	case "s":
		return time.Second
	case "m":
		return time.Minute
	case "h":
		return time.Hour
	case "w":
		return 7 * 24 * time.Hour
	default:
		return 24 * time.Hour
	}
}

// Period returns the period of a budget duration that holds now. The usual ones begin at the borders of the calendar in zone,
// as with LiteLLM: an hour at its full hour, 1d (and 24h) at midnight, 7d (and 1w) on Monday, 30d and 1mo on the first of
// the month. Others follow each other from the creation of their owner. A day without its midnight, or with two of them
// (daylight saving time), begins when the calendar says.
//
// The period is worked out when it is asked for: a budget is never reset late.
func Period(text string, created, now time.Time, zone *time.Location) (start, end time.Time, err error) {
	d, err := parseDuration(text)
	if err != nil {
		return start, end, err
	}
	if zone == nil {
		zone = time.UTC
	}
	local := now.In(zone)
	year, month, day := local.Date()
	at := func(month time.Month, day int) time.Time { return time.Date(year, month, day, 0, 0, 0, 0, zone) }
	switch {
	case d == duration{1, "h"}:
		start = local.Truncate(time.Hour)
		if _, offset := local.Zone(); offset%3600 != 0 { // zones of half an hour
			start = local.Add(-time.Duration(local.Minute())*time.Minute - time.Duration(local.Second())*time.Second - time.Duration(local.Nanosecond()))
		}
		return start, start.Add(time.Hour), nil
	case d == duration{1, "d"}, d == duration{24, "h"}:
		return at(month, day), at(month, day+1), nil
	case d == duration{7, "d"}, d == duration{1, "w"}:
		monday := day - (int(local.Weekday())+6)%7
		return at(month, monday), at(month, monday+7), nil
	case d == duration{30, "d"}, d == duration{1, "mo"}:
		return at(month, 1), at(month+1, 1), nil
	case d.unit == "mo":
		return months(d.n, created.In(zone), local)
	}
	length := time.Duration(d.n) * units(d.unit)
	since := now.Sub(created)
	whole := since / length
	if since < 0 && since%length != 0 {
		whole--
	}
	start = created.Add(whole * length) //nolint:durationcheck // whole is a number of lengths
	return start, start.Add(length), nil
}

// months returns the period of n months from created on that holds now. A month that lacks the day of created's begins with
// the next month's first days, as time.AddDate has it.
func months(n int, created, now time.Time) (start, end time.Time, err error) {
	k := ((now.Year()-created.Year())*12 + int(now.Month()) - int(created.Month())) / n * n
	for k > 0 && created.AddDate(0, k, 0).After(now) || created.AddDate(0, k, 0).After(now) {
		k -= n
	}
	return created.AddDate(0, k, 0), created.AddDate(0, k+n, 0), nil
}
