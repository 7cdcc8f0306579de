package imaging_test

import (
	"encoding/binary"
	"image"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"imageflow.dev/internal/imaging"
)

// FuzzParseHeader checks that any bytes are rejected with an InputError, or accepted within
// the limits.
func FuzzParseHeader(f *testing.F) {
	for _, sample := range samples(f) {
		f.Add(sample.data)
	}
	for _, bomb := range bombs(f) {
		f.Add(bomb)
	}
	for _, bomb := range heifBombs(f) {
		f.Add(bomb)
	}
	for _, bomb := range jxlBombs(f) {
		f.Add(bomb)
	}
	for _, multiple := range multiples(f, 3) {
		f.Add(multiple)
	}
	for _, text := range foreign {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := imaging.ParseHeader(data, roomy)
		switch {
		case err != nil && !isInputError(err):
			t.Errorf("got %v, want an InputError", err)
		case err != nil:
		case h.Width < 1 || h.Height < 1 || h.Width > roomy.MaxSide || h.Height > roomy.MaxSide ||
			int64(h.Width)*int64(h.Height) > roomy.MaxPixels || h.Orientation < 1 || h.Orientation > 8:
			t.Errorf("accepted beyond the limits: %+v", h)
		}
	})
}

// FuzzPixels checks that libvips or libjpeg decodes a file with an accepted header to an image of the
// header's size, or rejects it.
func FuzzPixels(f *testing.F) {
	for _, sample := range samples(f) {
		f.Add(sample.data)
	}
	for _, multiple := range multiples(f, 3) {
		f.Add(multiple)
	}
	fuzzPixels(f)
}

// FuzzBMP is FuzzPixels for BMPs.
func FuzzBMP(f *testing.F) {
	for _, kind := range bmpKinds {
		f.Add(kind.file())
	}
	f.Add(codedBMP(30, 20))
	fuzzPixels(f, imaging.BMP)
}

// FuzzTIFF is FuzzPixels for TIFFs and BigTIFFs.
func FuzzTIFF(f *testing.F) {
	little, big := binary.LittleEndian, binary.BigEndian
	for _, data := range [][]byte{
		smallTIFF(little), smallTIFF(big), subsampledTIFF(2, 2), secondPage(smallTIFF(little)), encoded(f, noisy(30, 20), imaging.TIFF),
	} {
		f.Add(data)
	}
	for _, odd := range oddTIFFs() {
		f.Add(odd.file())
	}
	f.Add(asBigTIFF(little, smallTIFF(little)))
	f.Add(asBigTIFF(big, smallTIFF(big)))
	for _, bits := range []int{16, 32, 64} {
		f.Add(noiseTIFF(3, bits, true, entry{339, short, []uint32{3, 3, 3}})(nil, 30, 20))
	}
	fuzzPixels(f, imaging.TIFF)
}

// FuzzHEIF is FuzzPixels for AVIFs and HEICs.
func FuzzHEIF(f *testing.F) {
	for _, pattern := range []string{"*.avif", "*.heic"} {
		names, err := filepath.Glob(filepath.Join(here, "testdata", "heif", pattern))
		if err != nil || names == nil {
			f.Fatalf("no %s: %v", pattern, err)
		}
		for _, name := range names {
			f.Add(heifFile(f, filepath.Base(name)))
		}
	}
	for _, bomb := range heifBombs(f) {
		f.Add(bomb)
	}
	fuzzPixels(f, imaging.AVIF, imaging.HEIC)
}

// fuzzPixels decodes, resizes and paints images of some formats; of all formats if there are
// none. The limits are small for speed.
func fuzzPixels(f *testing.F, formats ...imaging.Format) {
	patches := []imaging.Patch{{At: image.Rect(3, 5, 20, 200)}, {At: image.Rect(-10, 7, 300, 9)}}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := imaging.Open(data, imaging.Limits{MaxSide: 300, MaxPixels: 40_000})
		if err != nil && !isInputError(err) {
			t.Errorf("got %v, want an InputError", err)
		}
		if err != nil || formats != nil && !slices.Contains(formats, m.Format) {
			return
		}
		p, err := m.Pixels(t.Context())
		if err != nil && !isInputError(err) {
			t.Errorf("got %v, want an InputError", err)
		}
		if w, h := m.Size(); err == nil && (p.Width != w || p.Height != h || len(p.Pix) != w*h*p.Channels) {
			t.Errorf("the header has %d×%d, the decoder %d×%d with %d bytes", w, h, p.Width, p.Height, len(p.Pix))
		}
		if _, err := m.Resize(t.Context(), 20, 10, imaging.Fast, imaging.JPEG); err != nil && !isInputError(err) {
			t.Errorf("resized: %v, want an InputError", err)
		}
		if _, err := m.Painted(t.Context(), patches, imaging.JPEG); err != nil && !isInputError(err) {
			t.Errorf("painted: %v, want an InputError", err)
		}
	})
}

