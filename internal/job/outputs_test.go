package job_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// counting is the resize processor that counts how often it works, after wait.
func counting(work *atomic.Int64, wait func()) processor {
	return applying(func(ctx context.Context, r functions.Request, in functions.Input) (imaging.Encoded, functions.Response, error) {
		work.Add(1)
		wait()
		return resize.Processor.Apply(ctx, r, in)
	})
}

func noWait() {}

// timeless is a response without what tells of the time that it took.
func timeless(resp *imageflowv1.ResizeResponse) *imageflowv1.ResizeResponse {
	c := proto.CloneOf(resp)
	c.Result.ProcessedAt, c.Result.ProcessingTimeSeconds, c.Result.OutputImage.CreatedAt = nil, 0, nil
	for _, stage := range []string{"queue_ms", "fetch_ms", "apply_ms", "store_ms"} {
		delete(c.Result.Metadata, stage)
	}
	return c
}

func TestEqualJobIsRecalled(t *testing.T) {
	var work atomic.Int64
	r := newRunner(counting(&work, noWait), roomy)
	etag := place(t, bucket, "recall/in.jpg", jpegOf(t, 40, 30))
	one := &request{InputImage: &data{ObjectKey: "recall/in.jpg", Etag: etag}, TargetWidth: 20}
	run := func(req *request, want int64) *imageflowv1.ResizeResponse {
		t.Helper()
		resp, err := resized(r.Run(t.Context(), req, job.FailFast))
		if err != nil {
			t.Fatal(err)
		}
		if got := work.Load(); got != want {
			t.Errorf("it has worked %d times, want %d", got, want)
		}
		return resp
	}
	first := run(one, 1)
	if again := run(one, 1); !proto.Equal(timeless(again), timeless(first)) {
		t.Errorf("the answers differ:\n%v\n%v", again, first)
	}
	anyVersion := proto.CloneOf(one)
	anyVersion.InputImage.Etag = ""
	if again := run(anyVersion, 1); !proto.Equal(timeless(again), timeless(first)) {
		t.Errorf("without the version, the answers differ:\n%v\n%v", again, first)
	}

	smaller := proto.CloneOf(one)
	smaller.TargetWidth = 10
	run(smaller, 2)
	run(one, 3) // its output was overwritten
	if err := store.Remove(t.Context(), bucket, "recall/in_resize.json"); err != nil {
		t.Fatal(err)
	}
	run(one, 4)
	place(t, bucket, "recall/in.jpg", jpegOf(t, 60, 30))
	run(anyVersion, 5)
}

// TestWrongExtension: where an output lies follows from what the picture is, not
// from what its key says it is.
func TestWrongExtension(t *testing.T) {
	var work atomic.Int64
	r := newRunner(counting(&work, noWait), roomy)
	place(t, bucket, "wrong/in.jpg", pngOf(t, 40, 30))
	other := place(t, bucket, "wrong/in_resize.jpg", []byte("of another"))
	for range 2 {
		resp, err := r.Run(t.Context(), &request{InputImage: in("wrong/in.jpg"), TargetWidth: 20}, job.FailFast)
		if err != nil {
			t.Fatal(err)
		}
		if out := resp.GetResult().GetOutputImage(); out.GetObjectKey() != "wrong/in_resize.png" || out.GetContentType() != "image/png" {
			t.Errorf("the output is %v", out)
		}
	}
	if got := work.Load(); got != 1 {
		t.Errorf("it has worked %d times, want once", got)
	}
	if info, err := store.Stat(t.Context(), bucket, "wrong/in_resize.jpg"); err != nil || info.ETag != other {
		t.Errorf("what another had written is now %+v, %v", info, err)
	}
}

// TestEqualJobsAtOnce come to two runners, as to two replicas.
func TestEqualJobsAtOnce(t *testing.T) {
	var work atomic.Int64
	arrived := make(chan struct{})
	wait := func() { <-arrived }
	runners := []*runner{newRunner(counting(&work, wait), roomy), newRunner(counting(&work, wait), roomy)}
	etag := place(t, bucket, "once/in.jpg", jpegOf(t, 40, 30))
	var all sync.WaitGroup
	answers := make([]*imageflowv1.ResizeResponse, 10)
	for i := range answers {
		all.Go(func() {
			req := &request{InputImage: &data{ObjectKey: "once/in.jpg", Etag: etag}, TargetWidth: 20}
			resp, err := resized(runners[i%2].Run(t.Context(), req, job.FailFast))
			if err != nil {
				t.Error(err)
			}
			answers[i] = resp
		})
	}
	for work.Load() < 2 { // until both are at it
		time.Sleep(time.Millisecond)
	}
	close(arrived)
	all.Wait()
	if got := work.Load(); got > 2 {
		t.Errorf("two runners have worked %d times", got)
	}
	for _, a := range answers[1:] {
		if !proto.Equal(timeless(a), timeless(answers[0])) {
			t.Errorf("the answers differ:\n%v\n%v", a, answers[0])
		}
	}
}

