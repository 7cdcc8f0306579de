package job

import (
	"context"
	"time"

	"imageflow.dev/functions"
	"imageflow.dev/internal/telemetry"
)

// OverloadPolicy decides what happens to a job that cannot start at once.
type OverloadPolicy int

const (
	// FailFast rejects the job when the expected wait exceeds its deadline or
	// QueueTime, or when the queue is full. It is for unary calls, whose caller can try
	// another replica.
	FailFast OverloadPolicy = iota
	// Enqueue rejects the job only when the queue is full. It is for events.
	Enqueue
	// Block waits for a slot in the queue and never rejects the job. It is for the
	// items of a stream, whose sender it slows down.
	Block
	// Backfill is Enqueue for the events of a backfill, which are served last.
	Backfill
)

// class returns the class of the jobs that have the policy: FailFast and Block are calls.
func (p OverloadPolicy) class() class {
	switch p {
	case Enqueue:
		return eventJobs
	case Backfill:
		return backfillJobs
	}
	return callJobs
}

// Admission is the admission control of one or more Runners. It has four limits:
// jobs in total, active jobs, decoded bytes, and jobs that compute. A job acquires
// them in this order and never waits for an earlier limit while it holds a later
// one, so jobs cannot deadlock. Runners that share an Admission share the limits.
//
// Jobs that use the store and jobs that do not are in separate lanes, so a store that
// stalls delays only the jobs that use it.
//
// Calls, events and the events of a backfill are classes that share each limit by weights;
// see budget. Each class has a queue of its own, so a backfill does not make the queue full
// for others. A backfill holds at most half of the active slots and of the decoded bytes,
// and leaves one core to the others if there are several. Its jobs start when no others run;
// see foreground.
type Admission struct {
	stored, inline lane
	bytes, cores   *budget
	foreground     *foreground
	limits         AdmissionLimits
	computing      ewma // the time that recent jobs held a core
}

// lane is the queue of one kind of jobs, and their active slots.
type lane struct {
	slots, active *budget
	working       ewma // the time that recent jobs held an active slot
	retries       retries
}

func newLane(l AdmissionLimits) lane {
	return lane{slots: newQueue(l.Queue + l.Active), active: newBudget(l.Active, l.Active/2)}
}

// before returns the number of jobs that a new job of a class is behind: those of its class,
// the active ones, and of the waiting ones of another class as many as have their turn
// until the class's waiting ones had theirs, by the weights.
func (l *lane) before(c class) float64 {
	all, active := l.slots.held(), l.active.held()
	jobs := float64(all[c])
	for other := range classes {
		if other != c {
			turns := float64(all[c]-active[c]) * weights[other] / weights[c]
			jobs += float64(active[other]) + min(turns, float64(all[other]-active[other]))
		}
	}
	return max(jobs, 0) // the two readings may be of different times
}

// AdmissionLimits are the sizes of an Admission. Each is at least 1, except Queue,
// which may be 0.
type AdmissionLimits struct {
	// Queue is the number of jobs of each class in each lane that may wait for an active slot.
	Queue int64
	// QueueTime is the longest expected wait of a FailFast job. 0 means that only
	// the job's deadline counts.
	QueueTime time.Duration
	// Active is the number of jobs in each lane that fetch, compute or store at the
	// same time.
	Active int64
	// DecodedBytes is the memory in bytes that all jobs together may use to decode
	// and encode. Errors name it by its setting, MAX_DECODED_BYTES.
	DecodedBytes int64
	// Cores is the number of jobs that compute at the same time.
	Cores int64
	// Shared replaces Cores when several Admissions run in one process.
	Shared *Cores
}

// Cores is a number of CPU cores that several Admissions share.
type Cores struct {
	budget     *budget
	foreground foreground
}

// NewCores returns n shared cores.
func NewCores(n int64) *Cores { return &Cores{budget: newBudget(n, n-1)} }

// NewAdmission returns an Admission with the given limits.
func NewAdmission(l AdmissionLimits) *Admission {
	if l.Shared == nil {
		l.Shared = NewCores(l.Cores)
	}
	l.Cores = l.Shared.budget.size
	return &Admission{
		stored: newLane(l), inline: newLane(l), bytes: newBudget(l.DecodedBytes, l.DecodedBytes/2), cores: l.Shared.budget,
		foreground: &l.Shared.foreground, limits: l,
	}
}

// lane returns the lane of a job.
func (a *Admission) lane(inline bool) *lane {
	if inline {
		return &a.inline
	}
	return &a.stored
}

// timePerJob estimates the time after which the next job of a lane starts. The queue drains at the pace of the scarcer
// resource: cores or active slots.
func (a *Admission) timePerJob(l *lane) time.Duration {
	return time.Duration(max(a.computing.get()/float64(a.limits.Cores), l.working.get()/float64(a.limits.Active)))
}

