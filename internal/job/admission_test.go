package job_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// gauge counts what exists now and keeps the maximum.
type gauge struct{ now, max atomic.Int64 }

func (g *gauge) add(n int64) {
	now := g.now.Add(n)
	for old := g.max.Load(); now > old && !g.max.CompareAndSwap(old, now); old = g.max.Load() {
	}
}

// Random jobs, many of which time out, run with random limits.
func TestAdmission_limitsHold(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	var images [][]byte
	for _, side := range []int{1, 10, 30, 50} { // 4 to 10000 decoded bytes
		images = append(images, pngOf(t, side, side))
	}
	for range 20 {
		if t.Failed() {
			return // a slot that is lost would block all later rounds
		}
		limits := job.AdmissionLimits{
			Queue: random.Int64N(4), Active: 1 + random.Int64N(6), DecodedBytes: 1 + random.Int64N(30_000), Cores: 1 + random.Int64N(3),
		}
		var working, decoded gauge
		runner := measured(limits, &working, &decoded)
		var jobs sync.WaitGroup
		for range 60 {
			req := &request{InputBytes: images[random.IntN(len(images))], TargetWidth: 1 + random.Int32N(30)}
			policy, timeout := job.OverloadPolicy(random.IntN(4)), time.Duration(random.IntN(4000))*time.Microsecond
			jobs.Go(func() { tryOne(t, runner, req, policy, timeout) })
		}
		jobs.Wait()
		if got := working.max.Load(); got > min(limits.Cores, limits.Active) {
			t.Errorf("%d jobs at once with %+v", got, limits)
		}
		if got := decoded.max.Load(); got > limits.DecodedBytes {
			t.Errorf("%d bytes at once with %+v", got, limits)
		}
		tryOne(t, runner, &request{InputBytes: images[0], TargetWidth: 1}, job.Block, 0) // all slots are released
	}
}

// measured returns a runner whose Apply sleeps for a short time and counts in the
// gauges. The largest images take the whole budget.
func measured(limits job.AdmissionLimits, working, decoded *gauge) *runner {
	footprint := func(_ functions.Request, in functions.Input) int64 {
		return min(in.Image.Footprint(in.Format), limits.DecodedBytes)
	}
	p := applying(func(
		_ context.Context, r functions.Request, in functions.Input,
	) (imaging.Encoded, functions.Response, error) {
		n := footprint(r, in)
		working.add(1)
		decoded.add(n)
		time.Sleep(time.Duration(r.(*request).GetTargetWidth()) * 10 * time.Microsecond)
		decoded.add(-n)
		working.add(-1)
		return empty()
	})
	p.Footprint = footprint
	return newRunner(p, limits)
}

// empty is the result of an Apply that does nothing.
func empty() (imaging.Encoded, functions.Response, error) {
	return imaging.Encoded{Format: imaging.PNG}, &imageflowv1.ResizeResponse{Result: &imageflowv1.ProcessingResult{}}, nil
}

// tryOne runs a job. It has a timeout only if that is below a millisecond, and only then
// the job may time out. A job that blocks must not be rejected.
func tryOne(t *testing.T, r *runner, req *request, policy job.OverloadPolicy, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	mayEnd := timeout > 0 && timeout < time.Millisecond
	if mayEnd {
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	_, err := r.Run(ctx, req, policy)
	switch {
	case err == nil, isBusy(err) && policy != job.Block, errors.Is(err, context.DeadlineExceeded) && mayEnd:
	default:
		t.Errorf("policy %v: %v", policy, err)
	}
}

func isBusy(err error) bool { return err != nil && functions.AsError(err).Kind == functions.Busy }

// blocking is a runner in a synctest bubble. Its Apply takes a fixed time and then waits
// until release is closed or has an element.
type blocking struct {
	*runner
	t         *testing.T
	admission *job.Admission
	image     []byte
	release   chan struct{}
}

func newBlocking(t *testing.T, limits job.AdmissionLimits, takes time.Duration) *blocking {
	b := &blocking{t: t, admission: job.NewAdmission(limits), image: pngOf(t, 4, 4), release: make(chan struct{})}
	p := applying(func(
		ctx context.Context, _ functions.Request, _ functions.Input,
	) (imaging.Encoded, functions.Response, error) {
		time.Sleep(takes)
		<-b.release
		return empty()
	})
	b.runner = job.NewRunner(p, store, b.admission, config)
	return b
}

func (b *blocking) run(ctx context.Context, policy job.OverloadPolicy) error {
	_, err := b.Run(ctx, &request{InputBytes: b.image, TargetWidth: 1}, policy)
	return err
}

// start starts jobs and returns the channel of their errors, once each job has been
// rejected, waits, or computes.
func (b *blocking) start(n int, policy job.OverloadPolicy) chan error {
	errs := make(chan error, n)
	for range n {
		go func() { errs <- b.run(b.t.Context(), policy) }()
	}
	synctest.Wait()
	return errs
}

// finish checks that the jobs of start succeed.
func (b *blocking) finish(n int, errs <-chan error) {
	b.t.Helper()
	for range n {
		if err := <-errs; err != nil {
			b.t.Error(err)
		}
	}
}

// When the queue is full, FailFast jobs are rejected at once and Block jobs wait.
func TestAdmission_queueFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBlocking(t, job.AdmissionLimits{Queue: 1, Active: 1, DecodedBytes: 1 << 20, Cores: 1}, 0)
		first := b.start(1, job.FailFast)
		three := b.start(3, job.FailFast) // one of them gets the slot in the queue
		if len(three) != 2 {
			t.Fatalf("%d of 3 jobs ended, want 2", len(three))
		}
		for range 2 {
			if err := <-three; !isBusy(err) {
				t.Errorf("got %v, want Busy", err)
			}
		}
		blocked := b.start(1, job.Block)
		if len(blocked) > 0 {
			t.Fatalf("a job with the policy Block does not wait: %v", <-blocked)
		}
		close(b.release)
		for _, errs := range []chan error{first, three, blocked} {
			b.finish(1, errs)
		}
	})
}

