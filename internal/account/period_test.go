package account

import (
	"errors"
	"testing"
	"time"
)

func TestPeriodsBeginAtTheBordersOfTheCalendar(t *testing.T) {
	const layout = "2006-01-02 15:04:05 -0700"
	f := func(text, zone, now, start, end string) {
		t.Helper()
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(layout, now)
		if err != nil {
			t.Fatal(err)
		}
		created := time.Date(2026, 1, 31, 10, 30, 0, 0, time.UTC)
		from, to, err := Period(text, created, at, location)
		if err != nil {
			t.Fatal(err)
		}
		if got := from.In(location).Format(layout); got != start {
			t.Errorf("%s at %s begins at %s, want %s", text, now, got, start)
		}
		if got := to.In(location).Format(layout); got != end {
			t.Errorf("%s at %s ends at %s, want %s", text, now, got, end)
		}
	}
	f("1h", "UTC", "2026-03-04 05:59:59 +0000", "2026-03-04 05:00:00 +0000", "2026-03-04 06:00:00 +0000")
	f("1h", "Asia/Kolkata", "2026-03-04 05:59:59 +0530", "2026-03-04 05:00:00 +0530", "2026-03-04 06:00:00 +0530")
	f("1d", "UTC", "2026-03-04 00:00:00 +0000", "2026-03-04 00:00:00 +0000", "2026-03-05 00:00:00 +0000")
	f("24h", "UTC", "2026-03-04 23:59:59 +0000", "2026-03-04 00:00:00 +0000", "2026-03-05 00:00:00 +0000")
	f("7d", "UTC", "2026-03-08 12:00:00 +0000", "2026-03-02 00:00:00 +0000", "2026-03-09 00:00:00 +0000") // a Sunday
	f("1w", "UTC", "2026-03-09 00:00:00 +0000", "2026-03-09 00:00:00 +0000", "2026-03-16 00:00:00 +0000") // a Monday
	f("30d", "UTC", "2026-02-28 23:00:00 +0000", "2026-02-01 00:00:00 +0000", "2026-03-01 00:00:00 +0000")
	f("1mo", "UTC", "2026-12-31 23:00:00 +0000", "2026-12-01 00:00:00 +0000", "2027-01-01 00:00:00 +0000")
	// Daylight saving time: days of 23 and of 25 hours.
	f("1d", "Europe/Berlin", "2026-03-29 12:00:00 +0200", "2026-03-29 00:00:00 +0100", "2026-03-30 00:00:00 +0200")
	f("1d", "Europe/Berlin", "2026-10-25 12:00:00 +0100", "2026-10-25 00:00:00 +0200", "2026-10-26 00:00:00 +0100")
	// Others follow each other from the creation.
	f("30s", "UTC", "2026-01-31 10:31:10 +0000", "2026-01-31 10:31:00 +0000", "2026-01-31 10:31:30 +0000")
	f("20m", "UTC", "2026-01-31 11:09:59 +0000", "2026-01-31 10:50:00 +0000", "2026-01-31 11:10:00 +0000")
	f("3mo", "UTC", "2026-06-01 00:00:00 +0000", "2026-05-01 10:30:00 +0000", "2026-07-31 10:30:00 +0000")
	f("3mo", "UTC", "2025-12-31 00:00:00 +0000", "2025-10-31 10:30:00 +0000", "2026-01-31 10:30:00 +0000") // before it
	f("12h", "UTC", "2026-01-31 10:29:59 +0000", "2026-01-30 22:30:00 +0000", "2026-01-31 10:30:00 +0000")
}

func TestEveryTimeIsInItsPeriod(t *testing.T) {
	created := time.Date(2026, 1, 31, 10, 30, 0, 0, time.UTC)
	for _, text := range []string{"30s", "7m", "1h", "5h", "1d", "7d", "10d", "30d", "1mo", "2mo", "5mo", "3w"} {
		for i := range 2000 {
			now := created.Add(time.Duration(i-300) * 7919 * time.Second)
			start, end, err := Period(text, created, now, time.UTC)
			if err != nil || now.Before(start) || !now.Before(end) {
				t.Fatalf("%s: %s is not in [%s, %s) (%v)", text, now, start, end, err)
			}
			if again, _, _ := Period(text, created, end, time.UTC); !again.Equal(end) {
				t.Fatalf("%s: the period after [%s, %s) begins at %s", text, start, end, again)
			}
		}
	}
}

func TestDurationsThatAreNone(t *testing.T) {
	for _, text := range []string{"", "d", "30", "0d", "-1d", "1.5h", "1y", "30dd", "1d2h", "99999999d", "1om"} {
		if err := CheckDuration(text); !errors.Is(err, ErrDuration) {
			t.Errorf("%q is taken: %v", text, err)
		}
	}
}