// expectedWait estimates how long a new job waits for an active slot of a lane, with this many jobs before it.
func (a *Admission) expectedWait(l *lane, before float64) time.Duration {
	return time.Duration(before * float64(a.timePerJob(l)))
}

// tooLong reports whether a wait exceeds the deadline of ctx or QueueTime. It is
// false while fewer than two jobs per core are before the job, however slow they are.
func (a *Admission) tooLong(ctx context.Context, before float64, wait time.Duration) bool {
	if before < float64(2*a.limits.Cores) {
		return false
	}
	deadline, ok := ctx.Deadline()
	return ok && wait > time.Until(deadline) || a.limits.QueueTime > 0 && wait > a.limits.QueueTime
}

// Load returns the current usage of each limit, for active slots the usage of the fuller
// lane, and for the queue that of the fullest class and lane.
func (a *Admission) Load() telemetry.Load {
	load := telemetry.Load{
		Waiting: telemetry.Usage{Limit: a.limits.Queue}, Computing: a.cores.usage(), Decoded: a.bytes.usage(),
	}
	for _, l := range []*lane{&a.stored, &a.inline} {
		all, active := l.slots.held(), l.active.held()
		for c := range classes {
			load.Waiting.Taken = max(load.Waiting.Taken, all[c]-active[c])
		}
		if u := l.active.usage(); u.Taken >= load.Active.Taken {
			load.Active = u
		}
	}
	return load
}

// enter acquires a slot in the queue and then an active slot. An inline job does not
// use the store. The policy decides whether the job is rejected with Busy instead of
// waiting. The caller calls leave with the error of the job when the job ends.
func (a *Admission) enter(ctx context.Context, policy OverloadPolicy, inline bool) (leave func(error), err error) {
	l, c := a.lane(inline), policy.class()
	before := l.before(c)
	wait := a.expectedWait(l, before)
	if policy == FailFast && a.tooLong(ctx, before, wait) {
		return nil, a.busy(l, wait, "the expected wait of %v is longer than the deadline or QUEUE_TIME; try again later",
			wait.Round(time.Millisecond))
	}
	if !l.slots.TryAcquire(c, 1) {
		if policy != Block {
			return nil, a.busy(l, wait, "the queue of %d (QUEUE_LENGTH) is full; try again shortly", a.limits.Queue)
		}
		if err := l.slots.Acquire(ctx, c, 1); err != nil {
			return nil, err
		}
	}
	release, err := a.activate(ctx, l, c)
	if err != nil {
		l.slots.Release(c, 1)
		return nil, err
	}
	start := time.Now()
	return func(err error) {
		if representative(err) {
			l.working.add(time.Since(start))
		}
		release()
		l.slots.Release(c, 1)
	}, nil
}

// activate acquires an active slot.
func (a *Admission) activate(ctx context.Context, l *lane, c class) (release func(), err error) {
	end := func() {}
	if c == backfillJobs {
		a.foreground.yield(ctx)
	} else {
		a.foreground.begin()
		end = a.foreground.end
	}
	if err := l.active.Acquire(ctx, c, 1); err != nil {
		end()
		return nil, err
	}
	return func() {
		l.active.Release(c, 1)
		end()
	}, nil
}

// representative reports whether the duration of a job that ended with err predicts
// the duration of other jobs. Jobs that gave up waiting for a store, a backend or
// their caller do not.
func representative(err error) bool {
	return err == nil || !ended(err) && functions.AsError(err).Kind != functions.Unavailable
}

// grant is one core and a part of the budget of decoded bytes.
type grant struct {
	admission *Admission
	class     class
	bytes     int64
	start     time.Time
}

// compute waits until n decoded bytes and a core are available for a job of a class. n must
// fit the budget; see fits.
func (a *Admission) compute(ctx context.Context, c class, n int64) (*grant, error) {
	if err := a.bytes.Acquire(ctx, c, n); err != nil {
		return nil, err
	}
	if err := a.cores.Acquire(ctx, c, 1); err != nil {
		a.bytes.Release(c, n)
		return nil, err
	}
	return &grant{a, c, n, time.Now()}, nil
}

// keep releases the core and all bytes except those of the encoded output, which
// stays in memory until it is stored.
func (g *grant) keep(output int) {
	g.admission.computing.add(time.Since(g.start))
	g.admission.cores.Release(g.class, 1)
	kept := min(g.bytes, int64(output))
	g.admission.bytes.Release(g.class, g.bytes-kept)
	g.bytes = kept
}

// release releases the bytes that keep kept. A nil grant holds nothing.
func (g *grant) release() {
	if g != nil {
		g.admission.bytes.Release(g.class, g.bytes)
	}
}

// fits reports whether the budget is large enough for n decoded bytes.
func (a *Admission) fits(n int64) bool { return n <= a.limits.DecodedBytes }

// Parallelism returns the number of jobs of one stream that keep all cores busy
// while other jobs fetch and store.
func (a *Admission) Parallelism() int { return int(min(a.limits.Active, 2*a.limits.Cores)) }
