package job

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"imageflow.dev/functions"
	"imageflow.dev/internal/telemetry"
)

// Patience says what a job does when others are before it.
type Patience int

const (
	// Refuse is a call's, which someone waits for: it is refused when it cannot be
	// done in time or the queue is full, so that its caller can go elsewhere.
	Refuse Patience = iota
	// Queue is an event's, which has time: it is refused when the queue is full.
	Queue
	// Wait is that of an item of a stream, whose caller is to be slowed down.
	Wait
)

// Admission decides who may work. Four limits lie one behind the other: how
// many jobs may be here at all, how many of them may hold a fetched picture,
// how many decoded bytes they may hold together, and how many may compute at
// once. A job takes them in this order and never waits for an earlier one while
// it holds a later one, so none can block for ever. Runners that share an
// Admission share the limits.
type Admission struct {
	places, active, bytes, cores *room
	limits                       AdmissionLimits
	// computing is how long jobs lately had a core.
	computing ewma
}

// AdmissionLimits are the sizes of an Admission, each at least 1 but Queue, which
// may be 0.
type AdmissionLimits struct {
	// Queue is how many jobs may wait for their turn.
	Queue int64
	// QueueTime is how long a call may have to wait, as far as can be told from
	// the jobs before it; 0 is as long as its deadline allows.
	QueueTime time.Duration
	// Active is how many jobs fetch, compute or store at once.
	Active int64
	// DecodedBytes is how much they may decode at once. A larger picture
	// takes it all and works alone.
	DecodedBytes int64
	// Cores is how many compute at once.
	Cores int64
	// Shared takes the place of Cores where other Admissions are at work in the
	// same process.
	Shared *Cores
}

// Cores are what the computing jobs of several Admissions take turns at.
type Cores struct{ room *room }

// NewCores returns n of them.
func NewCores(n int64) *Cores { return &Cores{newRoom(n)} }

// NewAdmission admits jobs within the limits.
func NewAdmission(l AdmissionLimits) *Admission {
	if l.Shared == nil {
		l.Shared = NewCores(l.Cores)
	}
	l.Cores = l.Shared.room.size
	return &Admission{
		places: newRoom(l.Queue + l.Active), active: newRoom(l.Active), bytes: newRoom(l.DecodedBytes), cores: l.Shared.room, limits: l,
	}
}

// room is a semaphore that can tell how much of it is taken.
type room struct {
	*semaphore.Weighted
	size  int64
	taken atomic.Int64
}

func newRoom(size int64) *room { return &room{Weighted: semaphore.NewWeighted(size), size: size} }

func (r *room) TryAcquire(n int64) bool {
	ok := r.Weighted.TryAcquire(n)
	if ok {
		r.taken.Add(n)
	}
	return ok
}

func (r *room) Acquire(ctx context.Context, n int64) error {
	err := r.Weighted.Acquire(ctx, n)
	if err == nil {
		r.taken.Add(n)
	}
	return err
}

func (r *room) Release(n int64) {
	r.taken.Add(-n)
	r.Weighted.Release(n)
}

func (r *room) usage() telemetry.Usage { return telemetry.Usage{Taken: r.taken.Load(), Limit: r.size} }

// ewma is a moving average over about 32 samples. A sample counts for at most
// eight times the average, so that one job that hangs does not spoil it.
type ewma struct {
	mu    sync.Mutex
	value float64
	n     float64
}

func (m *ewma) add(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sample := float64(d)
	if m.n >= 4 {
		sample = min(sample, 8*m.value)
	}
	m.n = min(m.n+1, 32)
	m.value += (sample - m.value) / m.n
}

func (m *ewma) get() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.value
}

// expectedWait is how long a call that comes now will have to wait, at the pace
// at which the cores do the jobs before it. Time that jobs spend waiting for a
// store is not counted: others compute meanwhile.
func (a *Admission) expectedWait() time.Duration {
	return time.Duration(float64(a.places.taken.Load()) * a.computing.get() / float64(a.limits.Cores))
}

// tooLong reports whether a call that has to wait so long cannot be done in time:
// by its deadline, or within QueueTime. A call behind fewer than two jobs for
// each core is always taken, however slow they are.
func (a *Admission) tooLong(ctx context.Context, wait time.Duration) bool {
	if a.places.taken.Load() < 2*a.limits.Cores {
		return false
	}
	deadline, ok := ctx.Deadline()
	return ok && wait > time.Until(deadline) || a.limits.QueueTime > 0 && wait > a.limits.QueueTime
}

// busy refuses a job that may come again after the wait expected now.
func busy(wait time.Duration, format string, args ...any) error {
	e := functions.Errorf(functions.Busy, "", format, args...)
	e.RetryAfter = min(max(wait, minRetryAfter), maxRetryAfter)
	return e
}

const (
	minRetryAfter = 100 * time.Millisecond
	maxRetryAfter = time.Minute
)

// Load tells how full it is.
func (a *Admission) Load() telemetry.Load {
	active := a.active.usage()
	return telemetry.Load{
		Waiting: telemetry.Usage{Taken: max(a.places.taken.Load()-active.Taken, 0), Limit: a.limits.Queue},
		Active:  active, Computing: a.cores.usage(), Decoded: a.bytes.usage(),
	}
}

// enter takes a place in the queue and waits there for its turn. All but the most
// patient get Busy at once when the queue is full, calls also when their turn
// would come too late. Otherwise a call waits: a queue of callers who wait for
// their answers is no longer than there are callers, and drains.
func (a *Admission) enter(ctx context.Context, patience Patience) (leave func(), err error) {
	wait := a.expectedWait()
	if patience == Refuse && a.tooLong(ctx, wait) {
		return nil, busy(wait, "the jobs before this one take about %v, too long for its deadline or QUEUE_TIME; try again later", wait.Round(time.Millisecond))
	}
	if !a.places.TryAcquire(1) {
		if patience != Wait {
			return nil, busy(wait, "the queue of %d (QUEUE_LENGTH) is full; try again shortly", a.limits.Queue)
		}
		if err := a.places.Acquire(ctx, 1); err != nil {
			return nil, err
		}
	}
	if err := a.active.Acquire(ctx, 1); err != nil {
		a.places.Release(1)
		return nil, err
	}
	return func() {
		a.active.Release(1)
		a.places.Release(1)
	}, nil
}

// compute waits until n bytes may be decoded and a core is free.
func (a *Admission) compute(ctx context.Context, n int64) (done func(), err error) {
	n = min(n, a.limits.DecodedBytes)
	if err := a.bytes.Acquire(ctx, n); err != nil {
		return nil, err
	}
	if err := a.cores.Acquire(ctx, 1); err != nil {
		a.bytes.Release(n)
		return nil, err
	}
	start := time.Now()
	return func() {
		a.computing.add(time.Since(start))
		a.cores.Release(1)
		a.bytes.Release(n)
	}, nil
}

// Parallelism is how many jobs of one stream keep all cores busy while others
// of them fetch and store.
func (a *Admission) Parallelism() int { return int(min(a.limits.Active, 2*a.limits.Cores)) }
