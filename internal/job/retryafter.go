package job

import (
	"sync"
	"time"

	"imageflow.dev/functions"
)

const (
	minRetryAfter = 100 * time.Millisecond
	maxRetryAfter = time.Minute
	// minRetryGap separates retries while the time of a job is not known yet.
	minRetryGap = 10 * time.Millisecond
	// retrySpread is the period over which retries are spread. If more jobs are rejected, it starts over: not every caller
	// comes back.
	retrySpread = 10 * time.Second
)

// retries spreads the retries of rejected jobs over time. Callers that were all told the same delay would come back
// together, and all but as many as the queue has slots would be rejected again.
type retries struct {
	mu   sync.Mutex
	last time.Time
}

// next returns the delay of one retry: at least wait, and gap after the previous retry.
func (r *retries) next(wait, gap time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	first := now.Add(min(max(wait, minRetryAfter), maxRetryAfter))
	r.last = r.last.Add(max(gap, minRetryGap))
	if r.last.Before(first) || r.last.After(first.Add(retrySpread)) {
		r.last = first
	}
	return r.last.Sub(now)
}

// busy returns a Busy error that suggests a retry after the expected wait, when the retries suggested before have their
// turn.
func (a *Admission) busy(l *lane, wait time.Duration, format string, args ...any) error {
	e := functions.Errorf(functions.Busy, "", format, args...)
	e.RetryAfter = l.retries.next(wait, a.timePerJob(l))
	return e
}
