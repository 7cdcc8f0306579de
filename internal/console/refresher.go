package console

import (
	"context"
	"sync"
	"time"
)

// refresher makes something again in the background, at most once in a period, and only while somebody asks for it.
type refresher struct {
	period time.Duration // 0 means that it is never made
	// limit bounds the time of make, which keeps what it made.
	limit time.Duration
	make  func(context.Context) error

	mu    sync.Mutex
	made  time.Time // when make last succeeded
	began time.Time // when it last began
	busy  bool
}

// ask begins to make it again if that is due, and does not wait. It reports whether what was made last is still good: not
// older than two periods and the limit. It is older if nobody has asked meanwhile, or if it cannot be made.
func (r *refresher) ask() (isGood bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.period > 0 && !r.busy && now.Sub(r.began) >= r.period {
		r.busy, r.began = true, now
		go r.refresh()
	}
	return now.Sub(r.made) <= 2*r.period+r.limit
}

// note says that it has just been made.
func (r *refresher) note() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made = time.Now()
}

func (r *refresher) refresh() {
	ctx, cancel := context.WithTimeout(context.Background(), r.limit)
	defer cancel()
	if r.make(ctx) == nil {
		r.note()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = false
}
