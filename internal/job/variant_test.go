package job_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Two variants of one upload have outputs, side-cars and metadata of their own, and each is done once.
func TestRun_variants(t *testing.T) {
	r := newRunner(resize.Processor, roomy)
	put(t, bucket, "variants/in.jpg", jpegOf(t, 40, 30))
	for variant, width := range map[string]int32{"small": 10, "large": 20, "": 30} {
		name := "variants/in_resize"
		if variant != "" {
			name += "-" + variant
		}
		var etags []string
		for range 2 {
			req := &request{InputImage: in("variants/in.jpg"), TargetWidth: width, Variant: variant}
			resp, err := resized(r.Run(t.Context(), req, job.FailFast))
			if err != nil {
				t.Fatal(err)
			}
			result := resp.GetResult()
			got, has := result.GetMetadata()["variant"]
			if result.GetOutputImage().GetObjectKey() != name+".jpg" || result.GetOutputImage().GetWidth() != width || got != variant ||
				has != (variant != "") || result.GetMetadata()["side_car"] != name+".json" {
				t.Errorf("variant %q: %v", variant, result)
			}
			etags = append(etags, result.GetOutputImage().GetEtag())
		}
		for _, key := range []string{name + ".jpg", name + ".json"} {
			info, err := store.Stat(t.Context(), bucket, key)
			if err != nil || info.Metadata["imageflow-variant"] != variant {
				t.Errorf("%s: %v %v", key, info.Metadata, err)
			}
		}
		if etags[0] != etags[1] {
			t.Errorf("variant %q was written twice", variant)
		}
	}
	if keys := keysBelow(t, "variants/"); len(keys) != 7 {
		t.Errorf("keys %q", keys)
	}
}

// keysBelow lists the keys with a prefix in the bucket.
func keysBelow(t *testing.T, prefix string) (keys []string) {
	t.Helper()
	for entry, err := range store.Walk(t.Context(), bucket, prefix) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, entry.Key)
	}
	return keys
}

// The crops of a variant are beside its output.
func TestRun_cropsOfVariant(t *testing.T) {
	put(t, bucket, "crops/v.png", pngOf(t, 16, 12))
	run, _ := cropping(9, noWait)
	resp, err := run(t, &detectRequest{InputImage: in("crops/v.png"), Variant: "faces"})
	if err != nil {
		t.Fatal(err)
	}
	if key := resp.GetCrops()[1].GetImage().GetObjectKey(); key != "crops/v.png_ai-detection-faces-crop-2.png" {
		t.Errorf("the crop is at %q", key)
	}
	info, err := store.Stat(t.Context(), bucket, "crops/v.png_ai-detection-faces-crop-2.png")
	if err != nil || info.Metadata["imageflow-variant"] != "faces" {
		t.Errorf("the crop has %v, %v", info.Metadata, err)
	}
}

// A redaction by the detection of the same execution uses the side-car of the variant that it gets,
// not that of the variant that it writes.
func TestRun_referenceOfVariant(t *testing.T) {
	r := newRunner(filter.Processor, roomy)
	for input, wanted := range map[string]string{
		"ref/in_ai-detection-small.jpg": "ref/in_ai-detection-small.json", "ref/in_resize-large.jpg": "ref/in_ai-detection-large.json",
		"ref/in_ai-detection.jpg": "ref/in_ai-detection.json", "ref/in.jpg": "ref/in_ai-detection.json",
	} {
		put(t, bucket, input, jpegOf(t, 40, 30))
		_, err := r.Run(t.Context(), &imageflowv1.FilterRequest{
			InputImage: in(input), ExecutionId: "ref/in", Variant: "hidden", FilterType: imageflowv1.FilterType_FILTER_TYPE_FILL,
			Redaction: &imageflowv1.Redaction{Detected: true},
		}, job.FailFast)
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%s: %v, want a missing %s", input, err, wanted)
		}
	}
}

