package job

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"imageflow.dev/functions"
	"imageflow.dev/internal/telemetry"
)

// Patience says what a job does when the queue is full.
type Patience bool

// The two patiences. A unary call is refused, so that its caller can go
// elsewhere; an item of a stream waits, so that its caller is slowed down.
const (
	Refuse Patience = false
	Wait   Patience = true
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
}

// AdmissionLimits are the sizes of an Admission, each at least 1 but Queue, which
// may be 0.
type AdmissionLimits struct {
	// Queue is how many jobs may wait for their turn.
	Queue int64
	// Active is how many jobs fetch, compute or store at once.
	Active int64
	// DecodedBytes is how much they may decode at once. A larger picture
	// takes it all and works alone.
	DecodedBytes int64
	// Cores is how many compute at once.
	Cores int64
}

// NewAdmission admits jobs within the limits.
func NewAdmission(l AdmissionLimits) *Admission {
	return &Admission{
		places: newRoom(l.Queue + l.Active), active: newRoom(l.Active), bytes: newRoom(l.DecodedBytes), cores: newRoom(l.Cores), limits: l,
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

// Load tells how full it is.
func (a *Admission) Load() telemetry.Load {
	active := a.active.usage()
	return telemetry.Load{
		Waiting: telemetry.Usage{Taken: max(a.places.taken.Load()-active.Taken, 0), Limit: a.limits.Queue},
		Active:  active, Computing: a.cores.usage(), Decoded: a.bytes.usage(),
	}
}

// enter takes a place in the queue and waits there for its turn. The impatient
// get Busy at once when the queue is full.
func (a *Admission) enter(ctx context.Context, patience Patience) (leave func(), err error) {
	if !a.places.TryAcquire(1) {
		if patience == Refuse {
			return nil, functions.Errorf(functions.Busy, "", "the queue of %d is full; try again shortly", a.limits.Queue)
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
	return func() {
		a.cores.Release(1)
		a.bytes.Release(n)
	}, nil
}

// Parallelism is how many jobs of one stream keep all cores busy while others
// of them fetch and store.
func (a *Admission) Parallelism() int { return int(min(a.limits.Active, 2*a.limits.Cores)) }
