package job

import (
	"context"
	"slices"
	"sync"

	"imageflow.dev/internal/telemetry"
)

// class is a class of jobs. When several classes wait for a resource, each gets a share of
// it by its weight. A class that waits alone gets all.
type class int

const (
	callJobs class = iota
	eventJobs
	backfillJobs
	classes
)

// weights are the shares of the classes while all of them wait: 16/21, 4/21 and 1/21.
var weights = [classes]float64{callJobs: 16, eventJobs: 4, backfillJobs: 1}

// budget is an amount of a resource that jobs acquire and release. It serves the classes by
// start-time fair queueing (Goyal, Vin, Cheng: Start-time Fair Queueing, SIGCOMM 1996). The
// budget has a virtual time, the start of its last grant. A grant of n to a class with
// weight w starts at
//
//	S = max(F, virtual time when the class began to wait)    F' = S + n/w
//
// where F is the finish F' of the class's grant before. The waiting class with the smallest
// S is next; of equal ones the class of the higher priority. So over any time in which two
// classes a and b wait, with grants of at most n,
//
//	|granted(a)/w(a) − granted(b)/w(b)| ≤ n/w(a) + n/w(b)
//
// and a class that begins to wait is not behind the backlog of other classes. Within a
// class, jobs are served in the order of their arrival. The next job keeps its turn while
// it does not fit, so large jobs do not starve.
type budget struct {
	size   int64
	limits [classes]int64 // of a class, if below size; a class that holds nothing may exceed it

	mu      sync.Mutex
	taken   [classes]int64
	waiting [classes][]*waiter
	next    [classes]float64 // S of the class's next grant
	now     float64          // virtual time
}

// waiter is a job that waits for n of a budget. Granted is closed when it has them.
type waiter struct {
	n       int64
	granted chan struct{}
}

// newBudget returns a budget of which jobs of a backfill may hold at most the given part.
func newBudget(size, backfill int64) *budget {
	return &budget{size: size, limits: [classes]int64{size, size, backfill}}
}

// newQueue returns a budget of size for each class.
func newQueue(size int64) *budget {
	return &budget{size: int64(classes) * size, limits: [classes]int64{size, size, size}}
}

// TryAcquire takes n for a job of a class, unless the job would have to wait.
func (b *budget) TryAcquire(c class, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.enqueue(c, n); !w.isGranted() {
		b.cancel(c, w)
		return false
	}
	return true
}

// Acquire takes n for a job of a class. It waits until they are available or the context ends.
func (b *budget) Acquire(ctx context.Context, c class, n int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	w := b.enqueue(c, n)
	b.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.isGranted() {
		return nil
	}
	b.cancel(c, w)
	return ctx.Err()
}

// Release gives n of a class back.
func (b *budget) Release(c class, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken[c] -= n
	b.grant()
}

func (b *budget) enqueue(c class, n int64) *waiter {
	if len(b.waiting[c]) == 0 {
		b.next[c] = max(b.next[c], b.now)
	}
	w := &waiter{n, make(chan struct{})}
	b.waiting[c] = append(b.waiting[c], w)
	b.grant()
	return w
}

func (w *waiter) isGranted() bool {
	select {
	case <-w.granted:
		return true
	default:
		return false
	}
}

// cancel removes a job that waits. Others may fit now.
func (b *budget) cancel(c class, w *waiter) {
	b.waiting[c] = slices.DeleteFunc(b.waiting[c], func(other *waiter) bool { return other == w })
	b.grant()
}

// grant serves the waiting jobs that fit.
func (b *budget) grant() {
	for {
		c := b.nextClass()
		if c == classes || b.total()+b.waiting[c][0].n > b.size {
			return
		}
		w := b.waiting[c][0]
		b.waiting[c] = b.waiting[c][1:]
		b.taken[c] += w.n
		b.now = b.next[c]
		b.next[c] += float64(w.n) / weights[c]
		close(w.granted)
	}
}

// nextClass returns the class whose first waiting job is next, or classes if no job may go
// on. A class at its limit loses its turns meanwhile.
func (b *budget) nextClass() class {
	first := classes
	for c := range classes {
		switch {
		case len(b.waiting[c]) == 0:
		case b.limits[c] < b.size && b.taken[c] > 0 && b.taken[c]+b.waiting[c][0].n > b.limits[c]:
			b.next[c] = max(b.next[c], b.now)
		case first == classes || b.next[c] < b.next[first]:
			first = c
		}
	}
	return first
}

func (b *budget) total() (taken int64) {
	for _, n := range b.taken {
		taken += n
	}
	return taken
}

// held returns what each class holds.
func (b *budget) held() [classes]int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.taken
}

func (b *budget) usage() telemetry.Usage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return telemetry.Usage{Taken: b.total(), Limit: b.size}
}
