package job_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

// gauge counts what is there now and remembers the most.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) add(n int64) {
	now := g.now.Add(n)
	for most := g.most.Load(); now > most && !g.most.CompareAndSwap(most, now); most = g.most.Load() {
	}
}

// TestLimitsHold runs random jobs, many of which give up, against random limits.
func TestLimitsHold(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	var pictures [][]byte
	for _, side := range []int{1, 10, 30, 50} { // 4 to 10000 decoded bytes
		pictures = append(pictures, pngOf(t, side, side))
	}
	for range 20 {
		if t.Failed() {
			return // what is lost is lost for all rounds, each of which would wait
		}
		limits := job.AdmissionLimits{
			Queue: random.Int64N(4), Active: 1 + random.Int64N(6), DecodedBytes: 1 + random.Int64N(30_000), Cores: 1 + random.Int64N(3),
		}
		var working, decoded gauge
		runner := measured(limits, &working, &decoded)
		var jobs sync.WaitGroup
		for range 60 {
			req := &request{InputBytes: pictures[random.IntN(len(pictures))], TargetWidth: 1 + random.Int32N(30)}
			patient, hurry := job.OverloadPolicy(random.IntN(3)), time.Duration(random.IntN(4000))*time.Microsecond
			jobs.Go(func() { tryOne(t, runner, req, patient, hurry) })
		}
		jobs.Wait()
		if most := working.most.Load(); most > min(limits.Cores, limits.Active) {
			t.Errorf("%d at once within %+v", most, limits)
		}
		if most := decoded.most.Load(); most > limits.DecodedBytes {
			t.Errorf("%d bytes at once within %+v", most, limits)
		}
		tryOne(t, runner, &request{InputBytes: pictures[0], TargetWidth: 1}, job.Block, 0) // all is free again
	}
}

// measured is a runner whose work is a short sleep, and shows in the gauges. The
// largest images take the whole budget.
func measured(limits job.AdmissionLimits, working, decoded *gauge) *runner {
	footprint := func(_ functions.Request, h imaging.Header, f imaging.Format) int64 {
		return min(h.Footprint(f), limits.DecodedBytes)
	}
	p := applying(func(_ context.Context, r functions.Request, in functions.Input) (imaging.Encoded, functions.Response, error) {
		n := footprint(r, in.Image.Header, in.Format)
		working.add(1)
		decoded.add(n)
		time.Sleep(time.Duration(r.(*request).GetTargetWidth()) * 10 * time.Microsecond)
		decoded.add(-n)
		working.add(-1)
		return imaging.Encoded{Format: imaging.PNG}, &imageflowv1.ResizeResponse{Result: &imageflowv1.ProcessingResult{}}, nil
	})
	p.Footprint = footprint
	return newRunner(p, limits)
}

// tryOne runs a job, which gives up after a hurry below a millisecond. Only then
// may it end for lack of time, and none that waits is told that all is busy.
func tryOne(t *testing.T, r *runner, req *request, patient job.OverloadPolicy, hurry time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	gives := hurry > 0 && hurry < time.Millisecond
	if gives {
		ctx, cancel = context.WithTimeout(ctx, hurry)
		defer cancel()
	}
	_, err := r.Run(ctx, req, patient)
	switch busy := err != nil && functions.AsError(err).Kind == functions.Busy; {
	case err == nil, busy && patient != job.Block, errors.Is(err, context.DeadlineExceeded) && gives:
	default:
		t.Errorf("patient %v: %v", patient, err)
	}
}

// blocked is a runner with one place to work and one in the queue, and a way to
// know of and to end its jobs.
func blocked(t *testing.T) (r *runner, begun chan struct{}, end chan struct{}) {
	begun, end = make(chan struct{}, 10), make(chan struct{})
	r = newRunner(applying(func(ctx context.Context, _ functions.Request, _ functions.Input) (imaging.Encoded, functions.Response, error) {
		begun <- struct{}{}
		<-end
		return imaging.Encoded{Format: imaging.PNG}, &imageflowv1.ResizeResponse{Result: &imageflowv1.ProcessingResult{}}, ctx.Err()
	}), job.AdmissionLimits{Queue: 1, Active: 1, DecodedBytes: 1 << 20, Cores: 1})
	return r, begun, end
}

func await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatal(what)
	}
}

