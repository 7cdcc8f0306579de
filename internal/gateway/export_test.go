package gateway

import (
	"context"
	"errors"
	"time"
)

// Limiter is a limiter whose tests set the time.
type Limiter struct{ limiter }

// Acquire returns nil functions for a refused call. evicted reports whether an admitted
// call was evicted since, and release counts it as done.
func (l *Limiter) Acquire(now time.Time) (evicted func() bool, release func(time.Time)) {
	ctx, t := l.acquire(context.Background(), now)
	if t == nil {
		return nil, nil
	}
	return func() bool { return errors.Is(context.Cause(ctx), errEvicted) }, func(now time.Time) { l.release(t, now) }
}

// AcceptedImages returns the types of images in Accept headers.
var AcceptedImages = acceptedImages

// SetLookupInterval sets the time after which the names of processors are looked up again.
func SetLookupInterval(d time.Duration) { lookupInterval = d }
