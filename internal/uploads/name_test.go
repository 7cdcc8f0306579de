package uploads

import "testing"

// TestSafeName: a name keeps its ending, by which the bridge knows images.
func TestSafeName(t *testing.T) {
	for name, want := range map[string]string{
		"日本語.jpg": "image.jpg", "Фото.PNG": "image.PNG", "kätze.jpg": "k-tze.jpg", ".jpg": "image.jpg", "-a.jpg": "a.jpg",
		"../../a.jpg": "a.jpg", `c:\dir\b.png`: "b.png", "..": "", "плот": "", "a.": "a.",
	} {
		if got := SafeName(name); got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
}

// TestContentType: bytes decide where Go knows them, and names elsewhere.
func TestContentType(t *testing.T) {
	for _, c := range []struct{ name, start, want string }{
		{"a.png", "\xff\xd8\xff\xe0", "image/jpeg"}, {"a.TIF", "II*\x00", "image/tiff"}, {"a.heif", "", "image/heic"},
		{"a.jxl", "\xff\x0a", "image/jxl"}, {"a", "text", "application/octet-stream"}, {"a.jpg; x", "", "application/octet-stream"},
	} {
		if got := ContentType(c.name, []byte(c.start)); got != c.want {
			t.Errorf("%s with %q has %s, want %s", c.name, c.start, got, c.want)
		}
	}
}
