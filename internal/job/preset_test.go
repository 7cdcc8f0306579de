package job_test

import (
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/presets"
)

// TestRun_preset: a preset stands for its parameters. The same request without a preset finds the output, and
// a changed preset makes another one.
func TestRun_preset(t *testing.T) {
	put(t, bucket, "preset/in.jpg", jpegOf(t, 40, 30))
	with := func(file string, req *request) (width int32, isNew bool) {
		t.Helper()
		set, err := presets.Parse([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		runner := job.NewRunner(resize.Processor, store, job.NewAdmission(roomy),
			job.Config{Bucket: bucket, MaxObjectBytes: maxObjectBytes, Limits: limits, Presets: set})
		req.InputImage = &data{ObjectKey: "preset/in.jpg"}
		resp, err := runner.Run(t.Context(), req, job.FailFast)
		if err != nil {
			t.Fatal(err)
		}
		result := resp.GetResult()
		return result.GetOutputImage().GetWidth(), result.GetMetadata()["pixel_path"] != ""
	}
	const first, changed = "presets: {card: {resize: {target_width: 20}}}", "presets: {card: {resize: {target_width: 10}}}"
	for _, c := range []struct {
		what, file string
		req        *request
		width      int32
		isNew      bool
	}{
		{"preset", first, &request{Preset: "card"}, 20, true}, {"preset again", first, &request{Preset: "card"}, 20, false},
		{"parameters", first, &request{TargetWidth: 20}, 20, false}, {"changed preset", changed, &request{Preset: "card"}, 10, true},
		{"override", changed, &request{Preset: "card", TargetWidth: 5}, 5, true},
	} {
		if width, isNew := with(c.file, c.req); width != c.width || isNew != c.isNew {
			t.Errorf("%s: width %d, new %v", c.what, width, isNew)
		}
	}
	_, err := run(t, &request{InputImage: &data{ObjectKey: "preset/in.jpg"}, Preset: "card"})
	if e := functions.AsError(err); err == nil || e.Kind != functions.Invalid || e.Field != "preset" {
		t.Errorf("without presets: %v", err)
	}
}