// FuzzMetadata checks that any EXIF data and ICC profile are accepted and described in a JPEG.
func FuzzMetadata(f *testing.F) {
	plain := asJPEG(f, detailed(30, 20))
	photograph := camera(binary.BigEndian, "2026:11:27 18:59:56", position()...)
	for _, icc := range [][]byte{
		described(profile("RGB ", 1), "Adobe RGB (1998)"), profile("GRAY", 2.2),
		iccOf(4, "mntrRGB XYZ ", []iccTag{{"desc", multilingual()}}),
	} {
		f.Add(photograph, icc)
		f.Add(ownedEXIF(), icc)
	}
	f.Fuzz(func(t *testing.T, exif, icc []byte) {
		if len(exif)+len(icc) > 60_000 {
			return // a segment holds less than 64 KiB
		}
		h, err := imaging.ParseHeader(withProfile(withSegment(plain, 0xe1, append([]byte("Exif\x00\x00"), exif...)), icc), roomy)
		if err != nil {
			t.Fatal(err)
		}
		e := h.EXIF()
		for _, text := range []string{h.ProfileName, e.Make, e.Model, e.Taken} {
			if !utf8.ValidString(text) || len(text) > 200 || strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("got the text %q", text)
			}
		}
		if l := e.Location; l != nil && !(math.Abs(l.Latitude) <= 90 && math.Abs(l.Longitude) <= 180) {
			t.Errorf("got the location %+v", l)
		}
	})
}

// addSampledJPEGs adds seeds whose colours are sampled in several ways.
func addSampledJPEGs(f *testing.F) {
	noise := func(c, x, y int, _, _ float64) uint8 { return uint8(c*50 + x*y*77) }
	for _, factors := range [][3][2]int{
		{{2, 2}, {1, 1}, {1, 1}}, {{2, 1}, {1, 1}, {1, 1}}, {{1, 2}, {1, 1}, {1, 1}},
		{{4, 1}, {1, 1}, {1, 1}}, {{2, 2}, {2, 1}, {1, 2}},
	} {
		f.Add(sampledJPEG(f, 67, 35, factors, noise), uint8(10), uint8(80), uint8(1))
	}
}

// FuzzResizePlanes checks that a JPEG or a WebP of any orientation is resized to its own format and
// the size asked for, or rejected, and that it becomes the input of a model and is blurred, or is
// rejected. Most of them are processed as planes.
func FuzzResizePlanes(f *testing.F) {
	for _, sample := range samples(f) {
		if sample.want.format == imaging.JPEG || sample.want.format == imaging.WebP {
			for q := range 3 {
				f.Add(sample.data, uint8(20), uint8(30), uint8(q))
			}
		}
	}
	addSampledJPEGs(f)
	f.Fuzz(func(t *testing.T, data []byte, width, height, quality uint8) {
		m, err := imaging.Open(data, imaging.Limits{MaxSide: 300, MaxPixels: 40_000})
		if err != nil || m.Format != imaging.JPEG && m.Format != imaging.WebP {
			return
		}
		w, h := 1+int(width), 1+int(height)
		m.Orientation = 1 + int(quality)/3%8
		checkOtherUses(t, m, w, h)
		out, err := m.Resize(t.Context(), w, h, imaging.Quality(quality%3), m.Format)
		if err != nil {
			if !isInputError(err) {
				t.Errorf("got %v, want an InputError", err)
			}
			return
		}
		if c, err := imaging.ParseHeader(out.Data, roomy); err != nil || c.Format != m.Format || c.Width != w || c.Height != h {
			t.Errorf("got a %s of %d×%d, %v, want %d×%d", c.Format, c.Width, c.Height, err, w, h)
		}
	})
}

// checkOtherUses makes an image the input of a model, and blurs it.
func checkOtherUses(t *testing.T, m *imaging.Image, width, height int) {
	t.Helper()
	if _, err := scaled(t.Context(), m, width, height); err != nil && !isInputError(err) {
		t.Errorf("scaled: %v, want an InputError", err)
	}
	r, err := m.Raster(t.Context(), imaging.JPEG)
	if err != nil {
		if !isInputError(err) {
			t.Errorf("decoded: %v, want an InputError", err)
		}
		return
	}
	if err := r.Blur(t.Context(), 0.1+float64(width)/9); err != nil {
		t.Errorf("blurred: %v", err)
	}
}

// FuzzJXL is FuzzPixels for JPEG XL.
func FuzzJXL(f *testing.F) {
	names, err := filepath.Glob(filepath.Join(here, "testdata", "jxl", "*.jxl"))
	if err != nil || names == nil {
		f.Fatalf("no files: %v", err)
	}
	for _, name := range names {
		f.Add(jxlFile(f, filepath.Base(name)))
	}
	for _, bomb := range jxlBombs(f) {
		f.Add(bomb)
	}
	fuzzPixels(f, imaging.JXL)
}
