package imaging_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"imageflow.dev/internal/imaging"
)

// sampleTIFF returns a TIFF of 32 × 24 equal pixels. pixel are the samples, with 8 or 16 bits
// each, and extra the kinds of the samples after the colours.
func sampleTIFF(photometric uint32, bits int, planar bool, pixel []byte, extra ...uint32) []byte {
	const width, height = 32, 24
	entries := rgbTIFF(width, height)
	entries[2].values = slices.Repeat([]uint32{uint32(bits)}, len(pixel))
	entries[4].values = []uint32{photometric}
	entries[6].values = []uint32{uint32(len(pixel))}
	plane := make([][]byte, len(pixel))
	for i, v := range pixel {
		plane[i] = slices.Repeat([]byte{v}, bits/8)
	}
	if planar {
		entries = append(entries, entry{284, short, []uint32{2}})
	}
	if len(extra) > 0 {
		entries = append(entries, entry{338, short, extra})
	}
	if !planar {
		return withPixels(binary.LittleEndian, entries, slices.Repeat(slices.Concat(plane...), width*height))
	}
	var data []byte
	for _, p := range plane {
		data = append(data, slices.Repeat(p, width*height)...)
	}
	return withPlanes(entries, data, len(pixel))
}

// withPlanes writes a TIFF with one strip for each plane.
func withPlanes(entries []entry, pixels []byte, planes int) []byte {
	le, size := binary.LittleEndian, len(pixels)/planes
	for range 2 { // the first round determines the size of the directory
		head := len(asTIFF(le, entries...))
		for i, e := range entries {
			switch e.tag {
			case 273:
				entries[i].values = make([]uint32, planes)
				for p := range planes {
					entries[i].values[p] = uint32(head + p*size)
				}
			case 279:
				entries[i].values = slices.Repeat([]uint32{uint32(size)}, planes)
			}
		}
	}
	return append(asTIFF(le, entries...), pixels...)
}

// TestExtraSamples_exceptAlphaAreIgnored covers all positions and kinds of alpha.
func TestExtraSamples_exceptAlphaAreIgnored(t *testing.T) {
	const alpha = 102 // 40 %
	bases := map[string]struct {
		photometric uint32
		colours     []byte
	}{"grey": {1, []byte{90}}, "rgb": {2, []byte{40, 120, 200}}, "cmyk": {5, []byte{10, 60, 200, 30}}}
	for name, base := range bases {
		want := pixels(t, sampleTIFF(base.photometric, 8, false, base.colours)).Pix[:3]
		for _, extra := range [][]uint32{{}, {0}, {2}, {1}, {0, 0}, {0, 2}, {2, 0}, {0, 1}, {1, 0}, {0, 0, 0, 0, 2}} {
			for _, bits := range []int{8, 16} {
				if testing.Short() && (bits == 16 || len(extra) > 1) {
					continue
				}
				for _, planar := range []bool{false, true} {
					if name == "cmyk" && bits == 16 && slices.Contains(extra, 1) {
						continue // TestTIFF_unsupportedLayoutsAreRejected covers these
					}
					at := slices.IndexFunc(extra, func(kind uint32) bool { return kind > 0 })
					pixel := slices.Concat(base.colours, slices.Repeat([]byte{7}, max(1, len(extra))))
					if at >= 0 {
						pixel[len(base.colours)+at] = alpha
						if extra[at] == 1 {
							for c := range base.colours {
								pixel[c] = byte(math.Round(float64(pixel[c]) * alpha / 255))
							}
						}
					}
					data := sampleTIFF(base.photometric, bits, planar, pixel, extra...)
					t.Run(fmt.Sprintf("%s %d bits %v planar %v", name, bits, extra, planar), func(t *testing.T) {
						checkSamples(t, data, want, at >= 0, alpha)
					})
				}
			}
		}
	}
}

// checkSamples checks a pixel in the middle, at full size and resized.
func checkSamples(t *testing.T, data []byte, want []byte, transparent bool, alpha byte) {
	t.Helper()
	m := open(t, data)
	if m.Alpha != transparent {
		t.Fatalf("alpha is %v, want %v", m.Alpha, transparent)
	}
	small, err := m.Resize(t.Context(), 16, 12, imaging.Good, imaging.PNG)
	if err != nil {
		t.Fatal(err)
	}
	for way, p := range map[string]*imaging.Pixels{"in full": pixels(t, data), "resized": pixels(t, small.Data)} {
		got := p.Pix[p.Channels*(p.Height/2*p.Width+p.Width/2):][:p.Channels]
		for c := range 3 {
			if math.Abs(float64(got[c])-float64(want[c])) > 4 {
				t.Fatalf("%s: got %v, want %v", way, got, want)
			}
		}
		if transparent && got[3] != alpha || len(got) == 4 != transparent {
			t.Errorf("%s: got %v, want an alpha of %d", way, got, alpha)
		}
	}
}

