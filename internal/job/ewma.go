package job

import (
	"sync"
	"time"
)

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
