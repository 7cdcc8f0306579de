package imaging_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"os/exec"
	"testing"

	"golang.org/x/image/webp"

	"imageflow.dev/internal/imaging"
)

// encodingSources are images for the two paths of each format.
func encodingSources(t *testing.T) map[string][]byte {
	small := detailed(96, 64)
	return map[string][]byte{
		"planar jpeg": sampledJPEG(t, 96, 64, [3][2]int{{2, 2}, {1, 1}, {1, 1}}, waves), "png": asPNG(t, small),
		"webp": encoded(t, small, imaging.WebP), "alpha": asPNG(t, noisy(96, 64)),
	}
}

// encodedWith resizes, filters and paints an image with the options, and calls check with each
// output.
func encodedWith(t *testing.T, f imaging.Format, e imaging.Encoding, check func(t *testing.T, data []byte)) {
	t.Helper()
	for name, data := range encodingSources(t) {
		m := open(t, data)
		m.Encoding = e
		raster, err := m.Raster(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for work, do := range map[string]func() (imaging.Encoded, error){
			"resize":  func() (imaging.Encoded, error) { return m.Resize(t.Context(), 48, 32, imaging.Good, f) },
			"filter":  func() (imaging.Encoded, error) { return raster.Encode(t.Context(), f) },
			"convert": func() (imaging.Encoded, error) { return m.Convert(t.Context(), f) },
			"paint": func() (imaging.Encoded, error) {
				return m.Painted(t.Context(), []imaging.Patch{{At: image.Rect(3, 4, 20, 30)}}, f)
			},
		} {
			t.Run(name+" "+work, func(t *testing.T) {
				out, err := do()
				if err != nil {
					t.Fatal(err)
				}
				check(t, out.Data)
			})
		}
	}
}

// quantizer returns the first step of the first quantization table of a JPEG.
func quantizer(t *testing.T, data []byte) byte {
	t.Helper()
	at := bytes.Index(data, []byte{0xff, 0xdb, 0, 67, 0})
	if at < 0 {
		t.Fatal("no quantization table")
	}
	return data[at+5]
}

// TestEncoding_jpeg checks the quantization tables of libjpeg (the first step is 16 at quality
// 50), the process and the sampling, with Go's decoder and with jpegtran.
func TestEncoding_jpeg(t *testing.T) {
	for _, c := range []struct {
		e       imaging.Encoding
		step    byte
		process byte // 0xC0 is baseline, 0xC2 progressive
		ratio   image.YCbCrSubsampleRatio
	}{
		{imaging.Encoding{Quality: 50}, 16, 0xc0, image.YCbCrSubsampleRatio420},
		{imaging.Encoding{Quality: 95}, 2, 0xc0, image.YCbCrSubsampleRatio444},
		{imaging.Encoding{Quality: 95, Chroma: imaging.Chroma420}, 2, 0xc0, image.YCbCrSubsampleRatio420},
		{imaging.Encoding{Quality: 25, Chroma: imaging.Chroma444}, 32, 0xc0, image.YCbCrSubsampleRatio444},
		{imaging.Encoding{Quality: 50, Progressive: true}, 16, 0xc2, image.YCbCrSubsampleRatio420},
	} {
		encodedWith(t, imaging.JPEG, c.e, func(t *testing.T, data []byte) {
			m, err := jpeg.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if got := m.(*image.YCbCr).SubsampleRatio; got != c.ratio || quantizer(t, data) != c.step {
				t.Errorf("%+v: sampled %v with a first step of %d, want %v and %d", c.e, got, quantizer(t, data), c.ratio, c.step)
			}
			if !bytes.Contains(data, []byte{0xff, c.process, 0, 17, 8}) {
				t.Errorf("%+v: no frame of process %#x", c.e, c.process)
			}
			checkByJpegtran(t, data)
		})
	}
}

// checkByJpegtran fails if libjpeg's tool finds a fault in a JPEG.
func checkByJpegtran(t *testing.T, data []byte) {
	t.Helper()
	tool, err := exec.LookPath("jpegtran")
	if err != nil {
		return
	}
	cmd := exec.Command(tool, "-copy", "none")
	cmd.Stdin = bytes.NewReader(data)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if err := cmd.Run(); err != nil || complaints.Len() > 0 {
		t.Errorf("jpegtran: %v, %s", err, complaints.Bytes())
	}
}

// TestEncoding_losslessWebP decodes with Go's library and compares every pixel, also transparent ones.
func TestEncoding_losslessWebP(t *testing.T) {
	for name, m := range map[string]image.Image{"opaque": detailed(70, 50), "alpha": noisy(70, 50)} {
		source := open(t, asPNG(t, m))
		source.Encoding = imaging.Encoding{Lossless: true}
		out, err := source.Convert(t.Context(), imaging.WebP)
		if err != nil {
			t.Fatal(err)
		}
		got, err := webp.Decode(bytes.NewReader(out.Data))
		if err != nil || !bytes.Contains(out.Data, []byte("VP8L")) {
			t.Fatal(name, ": not a lossless WebP: ", err)
		}
		for y := range 50 {
			for x := range 70 {
				if want := m.At(x, y); got.At(x, y) != want {
					t.Fatalf("%s: pixel %d,%d is %v, want %v", name, x, y, got.At(x, y), want)
				}
			}
		}
	}
	encodedWith(t, imaging.WebP, imaging.Encoding{Lossless: true}, func(t *testing.T, data []byte) {
		if !bytes.Contains(data, []byte("VP8L")) {
			t.Error("the WebP is lossy")
		}
	})
}

// TestEncoding_losslessAVIF: all values of noise are the same after decoding, also of sizes that no
// block fills.
func TestEncoding_losslessAVIF(t *testing.T) {
	for _, size := range []image.Point{{70, 50}, {61, 47}, {1, 1}} {
		for name, m := range map[string]image.Image{"opaque": detailed(size.X, size.Y), "alpha": noisy(size.X, size.Y)} {
			source := open(t, asPNG(t, m))
			want := pixels(t, asPNG(t, m))
			source.Encoding = imaging.Encoding{Lossless: true, Speed: 9, Keep: imaging.KeepAll, Profile: imaging.KeepProfile}
			out, err := source.Convert(t.Context(), imaging.AVIF)
			if err != nil {
				t.Fatal(err)
			}
			if got := pixels(t, out.Data); !bytes.Equal(got.Pix, want.Pix) || got.Width != size.X || got.Channels != want.Channels {
				t.Errorf("%s of %v: the output has other values", name, size)
			}
		}
	}
}

// TestEncoding_qualityChangesSize covers the formats whose files do not state their quality.
func TestEncoding_qualityChangesSize(t *testing.T) {
	for _, f := range []imaging.Format{imaging.WebP, imaging.AVIF} {
		sizes := map[string]int{}
		for _, quality := range []int{20, 95} {
			encodedWith(t, f, imaging.Encoding{Quality: quality}, func(t *testing.T, data []byte) {
				if low, known := sizes[t.Name()]; known && len(data) <= low {
					t.Errorf("%s: %d bytes with quality 95, %d with 20", f, len(data), low)
				}
				sizes[t.Name()] = len(data)
			})
		}
	}
}

func TestEncoding_avifSpeedAndChroma(t *testing.T) {
	m := open(t, asPNG(t, detailed(160, 120)))
	size := func(e imaging.Encoding) int {
		m.Encoding = e
		out, err := m.Convert(t.Context(), imaging.AVIF)
		if err != nil {
			t.Fatal(err)
		}
		return len(out.Data)
	}
	if slow, fast := size(imaging.Encoding{Speed: 5}), size(imaging.Encoding{}); slow >= fast {
		t.Errorf("%d bytes with speed 5, %d with 8", slow, fast)
	}
	if full, half := size(imaging.Encoding{Chroma: imaging.Chroma444}), size(imaging.Encoding{}); full <= half {
		t.Errorf("%d bytes in 4:4:4, %d in 4:2:0", full, half)
	}
}

// TestEncoding_defaults: no options give the same bytes as the documented defaults.
func TestEncoding_defaults(t *testing.T) {
	for f, e := range map[imaging.Format]imaging.Encoding{
		imaging.JPEG: {Quality: 85, Chroma: imaging.Chroma420}, imaging.WebP: {Quality: 80},
		imaging.AVIF: {Quality: 60, Chroma: imaging.Chroma420, Speed: 8},
	} {
		for name, data := range encodingSources(t) {
			m, explicit := open(t, data), open(t, data)
			explicit.Encoding = e
			want, err := m.Resize(t.Context(), 48, 32, imaging.Good, f)
			got, err2 := explicit.Resize(t.Context(), 48, 32, imaging.Good, f)
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Data, want.Data) || got.Path != want.Path {
				t.Errorf("%s to %s: the defaults differ", name, f)
			}
		}
	}
}

