package job_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// withRenditions returns a request of a main output and two renditions.
func withRenditions(key string) *request {
	return &request{InputImage: in(key), TargetWidth: 30, Renditions: []*imageflowv1.Rendition{
		{Variant: "small", TargetWidth: 20, Encoding: &imageflowv1.Encoding{Quality: 50}},
		{Variant: "square", TargetWidth: 10, TargetHeight: 10, Fit: imageflowv1.Fit_FIT_COVER, ContentType: "image/png"},
	}}
}

// Renditions have the names, side-cars, metadata and responses of outputs of jobs of their own, so such a job finds them.
func TestRun_renditions(t *testing.T) {
	r := newRunner(resize.Processor, roomy)
	put(t, bucket, "r/in.jpg", jpegOf(t, 40, 30))
	main, err := resized(r.Run(t.Context(), withRenditions("r/in.jpg"), job.FailFast))
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{
		"r/in.jpg", "r/in_resize-small.jpg", "r/in_resize-small.json", "r/in_resize-square.json", "r/in_resize-square.png",
		"r/in_resize.jpg", "r/in_resize.json",
	}
	if got := keysBelow(t, "r/"); !slices.Equal(got, keys) {
		t.Errorf("keys %q, want %q", got, keys)
	}
	info, err := store.Stat(t.Context(), bucket, "r/in_resize-small.jpg")
	if err != nil || info.Metadata["imageflow-outputs"] != "3" {
		t.Errorf("an output has the metadata %v, %v", info.Metadata, err)
	}
	alone := map[string]*request{
		"": {TargetWidth: 30}, "small": {TargetWidth: 20, Encoding: &imageflowv1.Encoding{Quality: 50}, Variant: "small"},
		"square": {
			TargetWidth: 10, TargetHeight: 10, Fit: imageflowv1.Fit_FIT_COVER, Variant: "square",
			OutputImage: &imageflowv1.ImageData{ContentType: "image/png"},
		},
	}
	for _, got := range append(main.GetRenditions(), main) {
		req := alone[got.GetResult().GetMetadata()["variant"]]
		req.InputImage = in("r/in.jpg")
		want, err := resized(r.Run(t.Context(), req, job.FailFast))
		if err != nil {
			t.Fatal(err)
		}
		a, b := got.GetResult().GetOutputImage(), want.GetResult().GetOutputImage()
		if a.GetEtag() == "" || a.GetEtag() != b.GetEtag() || a.GetObjectKey() != b.GetObjectKey() || a.GetWidth() != b.GetWidth() ||
			!proto.Equal(got.GetMetadata(), want.GetMetadata()) {
			t.Errorf("got %v, a job of its own answers %v", got, want)
		}
	}
	if !slices.Equal(keysBelow(t, "r/"), keys) {
		t.Errorf("jobs of their own wrote %q", keysBelow(t, "r/"))
	}
}

// A repeated job makes only what is missing: after a kill between two outputs, or when a rendition is added.
func TestRun_renditionsAreFinished(t *testing.T) {
	r := newRunner(resize.Processor, roomy)
	put(t, bucket, "r/in.jpg", jpegOf(t, 40, 30))
	if _, err := r.Run(t.Context(), withRenditions("r/in.jpg"), job.FailFast); err != nil {
		t.Fatal(err)
	}
	before := etagsBelow(t, "r/")
	for _, missing := range []string{"r/in_resize.jpg", "r/in_resize-small.jpg", "r/in_resize-square.json", ""} {
		if missing != "" {
			if err := store.Remove(t.Context(), bucket, missing); err != nil {
				t.Fatal(err)
			}
		}
		made := 0
		counting := applying(func(
			ctx context.Context, req functions.Request, in functions.Input,
		) (imaging.Encoded, functions.Response, error) {
			made++
			return resize.Processor.Apply(ctx, req, in)
		})
		resp, err := resized(newRunner(counting, roomy).Run(t.Context(), withRenditions("r/in.jpg"), job.FailFast))
		if err != nil || len(resp.GetRenditions()) != 2 || resp.GetRenditions()[1].GetResult().GetOutputImage().GetWidth() != 10 {
			t.Fatalf("without %s: %v, %v", missing, resp, err)
		}
		if want := map[bool]int{true: 1}[missing != ""]; made != want {
			t.Errorf("without %q, %d outputs were made, want %d", missing, made, want)
		}
		if after := etagsBelow(t, "r/"); !maps.Equal(before, after) {
			t.Errorf("without %s: %v, want %v", missing, after, before)
		}
	}
}

func etagsBelow(t *testing.T, prefix string) map[string]string {
	t.Helper()
	etags := map[string]string{}
	for _, key := range keysBelow(t, prefix) {
		info, err := store.Stat(t.Context(), bucket, key)
		if err != nil {
			t.Fatal(err)
		}
		etags[key] = info.ETag
	}
	return etags
}

