package gateway

import (
	"context"
	"time"
)

// Limiter lets tests bring their own time.
type Limiter struct{ limiter }

// Enter returns nil for a call that is refused; else evicted reports whether it
// was ended since, and leave ends it.
func (l *Limiter) Enter(now time.Time) (evicted func() bool, leave func(time.Time)) {
	ctx, t := l.enter(context.Background(), now)
	if t == nil {
		return nil, nil
	}
	return func() bool { return context.Cause(ctx) == errEvicted }, func(now time.Time) { l.leave(t, now) }
}
