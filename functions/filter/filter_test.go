package filter_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

type request = imageflowv1.FilterRequest

const (
	blur       = imageflowv1.FilterType_FILTER_TYPE_BLUR
	sharpen    = imageflowv1.FilterType_FILTER_TYPE_SHARPEN
	brightness = imageflowv1.FilterType_FILTER_TYPE_BRIGHTNESS
	contrast   = imageflowv1.FilterType_FILTER_TYPE_CONTRAST
	saturation = imageflowv1.FilterType_FILTER_TYPE_SATURATION
	gaussian   = imageflowv1.FilterType_FILTER_TYPE_GAUSSIAN
)

var types = []imageflowv1.FilterType{blur, sharpen, brightness, contrast, saturation, gaussian}

// noise returns an image of random colours and, unless opaque, random alpha.
func noise(width, height int, opaque bool) *image.NRGBA {
	random := rand.New(rand.NewPCG(1, 2))
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = byte(random.UintN(256))
		if opaque && i%4 == 3 {
			m.Pix[i] = 255
		}
	}
	return m
}

// flat returns an image of one colour.
func flat(width, height int, c color.NRGBA) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		m.SetNRGBA(i%width, i/width, c)
	}
	return m
}

func open(t testing.TB, data []byte) *imaging.Image {
	t.Helper()
	m, err := imaging.Open(data, imaging.Limits{MaxSide: 16383, MaxPixels: 50e6})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func apply(t testing.TB, m *imaging.Image, r *request) (imaging.Encoded, *imageflowv1.FilterResponse) {
	t.Helper()
	if err := filter.Processor.Check(r); err != nil {
		t.Fatal(err)
	}
	out, resp, err := filter.Processor.Apply(t.Context(), r, functions.Input{Image: m, Format: m.Format})
	if err != nil {
		t.Fatal(err)
	}
	return out, resp.(*imageflowv1.FilterResponse)
}

// filtered applies a filter to an image. Input and output are PNGs.
func filtered(t testing.TB, m image.Image, r *request) *image.NRGBA {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	out, _ := apply(t, open(t, b.Bytes()), r)
	decoded, err := png.Decode(bytes.NewReader(out.Data))
	if err != nil {
		t.Fatal(err)
	}
	if decoded.Bounds() != m.Bounds() || out.Width != m.Bounds().Dx() || out.Height != m.Bounds().Dy() {
		t.Fatalf("%v became %v, reported as %d×%d", m.Bounds(), decoded.Bounds(), out.Width, out.Height)
	}
	got := image.NewNRGBA(decoded.Bounds())
	for y := range got.Rect.Dy() {
		for x := range got.Rect.Dx() {
			got.Set(x, y, decoded.At(x, y))
		}
	}
	return got
}

func TestZeroIntensityChangesNothing(t *testing.T) {
	opaque, see := noise(31, 17, true), noise(31, 17, false)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, opaque, nil); err != nil {
		t.Fatal(err)
	}
	for _, kind := range types {
		for name, m := range map[string]*image.NRGBA{"opaque": opaque, "with alpha": see} {
			if got := filtered(t, m, &request{FilterType: kind}); !bytes.Equal(got.Pix, m.Pix) {
				t.Errorf("%s, %s: pixels changed", kind, name)
			}
		}
		out, resp := apply(t, open(t, b.Bytes()), &request{FilterType: kind})
		if !bytes.Equal(out.Data, b.Bytes()) {
			t.Errorf("%s: a JPEG is written anew, which changes pixels", kind)
		}
		if got := resp.GetMetadata().GetAppliedParameters(); len(got) > 0 {
			t.Errorf("%s: %v is said to have had an effect", kind, got)
		}
	}
}