// TestFullQueue: of the callers of a full queue the impatient are refused at
// once, the patient get their turn.
func TestFullQueue(t *testing.T) {
	r, begun, end := blocked(t)
	picture := pngOf(t, 4, 4)
	start := func(p job.OverloadPolicy) chan error {
		done := make(chan error, 1)
		go func() {
			_, err := r.Run(t.Context(), &request{InputBytes: picture, TargetWidth: 1}, p)
			done <- err
		}()
		return done
	}
	first := start(job.FailFast)
	await(t, "the first does not begin", begun)
	// Of these one takes the queue's place, whichever; the others are refused.
	several := []chan error{start(job.FailFast), start(job.FailFast), start(job.FailFast)}
	refused := make(chan struct{}, len(several))
	results := make(chan error, len(several))
	for _, done := range several {
		go func() {
			err := <-done
			if err != nil {
				refused <- struct{}{}
			}
			results <- err
		}()
	}
	await(t, "the second is not refused at once", refused)
	await(t, "the third is not refused at once", refused)
	patient := start(job.Block)
	select {
	case err := <-patient:
		t.Fatalf("the patient one does not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(end)
	for _, done := range []chan error{first, patient} {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for range several {
		if err := <-results; err != nil && functions.AsError(err).Kind != functions.Busy {
			t.Errorf("refused with %v", err)
		}
	}
}

// TestSlowQueue: a call that would have to wait for too long is refused though the
// queue has places; an event takes one.
func TestSlowQueue(t *testing.T) {
	const slow = 50 * time.Millisecond
	begun, end := make(chan struct{}, 10), make(chan struct{})
	admission := job.NewAdmission(job.AdmissionLimits{Queue: 10, QueueTime: slow, Active: 2, DecodedBytes: 1 << 20, Cores: 1})
	r := job.NewRunner(applying(func(context.Context, functions.Request, functions.Input) (imaging.Encoded, functions.Response, error) {
		time.Sleep(slow)
		begun <- struct{}{}
		<-end
		return imaging.Encoded{Format: imaging.PNG}, &imageflowv1.ResizeResponse{Result: &imageflowv1.ProcessingResult{}}, nil
	}), store, admission, job.Config{Bucket: bucket, MaxObjectBytes: 1 << 20, Limits: imaging.Limits{MaxSide: 100, MaxPixels: 10000}})
	picture := pngOf(t, 4, 4)
	results := make(chan error, 10)
	here := 0
	start := func(p job.OverloadPolicy) {
		here++
		go func() {
			_, err := r.Run(t.Context(), &request{InputBytes: picture, TargetWidth: 1}, p)
			results <- err
		}()
		for deadline := time.Now().Add(patience); admission.Load().Waiting.Taken+admission.Load().Active.Taken < int64(here); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("job %d does not come in", here)
			}
		}
	}
	start(job.FailFast) // tells how long one takes
	await(t, "the first does not begin", begun)
	end <- struct{}{}
	if err := <-results; err != nil {
		t.Fatal(err)
	}
	for here = 0; admission.Load().Active.Taken > 0; time.Sleep(time.Millisecond) { // it has its place until it returns
	}
	start(job.FailFast)
	start(job.FailFast) // two for a core are always taken
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := r.Run(ctx, &request{InputBytes: picture, TargetWidth: 1}, job.FailFast); err == nil || functions.AsError(err).Kind != functions.Busy {
		t.Errorf("a third call: %v, want it refused as busy", err)
	}
	start(job.Enqueue)
	start(job.Block)
	close(end)
	for range here {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

// TestCancelledJobsLeave: a job that is given up while it waits leaves its place
// to others.
func TestCancelledJobsLeave(t *testing.T) {
	r, begun, end := blocked(t)
	picture := pngOf(t, 4, 4)
	first := make(chan error, 1)
	go func() {
		_, err := r.Run(t.Context(), &request{InputBytes: picture, TargetWidth: 1}, job.FailFast)
		first <- err
	}()
	await(t, "the first does not begin", begun)
	for range 5 { // each takes the queue's only place
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, err := r.Run(ctx, &request{InputBytes: picture, TargetWidth: 1}, job.FailFast)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
	}
	close(end)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if _, err := r.Run(t.Context(), &request{InputBytes: picture, TargetWidth: 1}, job.FailFast); err != nil {
		t.Error(err)
	}
}

// TestDeadlineAndQueue: a call is refused at once when the jobs before it will
// take longer than its deadline allows; the refusal says how long. One that has
// time waits, however long the queue.
func TestDeadlineAndQueue(t *testing.T) {
	const slow = 100 * time.Millisecond
	begun, end := make(chan struct{}, 100), make(chan struct{})
	admission := job.NewAdmission(job.AdmissionLimits{Queue: 64, Active: 8, DecodedBytes: 1 << 20, Cores: 1})
	r := job.NewRunner(applying(func(context.Context, functions.Request, functions.Input) (imaging.Encoded, functions.Response, error) {
		begun <- struct{}{}
		time.Sleep(slow)
		<-end
		return imaging.Encoded{Format: imaging.PNG}, &imageflowv1.ResizeResponse{Result: &imageflowv1.ProcessingResult{}}, nil
	}), store, admission, job.Config{Bucket: bucket, MaxObjectBytes: 1 << 20, Limits: imaging.Limits{MaxSide: 100, MaxPixels: 10000}})
	picture := pngOf(t, 4, 4)
	run := func(ctx context.Context) error {
		_, err := r.Run(ctx, &request{InputBytes: picture, TargetWidth: 1}, job.FailFast)
		return err
	}
	results := make(chan error, 64)
	go func() { results <- run(t.Context()) }() // tells how long one takes
	await(t, "the first does not begin", begun)
	end <- struct{}{}
	if err := <-results; err != nil {
		t.Fatal(err)
	}
	for range 64 {
		go func() { results <- run(t.Context()) }()
	}
	for deadline := time.Now().Add(patience); admission.Load().Waiting.Taken+admission.Load().Active.Taken < 64; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not all callers wait")
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 64*slow/2)
	defer cancel()
	err := run(ctx)
	if e := functions.AsError(err); e.Kind != functions.Busy || e.RetryAfter < 64*slow || ctx.Err() != nil {
		t.Errorf("a call without the time: %v, to come again after %v", err, e.RetryAfter)
	}
	close(end)
	for range 64 {
		if err := <-results; err != nil {
			t.Errorf("a call with the time: %v", err)
		}
	}
}
