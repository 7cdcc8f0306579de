package job_test

import (
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

func TestRun_allowLists(t *testing.T) {
	runner := job.NewRunner(resize.Processor, store, job.NewAdmission(roomy), job.Config{
		Bucket: bucket, MaxObjectBytes: maxObjectBytes, Limits: limits,
		ReadFrom: objects.AllowList{bucket + "/reach/in/", other}, WriteTo: objects.AllowList{bucket + "/reach/"},
	})
	encoded := pngOf(t, 16, 16)
	for _, at := range []string{"reach/in/a.png", "reach/inner.png"} {
		put(t, bucket, at, encoded)
	}
	put(t, other, "reach/b.png", encoded)
	for _, test := range []struct{ in, out *imageflowv1.ImageData }{
		{in("reach/in/a.png"), nil},
		{&data{Bucket: other, ObjectKey: "reach/b.png"}, &data{Bucket: bucket, ObjectKey: "reach/b-out.png"}},
		{nil, in("reach/bytes.png")},
		{nil, nil},
	} {
		if field := rejectedField(t, runner, test.in, test.out, encoded); field != "" {
			t.Errorf("from %v to %v: %s is rejected", test.in, test.out, field)
		}
	}
	for _, test := range []struct {
		in, out *imageflowv1.ImageData
		field   string
	}{
		{in("reach/inner.png"), nil, "input_image"},
		{&data{Bucket: "secrets", ObjectKey: "reach/in/a.png"}, in("reach/x.png"), "input_image"},
		{&data{Bucket: other, ObjectKey: "reach/b.png"}, nil, "output_image"}, // the default location is the input's bucket
		{in("reach/in/a.png"), in("elsewhere.png"), "output_image"},
		{nil, &data{Bucket: other, ObjectKey: "reach/x.png"}, "output_image"},
	} {
		if field := rejectedField(t, runner, test.in, test.out, encoded); field != test.field {
			t.Errorf("from %v to %v: the rejected field is %q, want %q", test.in, test.out, field, test.field)
		}
	}
	if found := append(keys(t, other, "reach/"), keys(t, bucket, "elsewhere")...); len(found) != 1 {
		t.Errorf("objects were written outside the allow-list: %v", found)
	}
}

// rejectedField resizes an image and returns the rejected field, "" for none.
func rejectedField(t *testing.T, runner *runner, in, out *imageflowv1.ImageData, encoded []byte) string {
	t.Helper()
	req := &imageflowv1.ResizeRequest{InputImage: in, OutputImage: out, TargetWidth: 8}
	if in == nil {
		req.InputBytes = encoded
	}
	_, err := runner.Run(t.Context(), req, job.FailFast)
	if err == nil {
		return ""
	}
	e := functions.AsError(err)
	if e.Kind != functions.Invalid {
		t.Errorf("%v", err)
	}
	return e.Field
}
