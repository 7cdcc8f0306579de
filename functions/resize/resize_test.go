package resize_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

type request = imageflowv1.ResizeRequest

// maxSide is the maximum target side of the contract, in pixels.
const maxSide = 16383

func TestTarget(t *testing.T) {
	for name, c := range map[string]struct {
		width, height int
		r             *request
		wantW, wantH  int
	}{
		"stretched to exactly the target":    {1920, 1080, &request{TargetWidth: 800, TargetHeight: 600}, 800, 600},
		"fits inside, width decides":         {1920, 1080, within(800, 600), 800, 450},
		"fits inside, height decides":        {1080, 1920, within(800, 600), 338, 600},
		"height follows":                     {1920, 1080, &request{TargetWidth: 960}, 960, 540},
		"width follows":                      {1920, 1080, &request{TargetHeight: 540}, 960, 540},
		"width follows, aspect ratio kept":   {1920, 1080, &request{TargetHeight: 540, MaintainAspectRatio: true}, 960, 540},
		"a follower is rounded":              {1000, 333, &request{TargetWidth: 500}, 500, 167},
		"the same size":                      {640, 480, &request{TargetWidth: 640, TargetHeight: 480}, 640, 480},
		"not enlarged":                       {100, 50, &request{TargetWidth: 200, TargetHeight: 100}, 100, 50},
		"not enlarged, height follows":       {100, 50, &request{TargetWidth: 200}, 100, 50},
		"not enlarged, aspect ratio kept":    {100, 50, within(200, 200), 100, 50},
		"no side is enlarged":                {100, 50, &request{TargetWidth: 200, TargetHeight: 20}, 100, 20},
		"enlarged":                           {100, 50, &request{TargetWidth: 200, TargetHeight: 300, Enlarge: true}, 200, 300},
		"enlarged, height follows":           {100, 50, &request{TargetWidth: 200, Enlarge: true}, 200, 100},
		"enlarged, aspect ratio kept":        {100, 50, enlarged(within(200, 300)), 200, 100},
		"never 0 high":                       {10000, 3, &request{TargetWidth: 10}, 10, 1},
		"never 0 wide":                       {1, 16383, &request{TargetHeight: 1}, 1, 1},
		"never 0, aspect ratio kept":         {16383, 2, &request{TargetWidth: 5, TargetHeight: 5, MaintainAspectRatio: true}, 5, 1},
		"the longest side that a format has": {1, 1, &request{TargetWidth: maxSide, Enlarge: true}, maxSide, maxSide},
	} {
		t.Run(name, func(t *testing.T) {
			w, h, err := resize.Target(c.width, c.height, c.r)
			if err != nil || w != c.wantW || h != c.wantH {
				t.Errorf("%d×%d, %v: got %d×%d, %v, want %d×%d", c.width, c.height, c.r, w, h, err, c.wantW, c.wantH)
			}
		})
	}
}

// TestTarget_tooLongDerivedSide: it is refused, since clamping it would distort the image.
func TestTarget_tooLongDerivedSide(t *testing.T) {
	for field, r := range map[string]*request{
		"target_width":  {TargetWidth: 500, Enlarge: true},
		"target_height": {TargetHeight: 500, Enlarge: true},
	} {
		width, height := 10, 1000
		if field == "target_height" {
			width, height = height, width
		}
		w, h, err := resize.Target(width, height, r)
		var e *functions.Error
		if !errors.As(err, &e) || e.Kind != functions.Invalid || e.Field != field {
			t.Errorf("got %d×%d, %v, want it refused naming %s", w, h, err, field)
		}
	}
}

// TestTargetProperties checks the contract's rules for random sizes and requests.
func TestTargetProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	length := func() int { return 1 + int(math.Exp(random.Float64()*math.Log(maxSide))) }
	for range 20000 {
		width, height := min(maxSide, length()), min(maxSide, length())
		r := &request{MaintainAspectRatio: random.IntN(2) == 0, Enlarge: random.IntN(2) == 0}
		for r.TargetWidth == 0 && r.TargetHeight == 0 {
			r.TargetWidth = int32(min(maxSide, length()) * random.IntN(2))
			r.TargetHeight = int32(min(maxSide, length()) * random.IntN(2))
		}
		w, h, err := resize.Target(width, height, r)
		if err != nil {
			if !r.Enlarge || r.TargetWidth > 0 && r.TargetHeight > 0 {
				t.Fatalf("%d×%d, %v: %v", width, height, r, err)
			}
			continue
		}
		if broken := broken(width, height, w, h, r); broken != "" {
			t.Fatalf("%d×%d, %v: got %d×%d: %s", width, height, r, w, h, broken)
		}
	}
}

