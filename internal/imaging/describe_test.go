package imaging_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"imageflow.dev/internal/imaging"
)

// traits are the facts of a header that no decoder needs.
type traits struct {
	bits, frames int
	space        string
	across, down float64
	profile      string
}

type describedFile struct {
	data []byte
	want traits
}

// describedFiles are images of all formats with their traits.
func describedFiles(t *testing.T) map[string]describedFile {
	le := binary.LittleEndian
	opaque := detailed(30, 20)
	jpeg, png := asJPEG(t, opaque), asPNG(t, opaque)
	webp := simpleWebP(encoded(t, opaque, imaging.WebP))
	resolution := []entry{{282, rational, []uint32{300, 1}}, {283, rational, []uint32{600, 4}}, {296, short, []uint32{2}}}
	metric := []entry{{282, rational, []uint32{40, 1}}, {283, rational, []uint32{80, 1}}, {296, short, []uint32{3}}}
	frame := riff("ANMF", make([]byte, 16))[12:]
	framed := riff("VP8X", []byte{2, 0, 0, 0, 29, 0, 0, 19, 0, 0}, slices.Concat(webp[12:], frame, frame)...)
	return map[string]describedFile{
		"jpeg":                {withSegment(jpeg, 0xe0, jfif(1, 72, 96)), traits{8, 1, "rgb", 72, 96, ""}},
		"jpeg, ratio":         {withSegment(jpeg, 0xe0, jfif(0, 1, 2)), traits{8, 1, "rgb", 0, 0, ""}},
		"jpeg, grey":          {asJPEG(t, grey(30, 20, 99)), traits{8, 1, "grey", 0, 0, ""}},
		"jpeg, cmyk":          {cmykJPEG(t, opaque), traits{8, 1, "cmyk", 71.98, 71.98, "Chemical proof"}},
		"jpeg, turned":        {withSegment(withOrientation(jpeg, 6), 0xe0, jfif(1, 72, 96)), traits{8, 1, "rgb", 96, 72, ""}},
		"png":                 {withChunk(png, "pHYs", pHYs(11811, 5906, 1)), traits{8, 1, "rgb", 300, 150.01, ""}},
		"png, palette":        {asPNG(t, paletted(30, 20, 255)), traits{8, 1, "rgb", 0, 0, ""}},
		"png, animated":       {animatedPNG(t, 3, 2), traits{8, 2, "rgb", 0, 0, ""}},
		"png, too few frames": {animatedPNG(t, 2, 1<<32-1), traits{8, 2, "rgb", 0, 0, ""}},
		"webp":                {webp, traits{8, 1, "rgb", 0, 0, ""}},
		"webp, density":       {extendedWebP(webp, 8, asTIFF(le, resolution...)), traits{8, 1, "rgb", 300, 150, ""}},
		"webp, frames":        {framed, traits{8, 2, "rgb", 0, 0, ""}},
		"gif":                 {gifOf(30, 20, [4]int{0, 0, 30, 20}), traits{8, 1, "rgb", 0, 0, ""}},
		"gif, animated":       {gifOf(30, 20, [4]int{0, 0, 30, 20}, [4]int{1, 1, 9, 9}), traits{8, 2, "rgb", 0, 0, ""}},
		"tiff":                {smallTIFF(le, metric...), traits{8, 1, "rgb", 101.6, 203.2, ""}},
		"tiff, 2 pages":       {twoPages(), traits{8, 2, "rgb", 0, 0, ""}},
		"tiff, BigTIFF":       {asBigTIFF(binary.BigEndian, smallTIFF(binary.BigEndian)), traits{8, 1, "rgb", 0, 0, ""}},
		"bmp":                 {alphaBMP(noisy(30, 20)), traits{8, 1, "rgb", 72.01, 72.01, ""}},
		"avif":                {heifFile(t, "10.avif"), traits{10, 1, "rgb", 0, 0, ""}},
		"avif, grey":          {heifFile(t, "grey.avif"), traits{8, 1, "grey", 0, 0, ""}},
		"avif, frames":        {heifFile(t, "frames.avif"), traits{8, 0, "rgb", 0, 0, ""}},
		"heic, profile":       {heifFile(t, "p3.heic"), traits{8, 1, "rgb", 0, 0, "sP3C"}},
	}
}

func TestHeader_describesAllFormats(t *testing.T) {
	for name, c := range describedFiles(t) {
		h, err := imaging.ParseHeader(c.data, roomy)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		across, down := h.Density()
		if got := (traits{h.Bits, h.Frames, h.ColourSpace(), across, down, h.ProfileName}); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// twoPages returns a TIFF with a second directory.
func twoPages() []byte {
	data := secondPage(smallTIFF(binary.LittleEndian))
	next := 10 + 12*int(binary.LittleEndian.Uint16(data[8:]))
	binary.LittleEndian.PutUint32(data[next:], uint32(len(data)))
	return append(data, directoryAt(binary.LittleEndian, len(data), rgbTIFF(30, 20)...)...)
}

// TestTIFF_pagesInCycle: the chain of directories may lead back to its beginning.
func TestTIFF_pagesInCycle(t *testing.T) {
	h, err := imaging.ParseHeader(secondPage(smallTIFF(binary.LittleEndian)), roomy)
	if err != nil || !h.Animated || h.Frames != 0 {
		t.Errorf("got %d frames, %v, want an unknown number", h.Frames, err)
	}
}

// multilingual returns the names Größe and Size of a profile of version 4.
func multilingual() []byte {
	text := func(s string) (units []byte) {
		for _, r := range s {
			units = binary.BigEndian.AppendUint16(units, uint16(r))
		}
		return units
	}
	return slices.Concat([]byte("mluc\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x0c"),
		[]byte("deDE\x00\x00\x00\x0a\x00\x00\x00\x28"), []byte("enUS\x00\x00\x00\x08\x00\x00\x00\x32"),
		text("Größe"), text("Size"))
}

// TestHeader_namesProfile: version 2 has a name in ASCII, version 4 names in several languages.
func TestHeader_namesProfile(t *testing.T) {
	names := multilingual()
	v4 := iccOf(4, "mntrRGB XYZ ", []iccTag{{"desc", names}})
	cut := iccOf(4, "mntrRGB XYZ ", []iccTag{{"desc", names[:0x28]}})
	for want, icc := range map[string][]byte{
		"Adobe RGB (1998)": described(profile("RGB ", 1), "Adobe RGB (1998)"), "Size": v4, "": cut,
	} {
		for kind, data := range map[string][]byte{
			"jpeg": withProfile(asJPEG(t, detailed(30, 20)), icc),
			"png":  withChunk(asPNG(t, detailed(30, 20)), "iCCP", deflated(icc)),
		} {
			if h, err := imaging.ParseHeader(data, roomy); err != nil || h.ProfileName != want {
				t.Errorf("%s: got %q, %v, want %q", kind, h.ProfileName, err, want)
			}
		}
	}
}
