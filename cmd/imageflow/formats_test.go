package main

import (
	"strings"
	"testing"
)

// TestPrintFormats: a build names at least the formats without which it does not start.
func TestPrintFormats(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"formats"}, &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, formats := range []string{"bmp gif jpeg png tiff webp", "jpeg png tiff webp"} {
		for _, f := range strings.Fields(formats) {
			if !strings.Contains(lines[i]+",", " "+f+",") {
				t.Errorf("no %s in %q", f, lines[i])
			}
		}
	}
}