func TestEncoding_checkNamesOptionAndFormat(t *testing.T) {
	all := imaging.Encoding{Quality: 50, Lossless: true, Progressive: true, Chroma: imaging.Chroma444, Speed: 3}
	for _, c := range []struct {
		f    imaging.Format
		e    imaging.Encoding
		want string
	}{
		{imaging.PNG, all, "quality"},
		{imaging.TIFF, imaging.Encoding{Lossless: true}, "lossless"},
		{imaging.JPEG, all, "lossless"},
		{imaging.WebP, imaging.Encoding{Progressive: true}, "progressive"},
		{imaging.WebP, imaging.Encoding{Chroma: imaging.Chroma420}, "chroma"},
		{imaging.JPEG, imaging.Encoding{Speed: 1}, "speed"},
		{imaging.AVIF, imaging.Encoding{Quality: 5, Chroma: imaging.Chroma444, Speed: 1}, ""},
		{imaging.JPEG, imaging.Encoding{Quality: 5, Chroma: imaging.Chroma444, Progressive: true}, ""},
	} {
		err := c.e.Check(c.f)
		var unsupported *imaging.UnsupportedError
		want := imaging.UnsupportedError{Option: c.want, Format: c.f}
		if got := errors.As(err, &unsupported); got != (c.want != "") || got && *unsupported != want {
			t.Errorf("%+v to %s: got %v, want the option %q", c.e, c.f, err, c.want)
		}
	}
}