func TestTIFF_withUncompressedYCbCr(t *testing.T) {
	subsampling := entry{530, short, []uint32{1, 1}}
	tiff := func(more ...entry) []byte {
		entries := append(rgbTIFF(32, 24), more...)
		entries[4].values = []uint32{6}
		return withPixels(binary.LittleEndian, entries, slices.Repeat([]byte{98, 117, 103}, 32*24))
	}
	// The reference values of video, and equal luma coefficients.
	video := entry{532, rational, []uint32{16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1}}
	equal := entry{529, rational, []uint32{1, 3, 1, 3, 1, 3}}
	for name, test := range map[string]struct {
		data []byte
		want []byte
	}{
		"as in JPEG":         {tiff(subsampling), []byte{63, 120, 79}},
		"as in video":        {tiff(subsampling, video), []byte{56, 120, 73}},
		"other coefficients": {tiff(equal, subsampling), []byte{65, 146, 83}},
	} {
		t.Run(name, func(t *testing.T) { checkSamples(t, test.data, test.want, false, 0) })
	}
}

// TestTIFF_unsupportedLayoutsAreRejected checks the errors of the header parser.
func TestTIFF_unsupportedLayoutsAreRejected(t *testing.T) {
	with := func(change func([]entry) []entry) []byte {
		return withPixels(binary.LittleEndian, change(rgbTIFF(32, 24)), make([]byte, 4*4*32*24))
	}
	value := func(i int, v ...uint32) func([]entry) []entry {
		return func(e []entry) []entry { e[i].values = v; return e }
	}
	add := func(tag uint16, v uint32) func([]entry) []entry {
		return func(e []entry) []entry { return append(e, entry{tag, short, []uint32{v}}) }
	}
	const planes = "tiff with planes of samples: supported for grey, RGB and CMYK only"
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"ICC Lab": {with(value(4, 9)), "tiff with photometric interpretation 9: " +
			"supported are grey, RGB, palettes, CMYK, YCbCr and Lab"},
		"too few samples":  {with(value(6, 2)), "corrupt tiff: 2 samples per pixel for 3 colours"},
		"too many samples": {with(value(6, 33)), "tiff with 33 samples per pixel: the maximum is 32"},
		"Lab in planes":    {sampleTIFF(8, 8, true, []byte{9, 9, 9}), planes},
		"inks in planes and tiles": {with(func(e []entry) []entry {
			e = value(6, 4)(value(4, 5)(e))
			return append(e, entry{284, short, []uint32{2}}, entry{322, short, []uint32{16}}, entry{323, short, []uint32{16}})
		}), "tiff with planes of CMYK in tiles: supported in strips only"},
		"deep associated inks": {sampleTIFF(5, 16, false, []byte{9, 9, 9, 9, 9}, 1),
			"tiff with Lab or 16-bit CMYK multiplied by alpha: alpha must be unassociated"},
		"associated grey of four": {sampleTIFF(1, 8, false, []byte{9, 9, 9, 9}, 1, 0, 0),
			"tiff with grey multiplied by alpha: alpha must be the last of 4 samples"},
		"other inks": {with(func(e []entry) []entry { return add(332, 2)(value(6, 4)(value(4, 5)(e))) }),
			"tiff with inks other than CMYK"},
		"subsampled YCbCr in planes": {with(func(e []entry) []entry { return add(284, 2)(value(4, 6)(e)) }),
			"tiff with subsampled YCbCr in planes or tiles: supported in strips only"},
		"old JPEGs": {with(func(e []entry) []entry { return value(3, 6)(value(4, 6)(e)) }),
			"tiff with old-style JPEG compression"},
	} {
		checkRejected(t, name, test.data, test.want)
	}
}

// checkRejected checks the error of the header parser.
func checkRejected(t *testing.T, name string, data []byte, want string) {
	t.Helper()
	if _, err := imaging.Open(data, roomy); !isInputError(err) || err.Error() != want {
		t.Errorf("%s: got %v, want %q", name, err, want)
	}
}
