package detect_test

import (
	"image"
	"image/color"
	"strings"
	"testing"

	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
)

// coloured returns a PNG of one colour, twice as wide as high.
func coloured(t *testing.T) *imaging.Image {
	m := image.NewNRGBA(image.Rect(0, 0, 16, 8))
	for i := range m.Pix {
		m.Pix[i] = []uint8{200, 100, 50, 255}[i%4]
	}
	return encoded(t, m)
}

// values are what an input of 16×16 pixels has for the image coloured, in the middle, and for
// the padding, in each channel.
type values struct {
	dims            []int64
	kind            inference.ElementType
	parameters      map[string]string
	inside, padding []float32
}

var nchw, nhwc = []int64{1, 3, 16, 16}, []int64{1, 16, 16, 3}

var inputValues = map[string]values{
	"default": {nchw, inference.Float32, nil,
		[]float32{200. / 255, 100. / 255, 50. / 255}, []float32{114. / 255, 114. / 255, 114. / 255}},
	"bytes": {nchw, inference.Uint8, nil, []float32{200, 100, 50}, []float32{114, 114, 114}},
	"channels last": {nhwc, inference.Float32,
		map[string]string{"channel_order": "bgr", "padding": "[1, 2, 3]", "pixel_range": "255"},
		[]float32{50, 100, 200}, []float32{1, 2, 3}},
	"ImageNet": {nchw, inference.Float32,
		map[string]string{"mean": "[0.485, 0.456, 0.406]", "std": "[0.229, 0.224, 0.225]", "padding": "0"},
		[]float32{(200./255 - 0.485) / 0.229, (100./255 - 0.456) / 0.224, (50./255 - 0.406) / 0.225},
		[]float32{-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225}},
	"pixel values": {nhwc, inference.Float16, map[string]string{
		"mean": "[103.53, 116.28, 123.675]", "std": "57.375, 57.12, 58.395", "pixel_range": "255", "channel_order": "bgr"},
		[]float32{(50 - 103.53) / 57.375, (100 - 116.28) / 57.12, (200 - 123.675) / 58.395},
		[]float32{(114 - 103.53) / 57.375, (114 - 116.28) / 57.12, (114 - 123.675) / 58.395}},
	"grey": {[]int64{1, 1, 16, 16}, inference.Float32, map[string]string{"pixel_range": "255"},
		[]float32{0.299*200 + 0.587*100 + 0.114*50}, []float32{114}},
	"batch": {[]int64{4, 3, 16, 16}, inference.Float32, map[string]string{"mean": "1"},
		[]float32{200./255 - 1, 100./255 - 1, 50./255 - 1}, []float32{114./255 - 1, 114./255 - 1, 114./255 - 1}},
}

// check checks numbers at the edges of the image and beside it.
func (v values) check(t *testing.T, numbers []float32) {
	for channel, want := range v.inside {
		at := func(x, y int) float32 {
			if v.dims[3] == 3 {
				return numbers[(y*16+x)*3+channel]
			}
			return numbers[channel*256+y*16+x]
		}
		padding := v.padding[channel]
		for _, off := range []float32{at(0, 4) - want, at(15, 11) - want, at(0, 3) - padding, at(15, 12) - padding} {
			if off > 1e-4 || off < -1e-4 {
				t.Errorf("channel %d: %v and %v, want %v and %v", channel, at(0, 4), at(0, 3), want, padding)
			}
		}
	}
}

func TestInput_values(t *testing.T) {
	for name, c := range inputValues {
		t.Run(name, func(t *testing.T) {
			numbers, _, _, err := detect.InputOf(t, coloured(t), c.kind, c.dims, c.parameters)
			if err != nil {
				t.Fatal(err)
			}
			c.check(t, numbers)
			for _, v := range numbers[len(numbers)/int(c.dims[0]):] {
				if v != 0 {
					t.Fatalf("a number of the other images is %v, want 0", v)
				}
			}
		})
	}
}

