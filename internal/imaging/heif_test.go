package imaging_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imageflow.dev/internal/imaging"
)

// heifFile reads a file of testdata/heif.
func heifFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(here, "testdata", "heif", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// minDecoderPSNR is the minimum PSNR in dB to the decoders of the libraries that made the files.
const minDecoderPSNR = 45

// TestHEIF_isDecodedAsByItsLibrary covers 8 to 12 bits, alpha, grids, rotations, crops and colour
// profiles.
func TestHEIF_isDecodedAsByItsLibrary(t *testing.T) {
	references, err := filepath.Glob(filepath.Join(here, "testdata", "heif", "*.png"))
	if err != nil || len(references) == 0 {
		t.Fatal("no references", err)
	}
	for _, reference := range references {
		name := strings.TrimSuffix(filepath.Base(reference), ".png")
		t.Run(name, func(t *testing.T) {
			withDecoder(t, name)
			got, want := pixels(t, heifFile(t, name)), pixels(t, heifFile(t, name+".png"))
			if db := psnrOf(t, got, want); db < minDecoderPSNR {
				t.Errorf("%.1f dB, want at least %d", db, minDecoderPSNR)
			}
		})
	}
}

// withDecoder skips a test of a HEIC if this build has no HEVC decoder.
func withDecoder(t *testing.T, name string) {
	t.Helper()
	if _, err := open(t, heifFile(t, "8.heic")).Pixels(t.Context()); err != nil && strings.HasSuffix(name, ".heic") {
		t.Skip(err)
	}
}

// psnrOf compares two images in all channels. Colours count by alpha.
func psnrOf(t *testing.T, a, b *imaging.Pixels) float64 {
	t.Helper()
	if a.Width != b.Width || a.Height != b.Height || a.Channels != b.Channels {
		t.Fatalf("got %d×%d×%d, want %d×%d×%d", a.Width, a.Height, a.Channels, b.Width, b.Height, b.Channels)
	}
	sum := 0.0
	for i := range a.Pix {
		weightA, weightB := 1.0, 1.0
		if last := i - i%4 + 3; a.Channels == 4 && i != last {
			weightA, weightB = float64(a.Pix[last])/255, float64(b.Pix[last])/255
		}
		d := weightA*float64(a.Pix[i]) - weightB*float64(b.Pix[i])
		sum += d * d
	}
	return 10 * math.Log10(255*255*float64(len(a.Pix))/sum)
}
