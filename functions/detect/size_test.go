package detect_test

import (
	"errors"
	"image"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/testing/onnx"
)

// TestImageSize_refusesOthers: a model with a fixed input has that size only, and each version is the
// one in use or none.
func TestImageSize_refusesOthers(t *testing.T) {
	p, err := newProcessor(t, onnx.Always(input, v8(cat(0, 0, 9, 9, 0.9)), metadata()))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		r           *request
		field, text string
	}{
		{&request{ImageSize: side}, "", ""},
		{&request{ModelVersion: "3"}, "", ""},
		{&request{ImageSize: 2 * side}, "image_size", "64×64 pixels only"},
		{&request{ModelVersion: "4"}, "model_version", "4 does not exist; 3 can be named"},
	} {
		_, _, err := apply(t.Context(), p, c.r, functions.Input{Image: greyImage(t, side, side), Format: imaging.PNG})
		var e *functions.Error
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%v: %v", c.r, err)
		case c.field != "" && (!errors.As(err, &e) || e.Field != c.field || !strings.Contains(e.Message, c.text)):
			t.Errorf("%v: got %v, want Invalid for %s with %q", c.r, err, c.field, c.text)
		}
	}
}

// TestImageSize_ofDynamicModel uses a model whose box is in the same pixels of inputs of each size.
func TestImageSize_ofDynamicModel(t *testing.T) {
	m := onnx.Always([]int64{1, 3, -1, -1}, endToEnd(cat(0, 0, 64, 64, 0.9)), metadata("imgsz", "[64, 64]"))
	p, err := newProcessor(t, m)
	if err != nil {
		t.Fatal(err)
	}
	in := functions.Input{Image: redRectangle(t, 256, 256, image.Rect(0, 0, 9, 9)), Format: imaging.PNG}
	for size, want := range map[int32]string{
		0: "cat/0 0.90: 0.0 0.0 256.0 256.0", 64: "cat/0 0.90: 0.0 0.0 256.0 256.0", 128: "cat/0 0.90: 0.0 0.0 128.0 128.0",
	} {
		_, resp, err := apply(t.Context(), p, &request{ImageSize: size}, in)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, resp, want)
	}
	_, _, err = apply(t.Context(), p, &request{ImageSize: 100}, in)
	var e *functions.Error
	if !errors.As(err, &e) || e.Field != "image_size" || !strings.Contains(e.Message, "multiple of 32") {
		t.Errorf("got %v, want an error of image_size", err)
	}
	if small, large := p.Footprint(&request{}, in), p.Footprint(&request{ImageSize: 4096}, in); large < small+4096*4096*12 {
		t.Errorf("%d bytes with the largest input, %d without", large, small)
	}
}
