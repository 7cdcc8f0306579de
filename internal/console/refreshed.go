package console

import (
	"context"
	"sync"
	"time"
)

// refreshed is a value that is made again in the background, at most once in a period, and only while somebody asks for it.
type refreshed[T any] struct {
	period time.Duration
	// limit bounds the time to make the value.
	limit time.Duration
	make  func(context.Context) (T, error)

	mu    sync.Mutex
	value T
	made  time.Time // when the value was made
	began time.Time // when it was last begun to be made
	busy  bool
}

// get returns the value at once, and the zero value if the last one is older than two periods and the limit: nobody has asked
// meanwhile, or it cannot be made.
func (r *refreshed[T]) get() (value T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if !r.busy && now.Sub(r.began) >= r.period {
		r.busy, r.began = true, now
		go r.refresh()
	}
	if now.Sub(r.made) > 2*r.period+r.limit {
		return value
	}
	return r.value
}

// set replaces the value.
func (r *refreshed[T]) set(value T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.value, r.made = value, time.Now()
}

func (r *refreshed[T]) refresh() {
	ctx, cancel := context.WithTimeout(context.Background(), r.limit)
	defer cancel()
	value, err := r.make(ctx)
	if err == nil {
		r.set(value)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = false
}
