package imaging_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/h2non/bimg"

	"imageflow.dev/internal/imaging"
)

// bombs are small files of images far beyond the limits.
func bombs(t testing.TB) map[string][]byte {
	le, be := binary.LittleEndian, binary.BigEndian
	bigPNG := asPNG(t, detailed(8, 8))
	binary.BigEndian.PutUint32(bigPNG[16:], 50_000)
	binary.BigEndian.PutUint32(bigPNG[20:], 50_000)
	bigJPEG := asJPEG(t, detailed(8, 8))
	frame := bytes.Index(bigJPEG, []byte{0xff, 0xc0})
	copy(bigJPEG[frame+5:], []byte{0xff, 0xff, 0xff, 0xff})
	samplesPerPixel := rgbTIFF(7000, 7000)
	samplesPerPixel[6].values = []uint32{4000}
	float := rgbTIFF(7000, 7000)
	float[2].values = []uint32{64, 64, 64}
	// libtiff uses the first of two equal tags.
	twice := append([]entry{{256, long, []uint32{60_000}}}, rgbTIFF(4, 4)...)
	tiled := append(rgbTIFF(4, 4)[:5:5], entry{277, short, []uint32{3}},
		entry{322, long, []uint32{60_000}}, entry{323, long, []uint32{60_000}},
		entry{324, long, []uint32{8}}, entry{325, long, []uint32{16}})
	return map[string][]byte{
		"png 50k":                 bigPNG,
		"jpeg 65k":                bigJPEG,
		"jpeg after a stray byte": strayMarker(bigJPEG),
		"gif 65k":                 gifOf(65535, 65535, [4]int{0, 0, 65535, 65535}),
		"gif of a larger frame":   gifOf(10, 10, [4]int{0, 0, 65535, 65535}),
		"webp lossy 16k":          riff("VP8 ", []byte{0, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f}),
		"webp lossless 16k":       riff("VP8L", vp8l(16384, 16384, false)),
		"webp 16M":                riff("VP8X", []byte{0, 0, 0, 0, 255, 255, 255, 255, 255, 255}),
		"tiff 4G":                 asTIFF(le, rgbTIFF(1<<32-1, 1<<32-1)...),
		"tiff 20k":                asTIFF(le, rgbTIFF(20_000, 20_000)...),
		"tiff 10k, big-endian":    asTIFF(be, rgbTIFF(10_000, 10_000)...),
		"tiff of two widths":      asTIFF(le, twice...),
		"tiff of many samples":    asTIFF(le, samplesPerPixel...),
		"tiff of doubles":         asTIFF(le, float...),
		"tiff of huge tiles":      asTIFF(le, tiled...),
	}
}

// strayMarker hides the true frame of a JPEG in bytes that may look like a segment to a
// parser, but not to libjpeg, and adds a small frame.
func strayMarker(jpeg []byte) []byte {
	frame := bytes.Index(jpeg, []byte{0xff, 0xc0})
	length := 2 + int(binary.BigEndian.Uint16(jpeg[frame+2:]))
	hidden := jpeg[frame : frame+length]
	small := bytes.Clone(hidden)
	copy(small[5:], []byte{0, 8, 0, 8})
	out := append(bytes.Clone(jpeg[:frame]), 0xff, 0x00, 0, byte(2+length))
	return append(append(append(out, hidden...), small...), jpeg[frame+length:]...)
}

func TestLimits(t *testing.T) {
	data := asPNG(t, detailed(40, 30))
	for _, test := range []struct {
		limits   imaging.Limits
		accepted bool
	}{
		{imaging.Limits{MaxSide: 40, MaxPixels: 1200}, true},
		{imaging.Limits{MaxSide: 39, MaxPixels: 1200}, false},
		{imaging.Limits{MaxSide: 40, MaxPixels: 1199}, false},
	} {
		_, err := imaging.ParseHeader(data, test.limits)
		if (err == nil) != test.accepted || err != nil && !isInputError(err) {
			t.Errorf("%+v: %v", test.limits, err)
		}
	}
}

// foreign are files of unsupported formats. libvips could read some of them.
var foreign = map[string]string{
	"nothing":  "",
	"one byte": "\xff",
	"zeros":    strings.Repeat("\x00", 100),
	"text":     "hello, this is not an image",
	"svg":      `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>`,
	"pdf":      "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
	"ps":       "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
	"ppm":      "P6\n2 1\n255\nabcdef",
}

