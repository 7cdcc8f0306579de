package job_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// counting returns the resize processor. Its Apply counts its calls and calls wait first.
func counting(work *atomic.Int64, wait func()) processor {
	return applying(func(
		ctx context.Context, r functions.Request, in functions.Input,
	) (imaging.Encoded, functions.Response, error) {
		work.Add(1)
		wait()
		return resize.Processor.Apply(ctx, r, in)
	})
}

func noWait() {}

// checkSameResponse compares two responses, except for times and the path of the pixels.
func checkSameResponse(t *testing.T, got, want *imageflowv1.ResizeResponse) {
	t.Helper()
	diff := cmp.Diff(want, got, protocmp.Transform(),
		protocmp.IgnoreFields(&imageflowv1.ProcessingResult{}, "processed_at", "processing_time_seconds"),
		protocmp.IgnoreFields(&imageflowv1.ImageData{}, "created_at"),
		cmpopts.IgnoreMapEntries(func(key, _ string) bool { return strings.HasSuffix(key, "_ms") || key == "pixel_path" }))
	if diff != "" {
		t.Errorf("the responses differ (-want +got):\n%s", diff)
	}
}

func TestRun_equalJobIsCacheHit(t *testing.T) {
	var work atomic.Int64
	r := newRunner(counting(&work, noWait), roomy)
	etag := put(t, bucket, "equal/in.jpg", jpegOf(t, 40, 30))
	one := &request{InputImage: &data{ObjectKey: "equal/in.jpg", Etag: etag}, TargetWidth: 20}
	run := func(req *request, want int64) *imageflowv1.ResizeResponse {
		t.Helper()
		resp, err := resized(r.Run(t.Context(), req, job.FailFast))
		if err != nil {
			t.Fatal(err)
		}
		if got := work.Load(); got != want {
			t.Errorf("Apply was called %d times, want %d", got, want)
		}
		return resp
	}
	first := run(one, 1)
	checkSameResponse(t, run(one, 1), first)
	anyVersion := proto.CloneOf(one)
	anyVersion.InputImage.Etag = ""
	checkSameResponse(t, run(anyVersion, 1), first)

	smaller := proto.CloneOf(one)
	smaller.TargetWidth = 10
	coarser := proto.CloneOf(one)
	coarser.Encoding = &imageflowv1.Encoding{Quality: 20}
	run(smaller, 2)
	run(one, 3) // its output was overwritten
	run(coarser, 4)
	run(coarser, 4)
	run(one, 5)
	if err := store.Remove(t.Context(), bucket, "equal/in_resize.json"); err != nil {
		t.Fatal(err)
	}
	run(one, 6)
	put(t, bucket, "equal/in.jpg", jpegOf(t, 60, 30))
	run(anyVersion, 7)
}

// The output's key follows from the image's format, not from the extension of its key.
func TestRun_wrongExtension(t *testing.T) {
	var work atomic.Int64
	r := newRunner(counting(&work, noWait), roomy)
	put(t, bucket, "wrong/in.jpg", pngOf(t, 40, 30))
	other := put(t, bucket, "wrong/in_resize.jpg", []byte("of another"))
	for range 2 {
		resp, err := r.Run(t.Context(), &request{InputImage: in("wrong/in.jpg"), TargetWidth: 20}, job.FailFast)
		if err != nil {
			t.Fatal(err)
		}
		out := resp.GetResult().GetOutputImage()
		if out.GetObjectKey() != "wrong/in_resize.png" || out.GetContentType() != "image/png" {
			t.Errorf("the output is %v", out)
		}
	}
	if got := work.Load(); got != 1 {
		t.Errorf("Apply was called %d times, want once", got)
	}
	if info, err := store.Stat(t.Context(), bucket, "wrong/in_resize.jpg"); err != nil || info.ETag != other {
		t.Errorf("the other object is now %+v, %v", info, err)
	}
}

// Equal jobs run at the same time on two runners, as on two replicas.
func TestRun_concurrentEqualJobs(t *testing.T) {
	var work atomic.Int64
	began, release := make(chan struct{}, 10), make(chan struct{})
	wait := func() { began <- struct{}{}; <-release }
	runners := []*runner{newRunner(counting(&work, wait), roomy), newRunner(counting(&work, wait), roomy)}
	etag := put(t, bucket, "once/in.jpg", jpegOf(t, 40, 30))
	var all sync.WaitGroup
	responses := make([]*imageflowv1.ResizeResponse, 10)
	for i := range responses {
		all.Go(func() {
			req := &request{InputImage: &data{ObjectKey: "once/in.jpg", Etag: etag}, TargetWidth: 20}
			resp, err := resized(runners[i%2].Run(t.Context(), req, job.FailFast))
			if err != nil {
				t.Error(err)
			}
			responses[i] = resp
		})
	}
	for range runners {
		<-began
	}
	close(release)
	all.Wait()
	if got := work.Load(); got > 2 {
		t.Errorf("Apply was called %d times by two runners", got)
	}
	for _, a := range responses[1:] {
		checkSameResponse(t, a, responses[0])
	}
}