func TestKnownAnswers(t *testing.T) {
	type rgb [3]byte
	pivot := func(v string) map[string]string { return map[string]string{"pivot": v} }
	for _, c := range []struct {
		r        *request
		in, want rgb
	}{
		{&request{FilterType: brightness, Intensity: 0.2}, rgb{0, 100, 230}, rgb{51, 151, 255}},
		{&request{FilterType: brightness, Intensity: -0.2}, rgb{0, 100, 255}, rgb{0, 49, 204}},
		{&request{FilterType: brightness, Intensity: 1}, rgb{0, 1, 255}, rgb{255, 255, 255}},
		{&request{FilterType: brightness, Intensity: -1}, rgb{0, 1, 255}, rgb{0, 0, 0}},
		{&request{FilterType: contrast, Intensity: 0.5}, rgb{10, 100, 200}, rgb{0, 86, 236}},
		{&request{FilterType: contrast, Intensity: -0.5}, rgb{0, 101, 255}, rgb{64, 114, 191}},
		{&request{FilterType: contrast, Intensity: -1}, rgb{0, 100, 255}, rgb{128, 128, 128}},
		{&request{FilterType: contrast, Intensity: -1, Parameters: pivot("0.2")}, rgb{0, 100, 255}, rgb{51, 51, 51}},
		{&request{FilterType: contrast, Intensity: 1, Parameters: pivot("0.2")}, rgb{51, 60, 20}, rgb{51, 69, 0}},
		{&request{FilterType: contrast, Intensity: 1, Parameters: pivot("0")}, rgb{0, 100, 200}, rgb{0, 200, 255}},
		{&request{FilterType: contrast, Intensity: 1, Parameters: pivot("1")}, rgb{100, 200, 255}, rgb{0, 145, 255}},
		{&request{FilterType: contrast, Intensity: 4, Parameters: pivot("0.2")}, rgb{51, 52, 50}, rgb{51, 56, 46}},
		// Luma by BT.601 is 0.299 R + 0.587 G + 0.114 B.
		{&request{FilterType: saturation, Intensity: -1}, rgb{255, 0, 0}, rgb{76, 76, 76}},
		{&request{FilterType: saturation, Intensity: -1}, rgb{0, 255, 0}, rgb{150, 150, 150}},
		{&request{FilterType: saturation, Intensity: -1}, rgb{0, 0, 255}, rgb{29, 29, 29}},
		{&request{FilterType: saturation, Intensity: -1}, rgb{200, 100, 50}, rgb{124, 124, 124}},
		{&request{FilterType: saturation, Intensity: -0.5}, rgb{200, 100, 50}, rgb{162, 112, 87}},
		{&request{FilterType: saturation, Intensity: 0.5}, rgb{200, 100, 50}, rgb{238, 88, 13}},
		{&request{FilterType: saturation, Intensity: 1}, rgb{200, 100, 50}, rgb{255, 76, 0}},
		{&request{FilterType: saturation, Intensity: 4}, rgb{77, 77, 77}, rgb{77, 77, 77}},
		{&request{FilterType: saturation, Intensity: 4}, rgb{255, 255, 255}, rgb{255, 255, 255}},
	} {
		m := flat(3, 2, color.NRGBA{c.in[0], c.in[1], c.in[2], 255})
		got := filtered(t, m, c.r)
		if want := flat(3, 2, color.NRGBA{c.want[0], c.want[1], c.want[2], 255}); !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%v of %v is %v, want %v", c.r, c.in, got.Pix[:3], c.want)
		}
	}
}

func TestAlphaStays(t *testing.T) {
	m := noise(40, 30, false)
	for _, kind := range types {
		r := &request{FilterType: kind, Intensity: 0.9}
		if kind == blur {
			r.Intensity = 9 // a weak filter for a small image
		}
		got := filtered(t, m, r)
		if bytes.Equal(got.Pix, m.Pix) {
			t.Errorf("%s did nothing", kind)
		}
		for i := 3; i < len(m.Pix); i += 4 {
			if got.Pix[i] != m.Pix[i] {
				t.Errorf("%s: alpha %d became %d", kind, m.Pix[i], got.Pix[i])
				break
			}
		}
	}
}

func TestFlatAreasStay(t *testing.T) {
	m := flat(50, 40, color.NRGBA{200, 100, 51, 255})
	for _, r := range []*request{
		{FilterType: sharpen, Intensity: 10}, {FilterType: sharpen, Intensity: 10, Parameters: map[string]string{"sigma": "3"}},
		{FilterType: gaussian, Intensity: 5}, {FilterType: gaussian, Intensity: 20}, {FilterType: blur, Intensity: 10},
	} {
		if got := filtered(t, m, r); !bytes.Equal(got.Pix, m.Pix) {
			t.Errorf("%v changed a flat image", r)
		}
	}
}

// TestSmallest applies every filter to images smaller than any kernel.
func TestSmallest(t *testing.T) {
	for _, m := range []*image.NRGBA{noise(1, 1, true), noise(1, 5, false), noise(7, 1, true), noise(2, 2, false)} {
		for _, kind := range types {
			filtered(t, m, &request{FilterType: kind, Intensity: 1})
		}
		filtered(t, m, &request{FilterType: gaussian, Intensity: 20})
	}
}