// A FailFast job whose expected wait exceeds QueueTime is rejected although the queue has
// slots. Jobs with other policies wait.
func TestAdmission_queueTimeExceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow = 50 * time.Millisecond
		b := newBlocking(t, job.AdmissionLimits{Queue: 10, QueueTime: slow, Active: 2, DecodedBytes: 1 << 20, Cores: 1}, slow)
		first := b.start(1, job.FailFast) // measures the duration of a job
		b.release <- struct{}{}
		b.finish(1, first)

		two := b.start(2, job.FailFast) // two jobs per core are always accepted
		if err := b.run(t.Context(), job.FailFast); !isBusy(err) {
			t.Errorf("a third job: %v, want Busy", err)
		}
		events, item := b.start(2, job.Enqueue), b.start(1, job.Block)
		if waiting := b.admission.Load().Waiting.Taken; waiting != 2 {
			t.Errorf("%d jobs wait in the fuller queue, want 2", waiting)
		}
		close(b.release)
		b.finish(2, two)
		b.finish(2, events)
		b.finish(1, item)
	})
}

// A job that times out in the queue releases its slot.
func TestAdmission_cancelledJobsRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBlocking(t, job.AdmissionLimits{Queue: 1, Active: 1, DecodedBytes: 1 << 20, Cores: 1}, 0)
		first := b.start(1, job.FailFast)
		for range 5 { // each takes the only slot of the queue
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			err := b.run(ctx, job.FailFast)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
		}
		close(b.release)
		b.finish(1, first)
		if err := b.run(t.Context(), job.FailFast); err != nil {
			t.Error(err)
		}
	})
}

// A FailFast job is rejected at once when the expected wait exceeds its deadline. The
// error suggests a retry after that wait. A job without a deadline waits.
func TestAdmission_deadlineExceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			slow = 100 * time.Millisecond
			n    = 64
		)
		b := newBlocking(t, job.AdmissionLimits{Queue: n, Active: 8, DecodedBytes: 1 << 20, Cores: 1}, slow)
		first := b.start(1, job.FailFast) // measures the duration of a job
		b.release <- struct{}{}
		b.finish(1, first)

		all := b.start(n, job.FailFast)
		ctx, cancel := context.WithTimeout(t.Context(), n*slow/2)
		defer cancel()
		began := time.Now()
		err := b.run(ctx, job.FailFast)
		if took := time.Since(began); !isBusy(err) || functions.AsError(err).RetryAfter < n*slow || took > 0 {
			t.Errorf("a job with a short deadline: %v after %v, want Busy at once", err, took)
		}
		close(b.release)
		b.finish(n, all)
	})
}

// A backfill that fills its queue neither makes the queue full for events and calls, nor counts in
// the expected wait of a call more than the jobs that have their turn before it.
func TestAdmission_backfillYields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			slow = 100 * time.Millisecond
			n    = 40
		)
		b := newBlocking(t, job.AdmissionLimits{Queue: n, Active: 4, DecodedBytes: 1 << 20, Cores: 2}, slow)
		first := b.start(1, job.FailFast) // measures the duration of a job
		b.release <- struct{}{}
		b.finish(1, first)

		backfill := b.start(n+10, job.Backfill)
		rejected := len(backfill)
		for range rejected {
			if err := <-backfill; !isBusy(err) {
				t.Errorf("%v, want Busy", err)
			}
		}
		if waiting := b.admission.Load(); rejected == 0 || waiting.Active.Taken > 2 || waiting.Computing.Taken > 1 {
			t.Errorf("%d jobs of the backfill are rejected; the load is %+v", rejected, waiting)
		}
		events := b.start(n, job.Enqueue)
		if len(events) > 0 {
			t.Errorf("%d events are rejected behind a backfill: %v", len(events), <-events)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*slow)
		defer cancel()
		call := make(chan error, 1)
		go func() { call <- b.run(ctx, job.FailFast) }()
		synctest.Wait()
		if len(call) > 0 {
			t.Errorf("a call behind %d events and a backfill: %v", n, <-call)
		}
		close(b.release)
		b.finish(1, call)
		b.finish(n, events)
		b.finish(n+10-rejected, backfill)
	})
}
