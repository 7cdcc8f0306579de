package resize_test

import (
	"image"
	"math"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// shared are options that all outputs of a request have.
var shared = map[string]*request{
	"nothing":     {TargetWidth: 500},
	"fast":        {TargetWidth: 500, Quality: imageflowv1.ResizeQuality_RESIZE_QUALITY_FAST},
	"best":        {TargetWidth: 500, Quality: imageflowv1.ResizeQuality_RESIZE_QUALITY_BEST},
	"crop":        {TargetWidth: 400, Crop: fractions(0.1, 0.2, 0.7, 0.6)},
	"crop after":  {TargetWidth: 500, CropAfter: fractions(0.1, 0.2, 0.7, 0.6)},
	"rotate":      {TargetWidth: 300, Rotate: 90},
	"flip":        {TargetWidth: 500, Flip: imageflowv1.Flip_FLIP_HORIZONTAL},
	"angle":       {TargetWidth: 500, Angle: 10},
	"trim":        {TargetWidth: 500, Trim: &imageflowv1.Trim{Tolerance: proto.Int32(60)}},
	"attention":   {TargetWidth: 300, TargetHeight: 300, Fit: cover, Gravity: imageflowv1.Gravity_GRAVITY_ATTENTION},
	"focal point": {TargetWidth: 300, TargetHeight: 300, Fit: cover, FocalPoint: focus(0.2, 0.7)},
	"pad":         {TargetWidth: 300, TargetHeight: 300, Fit: pad, Gravity: imageflowv1.Gravity_GRAVITY_TOP},
	"extend":      {TargetWidth: 500, Extend: &imageflowv1.Extend{Left: 30, Bottom: 7}},
	"dpr":         {TargetWidth: 250, Dpr: 1.7},
	"stretch":     {TargetWidth: 500, TargetHeight: 150},
	"enlarge":     {TargetWidth: 1000, Enlarge: true},
	"quality":     {TargetWidth: 500, Encoding: &imageflowv1.Encoding{Quality: 95}},
}

func fractions(left, top, width, height float64) *imageflowv1.Crop {
	return &imageflowv1.Crop{Left: left, Top: top, Width: width, Height: height, Fractions: true}
}

// others are further outputs, with options of their own.
var others = []*imageflowv1.Rendition{
	{Variant: "small", TargetWidth: 150, TargetHeight: 150},
	{Variant: "corner", TargetWidth: 120, TargetHeight: 90, Fit: cover, Gravity: imageflowv1.Gravity_GRAVITY_BOTTOM_RIGHT},
	{Variant: "rough", TargetWidth: 240, TargetHeight: 240, Fit: pad, Encoding: &imageflowv1.Encoding{Quality: 40}},
	{Variant: "png", TargetWidth: 200, TargetHeight: 200, ContentType: "image/png"},
	{Variant: "tiny", TargetWidth: 40, TargetHeight: 40, ContentType: "image/png"},
}

// TestRenditions: an output that shares the decoding of a photograph is as one that is made alone: the same pixels of a PNG,
// and similar ones of a JPEG or WebP, whose planes and pixels may be decoded at another scale. Where attention chooses the
// part, it may be another one then.
func TestRenditions(t *testing.T) {
	data, err := os.ReadFile("../../test/images/sample.jpg")
	if err != nil {
		t.Fatal(err)
	}
	small, _ := apply(t, open(t, data), &request{TargetWidth: 600})
	for format, minPSNR := range map[imaging.Format]float64{imaging.JPEG: 35, imaging.WebP: 35, imaging.PNG: math.Inf(1)} {
		converted, err := open(t, small.Data).Convert(t.Context(), format)
		if err != nil {
			t.Fatal(err)
		}
		m := open(t, converted.Data)
		for name, r := range shared {
			t.Run(string(format)+" "+name, func(t *testing.T) {
				all := proto.CloneOf(r)
				all.Renditions = others
				checkRenditions(t, m, all, minPSNR)
			})
		}
	}
}

// checkRenditions compares each output of a request with the one of its own request.
func checkRenditions(t *testing.T, m *imaging.Image, r *request, minPSNR float64) {
	t.Helper()
	requests := resize.Processor.Renditions.Split(r)
	var inputs []functions.Input
	for _, one := range requests {
		format := m.Format
		if one.GetOutputImage().GetContentType() == "image/png" {
			format = imaging.PNG
		}
		encoded := m.EncodedBy(imaging.Encoding{Quality: int(one.(*request).GetEncoding().GetQuality())})
		inputs = append(inputs, functions.Input{Image: encoded, Format: format})
	}
	share := resize.Processor.Renditions.Share(requests, inputs)
	for i, one := range requests {
		want, answer, err := resize.Processor.Apply(t.Context(), one, inputs[i])
		if err != nil {
			t.Fatal(err)
		}
		in := inputs[i]
		in.Image = in.Image.With(share)
		got, other, err := resize.Processor.Apply(t.Context(), one, in)
		if err != nil {
			t.Fatal(err)
		}
		if got.Format != want.Format || got.Path != want.Path || got.Width != want.Width || got.Height != want.Height {
			t.Errorf("output %q is %s of %d×%d by %s, alone %s of %d×%d by %s", one.GetVariant(), got.Format, got.Width, got.Height,
				got.Path, want.Format, want.Width, want.Height, want.Path)
		}
		if one.(*request).GetGravity() == imageflowv1.Gravity_GRAVITY_ATTENTION && !math.IsInf(minPSNR, 1) {
			continue
		}
		if !proto.Equal(other, answer) {
			t.Errorf("the answer for %q is %v, alone %v", one.GetVariant(), other, answer)
		}
		if db := psnr(t, got.Data, want.Data); db < minPSNR {
			t.Errorf("output %q is %.1f dB from the one made alone, want %.1f dB", one.GetVariant(), db, minPSNR)
		}
	}
}

// psnr compares two encoded images.
func psnr(t *testing.T, a, b []byte) float64 {
	t.Helper()
	p, err := open(t, a).Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q, err := open(t, b).Pixels(t.Context())
	if err != nil || image.Pt(p.Width, p.Height) != image.Pt(q.Width, q.Height) || p.Channels != q.Channels {
		t.Fatalf("%d×%d×%d, alone %d×%d×%d: %v", p.Width, p.Height, p.Channels, q.Width, q.Height, q.Channels, err)
	}
	sum := 0.0
	for i := range p.Pix {
		d := float64(p.Pix[i]) - float64(q.Pix[i])
		sum += d * d
	}
	return 10 * math.Log10(255*255*float64(len(p.Pix))/sum)
}