// TestEncoding_maxBytes: the files of all paths fit, and have a higher quality where there is
// space.
func TestEncoding_maxBytes(t *testing.T) {
	data := photo(t, "northern_cardinal_bird.jpg")
	for _, f := range []imaging.Format{imaging.JPEG, imaging.WebP, imaging.AVIF} {
		m, last := open(t, data), 0
		for _, limit := range []int{7000, 11000, 1 << 20} {
			m.Encoding = imaging.Encoding{MaxBytes: limit}
			out, err := m.Resize(t.Context(), 360, 240, imaging.Good, f)
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Data) > limit || out.Quality <= last {
				t.Errorf("%s: %d bytes of %d at quality %d, after quality %d", f, len(out.Data), limit, out.Quality, last)
			}
			last = out.Quality
		}
		if usual := map[imaging.Format]int{imaging.JPEG: 85, imaging.WebP: 80, imaging.AVIF: 60}[f]; last != usual {
			t.Errorf("%s: quality %d with room for more, want the default %d", f, last, usual)
		}
		m.Encoding.MaxBytes = 100
		var large *imaging.TooLargeError
		if _, err := m.Resize(t.Context(), 360, 240, imaging.Good, f); !errors.As(err, &large) || large.Bytes <= 100 {
			t.Errorf("%s in 100 bytes: got %v, want a TooLargeError", f, err)
		}
	}
	encodedWith(t, imaging.JPEG, imaging.Encoding{MaxBytes: 1500}, func(t *testing.T, data []byte) {
		if len(data) > 1500 {
			t.Errorf("%d bytes, want at most 1500", len(data))
		}
	})
}

// TestEncoding_background blends half transparent red with a colour, in the formats that
// this package reads.
func TestEncoding_background(t *testing.T) {
	data := asPNG(t, flat(64, 48, color.NRGBA{255, 0, 0, 128}))
	for _, f := range []imaging.Format{imaging.JPEG, imaging.PNG, imaging.WebP, imaging.TIFF} {
		m := open(t, data)
		m.Encoding = imaging.Encoding{Background: color.RGBA{0, 200, 100, 255}}
		converted, err := m.Convert(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		resized, err := m.Resize(t.Context(), 32, 24, imaging.Good, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, out := range []imaging.Encoded{converted, resized} {
			p := pixels(t, out.Data)
			want := []byte{128, 100, 50}
			for c, v := range p.Pix[:3] {
				if d := int(v) - int(want[c]); p.Channels != 3 || d < -6 || d > 6 {
					t.Errorf("%s: %d channels, the first pixel is %v, want %v", f, p.Channels, p.Pix[:3], want)
					break
				}
			}
		}
	}
}