func TestAppliedParameters(t *testing.T) {
	for name, c := range map[string]struct {
		width int
		r     *request
		want  map[string]string
	}{
		"blur grows with the image":       {800, &request{FilterType: blur, Intensity: 2}, map[string]string{"sigma": "4"}},
		"blur is bounded":                 {2000, &request{FilterType: blur, Intensity: 10}, map[string]string{"sigma": "20"}},
		"gaussian reports its deviation":  {800, &request{FilterType: gaussian, Intensity: 2.5}, map[string]string{"sigma": "2.5"}},
		"sharpen has a default":           {20, &request{FilterType: sharpen, Intensity: 1}, map[string]string{"sigma": "1"}},
		"sharpen takes a sigma":           {20, &request{FilterType: sharpen, Intensity: 1, Parameters: sigma("2.50")}, sigma("2.5")},
		"contrast has a default":          {20, &request{FilterType: contrast, Intensity: -1}, map[string]string{"pivot": "0.5"}},
		"contrast takes a pivot":          {20, &request{FilterType: contrast, Intensity: 4, Parameters: pivot("1e-1")}, pivot("0.1")},
		"brightness has only intensity":   {20, &request{FilterType: brightness, Intensity: 0.5}, nil},
		"saturation has only intensity":   {20, &request{FilterType: saturation, Intensity: 0.5}, nil},
		"zero leaves nothing to report":   {20, &request{FilterType: contrast, Parameters: map[string]string{"pivot": "1"}}, nil},
		"a height counts as a width does": {1, &request{FilterType: blur, Intensity: 10}, map[string]string{"sigma": "0.5"}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := png.Encode(&b, noise(c.width, 20, true)); err != nil {
				t.Fatal(err)
			}
			_, resp := apply(t, open(t, b.Bytes()), c.r)
			got := resp.GetMetadata()
			if got.GetFilterType() != c.r.FilterType || got.GetIntensity() != c.r.Intensity || resp.GetResult() == nil {
				t.Errorf("got %v, want the request's filter and an empty result", resp)
			}
			if !maps.Equal(got.GetAppliedParameters(), c.want) {
				t.Errorf("applied %v, want %v", got.GetAppliedParameters(), c.want)
			}
		})
	}
}

func TestIntensityRanges(t *testing.T) {
	for kind, bounds := range map[imageflowv1.FilterType][2]float32{
		blur: {0, 10}, sharpen: {0, 10}, brightness: {-1, 1}, contrast: {-1, 4}, saturation: {-1, 4}, gaussian: {0, 20},
	} {
		for _, v := range bounds {
			if err := filter.Processor.Check(&request{FilterType: kind, Intensity: v}); err != nil {
				t.Errorf("%s of %g: %v", kind, v, err)
			}
		}
		below, above := math.Nextafter32(bounds[0], -100), math.Nextafter32(bounds[1], 100)
		for _, v := range []float32{below, above, float32(math.NaN()), float32(math.Inf(1))} {
			refused(t, &request{FilterType: kind, Intensity: v}, "intensity", kind.String())
		}
	}
}

// refused checks that a request is refused with an error that names the field and contains the
// text.
func refused(t *testing.T, r *request, field, text string) {
	t.Helper()
	var e *functions.Error
	err := filter.Processor.Check(r)
	if !errors.As(err, &e) || e.Kind != functions.Invalid || e.Field != field || !strings.Contains(e.Message, text) {
		t.Errorf("%v: got %v, want it refused naming %s and %q", r, err, field, text)
	}
}

func TestParametersRefused(t *testing.T) {
	for _, kind := range types {
		refused(t, &request{FilterType: kind, Parameters: map[string]string{"sgima": "1"}}, "parameters", `"sgima"`)
	}
	refused(t, &request{FilterType: blur, Parameters: map[string]string{"sigma": "1"}}, "parameters", `"sigma"`)
	refused(t, &request{FilterType: sharpen, Parameters: map[string]string{"pivot": "1"}}, "parameters", `["sigma"]`)
	for _, v := range []string{"", "abc", "NaN", "Inf", "0.49", "3.01", "1,5", "1 "} {
		refused(t, &request{FilterType: sharpen, Parameters: map[string]string{"sigma": v}}, "parameters", "[0.5, 3]")
	}
	for _, v := range []string{"-0.01", "1.01"} {
		refused(t, &request{FilterType: contrast, Parameters: map[string]string{"pivot": v}}, "parameters", "[0, 1]")
	}
}

func BenchmarkFilter1080p(b *testing.B) {
	data, err := os.ReadFile("../../test/images/sample.jpg")
	if err != nil {
		b.Fatal(err)
	}
	m := open(b, data)
	for _, kind := range types {
		b.Run(kind.String(), func(b *testing.B) {
			for b.Loop() {
				apply(b, m, &request{FilterType: kind, Intensity: 0.5})
			}
		})
	}
}

func sigma(value string) map[string]string { return map[string]string{"sigma": value} }

func pivot(value string) map[string]string { return map[string]string{"pivot": value} }
