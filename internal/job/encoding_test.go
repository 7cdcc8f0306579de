package job_test

import (
	"errors"
	"testing"

	"imageflow.dev/functions"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestRun_encodingOfAnotherFormat wants an error for an option that the output's format does
// not have, whether the request or the image decides the format.
func TestRun_encodingOfAnotherFormat(t *testing.T) {
	png := pngOf(t, 16, 12)
	for _, c := range []struct {
		output *data
		e      *imageflowv1.Encoding
		field  string // of the error; empty for none
	}{
		{nil, &imageflowv1.Encoding{Quality: 50}, "encoding.quality"},
		{&data{ContentType: "image/jpeg"}, &imageflowv1.Encoding{Speed: 5}, "encoding.speed"},
		{&data{ContentType: "image/webp"}, &imageflowv1.Encoding{Progressive: true}, "encoding.progressive"},
		{&data{ContentType: "image/webp"}, &imageflowv1.Encoding{Lossless: true, Quality: 1}, "encoding"},
		{&data{ContentType: "image/webp"}, &imageflowv1.Encoding{Lossless: true}, ""},
		{&data{ContentType: "image/jpeg"}, &imageflowv1.Encoding{Quality: 50, Progressive: true}, ""},
	} {
		_, err := run(t, &request{InputBytes: png, OutputImage: c.output, Encoding: c.e})
		var e *functions.Error
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%v to %v: %v", c.e, c.output, err)
		case c.field != "" && (!errors.As(err, &e) || e.Kind != functions.Invalid || e.Field != c.field):
			t.Errorf("%v to %v: got %v, want Invalid for %s", c.e, c.output, err, c.field)
		}
	}
}
