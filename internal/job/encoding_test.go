package job_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"strconv"
	"testing"

	"imageflow.dev/functions"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestRun_encodingOfAnotherFormat wants an error for an option that the output's format does
// not have, whether the request or the image decides the format.
func TestRun_encodingOfAnotherFormat(t *testing.T) {
	small := pngOf(t, 16, 12)
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
		_, err := run(t, &request{InputBytes: small, OutputImage: c.output, Encoding: c.e})
		var e *functions.Error
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%v to %v: %v", c.e, c.output, err)
		case c.field != "" && (!errors.As(err, &e) || e.Kind != functions.Invalid || e.Field != c.field):
			t.Errorf("%v to %v: got %v, want Invalid for %s", c.e, c.output, err, c.field)
		}
	}
}

// TestRun_maxBytes wants the size and the quality in the result, also of a cache hit, and an
// error if no quality fits.
func TestRun_maxBytes(t *testing.T) {
	noise := image.NewGray(image.Rect(0, 0, 200, 150))
	for i := range noise.Pix {
		noise.Pix[i] = byte(i * i * i >> 7)
	}
	var file bytes.Buffer
	if err := png.Encode(&file, noise); err != nil {
		t.Fatal(err)
	}
	put(t, bucket, "fit/in.png", file.Bytes())
	req := func(maxBytes int32) *request {
		return &request{
			InputImage: in("fit/in.png"), TargetWidth: 200, OutputImage: &data{ContentType: "image/jpeg"},
			Encoding: &imageflowv1.Encoding{MaxBytes: maxBytes},
		}
	}
	for range 2 {
		resp, err := run(t, req(4000))
		if err != nil {
			t.Fatal(err)
		}
		metadata, size := resp.GetResult().GetMetadata(), resp.GetResult().GetOutputImage().GetSizeBytes()
		quality, _ := strconv.Atoi(metadata["quality"])
		if size > 4000 || metadata["bytes"] != strconv.FormatInt(size, 10) || quality < 1 || quality >= 85 {
			t.Errorf("%d bytes, metadata %v", size, metadata)
		}
	}
	_, err := run(t, req(300))
	var e *functions.Error
	if !errors.As(err, &e) || e.Kind != functions.Invalid || e.Field != "encoding.max_bytes" {
		t.Errorf("got %v, want Invalid for encoding.max_bytes", err)
	}
	resp, err := run(t, &request{InputImage: in("fit/in.png"), TargetWidth: 20})
	if metadata := resp.GetResult().GetMetadata(); err != nil || metadata["quality"]+metadata["bytes"] != "" {
		t.Errorf("without max_bytes: metadata %v, %v", metadata, err)
	}
}

func TestRun_background(t *testing.T) {
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewNRGBA(image.Rect(0, 0, 16, 12))); err != nil { // transparent
		t.Fatal(err)
	}
	for background, want := range map[string]color.NRGBA{
		"": {}, "#ff8001": {255, 128, 1, 255}, "00FF00": {0, 255, 0, 255},
	} {
		resp, err := run(t, &request{InputBytes: file.Bytes(), Encoding: &imageflowv1.Encoding{Background: background}})
		if err != nil {
			t.Fatal(err)
		}
		m, err := png.Decode(bytes.NewReader(resp.GetResult().GetOutputData()))
		if err != nil {
			t.Fatal(err)
		}
		if got := color.NRGBAModel.Convert(m.At(3, 3)); got != want {
			t.Errorf("background %q: %v, want %v", background, got, want)
		}
	}
}
