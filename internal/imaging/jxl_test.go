package imaging_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
