package imaging_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/h2non/bimg"

	"imageflow.dev/internal/imaging"
)

type rgb = [3]int

// cmykJPEG returns an image as a JPEG of inks.
func cmykJPEG(t *testing.T, m image.Image) []byte {
	t.Helper()
	options := bimg.Options{Type: bimg.JPEG, Quality: 95, Interpretation: bimg.InterpretationCMYK}
	data, err := bimg.Resize(asPNG(t, m), options)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// oddInputs are images of one colour each, with unusual pixel formats and profiles.
func oddInputs(t *testing.T) map[string]struct {
	data []byte
	want rgb
} {
	t.Helper()
	teal := color.NRGBA{40, 120, 140, 255}
	opaque := flat(64, 48, teal)
	palette := image.NewPaletted(opaque.Rect, color.Palette{teal, color.NRGBA{1, 2, 3, 255}})
	cmyk := cmykJPEG(t, opaque)
	middle, middleJPEG := grey(64, 48, 128), asJPEG(t, middleRGB())
	teal16 := color.NRGBA64{0x2828, 0x7878, 0x8c8c, 0xffff}
	clear16 := color.NRGBA64{0x2828, 0x7878, 0x8c8c, 0xfffe}
	srgb := described(profile("RGB ", 1), "sRGB IEC61966-2.1")
	almostSRGB := described(profile("RGB ", 1), "sRGB IEC61966-2.1 linear")
	return map[string]struct {
		data []byte
		want rgb
	}{
		"grey jpeg":           {asJPEG(t, middle), rgb{128, 128, 128}},
		"grey png":            {asPNG(t, middle), rgb{128, 128, 128}},
		"grey png of 16 bits": {asPNG(t, deep16(64, 48, 0x8080)), rgb{128, 128, 128}},
		"palette png":         {asPNG(t, palette), rgb{40, 120, 140}},
		"png of 16 bits":      {asPNG(t, deep(64, 48, teal16)), rgb{40, 120, 140}},
		"16 bits with alpha":  {asPNG(t, deep(64, 48, clear16)), rgb{40, 120, 140}},
		"cmyk jpeg":           {cmyk, rgb{40, 120, 140}},
		"cmyk tiff":           {paperTIFF(64, 48), rgb{255, 255, 255}},
		"linear rgb profile":  {withProfile(middleJPEG, profile("RGB ", 1)), rgb{188, 188, 188}},
		"linear grey profile": {withProfile(asJPEG(t, middle), profile("GRAY", 1)), rgb{188, 188, 188}},
		"linear grey png":     {withChunk(asPNG(t, middle), "iCCP", deflated(profile("GRAY", 1))), rgb{188, 188, 188}},
		"linear rgb webp": {webpWithProfile(encoded(t, middleRGB(), imaging.WebP), profile("RGB ", 1)),
			rgb{188, 188, 188}},
		"sRGB by its name":    {withProfile(middleJPEG, srgb), rgb{128, 128, 128}},
		"almost sRGB's name":  {withProfile(middleJPEG, almostSRGB), rgb{188, 188, 188}},
		"grey profile on rgb": {withProfile(middleJPEG, profile("GRAY", 1)), rgb{128, 128, 128}},
		"rgb profile on grey": {withProfile(asJPEG(t, middle), profile("RGB ", 1)), rgb{128, 128, 128}},
		"half a profile":      {withProfile(middleJPEG, profile("RGB ", 1)[:140]), rgb{128, 128, 128}},
		"an invalid profile":  {withProfile(middleJPEG, []byte("no profile")), rgb{128, 128, 128}},
	}
}

// TestOddInputs_becomeSRGB checks the colour after all operations.
func TestOddInputs_becomeSRGB(t *testing.T) {
	for name, test := range oddInputs(t) {
		t.Run(name, func(t *testing.T) {
			for way, e := range everyWay(t, open(t, test.data), imaging.PNG) {
				p := pixels(t, e.Data)
				at := p.Channels * (p.Height/2*p.Width + p.Width/2)
				for c := range 3 {
					if got := int(p.Pix[at+c]); math.Abs(float64(got-test.want[c])) > 12 {
						t.Errorf("%s: got %v, want %v", way, p.Pix[at:at+3], test.want)
						break
					}
				}
			}
		})
	}
}

func middleRGB() image.Image { return flat(64, 48, color.NRGBA{128, 128, 128, 255}) }

func deep16(width, height int, v uint16) image.Image {
	m := image.NewGray16(image.Rect(0, 0, width, height))
	for i := 0; i < len(m.Pix); i += 2 {
		binary.BigEndian.PutUint16(m.Pix[i:], v)
	}
	return m
}

// paperTIFF returns a CMYK image without any ink.
func paperTIFF(width, height uint32) []byte {
	entries := rgbTIFF(width, height)
	entries[2].values = []uint32{8, 8, 8, 8}
	entries[4].values = []uint32{5}
	entries[6].values = []uint32{4}
	return withPixels(binary.LittleEndian, entries, make([]byte, width*height*4))
}

// deflated returns the payload of an iCCP chunk of a PNG.
func deflated(profile []byte) []byte {
	b := bytes.NewBufferString("name\x00\x00")
	w := zlib.NewWriter(b)
	_, _ = w.Write(profile) // writes to a buffer do not fail
	_ = w.Close()
	return b.Bytes()
}

func webpWithProfile(extended, profile []byte) []byte {
	chunk := simpleWebP(extended)[12:]
	body := append([]byte("ICCP"), binary.LittleEndian.AppendUint32(nil, uint32(len(profile)))...)
	body = append(append(body, profile...), chunk...)
	return riff("VP8X", []byte{0x20, 0, 0, 0, 63, 0, 0, 47, 0, 0}, body...)
}

func withProfile(jpeg, profile []byte) []byte {
	return withSegment(jpeg, 0xe2, append([]byte("ICC_PROFILE\x00\x01\x01"), profile...))
}

// profile returns an ICC profile with the primaries of sRGB, or of grey, and a gamma curve.
func profile(space string, gamma float64) []byte {
	be := binary.BigEndian
	xyz := func(x, y, z float64) []byte {
		b := []byte("XYZ \x00\x00\x00\x00")
		for _, v := range []float64{x, y, z} {
			b = be.AppendUint32(b, uint32(int32(v*65536)))
		}
		return b
	}
	curve := be.AppendUint16([]byte("curv\x00\x00\x00\x00\x00\x00\x00\x01"), uint16(gamma*256))
	curve = append(curve, 0, 0)
	tags := []iccTag{{"wtpt", xyz(0.9642, 1, 0.8249)}, {"kTRC", curve}}
	if space == "RGB " {
		tags = []iccTag{
			{"wtpt", xyz(0.9642, 1, 0.8249)},
			{"rXYZ", xyz(0.4360, 0.2225, 0.0139)}, {"gXYZ", xyz(0.3851, 0.7169, 0.0971)}, {"bXYZ", xyz(0.1431, 0.0606, 0.7141)},
			{"rTRC", curve}, {"gTRC", curve}, {"bTRC", curve},
		}
	}
	return iccOf(2, "mntr"+space+"XYZ ", tags)
}

type iccTag struct {
	name string
	data []byte
}

// iccOf returns an ICC profile. spaces are its class, colour space and connection space, of
// four bytes each.
func iccOf(version byte, spaces string, tags []iccTag) []byte {
	be := binary.BigEndian
	head := make([]byte, 128)
	copy(head[8:], string([]byte{version, 0x10, 0, 0})+spaces)
	copy(head[36:], "acsp")
	copy(head[68:], "\x00\x00\xf6\xd6\x00\x01\x00\x00\x00\x00\xd3\x2d") // D50
	head = be.AppendUint32(head, uint32(len(tags)))
	var body []byte
	for _, g := range tags {
		head = append(head, g.name...)
		head = be.AppendUint32(head, uint32(128+4+12*len(tags)+len(body)))
		head = be.AppendUint32(head, uint32(len(g.data)))
		body = append(body, g.data...)
	}
	out := append(head, body...)
	be.PutUint32(out, uint32(len(out)))
	return out
}

// described replaces the white point of a profile by a description.
func described(icc []byte, name string) []byte {
	be := binary.BigEndian
	text := be.AppendUint32([]byte("desc\x00\x00\x00\x00"), uint32(len(name)+1))
	text = append(append(text, name...), make([]byte, 1+78)...) // no Unicode, no script
	copy(icc[132:], "desc")
	be.PutUint32(icc[136:], uint32(len(icc)))
	be.PutUint32(icc[140:], uint32(len(text)))
	icc = append(icc, text...)
	be.PutUint32(icc, uint32(len(icc)))
	return icc
}

func grey(width, height int, v uint8) *image.Gray {
	m := image.NewGray(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = v
	}
	return m
}

func deep(width, height int, c color.NRGBA64) *image.NRGBA64 {
	m := image.NewNRGBA64(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.SetNRGBA64(x, y, c)
		}
	}
	return m
}
