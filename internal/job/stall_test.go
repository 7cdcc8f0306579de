package job_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
)

// stallingStore returns the store through a proxy that can stall, and the proxy.
func stallingStore(t *testing.T, progressTimeout time.Duration) (*stores.Stall, *objects.Store) {
	t.Helper()
	proxy := stores.NewStall(t, endpoint)
	through, err := objects.New(objects.Config{
		Endpoint: proxy.Address, AccessKey: "user", SecretKey: "password", Region: "us-east-1", ProgressTimeout: progressTimeout,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(through.Close)
	return proxy, through
}

// Jobs whose store stalls in the middle of a body fail with Unavailable and release their
// slots. Later jobs are not rejected because of them.
func TestRun_stalledStore(t *testing.T) {
	put(t, bucket, "stall/in.png", pngOf(t, 400, 400))
	proxy, through := stallingStore(t, time.Second)
	admission := job.NewAdmission(job.AdmissionLimits{
		Queue: 8, QueueTime: 50 * time.Millisecond, Active: 2, DecodedBytes: 64 << 20, Cores: 2,
	})
	r := job.NewRunner(resize.Processor, through, admission, config)
	proxy.After(1<<40, 1000)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			_, err := r.Run(t.Context(), &request{InputImage: in("stall/in.png"), TargetWidth: 8}, job.Enqueue)
			wantKind(t, err, functions.Unavailable, "")
		})
	}
	all.Wait()
	if load := admission.Load(); load.Active.Taken != 0 || load.Waiting.Taken != 0 {
		t.Errorf("slots are still taken: %+v", load)
	}
	proxy.Forward()
	through.Close() // idle connections may still stall
	for range 4 {
		all.Go(func() {
			if _, err := r.Run(t.Context(), &request{InputImage: in("stall/in.png"), TargetWidth: 8}, job.Enqueue); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// A job that does not use the store runs while others fill the queue and wait for a
// store that stalls.
func TestRun_inlineBesideStalledStore(t *testing.T) {
	put(t, bucket, "stall/beside.png", pngOf(t, 400, 400))
	proxy, through := stallingStore(t, time.Hour)
	limits := job.AdmissionLimits{Queue: 2, Active: 2, DecodedBytes: 64 << 20, Cores: 2}
	admission := job.NewAdmission(limits)
	r := job.NewRunner(resize.Processor, through, admission, config)
	proxy.After(1<<40, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	var stalled sync.WaitGroup
	for i := range limits.Queue + limits.Active {
		stalled.Go(func() {
			_, _ = r.Run(ctx, &request{InputImage: in("stall/beside.png"), TargetWidth: 8 + int32(i)}, job.Enqueue)
		})
	}
	for admission.Load().Waiting.Taken < limits.Queue {
		time.Sleep(time.Millisecond)
	}
	if _, err := r.Run(t.Context(), &request{InputBytes: pngOf(t, 40, 40), TargetWidth: 8}, job.FailFast); err != nil {
		t.Error(err)
	}
	cancel()
	stalled.Wait()
}

// A job without a deadline ends at Config.Timeout with a retryable error. Callers that
// share its execution do not start it again.
func TestRun_jobTimeout(t *testing.T) {
	p := applying(func(
		ctx context.Context, _ functions.Request, _ functions.Input,
	) (out imaging.Encoded, resp functions.Response, err error) {
		<-ctx.Done()
		return out, nil, ctx.Err()
	})
	r := job.NewRunner(p, store, job.NewAdmission(roomy), job.Config{
		Bucket: bucket, MaxObjectBytes: maxObjectBytes, Limits: limits, Timeout: 50 * time.Millisecond,
	})
	etag := put(t, bucket, "timeout/in.png", pngOf(t, 4, 4))
	for _, etag := range []string{"", etag} {
		req := &request{InputImage: &data{ObjectKey: "timeout/in.png", Etag: etag}, TargetWidth: 2}
		_, err := r.Run(t.Context(), req, job.Enqueue)
		wantKind(t, err, functions.Unavailable, "")
		if !strings.Contains(err.Error(), "JOB_TIMEOUT") {
			t.Errorf("the error has no setting: %v", err)
		}
	}
}
