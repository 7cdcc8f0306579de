package imaging_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// maxColourDistance is the maximum mean difference to Little CMS, in steps of 8 bits.
const maxColourDistance = 2

// TestColours_areThoseOfLittleCMS covers wide gamuts, profiles of tables, which have only the perceptual
// intent or describe inks, inks without a profile, Lab, and 16 bits. testdata/colours/make.py made the
// files and what Little CMS makes of them.
func TestColours_areThoseOfLittleCMS(t *testing.T) {
	folder := filepath.Join(here, "testdata", "colours")
	references, err := filepath.Glob(filepath.Join(folder, "*.*.png"))
	if err != nil || len(references) == 0 {
		t.Fatal("no references", err)
	}
	for _, reference := range references {
		name := strings.TrimSuffix(filepath.Base(reference), ".png")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				t.Fatal(err)
			}
			made, err := os.ReadFile(reference)
			if err != nil {
				t.Fatal(err)
			}
			if off := meanDistance(pixels(t, data), pixels(t, made)); off > maxColourDistance {
				t.Errorf("the mean difference is %.2f, want at most %d", off, maxColourDistance)
			}
		})
	}
}
