package job

import (
	"context"
	"sync"
	"time"
)

const (
	// backfillPause is the time without other jobs after which a job of a backfill may start. It
	// is longer than the time between two steps of a chain on one machine.
	backfillPause = 15 * time.Millisecond
	// maxYield bounds the time that a job of a backfill waits for the end of other jobs.
	maxYield = time.Second
)

// foreground counts the jobs that are not of a backfill. Jobs of a backfill start between
// them: a job that computes cannot be interrupted, and would delay them.
type foreground struct {
	mu    sync.Mutex
	jobs  int
	idle  chan struct{} // closed when the last job ends
	ended time.Time     // when it has ended
}

func (f *foreground) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.jobs++; f.jobs == 1 {
		f.idle = make(chan struct{})
	}
}

func (f *foreground) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.jobs--; f.jobs == 0 {
		f.ended = time.Now()
		close(f.idle)
	}
}

// yield waits until no job has run for backfillPause, at most for maxYield or until the context ends.
func (f *foreground) yield(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, maxYield)
	defer cancel()
	for ctx.Err() == nil {
		f.mu.Lock()
		idle, rest := f.idle, time.Until(f.ended.Add(backfillPause))
		isIdle := f.jobs == 0
		f.mu.Unlock()
		switch {
		case isIdle && rest <= 0:
			return
		case isIdle:
			sleep(ctx, rest)
		default:
			select {
			case <-idle:
			case <-ctx.Done():
			}
		}
	}
}

// sleep waits for a time or until the context ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