// TestEqualJobsWithoutAVersion: requests that name no version of the source, as
// some stores' events do, are done once, too.
func TestEqualJobsWithoutAVersion(t *testing.T) {
	var work atomic.Int64
	release := make(chan struct{})
	admission := job.NewAdmission(roomy)
	r := job.NewRunner(counting(&work, func() { <-release }), store, admission,
		job.Config{Bucket: bucket, MaxObjectBytes: maxObjectBytes, Limits: limits})
	place(t, bucket, "anyversion/in.jpg", jpegOf(t, 40, 30))
	var all sync.WaitGroup
	for range roomy.Active {
		all.Go(func() {
			if _, err := r.Run(t.Context(), &request{InputImage: in("anyversion/in.jpg"), TargetWidth: 20}, job.Enqueue); err != nil {
				t.Error(err)
			}
		})
	}
	for admission.Load().Active.Taken < roomy.Active || work.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // for whoever would begin to work as well
	close(release)
	all.Wait()
	if got := work.Load(); got != 1 {
		t.Errorf("it has worked %d times", got)
	}
}

// TestOneCallersEndIsNotTheOthers: who shares a run with a caller that goes away
// still gets an answer.
func TestOneCallersEndIsNotTheOthers(t *testing.T) {
	var work atomic.Int64
	began, release := make(chan struct{}, 2), make(chan struct{})
	r := newRunner(counting(&work, func() { began <- struct{}{}; <-release }), roomy)
	etag := place(t, bucket, "shared/in.jpg", jpegOf(t, 40, 30))
	req := &request{InputImage: &data{ObjectKey: "shared/in.jpg", Etag: etag}, TargetWidth: 20}
	leaving, leave := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := r.Run(leaving, req, job.FailFast); first <- err }()
	<-began
	go func() { _, err := r.Run(t.Context(), req, job.FailFast); second <- err }()
	leave()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("who went away got %v", err)
	}
	close(release)
	if err := <-second; err != nil {
		t.Errorf("who stayed got %v", err)
	}
}

// TestTimeOutBehindAJob: a backend that does not answer in time ends a job that
// could be shared, as it ends any other. It is not taken for a caller's end, after
// which the work would begin anew.
func TestTimeOutBehindAJob(t *testing.T) {
	var work atomic.Int64
	r := newRunner(applying(func(context.Context, functions.Request, functions.Input) (out imaging.Encoded, resp functions.Response, err error) {
		work.Add(1)
		return out, nil, &functions.Error{Kind: functions.Unavailable, Message: "no answer", Cause: context.DeadlineExceeded}
	}), roomy)
	etag := place(t, bucket, "timeout/in.jpg", jpegOf(t, 40, 30))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := r.Run(ctx, &request{InputImage: &data{ObjectKey: "timeout/in.jpg", Etag: etag}, TargetWidth: 20}, job.FailFast)
	if got := functions.AsError(err).Kind; got != functions.Unavailable || work.Load() != 1 {
		t.Errorf("after %d runs the kind is %v (%v), want %v after one", work.Load(), got, err, functions.Unavailable)
	}
}

// TestSlowJobOfAnOldVersion writes nothing over what the new version's job wrote.
func TestSlowJobOfAnOldVersion(t *testing.T) {
	var work atomic.Int64
	began, release := make(chan struct{}), make(chan struct{})
	slow := newRunner(counting(&work, func() { close(began); <-release }), roomy)
	quick := newRunner(counting(&work, noWait), roomy)
	version := func(width int) *request {
		etag := place(t, bucket, "versions/in.jpg", jpegOf(t, width, 30))
		return &request{InputImage: &data{ObjectKey: "versions/in.jpg", Etag: etag}, TargetWidth: 20}
	}
	old := make(chan error, 1)
	first := version(40)
	go func() { _, err := slow.Run(t.Context(), first, job.FailFast); old <- err }()
	<-began
	second, err := quick.Run(t.Context(), version(60), job.FailFast)
	if err != nil {
		t.Fatal(err)
	}
	close(release)
	if err := <-old; !errors.Is(err, job.ErrSuperseded) {
		t.Errorf("the old version's job ended with %v", err)
	}
	out, err := store.Stat(t.Context(), bucket, "versions/in_resize.jpg")
	if err != nil || out.ETag != second.GetResult().GetOutputImage().GetEtag() {
		t.Errorf("the output is %+v, %v, want the new version's", out, err)
	}
	sideCar, err := store.Stat(t.Context(), bucket, "versions/in_resize.json")
	if err != nil || sideCar.Metadata["imageflow-source-etag"] != second.GetResult().GetMetadata()["source_etag"] {
		t.Errorf("the side-car is %+v, %v, want the new version's", sideCar, err)
	}
	if _, err := quick.Run(t.Context(), first, job.FailFast); !errors.Is(err, job.ErrSuperseded) {
		t.Errorf("a job of the old version ended with %v", err)
	}
}
