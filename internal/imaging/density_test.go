package imaging_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"imageflow.dev/internal/imaging"
)

// densityIn returns the density of an encoded image with its unit.
func densityIn(t *testing.T, f imaging.Format, data []byte) string {
	t.Helper()
	be := binary.BigEndian
	switch f {
	case imaging.JPEG:
		unit := []string{"", "inch", "cm"}[data[13]]
		return fmt.Sprintf("%d × %d %s", be.Uint16(data[14:]), be.Uint16(data[16:]), unit)
	case imaging.PNG:
		at := bytes.Index(data, []byte("pHYs"))
		if at < 0 {
			return "1 × 1 "
		}
		return fmt.Sprintf("%d × %d %s", be.Uint32(data[at+4:]), be.Uint32(data[at+8:]), []string{"", "m"}[data[at+12]])
	}
	le := binary.LittleEndian
	directory := data[le.Uint32(data[4:]):]
	values := map[uint16]float64{}
	for i := range int(le.Uint16(directory)) {
		e := directory[2+12*i:]
		switch tag, value := le.Uint16(e), le.Uint32(e[8:]); tag {
		case 282, 283:
			values[tag] = float64(le.Uint32(data[value:])) / float64(le.Uint32(data[value+4:]))
		case 296:
			values[tag] = float64(le.Uint16(e[8:]))
		}
	}
	return fmt.Sprintf("%v × %v %s", values[282], values[283], []string{"", "", "inch", "cm"}[int(values[296])])
}

func jfif(unit byte, across, down uint16) []byte {
	be := binary.BigEndian
	return append(be.AppendUint16(be.AppendUint16(append([]byte("JFIF\x00\x01\x01"), unit), across), down), 0, 0)
}

func pHYs(across, down uint32, unit byte) []byte {
	be := binary.BigEndian
	return append(be.AppendUint32(be.AppendUint32(nil, across), down), unit)
}

// densityCase is an image with the densities of its outputs.
type densityCase struct {
	data            []byte
	jpeg, png, tiff string
}

func densityCases(t *testing.T) map[string]densityCase {
	m := detailed(64, 48)
	jpeg, png := asJPEG(t, m), asPNG(t, m)
	resolution := func(unit, across, down, by uint32) []entry {
		return []entry{
			{282, rational, []uint32{across, by}}, {283, rational, []uint32{down, by}}, {296, short, []uint32{unit}},
		}
	}
	tiff := func(unit, across, down, by uint32) []byte {
		entries := append(rgbTIFF(64, 48), resolution(unit, across, down, by)...)
		return withPixels(binary.LittleEndian, entries, slices.Repeat([]byte{90}, 3*64*48))
	}
	camera := append([]entry{{274, short, []uint32{6}}}, resolution(2, 300, 150, 1)...)
	exif := append([]byte("Exif\x00\x00"), asTIFF(binary.BigEndian, camera...)...)
	metres := withChunk(png, "pHYs", pHYs(11811, 5906, 1))
	return map[string]densityCase{
		"none":         {png, "1 × 1 ", "1 × 1 ", "1 × 1 "},
		"jpeg of none": {withSegment(jpeg, 0xe0, jfif(0, 1, 1)), "1 × 1 ", "1 × 1 ", "1 × 1 "},
		"jpeg, inches": {withSegment(jpeg, 0xe0, jfif(1, 300, 150)),
			"300 × 150 inch", "11811 × 5906 m", "300 × 150 inch"},
		"jpeg, centimetres":   {withSegment(jpeg, 0xe0, jfif(2, 118, 59)), "118 × 59 cm", "11800 × 5900 m", "118 × 59 cm"},
		"jpeg of wide pixels": {withSegment(jpeg, 0xe0, jfif(0, 2, 1)), "2 × 1 ", "2 × 1 ", "2 × 1 "},
		"jpeg, turned, EXIF": {withSegment(jpeg, 0xe1, exif),
			"150 × 300 inch", "5906 × 11811 m", "150 × 300 inch"},
		"png, metres":         {metres, "300 × 150 inch", "11811 × 5906 m", "299.999 × 150.012 inch"},
		"png of wide pixels":  {withChunk(png, "pHYs", pHYs(3, 2, 0)), "3 × 2 ", "3 × 2 ", "3 × 2 "},
		"tiff, inches":        {tiff(2, 3005, 1500, 10), "301 × 150 inch", "11831 × 5906 m", "300.5 × 150 inch"},
		"tiff, centimetres":   {tiff(3, 118, 59, 1), "118 × 59 cm", "11800 × 5900 m", "118 × 59 cm"},
		"tiff of equal ratio": {tiff(1, 72, 72, 1), "1 × 1 ", "1 × 1 ", "1 × 1 "},
		"tiff of nonsense":    {tiff(2, 0, 0, 0), "1 × 1 ", "1 × 1 ", "1 × 1 "},
	}
}

// TestDensity_isKept checks that an image keeps its size in print.
func TestDensity_isKept(t *testing.T) {
	for name, test := range densityCases(t) {
		for f, want := range map[imaging.Format]string{imaging.JPEG: test.jpeg, imaging.PNG: test.png, imaging.TIFF: test.tiff} {
			for way, e := range everyWay(t, open(t, test.data), f) {
				if got := densityIn(t, f, e.Data); got != want {
					t.Errorf("%s, %s to %s: got %s, want %s", name, way, f, got, want)
				}
				if pixels(t, e.Data).Width != e.Width {
					t.Errorf("%s, %s to %s: the output is broken", name, way, f)
				}
			}
		}
	}
}

// TestEncode_addsNoMetadata checks for metadata that libvips adds.
func TestEncode_addsNoMetadata(t *testing.T) {
	for _, f := range writable {
		for name, data := range map[string][]byte{
			"opaque": encoded(t, detailed(64, 48), f), "with alpha": encoded(t, noisy(64, 48), f),
		} {
			for _, text := range []string{"Exif", "EXIF", "http://ns.adobe.com", "vips"} {
				if bytes.Contains(data, []byte(text)) {
					t.Errorf("%s, %s: contains %q", f, name, text)
				}
			}
		}
	}
}
