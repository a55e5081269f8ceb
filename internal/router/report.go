package router

import "time"

// Report is what one replica, or all others together, know of a deployment.
type Report struct {
	// Deployment names it: its id, and what a wildcard stands for.
	Deployment string
	// Minute is the one in which Use was used, counted since 1970. What the others have used is that of the last 60 s.
	Minute int64
	Use    Use
	// Until is when it is called again, zero if it is not left alone; Soft says that it is worth a call before that when there
	// is no other, Timed that AWS has asked for so long.
	Until       time.Time
	Soft, Timed bool
}