// Long names fail at the first step.
func TestRun_longVariant(t *testing.T) {
	r := newRunner(resize.Processor, roomy)
	key := strings.Repeat("x", 230) + ".jpg"
	put(t, bucket, key, jpegOf(t, 40, 30))
	for variant, fits := range map[string]bool{"": true, "v": true, strings.Repeat("v", 32): false} {
		_, err := r.Run(t.Context(), &request{InputImage: in(key), TargetWidth: 10, Variant: variant}, job.FailFast)
		var bad *functions.Error
		if (err == nil) != fits || err != nil && (!errors.As(err, &bad) || bad.Field != "execution_id") {
			t.Errorf("a variant of %d bytes: %v", len(variant), err)
		}
	}
}

// An output names the upload and the output of an earlier step that it was made from. If a new version of the upload
// leads to an equal input, the output is written again, for the new version.
func TestRun_outputsNameTheUpload(t *testing.T) {
	resizes, filters := newRunner(resize.Processor, roomy), newRunner(filter.Processor, roomy)
	metadata := func(key string) map[string]string {
		t.Helper()
		info, err := store.Stat(t.Context(), bucket, key)
		if err != nil {
			t.Fatal(err)
		}
		return info.Metadata
	}
	origin := func(key string) string { return metadata(key)["imageflow-origin-etag"] }
	picture := jpegOf(t, 40, 30)
	var versions []string
	for _, upload := range [][]byte{picture, append(bytes.Clone(picture), "a trailer"...)} { // of equal pixels
		etag := put(t, bucket, "origin/in.jpg", upload)
		versions = append(versions, etag)
		resp, err := resized(resizes.Run(t.Context(), &request{InputImage: in("origin/in.jpg"), TargetWidth: 20}, job.FailFast))
		if err != nil {
			t.Fatal(err)
		}
		output := resp.GetResult().GetOutputImage()
		_, err = filters.Run(t.Context(), &imageflowv1.FilterRequest{
			InputImage: &imageflowv1.ImageData{ObjectKey: output.GetObjectKey(), Etag: output.GetEtag()}, ExecutionId: "origin/in",
			FilterType: imageflowv1.FilterType_FILTER_TYPE_BLUR, Intensity: 1,
		}, job.FailFast)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := origin("origin/in_resize.jpg"), origin("origin/in_filter.jpg"); a != etag || b != etag {
			t.Errorf("the upload is %s, its outputs name %s and %s", etag, a, b)
		}
	}
	if a, b := metadata("origin/in_resize.jpg")["imageflow-input"], metadata("origin/in_filter.jpg")["imageflow-input"]; a != "" ||
		b != "_resize.jpg" {
		t.Errorf("the outputs name the inputs %q and %q", a, b)
	}
	if versions[0] == versions[1] {
		t.Error("both uploads are one version")
	}
}

// Nobody can store another image under the name of one for a signed URL.
func TestCheck_variantsOfSignedURLs(t *testing.T) {
	view := func() *request {
		return &request{TargetWidth: 20, OutputImage: &imageflowv1.ImageData{ContentType: "image/png"}, InputImage: in("a.jpg")}
	}
	variant, err := execution.ViewVariant(view())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*request)
		field  string
	}{
		"the image itself": {func(*request) {}, ""},
		"another size":     {func(r *request) { r.TargetWidth = 21 }, "variant"},
		"another page":     {func(r *request) { r.InputImage.Page = 2 }, "variant"},
		"another upload":   {func(r *request) { r.ExecutionId = "b" }, "variant"},
		"a short name":     {func(r *request) { r.Variant = "get-thumb" }, "variant"},
		"a rendition": {func(r *request) {
			r.Variant, r.Renditions = "", []*imageflowv1.Rendition{{Variant: variant, TargetWidth: 5}}
		}, "renditions[0].variant"},
	} {
		req := view()
		req.Variant = variant
		c.change(req)
		err := job.Check(resize.Processor, nil, req)
		if c.field == "" && err == nil {
			continue
		}
		e := functions.AsError(err)
		if c.field == "" || err == nil || e.Field != c.field || !strings.Contains(e.Error(), "another name") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