// Two jobs with the same outputs in another order do not wait for each other.
func TestRun_renditionsInAnotherOrder(t *testing.T) {
	r := newRunner(resize.Processor, roomy)
	put(t, bucket, "r/in.jpg", jpegOf(t, 40, 30))
	small, large := &imageflowv1.Rendition{Variant: "a", TargetWidth: 10}, &imageflowv1.Rendition{Variant: "b", TargetWidth: 10}
	done := make(chan error)
	for i := range 20 {
		req := &request{InputImage: in("r/in.jpg"), TargetWidth: 10, Variant: "a", Renditions: []*imageflowv1.Rendition{large}}
		if i%2 == 0 {
			req.Variant, req.Renditions[0] = "b", small
		}
		go func() {
			_, err := r.Run(t.Context(), req, job.Block)
			done <- err
		}()
	}
	for range 20 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// wrongRenditions change a request and its second rendition, whose variant is thumb.
var wrongRenditions = map[string]struct {
	change      func(one *imageflowv1.Rendition, r *request)
	field, says string
}{
	"no variant":   {func(one *imageflowv1.Rendition, _ *request) { one.Variant = "" }, "renditions[1].variant", ""},
	"a bad one":    {func(one *imageflowv1.Rendition, _ *request) { one.Variant = "A" }, "renditions[1].variant", "letter"},
	"twice":        {func(one *imageflowv1.Rendition, _ *request) { one.Variant = "first" }, "", "renditions: "},
	"as the main":  {func(_ *imageflowv1.Rendition, r *request) { r.Variant = "thumb" }, "", "renditions: "},
	"no size":      {func(one *imageflowv1.Rendition, _ *request) { one.TargetWidth = 0 }, "", "renditions: "},
	"half a cover": {func(one *imageflowv1.Rendition, _ *request) { one.Fit = imageflowv1.Fit_FIT_COVER }, "renditions[1]", "fit"},
	"the main's fit, and one side": {func(_ *imageflowv1.Rendition, r *request) {
		r.Fit, r.TargetHeight, r.Renditions[0].TargetHeight = imageflowv1.Fit_FIT_COVER, 8, 9
	}, "renditions[1]", "fit"},
	"unknown format": {func(one *imageflowv1.Rendition, _ *request) {
		one.ContentType = "image/x"
	}, "renditions[1].content_type", "image/x"},
	"auto": {func(one *imageflowv1.Rendition, _ *request) {
		one.ContentType = "auto"
	}, "renditions[1].content_type", "auto"},
	"an option that the input's format lacks": {func(one *imageflowv1.Rendition, _ *request) {
		one.Encoding = &imageflowv1.Encoding{Lossless: true}
	}, "renditions[1].encoding.lossless", "jpeg"},
	"too small a maximum": {func(one *imageflowv1.Rendition, _ *request) {
		one.Encoding = &imageflowv1.Encoding{MaxBytes: 9}
	}, "renditions[1].encoding.max_bytes", ""},
	"no bucket": {func(_ *imageflowv1.Rendition, r *request) {
		r.InputImage, r.InputBytes = nil, []byte("any")
	}, "renditions", "output_image.bucket"},
	"the key of the main output": {func(_ *imageflowv1.Rendition, r *request) {
		r.OutputImage = &imageflowv1.ImageData{ObjectKey: "r/in_resize-thumb.jpg"}
	}, "renditions[1]", "another output"},
	"seventeen": {func(one *imageflowv1.Rendition, r *request) {
		r.Renditions = nil
		for i := range 17 {
			r.Renditions = append(r.Renditions, &imageflowv1.Rendition{Variant: "v" + string(rune('a'+i)), TargetWidth: 9})
		}
	}, "renditions", "16"},
}

// The error of a wrong rendition names its field.
func TestRun_wrongRenditions(t *testing.T) {
	put(t, bucket, "r/in.jpg", jpegOf(t, 40, 30))
	for name, c := range wrongRenditions {
		req := &request{InputImage: in("r/in.jpg"), TargetWidth: 8, Renditions: []*imageflowv1.Rendition{
			{Variant: "first", TargetWidth: 9}, {Variant: "thumb", TargetWidth: 9},
		}}
		c.change(req.GetRenditions()[1], req)
		_, err := newRunner(resize.Processor, roomy).Run(t.Context(), req, job.FailFast)
		var e *functions.Error
		if !errors.As(err, &e) || e.Kind != functions.Invalid || e.Field != c.field || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s: %v, want an error of %q", name, err, c.field)
		}
		if keys := keysBelow(t, "r/"); len(keys) != 1 {
			t.Errorf("%s: left %q", name, keys)
		}
	}
}

// An upload in the request has renditions in a bucket, too, with one execution id.
func TestRun_renditionsOfBytes(t *testing.T) {
	t.Cleanup(removeAll)
	resp, err := run(t, &request{
		InputBytes: jpegOf(t, 40, 30), OutputImage: &imageflowv1.ImageData{Bucket: bucket}, TargetWidth: 20,
		Renditions: []*imageflowv1.Rendition{{Variant: "thumb", TargetWidth: 10}},
	})
	if err != nil {
		t.Fatal(err)
	}
	id := resp.GetResult().GetMetadata()["execution_id"]
	if got := resp.GetRenditions()[0].GetResult().GetOutputImage().GetObjectKey(); id == "" || got != id+"_resize-thumb.jpg" {
		t.Errorf("execution %q has the rendition %q", id, got)
	}
}

// The memory of all outputs is counted together.
func TestRun_renditionsThatNeedTooMuch(t *testing.T) {
	put(t, bucket, "r/in.png", pngOf(t, 600, 500))
	limits := roomy
	limits.DecodedBytes = 4 << 20
	req := &request{InputImage: in("r/in.png"), TargetWidth: 590}
	if _, err := newRunner(resize.Processor, limits).Run(t.Context(), req, job.FailFast); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		req.Renditions = append(req.Renditions, &imageflowv1.Rendition{Variant: "v" + string(rune('a'+i)), TargetWidth: 580})
	}
	_, err := newRunner(resize.Processor, limits).Run(t.Context(), req, job.FailFast)
	var e *functions.Error
	isInvalid := errors.As(err, &e) && e.Kind == functions.Invalid && e.Field == "renditions"
	if !isInvalid || !strings.Contains(e.Message, "MAX_DECODED_BYTES") {
		t.Errorf("got %v", err)
	}
}