// Requests that name no version of the source, as the events of some stores, also run
// once.
func TestRun_concurrentEqualJobsWithoutVersion(t *testing.T) {
	var work atomic.Int64
	release := make(chan struct{})
	admission := job.NewAdmission(roomy)
	r := job.NewRunner(counting(&work, func() { <-release }), store, admission,
		config)
	put(t, bucket, "anyversion/in.jpg", jpegOf(t, 40, 30))
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
	time.Sleep(50 * time.Millisecond) // time for another job to apply, which it must not
	close(release)
	all.Wait()
	if got := work.Load(); got != 1 {
		t.Errorf("Apply was called %d times, want once", got)
	}
}

// A caller that shares an execution still gets a response when the first caller leaves.
func TestRun_sharedExecutionOutlivesFirstCaller(t *testing.T) {
	var work atomic.Int64
	began, release := make(chan struct{}, 2), make(chan struct{})
	r := newRunner(counting(&work, func() { began <- struct{}{}; <-release }), roomy)
	etag := put(t, bucket, "shared/in.jpg", jpegOf(t, 40, 30))
	req := &request{InputImage: &data{ObjectKey: "shared/in.jpg", Etag: etag}, TargetWidth: 20}
	leaving, leave := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := r.Run(leaving, req, job.FailFast); first <- err }()
	<-began
	go func() { _, err := r.Run(t.Context(), req, job.FailFast); second <- err }()
	leave()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first caller got %v", err)
	}
	close(release)
	if err := <-second; err != nil {
		t.Errorf("the second caller got %v", err)
	}
}

// A backend that does not answer in time fails a shared execution. Its DeadlineExceeded
// must not be taken for the end of the first caller, or the execution would start again.
func TestRun_sharedExecutionBackendTimeout(t *testing.T) {
	var work atomic.Int64
	r := newRunner(applying(func(
		context.Context, functions.Request, functions.Input,
	) (out imaging.Encoded, resp functions.Response, err error) {
		work.Add(1)
		return out, nil, &functions.Error{Kind: functions.Unavailable, Message: "no answer", Cause: context.DeadlineExceeded}
	}), roomy)
	etag := put(t, bucket, "timeout/in.jpg", jpegOf(t, 40, 30))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := r.Run(ctx, &request{InputImage: &data{ObjectKey: "timeout/in.jpg", Etag: etag}, TargetWidth: 20}, job.FailFast)
	if got := functions.AsError(err).Kind; got != functions.Unavailable || work.Load() != 1 {
		t.Errorf("after %d executions the kind is %v (%v), want %v after one", work.Load(), got, err, functions.Unavailable)
	}
}

// A slow job of an old version does not overwrite the outputs of the new version.
func TestRun_slowJobOfOldVersion(t *testing.T) {
	var work atomic.Int64
	began, release := make(chan struct{}), make(chan struct{})
	slow := newRunner(counting(&work, func() { close(began); <-release }), roomy)
	quick := newRunner(counting(&work, noWait), roomy)
	version := func(width int) *request {
		etag := put(t, bucket, "versions/in.jpg", jpegOf(t, width, 30))
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
		t.Errorf("the job of the old version ended with %v", err)
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

// A slow job of an old version does not overwrite the outputs of the version before it when that is put again: the job of the
// second put finds its outputs and writes none.
func TestRun_slowJobBetweenEqualVersions(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	slow := newRunner(counting(new(atomic.Int64), func() { close(began); <-release }), roomy)
	quick := newRunner(counting(new(atomic.Int64), noWait), roomy)
	version := func(width int) *request {
		etag := put(t, bucket, "back/in.jpg", jpegOf(t, width, 30))
		return &request{InputImage: &data{ObjectKey: "back/in.jpg", Etag: etag}, TargetWidth: 20}
	}
	first, err := quick.Run(t.Context(), version(40), job.FailFast)
	if err != nil {
		t.Fatal(err)
	}
	between, other := make(chan error, 1), version(60)
	go func() { _, err := slow.Run(t.Context(), other, job.FailFast); between <- err }()
	<-began
	if _, err := quick.Run(t.Context(), version(40), job.FailFast); err != nil {
		t.Fatal(err)
	}
	close(release)
	if err := <-between; !errors.Is(err, job.ErrSuperseded) {
		t.Errorf("the job between ended with %v", err)
	}
	out, err := store.Stat(t.Context(), bucket, "back/in_resize.jpg")
	if err != nil || out.ETag != first.GetResult().GetOutputImage().GetEtag() {
		t.Errorf("the output is %+v, %v, want that of the version that was put first and last", out, err)
	}
}

// TestOutputExtensions: the bridge finds a leaf in each format that a step can write.
func TestOutputExtensions(t *testing.T) {
	for name := range strings.SplitSeq(imaging.WritableFormats(), ", ") {
		if extension := imaging.Format(name).Extension(); !slices.Contains(execution.OutputExtensions, extension) {
			t.Errorf("%q is missing", extension)
		}
	}
}