// broken returns the rule of the contract that the size w × h violates, or "".
func broken(width, height, w, h int, r *request) string {
	tw, th := int(r.TargetWidth), int(r.TargetHeight)
	// A side is at least 1, and within half a pixel of the length at the other side's scale.
	follows := func(side, length, other, otherLength int) bool {
		exact := float64(length) * float64(other) / float64(otherLength)
		slack := 0.5 + 0.5*float64(length)/float64(otherLength) // the other side is rounded too
		return side == 1 && exact < 1.5 || math.Abs(float64(side)-exact) <= slack+1e-6
	}
	switch {
	case w < 1 || h < 1 || w > maxSide || h > maxSide:
		return "a side out of range"
	case !r.Enlarge && (w > width || h > height):
		return "a side grew"
	case tw > 0 && w > tw || th > 0 && h > th:
		return "larger than the target"
	case tw > 0 && th > 0 && !r.MaintainAspectRatio && (w != tw && w != width || h != th && h != height):
		return "not stretched to the target"
	case (tw == 0 || th == 0 || r.MaintainAspectRatio) && !follows(h, height, w, width) && !follows(w, width, h, height):
		return "another aspect ratio"
	case (tw == 0 || th == 0 || r.MaintainAspectRatio) && w != tw && h != th && w != width:
		return "it could be larger"
	}
	return ""
}

// gradient returns an image that gets redder to the right and greener to the bottom.
func gradient(width, height int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.SetNRGBA(x, y, color.NRGBA{byte(255 * x / (width - 1)), byte(255 * y / (height - 1)), 100, 255})
		}
	}
	return m
}

func encoded(t testing.TB, m image.Image, f imaging.Format) *imaging.Image {
	t.Helper()
	return open(t, file(t, m, f))
}

// file encodes an image as a PNG, or as a JPEG with halved colours.
func file(t testing.TB, m image.Image, f imaging.Format) []byte {
	t.Helper()
	var b bytes.Buffer
	err := png.Encode(&b, m)
	if f == imaging.JPEG {
		b.Reset()
		err = jpeg.Encode(&b, m, &jpeg.Options{Quality: 95})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(t testing.TB, data []byte) *imaging.Image {
	t.Helper()
	m, err := imaging.Open(data, imaging.Limits{MaxSide: maxSide, MaxPixels: 50e6})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func apply(t testing.TB, m *imaging.Image, r *request) (imaging.Encoded, *imageflowv1.ResizeResponse) {
	t.Helper()
	out, resp, err := resize.Processor.Apply(t.Context(), r, functions.Input{Image: m, Format: m.Format})
	if err != nil {
		t.Fatal(err)
	}
	return out, resp.(*imageflowv1.ResizeResponse)
}

// TestEnlarge_hasTheLimitsOfInputs: the output must not be larger than an input may be.
func TestEnlarge_hasTheLimitsOfInputs(t *testing.T) {
	m := encoded(t, gradient(30, 20), imaging.PNG)
	r := &request{TargetWidth: 10000, TargetHeight: 10000, Enlarge: true}
	_, _, err := resize.Processor.Apply(t.Context(), r, functions.Input{Image: m, Format: m.Format})
	if e := functions.AsError(err); err == nil || e.Kind != functions.Invalid || !strings.Contains(e.Message, "10000×10000") {
		t.Errorf("got %v", err)
	}
}

// TestQualities resizes a gradient in each quality and compares the output with the gradient.
func TestQualities(t *testing.T) {
	for _, format := range []imaging.Format{imaging.JPEG, imaging.PNG} {
		for name, quality := range imageflowv1.ResizeQuality_value {
			t.Run(string(format)+" "+name, func(t *testing.T) {
				m := encoded(t, gradient(300, 200), format)
				out, resp := apply(t, m, &request{TargetWidth: 60, Quality: imageflowv1.ResizeQuality(quality)})
				if out.Format != format || out.Width != 60 || out.Height != 40 {
					t.Errorf("facts of %s %d×%d, want %s 60×40", out.Format, out.Width, out.Height, format)
				}
				got, kind, err := image.Decode(bytes.NewReader(out.Data))
				if err != nil || kind != string(format) || got.Bounds() != image.Rect(0, 0, 60, 40) {
					t.Fatalf("%v: a %s of %v, want a %s of 60×40", err, kind, got.Bounds(), format)
				}
				want, _, err := image.Decode(bytes.NewReader(file(t, gradient(60, 40), format)))
				if err != nil {
					t.Fatal(err)
				}
				if off := distance(got, want); off > 9 { // the loss of three JPEGs
					t.Errorf("a channel is off by %d", off)
				}
				used := imageflowv1.ResizeQuality(quality)
				if quality == 0 {
					used = imageflowv1.ResizeQuality_RESIZE_QUALITY_GOOD
				}
				metadata := &imageflowv1.ResizeMetadata{
					OriginalWidth: 300, OriginalHeight: 200, OutputWidth: 60, OutputHeight: 40,
					ScaleFactorX: 0.2, ScaleFactorY: 0.2, QualityUsed: used,
				}
				if !proto.Equal(resp.GetMetadata(), metadata) || resp.GetResult() == nil {
					t.Errorf("got %v, want %v and an empty result", resp, metadata)
				}
				if sideCar := resize.Processor.SideCar(resp); !proto.Equal(sideCar, metadata) {
					t.Errorf("side-car %v, want %v", sideCar, metadata)
				}
			})
		}
	}
}

// distance returns the largest difference of a channel, 0 to 255.
func distance(a, b image.Image) int {
	most := 0
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			p, q := color.NRGBAModel.Convert(a.At(x, y)).(color.NRGBA), color.NRGBAModel.Convert(b.At(x, y)).(color.NRGBA)
			for _, d := range []int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B), int(p.A) - int(q.A)} {
				most = max(most, d, -d)
			}
		}
	}
	return most
}

