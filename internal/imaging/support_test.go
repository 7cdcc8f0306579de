package imaging_test

import (
	"slices"
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestAllSupport_isWhatWorks: a build reads and writes what it says that it does, and the options
// are those that Check accepts.
func TestAllSupport_isWhatWorks(t *testing.T) {
	m := open(t, asPNG(t, detailed(40, 30)))
	for _, s := range imaging.AllSupport() {
		if s.Read != (s.Missing == "") && s.Write != (s.Missing == "") {
			t.Errorf("%s: reads %t, writes %t, lacks %q", s.Format, s.Read, s.Write, s.Missing)
		}
		for _, extension := range s.Extensions {
			if f, ok := imaging.FormatOf("." + extension); !ok || f != s.Format {
				t.Errorf("%s is an extension of %s, not of %s", extension, f, s.Format)
			}
		}
		if !s.Format.Writable() {
			continue
		}
		out, err := m.Resize(t.Context(), 20, 15, imaging.Good, s.Format)
		if (err == nil) != s.Write {
			t.Fatalf("%s: writes %t, got %v", s.Format, s.Write, err)
		}
		if !s.Write {
			continue
		}
		if _, err := open(t, out.Data).Pixels(t.Context()); (err == nil) != s.Read {
			t.Errorf("%s: reads %t, got %v", s.Format, s.Read, err)
		}
		for name, e := range map[string]imaging.Encoding{
			"quality": {Quality: 50}, "max_bytes": {MaxBytes: 5000}, "lossless": {Lossless: true}, "speed": {Speed: 9},
			"progressive": {Progressive: true}, "chroma": {Chroma: imaging.Chroma444},
			"compression": {Compression: 9}, "palette": {Palette: true},
			"keep": {Keep: imaging.KeepAll}, "profile": {Profile: imaging.DisplayP3},
		} {
			if err := e.Check(s.Format); (err == nil) != slices.Contains(s.Options, name) {
				t.Errorf("%s has the options %v, but %s: %v", s.Format, s.Options, name, err)
			}
		}
	}
}

func TestSupport_ofJPEG(t *testing.T) {
	got := imaging.JPEG.Support()
	if want := []string{"jpg", "jpeg", "jpe"}; !slices.Equal(got.Extensions, want) || !got.Read || !got.Write {
		t.Errorf("got %+v, want the extensions %v", got, want)
	}
}
