package job

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"imageflow.dev/internal/telemetry"
)

// budget is a weighted semaphore that reports its usage.
type budget struct {
	*semaphore.Weighted
	size  int64
	taken atomic.Int64
}

func newBudget(size int64) *budget { return &budget{Weighted: semaphore.NewWeighted(size), size: size} }

func (b *budget) TryAcquire(n int64) bool {
	ok := b.Weighted.TryAcquire(n)
	if ok {
		b.taken.Add(n)
	}
	return ok
}

func (b *budget) Acquire(ctx context.Context, n int64) error {
	err := b.Weighted.Acquire(ctx, n)
	if err == nil {
		b.taken.Add(n)
	}
	return err
}

func (b *budget) Release(n int64) {
	b.taken.Add(-n)
	b.Weighted.Release(n)
}

func (b *budget) usage() telemetry.Usage {
	return telemetry.Usage{Taken: b.taken.Load(), Limit: b.size}
}

// ewma is an exponentially weighted moving average over about 32 durations.
type ewma struct {
	mu    sync.Mutex
	value float64 // nanoseconds
	n     float64
}

const (
	ewmaSamples = 32
	// maxOutlier caps a sample at this multiple of the average, so that one slow job
	// does not make all others seem slow.
	maxOutlier = 4
)

func (e *ewma) add(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := float64(d)
	if e.n > 0 {
		x = min(x, maxOutlier*max(e.value, float64(time.Millisecond)))
	}
	e.n = min(e.n+1, ewmaSamples)
	e.value += (x - e.value) / e.n
}

// get returns the average in nanoseconds, 0 without samples.
func (e *ewma) get() float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.value
}
