package imaging_test

import (
	"encoding/binary"
	"reflect"
	"testing"

	"imageflow.dev/internal/imaging"
)

// textOf returns an entry of text.
func textOf(tag uint16, text string) entry {
	e := entry{tag: tag, kind: undefined}
	for _, b := range []byte(text + "\x00") {
		e.values = append(e.values, uint32(b))
	}
	return e
}

// camera returns EXIF data of a photograph with the given directory of GPS.
func camera(order byteOrder, taken string, gps ...entry) []byte {
	photograph := []entry{textOf(36867, taken), textOf(36881, "+01:00")}
	first := func(photographAt, gpsAt int) []byte {
		return asTIFF(order, textOf(271, "Camera Works "), textOf(272, "C-1\x01"),
			entry{34665, long, []uint32{uint32(photographAt)}}, entry{34853, long, []uint32{uint32(gpsAt)}})
	}
	at := len(first(0, 0))
	second := directoryAt(order, at, photograph...)
	third := directoryAt(order, at+len(second), gps...)
	return append(append(first(at, at+len(second)), second...), third...)
}

// position returns the entries of a position at 12°30'36" south and 7°15' east.
func position() []entry {
	return []entry{
		textOf(1, "S"), {2, rational, []uint32{12, 1, 30, 1, 3600, 100}},
		textOf(3, "E"), {4, rational, []uint32{7, 1, 15, 1, 0, 1}},
		{5, undefined, []uint32{1}}, {6, rational, []uint32{85, 10}},
	}
}

func TestEXIF_ofAllFormats(t *testing.T) {
	depth := -8.5
	want := imaging.EXIF{
		Make: "Camera Works", Model: "C-1", Taken: "2026-11-27T18:59:56+01:00",
		Location: &imaging.Location{Latitude: -12.51, Longitude: 7.25, Altitude: &depth},
	}
	le, be := binary.LittleEndian, binary.BigEndian
	const taken = "2026:11:27 18:59:56"
	jpeg, png := asJPEG(t, detailed(30, 20)), asPNG(t, detailed(30, 20))
	webp := simpleWebP(encoded(t, detailed(30, 20), imaging.WebP))
	for name, data := range map[string][]byte{
		"jpeg": withSegment(jpeg, 0xe1, append([]byte("Exif\x00\x00"), camera(be, taken, position()...)...)),
		"png":  withChunk(png, "eXIf", camera(le, taken, position()...)),
		"webp": extendedWebP(webp, 8, camera(le, taken, position()...)),
	} {
		h, err := imaging.ParseHeader(data, roomy)
		if got := h.EXIF(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
	h, err := imaging.ParseHeader(smallTIFF(le, textOf(271, "Scanner"), entry{34665, long, []uint32{1 << 31}}), roomy)
	if got := h.EXIF(); err != nil || got != (imaging.EXIF{Make: "Scanner"}) {
		t.Errorf("tiff: got %+v, %v", got, err)
	}
}

// TestEXIF_leavesOutInvalidFields: the rest of the data is used.
func TestEXIF_leavesOutInvalidFields(t *testing.T) {
	png := asPNG(t, detailed(30, 20))
	of := func(taken string, edit func([]entry)) imaging.EXIF {
		gps := position()
		edit(gps)
		h, err := imaging.ParseHeader(withChunk(png, "eXIf", camera(binary.LittleEndian, taken, gps...)), roomy)
		if err != nil {
			t.Fatal(err)
		}
		return h.EXIF()
	}
	for _, taken := range []string{"", "    :  :     :  :  ", "2026:13:27 18:59:56", "yesterday"} {
		if e := of(taken, func([]entry) {}); e.Taken != "" || e.Location == nil || e.Make == "" {
			t.Errorf("taken %q: got %+v, want no time", taken, e)
		}
	}
	for name, edit := range map[string]func([]entry){
		"beyond the pole":  func(gps []entry) { gps[1].values[0] = 91 },
		"beyond the date":  func(gps []entry) { gps[3].values[0] = 181 },
		"no denominator":   func(gps []entry) { gps[1].values[3] = 0 },
		"no hemisphere":    func(gps []entry) { gps[2] = textOf(3, "") },
		"two numbers":      func(gps []entry) { gps[1].values = gps[1].values[:4] },
		"another kind":     func(gps []entry) { gps[3].kind = long },
		"without latitude": func(gps []entry) { gps[1].tag = 99 },
	} {
		if e := of("2026:11:27 18:59:56", edit); e.Location != nil || e.Taken == "" {
			t.Errorf("%s: got %+v, want no location", name, e)
		}
	}
}

// TestEXIF_ofHostileData parses EXIF data with every byte changed, and cut at every byte.
func TestEXIF_ofHostileData(t *testing.T) {
	png, whole := asPNG(t, detailed(3, 2)), camera(binary.BigEndian, "2026:11:27 18:59:56", position()...)
	for i := range whole {
		changed := append([]byte(nil), whole...)
		changed[i] ^= 0xff
		for _, data := range [][]byte{whole[:i], changed} {
			h, err := imaging.ParseHeader(withChunk(png, "eXIf", data), roomy)
			if err != nil {
				t.Fatal(err)
			}
			if l := h.EXIF().Location; l != nil && (l.Latitude < -90 || l.Latitude > 90 || l.Longitude < -180 || l.Longitude > 180) {
				t.Errorf("byte %d: got %+v", i, l)
			}
		}
	}
}
