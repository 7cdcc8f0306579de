package imaging_test

import (
	"strings"
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestForeignFiles_areNamed checks that the error names the format of the file and the
// supported formats, and does not repeat content of the file.
func TestForeignFiles_areNamed(t *testing.T) {
	zeros := strings.Repeat("\x00", 64)
	for want, data := range map[string]string{
		"a PDF;":                          "%PDF-1.4\nsecret",
		"a PostScript document;":          "%!PS-Adobe-3.0 EPSF-3.0\nsecret",
		"an SVG image;":                   "\xef\xbb\xbf \n<?xml version=\"1.0\"?><!-- secret --><svg/>",
		"HTML;":                           "<!DOCTYPE html><p>secret",
		"text;":                           "secret words",
		"a QuickTime video;":              "\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  " + zeros,
		"an MP4 video;":                   "\x00\x00\x00\x14ftypisom\x00\x00\x00\x00mp41" + zeros,
		"a raw image of a Canon camera":   "\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01crx isom" + zeros,
		"a raw image of a Fujifilm":       "FUJIFILMCCD-RAW 0201" + zeros,
		"a JPEG 2000 image;":              "\x00\x00\x00\x0cjP  \r\n\x87\n" + zeros,
		"an ICO icon;":                    "\x00\x00\x01\x00" + zeros,
		"a CUR cursor;":                   "\x00\x00\x02\x00\x01\x00\x20\x20" + zeros,
		"a TGA image;":                    "\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40\x00\x30\x00\x18\x00" + zeros,
		"a Photoshop document;":           "8BPS" + zeros,
		"a QOI image;":                    "qoif" + zeros,
		"a PBM, PGM or PPM image;":        "P6\n2 1\n255\nsecret",
		"an MNG animation;":               "\x8aMNG\r\n\x1a\n" + zeros,
		"a PCX image;":                    "\x0a\x05\x01\x08" + zeros,
		"an Office document;":             "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + zeros,
		"a FLAC sound;":                   "fLaC" + zeros,
		"a program;":                      "\x7fELF" + zeros,
		"a ZIP archive;":                  "PK\x03\x04" + zeros,
		"a file of type audio/mpeg;":      "ID3" + zeros,
		"not an image of a known format;": "\x01\x02\x03\x04secret",
	} {
		_, err := imaging.Open([]byte(data), roomy)
		const supported = "; supported formats are jpeg, png, webp, avif, jxl, heic, tiff, gif and bmp"
		if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), supported) {
			t.Errorf("%q: got %v, want %s", data[:12], err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v repeats its input", err)
		}
	}
}

// TestForeignFiles_ofAnyLength truncates files before the bytes that identify them.
func TestForeignFiles_ofAnyLength(t *testing.T) {
	for _, whole := range []string{
		"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf", "\xff\xff\xff\xffftypavif",
		"P6\n2 1\n", "<svg>", "\x00\x00\x02\x00\x01\x00",
		strings.Repeat("\x00", 128) + "DICM", strings.Repeat("a", 257) + "ustar",
	} {
		for n := range len(whole) + 1 {
			if _, err := imaging.Open([]byte(whole[:n]), roomy); !isInputError(err) {
				t.Errorf("%q: %v", whole[:n], err)
			}
		}
	}
}
