package imaging_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imageflow.dev/internal/imaging"
)

// jxlFile reads a file of testdata/jxl.
func jxlFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(here, "testdata", "jxl", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestJXL_isDecodedAsByDjxl covers both codings, 8 to 32 bits, alpha, profiles, JPEGs, several
// frames and orders of the data, and all orientations.
func TestJXL_isDecodedAsByDjxl(t *testing.T) {
	references, err := filepath.Glob(filepath.Join(here, "testdata", "jxl", "*.png"))
	if err != nil || len(references) == 0 {
		t.Fatal("no references", err)
	}
	for _, reference := range references {
		name := strings.TrimSuffix(filepath.Base(reference), ".png")
		t.Run(name, func(t *testing.T) {
			db := psnrOf(t, pixels(t, jxlFile(t, name)), pixels(t, jxlFile(t, name+".png")))
			t.Logf("%.1f", db)
			if db < minDecoderPSNR {
				t.Errorf("%.1f dB, want at least %d", db, minDecoderPSNR)
			}
		})
	}
}

// FuzzJXL checks that any JPEG XL is decoded to an image of the header's size, whole and resized, or
// rejected with an InputError. The limits are small for speed.
func FuzzJXL(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(here, "testdata", "jxl", "*.jxl"))
	if err != nil || len(files) == 0 {
		f.Fatal("no files", err)
	}
	for _, file := range files {
		f.Add(jxlFile(f, filepath.Base(file)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := imaging.Open(data, imaging.Limits{MaxSide: 700, MaxPixels: 200_000})
		if err != nil && !isInputError(err) {
			t.Errorf("got %v, want an InputError", err)
		}
		if err != nil || m.Format != imaging.JXL {
			return
		}
		p, err := m.Pixels(t.Context())
		if err != nil && !isInputError(err) {
			t.Errorf("got %v, want an InputError", err)
		}
		if w, h := m.Size(); err == nil && (p.Width != w || p.Height != h || len(p.Pix) != w*h*p.Channels) {
			t.Errorf("the header has %d×%d, the decoder %d×%d with %d bytes", w, h, p.Width, p.Height, len(p.Pix))
		}
		if _, err := m.Resize(t.Context(), 20, 10, imaging.Fast, imaging.PNG); err != nil && !isInputError(err) {
			t.Errorf("resized: %v, want an InputError", err)
		}
	})
}