// TestInput_channelsLastOfAnyImage: the planes of a turned JPEG and the pixels of a PNG become the same
// numbers, whether channels are first or last.
func TestInput_channelsLastOfAnyImage(t *testing.T) {
	wide, err := redRectangle(t, 90, 40, image.Rect(10, 10, 50, 30)).Resize(t.Context(), 90, 40, imaging.Good, imaging.JPEG)
	if err != nil {
		t.Fatal(err)
	}
	turned := open(t, wide.Data)
	turned.Orientation = 6
	for name, m := range map[string]*imaging.Image{
		"PNG": redRectangle(t, 90, 40, image.Rect(10, 10, 50, 30)), "JPEG": open(t, wide.Data), "turned": turned,
	} {
		planes, width, height, err := detect.InputOf(t, m, inference.Float32, []int64{1, 3, 48, 64}, nil)
		if err != nil {
			t.Fatal(err)
		}
		pixels, _, _, err := detect.InputOf(t, m, inference.Float32, []int64{1, 48, 64, 3}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range pixels {
			if want := planes[i%3*width*height+i/3]; v != want {
				t.Fatalf("%s: number %d is %v, want %v", name, i, v, want)
			}
		}
	}
}

// TestInput_interpolation: of a column of white pixels between two of black ones, which become one pixel of
// the input, the white one counts alone, by a third, or not at all.
func TestInput_interpolation(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 48, 48))
	for i := range m.Pix {
		m.Pix[i] = []uint8{0, 255, 0}[i%3]
	}
	for interpolation, want := range map[string]float32{
		"": 1, "bilinear": 1, "antialiased": 1. / 3, "bilinear_asymmetric": 0,
	} {
		parameters := map[string]string{"interpolation": interpolation}
		numbers, _, _, err := detect.InputOf(t, encoded(t, m), inference.Float32, nchw, parameters)
		if err != nil {
			t.Fatal(err)
		}
		if got := numbers[8*16+8]; got < want-0.01 || got > want+0.01 {
			t.Errorf("%q: the number is %v, want %v", interpolation, got, want)
		}
	}
}

func TestInput_refused(t *testing.T) {
	for name, c := range map[string]struct {
		dims       []int64
		kind       inference.ElementType
		parameters map[string]string
		want       string
	}{
		"ambiguous":            {[]int64{1, 3, 16, 3}, inference.Float32, nil, "input_format"},
		"no channels":          {[]int64{1, 16, 16, 4}, inference.Float32, nil, "input_format"},
		"wrong format":         {nchw, inference.Float32, map[string]string{"input_format": "nhwc"}, "1 or 3 channels"},
		"unknown format":       {nchw, inference.Float32, map[string]string{"input_format": "chw"}, "nchw or nhwc"},
		"large batch":          {[]int64{65, 3, 16, 16}, inference.Float32, nil, "at most 64 images"},
		"unknown filter":       {nchw, inference.Float32, map[string]string{"interpolation": "cubic"}, "or bilinear_asymmetric"},
		"two numbers":          {nchw, inference.Float32, map[string]string{"mean": "[1, 2]"}, "one number or three"},
		"pixel values":         {nchw, inference.Float32, map[string]string{"mean": "[123.675, 116.28, 103.53]"}, "from -1 to 1"},
		"std of 0":             {nchw, inference.Float32, map[string]string{"std": "0"}, "std"},
		"no number":            {nchw, inference.Float32, map[string]string{"padding": "NaN"}, "padding"},
		"bytes with fractions": {nchw, inference.Uint8, map[string]string{"pixel_range": "1"}, "UINT8"},
		"fixed rectangle":      {nchw, inference.Float32, map[string]string{"rectangular": "true"}, "dynamic height and width"},
	} {
		_, _, _, err := detect.InputOf(t, coloured(t), c.kind, c.dims, c.parameters)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}

// TestInput_isRectangular: a dynamic input has room for the image and no more, in multiples of the stride.
func TestInput_isRectangular(t *testing.T) {
	dynamic := []int64{1, 3, -1, -1}
	for _, c := range []struct {
		width, height int
		parameters    map[string]string
		wantW, wantH  int
	}{
		{1920, 1080, nil, 640, 384}, {1080, 1920, nil, 384, 640}, {640, 640, nil, 640, 640}, {10, 10, nil, 640, 640},
		{640, 353, nil, 640, 384}, {640, 352, nil, 640, 352}, {3000, 1, nil, 640, 32}, {1, 3000, nil, 32, 640},
		{640, 352, map[string]string{"stride": "64"}, 640, 384}, {640, 352, map[string]string{"stride": "1000"}, 640, 640},
		{1920, 1080, map[string]string{"rectangular": "false"}, 640, 640},
		{1920, 1080, map[string]string{"resize": "stretch"}, 640, 640},
		{1920, 1080, map[string]string{"resize": "stretch", "rectangular": "true"}, 640, 384},
		{1920, 1080, map[string]string{"resize": "top-left"}, 640, 384},
	} {
		parameters := map[string]string{"imgsz": "640"}
		for key, v := range c.parameters {
			parameters[key] = v
		}
		m := encoded(t, image.NewPaletted(image.Rect(0, 0, c.width, c.height), color.Palette{color.Black}))
		numbers, width, height, err := detect.InputOf(t, m, inference.Float32, dynamic, parameters)
		if err != nil || width != c.wantW || height != c.wantH || len(numbers) != 3*c.wantW*c.wantH {
			t.Errorf("%d×%d with %v: %d×%d, %v, want %d×%d", c.width, c.height, c.parameters, width, height, err, c.wantW, c.wantH)
		}
	}
}
