package job_test

import (
	"errors"
	"testing"

	"imageflow.dev/functions"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestRun_auto: the smallest format is returned as bytes or stored at a named key, where an equal
// job finds it.
func TestRun_auto(t *testing.T) {
	encoding := &imageflowv1.Encoding{Accept: []string{"image/jpeg", "image/webp", "image/svg+xml", "*/*"}}
	resp, err := run(t, &request{
		InputBytes: pngOf(t, 160, 120), TargetWidth: 80, OutputImage: &data{ContentType: "auto"}, Encoding: encoding,
	})
	if err != nil {
		t.Fatal(err)
	}
	bytesAnswer := resp.GetResult()
	if len(bytesAnswer.GetOutputData()) == 0 || bytesAnswer.GetMetadata()["encodes"] != "2" ||
		bytesAnswer.GetOutputImage().GetContentType() == "auto" {
		t.Errorf("got %v", resp)
	}
	put(t, bucket, "auto/in.png", pngOf(t, 160, 120))
	for i := range 2 {
		resp, err := run(t, &request{
			InputImage: in("auto/in.png"), TargetWidth: 80,
			OutputImage: &data{ContentType: "auto", ObjectKey: "auto/out"}, Encoding: encoding,
		})
		if err != nil {
			t.Fatal(err)
		}
		stored := resp.GetResult().GetOutputImage()
		if stored.GetContentType() != bytesAnswer.GetOutputImage().GetContentType() || stored.GetObjectKey() != "auto/out" ||
			(resp.GetResult().GetMetadata()["encodes"] == "") != (i > 0) {
			t.Errorf("job %d: got %v", i, resp)
		}
	}
}

func TestRun_autoIsRefused(t *testing.T) {
	put(t, bucket, "auto/in.png", pngOf(t, 16, 12))
	accept := &imageflowv1.Encoding{Accept: []string{"image/webp"}}
	for name, c := range map[string]struct {
		req   *request
		field string
	}{
		"nothing accepted": {&request{InputBytes: pngOf(t, 16, 12), OutputImage: &data{ContentType: "auto"}}, "encoding.accept"},
		"nothing that is written": {&request{
			InputBytes: pngOf(t, 16, 12), OutputImage: &data{ContentType: "auto"},
			Encoding: &imageflowv1.Encoding{Accept: []string{"image/heic", "text/html"}},
		}, "encoding.accept"},
		"not lossless": {&request{
			InputBytes: pngOf(t, 16, 12), OutputImage: &data{ContentType: "auto"},
			Encoding: &imageflowv1.Encoding{Accept: []string{"image/jpeg"}, Lossless: true},
		}, "encoding.accept"},
		"accepted without auto": {&request{InputBytes: pngOf(t, 16, 12), Encoding: accept}, "encoding.accept"},
		"a derived key": {&request{
			InputImage: in("auto/in.png"), OutputImage: &data{ContentType: "auto"}, Encoding: accept,
		}, "output_image.content_type"},
		"an extension": {&request{
			InputImage: in("auto/in.png"), OutputImage: &data{ContentType: "auto", ObjectKey: "auto/x.webp"}, Encoding: accept,
		}, "output_image.content_type"},
	} {
		_, err := run(t, c.req)
		var e *functions.Error
		if !errors.As(err, &e) || e.Kind != functions.Invalid || e.Field != c.field {
			t.Errorf("%s: got %v, want Invalid for %s", name, err, c.field)
		}
	}
}
