package job_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// A job that needs more memory than the budget is rejected before the image is decoded.
// The error has the numbers and the setting. A cheaper job with the same image succeeds.
func TestRun_exceedsMemoryBudget(t *testing.T) {
	const budget = 4 << 20
	large := jpegOf(t, 1000, 800)
	admission := job.NewAdmission(job.AdmissionLimits{Queue: 8, Active: 4, DecodedBytes: budget, Cores: 2})
	small := &imageflowv1.ResizeRequest{InputBytes: large, TargetWidth: 100}
	if _, err := job.NewRunner(resize.Processor, store, admission, config).Run(t.Context(), small, job.FailFast); err != nil {
		t.Errorf("a small resize: %v", err)
	}

	p := filter.Processor
	p.Apply = func(context.Context, functions.Request, functions.Input) (imaging.Encoded, functions.Response, error) {
		t.Error("Apply was called")
		return imaging.Encoded{}, nil, context.Canceled
	}
	blur := &imageflowv1.FilterRequest{InputBytes: large, FilterType: imageflowv1.FilterType_FILTER_TYPE_BLUR, Intensity: 1}
	_, err := job.NewRunner(p, store, admission, config).Run(t.Context(), blur, job.FailFast)
	wantKind(t, err, functions.Invalid, "input_bytes")
	for _, text := range []string{"1000×800", "need 10 MiB", "the budget is 4 MiB", "MAX_DECODED_BYTES"} {
		if err != nil && !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not contain %q", err, text)
		}
	}
	if taken := admission.Load().Decoded.Taken; taken != 0 {
		t.Errorf("%d bytes are still taken", taken)
	}
}

// An output that needs too much memory is an error of the field that makes it large.
func TestRun_outputExceedsMemoryBudget(t *testing.T) {
	admission := job.NewAdmission(job.AdmissionLimits{Queue: 8, Active: 4, DecodedBytes: 4 << 20, Cores: 2})
	runner := job.NewRunner(resize.Processor, store, admission, config)
	small, large := jpegOf(t, 100, 80), jpegOf(t, 1000, 800)
	for field, r := range map[string]*imageflowv1.ResizeRequest{
		"enlarge":       {InputBytes: small, TargetWidth: 2000, TargetHeight: 1600, Enlarge: true},
		"target_width":  {InputBytes: large, TargetWidth: 990},
		"target_height": {InputBytes: large, TargetHeight: 790},
		"extend":        {InputBytes: small, TargetWidth: 50, Extend: &imageflowv1.Extend{Left: 1500, Top: 1500}},
	} {
		_, err := runner.Run(t.Context(), r, job.FailFast)
		wantKind(t, err, functions.Invalid, field)
		if err != nil && !strings.Contains(err.Error(), "MAX_DECODED_BYTES") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// The encoded output counts in the budget until it is stored. The rest is released after
// Apply.
func TestRun_outputCountsInBudget(t *testing.T) {
	admission := job.NewAdmission(roomy)
	p := resize.Processor
	stored := int64(-1)
	p.SideCar = func(r functions.Response) proto.Message { // called when the output is stored
		stored = admission.Load().Decoded.Taken
		return r.(*imageflowv1.ResizeResponse).GetMetadata()
	}
	put(t, bucket, "budget/in.png", pngOf(t, 90, 60))
	resp, err := job.NewRunner(p, store, admission, config).
		Run(t.Context(), &imageflowv1.ResizeRequest{InputImage: in("budget/in.png"), TargetWidth: 60}, job.FailFast)
	if err != nil {
		t.Fatal(err)
	}
	if want := resp.GetResult().GetOutputImage().GetSizeBytes(); stored != want {
		t.Errorf("%d bytes are taken while %d bytes are stored", stored, want)
	}
	if taken := admission.Load().Decoded.Taken; taken != 0 {
		t.Errorf("%d bytes are still taken", taken)
	}
}
