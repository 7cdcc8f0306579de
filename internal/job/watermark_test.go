package job_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestRun_watermark: the mark is read from the bucket of the input. An equal request gets the
// old output until the mark changes.
func TestRun_watermark(t *testing.T) {
	etag := put(t, bucket, "mark/in.png", pngOf(t, 16, 12))
	runner := newRunner(filter.Processor, roomy)
	apply := func() (*imageflowv1.ProcessingResult, *image.NRGBA) {
		resp, err := runner.Run(t.Context(), marking(&data{ObjectKey: "mark/in.png", Etag: etag}, in("mark/logo.png")), job.FailFast)
		if err != nil {
			t.Fatal(err)
		}
		stored, _, err := store.Get(t.Context(), bucket, resp.GetResult().GetOutputImage().GetObjectKey(), "", 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetResult(), decoded(t, stored)
	}
	for _, c := range []color.NRGBA{{255, 0, 0, 255}, {0, 0, 255, 255}} {
		put(t, bucket, "mark/logo.png", markOf(t, c))
		first, m := apply()
		if at := m.NRGBAAt(8, 6); at != c {
			t.Errorf("the pixel under the mark is %v, want %v", at, c)
		}
		again, _ := apply()
		same := again.GetOutputImage().GetEtag() == first.GetOutputImage().GetEtag()
		if path := again.GetMetadata()["pixel_path"]; path != "" || !same {
			t.Errorf("an equal request made the output again: %v", again)
		}
	}
}

func TestRun_watermarkErrors(t *testing.T) {
	const field = "watermark.image.object_key"
	put(t, bucket, "mark/in.png", pngOf(t, 16, 12))
	put(t, bucket, "mark/logo.png", markOf(t, color.NRGBA{255, 0, 0, 255}))
	put(t, bucket, "mark/text.png", []byte("not an image"))
	put(t, bucket, "mark/wide.png", pngOf(t, limits.MaxSide+1, 1))
	put(t, other, "logo.png", markOf(t, color.NRGBA{255, 0, 0, 255}))
	c := config
	c.ReadFrom = objects.AllowList{bucket}
	runner := job.NewRunner(filter.Processor, store, job.NewAdmission(roomy), c)
	for _, test := range []struct {
		mark *data
		kind functions.Kind
	}{
		{in("mark/none.png"), functions.NotFound},
		{&data{ObjectKey: "mark/logo.png", Etag: "0123"}, functions.NotFound},
		{in("mark/text.png"), functions.Invalid},
		{in("mark/wide.png"), functions.Invalid},
		{&data{Bucket: other, ObjectKey: "logo.png"}, functions.Invalid},
	} {
		_, err := runner.Run(t.Context(), marking(in("mark/in.png"), test.mark), job.FailFast)
		wantKind(t, err, test.kind, field)
	}
	req := marking(in("mark/in.png"), in("mark/logo.png"))
	req.OutputImage = &data{ObjectKey: "mark/logo.png", Overwrite: true}
	_, err := runner.Run(t.Context(), req, job.FailFast)
	wantKind(t, err, functions.Invalid, "output_image.object_key")
}

func marking(input, mark *data) *imageflowv1.FilterRequest {
	return &imageflowv1.FilterRequest{
		InputImage: input, FilterType: imageflowv1.FilterType_FILTER_TYPE_WATERMARK, Intensity: 1,
		Watermark: &imageflowv1.Watermark{Image: mark},
	}
}

// markOf returns a PNG of 4×4 pixels of one colour.
func markOf(t *testing.T, c color.NRGBA) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	for i := range 16 {
		m.SetNRGBA(i%4, i/4, c)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// decoded decodes a PNG.
func decoded(t *testing.T, data []byte) *image.NRGBA {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	out := image.NewNRGBA(m.Bounds())
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			out.Set(x, y, m.At(x, y))
		}
	}
	return out
}
