package job_test

import (
	"context"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// checkKept checks that an object still has its content, and that the prefix has no
// objects except it and the others.
func checkKept(t *testing.T, prefix, key, content string, others ...string) {
	t.Helper()
	data, _, err := store.Get(t.Context(), bucket, key, "", maxObjectBytes)
	if err != nil || string(data) != content {
		t.Errorf("%s has %d bytes, %v; want its original content", key, len(data), err)
	}
	if got := keys(t, bucket, prefix); len(got) != 1+len(others) {
		t.Errorf("the keys are %q, want %s and %q", got, key, others)
	}
}

// The test puts a user's object at the location of an output. The job keeps it and writes
// nothing else.
func TestRun_derivedNameKeepsForeignObject(t *testing.T) {
	encoded := jpegOf(t, 16, 12)
	resized := func(req *request) error { _, err := run(t, req); return err }
	filtered := func(req *request) error {
		r := job.NewRunner(filter.Processor, store, job.NewAdmission(roomy), config)
		_, err := r.Run(t.Context(), &imageflowv1.FilterRequest{
			InputImage: req.GetInputImage(), ExecutionId: req.GetExecutionId(), OutputImage: req.GetOutputImage(),
			FilterType: imageflowv1.FilterType_FILTER_TYPE_BRIGHTNESS, Intensity: 0.1,
		}, job.Enqueue)
		return err
	}
	for _, c := range []struct {
		name, own string
		run       func(*request) error
		req       *request
	}{
		{"upload", "in_resize.jpg", resized, &request{}},
		{"side-car", "in_resize.json", resized, &request{}},
		{"filter", "in_filter.jpg", filtered, &request{}},
		{"wanted format", "in_resize.webp", resized, &request{OutputImage: &data{ContentType: "image/webp"}}},
		{"given id", "run-7_resize.jpg", resized, &request{ExecutionId: "foreign/given id/run-7"}},
		{"given id, filter", "run-7_filter.jpg", filtered, &request{ExecutionId: "foreign/given id, filter/run-7"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := "foreign/" + c.name + "/"
			c.req.InputImage = in(folder + "in.jpg")
			put(t, bucket, folder+c.own, []byte("my own"))
			put(t, bucket, folder+"in.jpg", encoded)
			err := c.run(c.req)
			wantKind(t, err, functions.Invalid, "execution_id")
			if !strings.Contains(err.Error(), folder+c.own) || !strings.Contains(err.Error(), "output_image.object_key") {
				t.Errorf("the error has neither the object's key nor a remedy: %v", err)
			}
			checkKept(t, folder, folder+c.own, "my own", "in.jpg")
		})
	}
}

// A derived name replaces neither a copy of an output nor the named output of another
// execution.
func TestRun_derivedNameKeepsOtherOutputs(t *testing.T) {
	put(t, bucket, "only/in.jpg", jpegOf(t, 16, 12))
	put(t, bucket, "only/other.jpg", jpegOf(t, 16, 12))
	if _, err := run(t, &request{InputImage: in("only/other.jpg")}); err != nil {
		t.Fatal(err)
	}
	output, info, err := store.Get(t.Context(), bucket, "only/other_resize.jpg", "", maxObjectBytes)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := store.Put(t.Context(), bucket, "only/in_resize.jpg", info.ContentType, output, info.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	_, err = run(t, &request{InputImage: in("only/in.jpg"), TargetWidth: 4})
	wantKind(t, err, functions.Invalid, "execution_id")
	if now, err := store.Stat(t.Context(), bucket, copied.Key); err != nil || now.ETag != copied.ETag {
		t.Errorf("the copy is now %+v, %v", now, err)
	}
	if err := store.Remove(t.Context(), bucket, copied.Key); err != nil {
		t.Fatal(err)
	}
	_, err = run(t, &request{InputImage: in("only/other.jpg"), OutputImage: in("only/in_resize.jpg"), TargetWidth: 5})
	if err != nil {
		t.Fatal(err)
	}
	_, err = run(t, &request{InputImage: in("only/in.jpg"), TargetWidth: 4})
	wantKind(t, err, functions.Invalid, "execution_id")
	// A caller who names the key again replaces its output, whatever the execution.
	_, err = run(t, &request{InputImage: in("only/in.jpg"), OutputImage: in("only/in_resize.jpg"), TargetWidth: 6})
	if err != nil {
		t.Error(err)
	}
}

// A named output, or its side-car, replaces a user's object only with overwrite.
func TestRun_overwrite(t *testing.T) {
	put(t, bucket, "overwrite/in.jpg", jpegOf(t, 16, 12))
	for _, c := range []struct{ own, output string }{
		{"overwrite/1/thumb.png", "overwrite/1/thumb.png"}, {"overwrite/2/thumb.json", "overwrite/2/thumb.png"},
	} {
		put(t, bucket, c.own, []byte("my own"))
		req := &request{InputImage: in("overwrite/in.jpg"), OutputImage: in(c.output)}
		_, err := run(t, req)
		wantKind(t, err, functions.Invalid, "output_image.object_key")
		if !strings.Contains(err.Error(), "output_image.overwrite") || !strings.Contains(err.Error(), c.own) {
			t.Errorf("the error has neither the key nor the field: %v", err)
		}
		checkKept(t, c.own[:len("overwrite/1/")], c.own, "my own")
		req.OutputImage.Overwrite = true
		for range 2 {
			resp, err := run(t, req)
			if err != nil || resp.GetResult().GetOutputImage().GetOverwrite() {
				t.Errorf("with overwrite: %v, %v", resp, err)
			}
		}
		req.OutputImage.Overwrite, req.TargetWidth = false, 5
		if _, err := run(t, req); err != nil {
			t.Errorf("over an output of ImageFlow: %v", err)
		}
	}
	_, err := run(t, &request{InputImage: in("overwrite/in.jpg"), OutputImage: &data{Overwrite: true}})
	wantKind(t, err, functions.Invalid, "output_image")
}

// The test puts a user's object at the location of the output while the job computes.
func TestRun_foreignObjectAppears(t *testing.T) {
	put(t, bucket, "meanwhile/in.jpg", jpegOf(t, 16, 12))
	own := "meanwhile/in_resize.jpg"
	r := newRunner(applying(func(
		ctx context.Context, r functions.Request, in functions.Input,
	) (imaging.Encoded, functions.Response, error) {
		put(t, bucket, own, []byte("my own"))
		return resize.Processor.Apply(ctx, r, in)
	}), roomy)
	for _, over := range []string{"nothing", "an output"} {
		if err := store.Remove(t.Context(), bucket, own); err != nil {
			t.Fatal(err)
		}
		if over == "an output" {
			if _, err := run(t, &request{InputImage: in("meanwhile/in.jpg")}); err != nil {
				t.Fatal(err)
			}
		}
		_, err := r.Run(t.Context(), &request{InputImage: in("meanwhile/in.jpg"), TargetWidth: 5}, job.FailFast)
		wantKind(t, err, functions.Invalid, "execution_id")
		if data, _, err := store.Get(t.Context(), bucket, own, "", maxObjectBytes); err != nil || string(data) != "my own" {
			t.Errorf("over %s: the object has %d bytes, %v", over, len(data), err)
		}
	}
}
