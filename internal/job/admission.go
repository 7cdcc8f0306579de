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
	// working and computing are how long jobs lately had a place in active, and
	// a core.
	working, computing mean
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
	// DecodedBytes is the memory that they may take together to decode and encode.
	// Refusals name it as the setting MAX_DECODED_BYTES.
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

// mean is a moving average (EWMA) over about 32 samples.
type mean struct {
	mu    sync.Mutex
	value float64
	n     float64
}

func (m *mean) add(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x := float64(d)
	if m.n > 0 {
		x = min(x, maxOutlier*max(m.value, float64(time.Millisecond)))
	}
	m.n = min(m.n+1, 32)
	m.value += (x - m.value) / m.n
}

// maxOutlier is how many times the mean a sample counts as at most, so that one slow
// job does not make all others seem slow.
const maxOutlier = 4

// representative reports whether a job that ended so tells how long others will
// take: not where it gave up waiting for a store, a backend or its caller.
func representative(err error) bool {
	return err == nil || !ended(err) && functions.AsError(err).Kind != functions.Unavailable
}

func (m *mean) get() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.value
}

// expectedWait is how long a call that comes now will have to wait. Jobs leave at
// the pace of the cores, or of the places in active where these are scarce.
func (a *Admission) expectedWait() time.Duration {
	each := max(a.computing.get()/float64(a.limits.Cores), a.working.get()/float64(a.limits.Active))
	return time.Duration(float64(a.places.taken.Load()) * each)
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
func (a *Admission) enter(ctx context.Context, patience Patience) (leave func(error), err error) {
	wait := a.expectedWait()
	if patience == Refuse && a.tooLong(ctx, wait) {
		return nil, busy(wait, "the jobs before this one take about %v: too long for its deadline or QUEUE_TIME",
			wait.Round(time.Millisecond))
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
	start := time.Now()
	return func(err error) {
		if representative(err) {
			a.working.add(time.Since(start))
		}
		a.active.Release(1)
		a.places.Release(1)
	}, nil
}

// grant is a core and part of the budget of decoded bytes.
type grant struct {
	admission *Admission
	bytes     int64
	start     time.Time
}

// compute waits until n bytes may be decoded and a core is free. n is at most the
// budget: see fits.
func (a *Admission) compute(ctx context.Context, n int64) (*grant, error) {
	if err := a.bytes.Acquire(ctx, n); err != nil {
		return nil, err
	}
	if err := a.cores.Acquire(ctx, 1); err != nil {
		a.bytes.Release(n)
		return nil, err
	}
	return &grant{a, n, time.Now()}, nil
}

// keep returns the core, and the bytes beyond the output, which is in memory until it
// is stored.
func (g *grant) keep(output int) {
	g.admission.computing.add(time.Since(g.start))
	g.admission.cores.Release(1)
	kept := min(g.bytes, int64(output))
	g.admission.bytes.Release(g.bytes - kept)
	g.bytes = kept
}

// release returns the bytes that were kept.
func (g *grant) release() {
	if g != nil {
		g.admission.bytes.Release(g.bytes)
	}
}

// fits reports whether an image may be worked on at all.
func (a *Admission) fits(n int64) bool { return n <= a.limits.DecodedBytes }

// Parallelism is how many jobs of one stream keep all cores busy while others
// of them fetch and store.
func (a *Admission) Parallelism() int { return int(min(a.limits.Active, 2*a.limits.Cores)) }