// TestFitUsed: the metadata say how two targets were filled when the request leaves it open.
func TestFitUsed(t *testing.T) {
	m := encoded(t, gradient(30, 20), imaging.PNG)
	for want, r := range map[imageflowv1.Fit]*request{
		imageflowv1.Fit_FIT_UNSPECIFIED: {TargetWidth: 9}, imageflowv1.Fit_FIT_FILL: {TargetWidth: 9, TargetHeight: 9},
		imageflowv1.Fit_FIT_CONTAIN: {TargetWidth: 9, TargetHeight: 9, MaintainAspectRatio: true},
		imageflowv1.Fit_FIT_COVER:   {TargetWidth: 9, TargetHeight: 9, Fit: imageflowv1.Fit_FIT_COVER},
	} {
		if _, resp := apply(t, m, r); resp.GetMetadata().GetFitUsed() != want {
			t.Errorf("%v: got %v, want %v", r, resp.GetMetadata().GetFitUsed(), want)
		}
	}
}

// TestScaleFactors: they are the sides of the output divided by those of the original, not the
// requested scales.
func TestScaleFactors(t *testing.T) {
	_, resp := apply(t, encoded(t, gradient(300, 200), imaging.PNG), &request{TargetWidth: 100, TargetHeight: 400})
	got := resp.GetMetadata()
	if got.GetScaleFactorX() != 100.0/300 || got.GetScaleFactorY() != 1 || got.GetOutputHeight() != 200 {
		t.Errorf("got %v, want factors of 1/3 and 1", got)
	}
}

func BenchmarkResize1080p(b *testing.B) {
	data, err := os.ReadFile("../../test/images/sample.jpg")
	if err != nil {
		b.Fatal(err)
	}
	m := open(b, data)
	for name, quality := range imageflowv1.ResizeQuality_value {
		if quality == 0 {
			continue
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				apply(b, m, &request{TargetWidth: 800, Quality: imageflowv1.ResizeQuality(quality)})
			}
		})
	}
}

// within returns a request that keeps the aspect ratio.
func within(width, height int32) *request {
	return &request{TargetWidth: width, TargetHeight: height, MaintainAspectRatio: true}
}

func enlarged(r *request) *request {
	r.Enlarge = true
	return r
}