// TestStart_blocksUntrustedFormats calls libvips through bimg, which has no header
// parser in front of it.
func TestStart_blocksUntrustedFormats(t *testing.T) {
	for range 2 { // later calls do nothing
		if err := imaging.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"svg", "pdf"} {
		if _, err := bimg.Resize([]byte(foreign[name]), bimg.Options{Type: bimg.PNG}); err == nil {
			t.Errorf("libvips reads %s", name)
		}
	}
}

// polyglots are images of 30×20 pixels with a file of another format inside or after them.
func polyglots(t testing.TB) map[string][]byte {
	svg := []byte(foreign["svg"])
	jpeg, png := asJPEG(t, detailed(30, 20)), asPNG(t, detailed(30, 20))
	return map[string][]byte{
		"jpeg with svg inside": withSegment(jpeg, 0xfe, svg),
		"jpeg before svg":      append(bytes.Clone(jpeg), svg...),
		"png before pdf":       append(bytes.Clone(png), foreign["pdf"]...),
		"png before jpeg":      append(bytes.Clone(png), asJPEG(t, detailed(99, 99))...),
		"gif before a script":  append(gifOf(30, 20, [4]int{0, 0, 30, 20}), "=1;alert(1)"...),
	}
}

func TestPolyglots_areReadAsTheirFirstFormat(t *testing.T) {
	for name, data := range polyglots(t) {
		if p := pixels(t, data); p.Width != 30 || p.Height != 20 {
			t.Errorf("%s: got %d×%d, want 30×20", name, p.Width, p.Height)
		}
	}
}

// TestJPEG_ignoresTheEndMarkerOfItsThumbnail truncates a JPEG after its thumbnail.
func TestJPEG_ignoresTheEndMarkerOfItsThumbnail(t *testing.T) {
	thumbnail := string(asJPEG(t, detailed(8, 8)))
	whole := withSegment(asJPEG(t, detailed(200, 100)), 0xe1,
		append([]byte("Exif\x00\x00"), exif(binary.LittleEndian, 3, thumbnail)...))
	if m := open(t, whole); m.Orientation != 3 {
		t.Errorf("got orientation %d, want 3", m.Orientation)
	}
	half := open(t, whole[:len(whole)/2])
	if _, err := half.Pixels(t.Context()); !isInputError(err) {
		t.Errorf("half of a JPEG with a thumbnail: %v", err)
	}
}

// TestHalfAnImage_isRejected uses a complete file with half of the image data.
func TestHalfAnImage_isRejected(t *testing.T) {
	whole := asPNG(t, noisy(60, 40))
	at := bytes.Index(whole, []byte("IDAT"))
	length := binary.BigEndian.Uint32(whole[at-4:])
	rest := append(bytes.Clone(whole[:at-4]), whole[at+8+int(length):]...)
	half := withChunk(rest, "IDAT", whole[at+4:at+4+int(length/2)])
	for way, resize := range map[string]func(m *imaging.Image) error{
		"in full": func(m *imaging.Image) error { _, err := m.Pixels(t.Context()); return err },
		"resized": func(m *imaging.Image) error {
			_, err := m.Resize(t.Context(), 20, 10, imaging.Good, imaging.PNG)
			return err
		},
	} {
		if err := resize(open(t, half)); !isInputError(err) {
			t.Errorf("%s: %v", way, err)
		}
	}
}

// TestCorruptMiddle_neverFailsInternally damages files at many places. Each is rejected, or
// decoded to the size in its header.
func TestCorruptMiddle_neverFailsInternally(t *testing.T) {
	for name, sample := range samples(t) {
		for at := 12; at < len(sample.data)-12; at += 1 + len(sample.data)/40 {
			data := bytes.Clone(sample.data)
			copy(data[at:], "\xff\x00\xaa\x55")
			m, err := imaging.Open(data, imaging.Limits{MaxSide: 500, MaxPixels: 250_000})
			if err != nil {
				continue
			}
			p, err := m.Pixels(t.Context())
			if err != nil && !isInputError(err) {
				t.Errorf("%s damaged at %d: %v", name, at, err)
			}
			if w, h := m.Size(); err == nil && (p.Width != w || p.Height != h) {
				t.Errorf("%s damaged at %d: the header has %d×%d, the decoder %d×%d", name, at, w, h, p.Width, p.Height)
			}
		}
	}
}
