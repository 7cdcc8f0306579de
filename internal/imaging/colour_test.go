package imaging_test

import (
	"bytes"
	"encoding/binary"
	"image/color"
	"math"
	"slices"
	"testing"

	"github.com/h2non/bimg"

	"imageflow.dev/internal/imaging"
)

// lookUp returns an ICC profile of lookup tables with two points per channel, which map each
// corner of the colour space to a Lab colour. intents are its tables: A2B0 is perceptual,
// A2B1 relative, A2B2 saturation.
func lookUp(version byte, space string, intents map[string]func([]float64) [3]float64) []byte {
	channels := map[string]int{"GRAY": 1, "RGB ": 3, "CMYK": 4}[space]
	tags := []iccTag{{"wtpt", []byte("XYZ \x00\x00\x00\x00\x00\x00\xf6\xd6\x00\x01\x00\x00\x00\x00\xd3\x2d")}}
	for _, name := range []string{"A2B0", "A2B1", "A2B2"} {
		if lab := intents[name]; lab != nil {
			tags = append(tags, iccTag{name, lookUpTable(channels, lab)})
		}
	}
	return iccOf(version, "prtr"+space+"Lab ", tags)
}

// lookUpTable returns a table of the ICC type lut8.
func lookUpTable(channels int, lab func([]float64) [3]float64) []byte {
	b := append([]byte("mft1\x00\x00\x00\x00"), byte(channels), 3, 2, 0)
	for i := range 9 { // the identity matrix
		b = binary.BigEndian.AppendUint32(b, map[bool]uint32{true: 65536}[i%4 == 0])
	}
	ramp := make([]byte, 256)
	for i := range ramp {
		ramp[i] = byte(i)
	}
	b = append(b, bytes.Repeat(ramp, channels)...)
	for corner := range 1 << channels { // the last channel varies fastest
		at := make([]float64, channels)
		for c := range at {
			at[c] = float64(corner >> (channels - 1 - c) & 1)
		}
		v := lab(at)
		b = append(b, byte(math.Round(v[0]*2.55)), byte(v[1]+128), byte(v[2]+128))
	}
	return append(b, bytes.Repeat(ramp, 3)...)
}

// oddInks maps CMYK to unusual Lab colours, with a black that is not quite dark.
func oddInks(v []float64) [3]float64 {
	c, m, y, k := v[0], v[1], v[2], v[3]
	return [3]float64{12 + (1-k)*(88-30*c-20*m-25*y), (1 - k) * (60*c - 50*m), (1 - k) * (40*m - 60*y)}
}

func mirroredInks(v []float64) [3]float64 {
	lab := oddInks(v)
	return [3]float64{lab[0], -lab[1], -lab[2]}
}

func oddLight(v []float64) [3]float64 {
	r, g, b := v[0], v[1], v[2]
	return [3]float64{30*r + 20*g + 50*b, 60*b - 50*g, 50*r - 40*b}
}

func oddGrey(v []float64) [3]float64 { return [3]float64{100 * v[0], 40 * v[0], -30 * v[0]} }

type tables = map[string]func([]float64) [3]float64

var patches = [6][4]byte{{255, 0, 0, 0}, {0, 255, 0, 0}, {0, 0, 255, 0}, {0, 0, 0, 255}, {128, 64, 0, 32}, {0, 0, 0, 0}}

// patchTIFF returns a TIFF of the patches in a row, 16 × 16 pixels each.
func patchTIFF(photometric uint32, channels, bits int, profile []byte) []byte {
	return tiffOf(patches, photometric, channels, bits, profile)
}

func tiffOf(patches [6][4]byte, photometric uint32, channels, bits int, profile []byte) []byte {
	entries := rgbTIFF(uint32(16*len(patches)), 16)
	entries[2].values = slices.Repeat([]uint32{uint32(bits)}, channels)
	entries[4].values = []uint32{photometric}
	entries[6].values = []uint32{uint32(channels)}
	if profile != nil {
		values := make([]uint32, len(profile))
		for i, v := range profile {
			values[i] = uint32(v)
		}
		entries = append(entries, entry{34675, undefined, values})
	}
	var pixels []byte
	for range 16 {
		for _, p := range patches {
			for range 16 {
				for _, v := range p[:channels] {
					pixels = append(pixels, bytes.Repeat([]byte{v}, bits/8)...)
				}
			}
		}
	}
	return withPixels(binary.LittleEndian, entries, pixels)
}

// patchJPEG returns a CMYK JPEG of the patches, with inverted values as Adobe writes them.
func patchJPEG(t *testing.T, profile []byte) []byte {
	t.Helper()
	options := bimg.Options{Type: bimg.JPEG, Quality: 95, Interpretation: bimg.InterpretationCMYK}
	jpeg, err := bimg.Resize(patchTIFF(5, 4, 8, nil), options)
	if err != nil {
		t.Fatal(err)
	}
	if profile == nil {
		return jpeg
	}
	return withProfile(jpeg, profile)
}

// checkPatches compares the patches with sRGB colours, at full size and resized.
func checkPatches(t *testing.T, data []byte, want [6]rgb) {
	t.Helper()
	m := open(t, data)
	small, err := m.Resize(t.Context(), m.Width/2, m.Height/2, imaging.Good, imaging.PNG)
	if err != nil {
		t.Fatal(err)
	}
	for way, p := range map[string]*imaging.Pixels{"in full": pixels(t, data), "resized": pixels(t, small.Data)} {
		for i := range want {
			at := p.Channels * (p.Height/2*p.Width + (2*i+1)*p.Width/12)
			for c := range 3 {
				if math.Abs(float64(int(p.Pix[at+c])-want[i][c])) > 5 {
					t.Errorf("%s: patch %d is %v, want %v", way, i, p.Pix[at:at+3], want[i])
					break
				}
			}
		}
	}
}

// TestProfiles_areAppliedAsByLittleCMS has expected colours computed by Little CMS.
func TestProfiles_areAppliedAsByLittleCMS(t *testing.T) {
	relative := [6]rgb{{255, 121, 175}, {107, 222, 119}, {112, 188, 255}, {32, 32, 32}, {218, 167, 172}, {255, 255, 255}}
	perceptual := [6]rgb{{255, 117, 173}, {103, 221, 115}, {108, 187, 255}, {0, 0, 0}, {218, 165, 170}, {255, 255, 255}}
	light := [6]rgb{{84, 70, 0}, {0, 63, 47}, {188, 67, 188}, {0, 0, 0}, {38, 53, 6}, {0, 0, 0}}
	both := lookUp(2, "CMYK", tables{"A2B0": mirroredInks, "A2B1": oddInks})
	both4 := lookUp(4, "CMYK", tables{"A2B0": mirroredInks, "A2B1": oddInks})
	grey := [6]rgb{0: {255, 255, 255}, 4: {144, 107, 146}}
	for name, test := range map[string]struct {
		data []byte
		want [6]rgb
	}{
		"cmyk, jpeg":            {patchJPEG(t, both), relative},
		"cmyk, tiff":            {patchTIFF(5, 4, 8, both), relative},
		"cmyk, 16 bits":         {patchTIFF(5, 4, 16, both), relative},
		"cmyk, version 4":       {patchTIFF(5, 4, 8, both4), relative},
		"cmyk, perceptual only": {patchJPEG(t, lookUp(2, "CMYK", tables{"A2B0": oddInks})), perceptual},
		"rgb, relative":         {patchTIFF(2, 3, 8, lookUp(2, "RGB ", tables{"A2B1": oddLight, "A2B0": oddGrey})), light},
		"rgb, perceptual only":  {patchTIFF(2, 3, 8, lookUp(2, "RGB ", tables{"A2B0": oddLight})), light},
		"rgb, saturation only":  {patchTIFF(2, 3, 16, lookUp(2, "RGB ", tables{"A2B2": oddLight})), light},
		"grey, perceptual only": {patchTIFF(1, 1, 8, lookUp(2, "GRAY", tables{"A2B0": oddGrey})), grey},
	} {
		t.Run(name, func(t *testing.T) { checkPatches(t, test.data, test.want) })
	}
}

// TestProfiles_thatDoNotFitAreIgnored also covers broken profiles.
func TestProfiles_thatDoNotFitAreIgnored(t *testing.T) {
	cmyk := lookUp(2, "CMYK", tables{"A2B0": oddInks, "A2B1": oddInks})
	light := lookUp(2, "RGB ", tables{"A2B0": oddLight, "A2B1": oddLight})
	grey := lookUp(2, "GRAY", tables{"A2B1": oddGrey})
	clear := asPNG(t, noisy(30, 20))
	for name, test := range map[string]struct{ with, without []byte }{
		"an rgb profile on cmyk":        {patchTIFF(5, 4, 8, light), patchTIFF(5, 4, 8, nil)},
		"an rgb profile on a cmyk jpeg": {patchJPEG(t, light), patchJPEG(t, nil)},
		"half a cmyk profile":           {patchJPEG(t, cmyk[:140]), patchJPEG(t, nil)},
		"a cmyk profile without tables": {patchTIFF(5, 4, 8, lookUp(2, "CMYK", nil)), patchTIFF(5, 4, 8, nil)},
		"cmyk on rgb with alpha":        {withChunk(clear, "iCCP", deflated(cmyk)), clear},
		"grey on rgb":                   {patchTIFF(2, 3, 16, grey), patchTIFF(2, 3, 16, nil)},
	} {
		if with, without := pixels(t, test.with), pixels(t, test.without); !bytes.Equal(with.Pix, without.Pix) {
			t.Errorf("%s changes the colours", name)
		}
	}
}

// TestCMYK_withoutProfile checks that black ink is black and paper is white.
func TestCMYK_withoutProfile(t *testing.T) {
	p := pixels(t, patchJPEG(t, nil))
	for patch, want := range map[int]byte{3: 0, 5: 255} {
		at := 3 * (8*p.Width + 16*patch + 8)
		for _, v := range p.Pix[at : at+3] {
			if math.Abs(float64(v)-float64(want)) > 20 {
				t.Errorf("patch %d is %v, want about %d", patch, p.Pix[at:at+3], want)
			}
		}
	}
}

// TestLab_hasWhitePointD50 covers signed colours of 8 and 16 bits.
func TestLab_hasWhitePointD50(t *testing.T) {
	minus := func(v byte) byte { return -v }
	labs := [6][4]byte{{200, 20, 40}, {100, minus(30), 10}, {230, 10, minus(20)}, {150, 0, 0}, {60, 50, 20}, {128, 40, minus(60)}}
	want := [6]rgb{{245, 179, 120}, {28, 105, 75}, {232, 222, 255}, {142, 142, 142}, {120, 0, 30}, {141, 95, 224}}
	for _, bits := range []int{8, 16} {
		checkPatches(t, tiffOf(labs, 8, 3, bits, nil), want)
	}
}

// Test16Bits_areRoundedAfterTheProfile covers values between two 8-bit steps.
func Test16Bits_areRoundedAfterTheProfile(t *testing.T) {
	for value, want := range map[uint16]struct{ plain, linear byte }{
		0x8000: {128, 188}, 0x8100: {128, 188}, 0x01ff: {2, 22}, 0xffff: {255, 255},
		0x0080: {0, 6}, 0x0081: {1, 6}, 0x0050: {0, 4},
	} {
		colour := color.NRGBA64{value, value, value, 0x40ff}
		clear := asPNG(t, deep(24, 16, colour))
		for name, test := range map[string]struct {
			data []byte
			want byte
		}{
			"grey":   {asPNG(t, deep16(24, 16, value)), want.plain},
			"alpha":  {clear, want.plain},
			"linear": {withChunk(clear, "iCCP", deflated(profile("RGB ", 1))), want.linear},
		} {
			for way, e := range everyWay(t, open(t, test.data), imaging.TIFF) {
				if p := pixels(t, e.Data); p.Pix[0] != test.want || p.Channels == 4 && p.Pix[3] != 65 {
					t.Errorf("%#x, %s, %s: got %v, want %d", value, name, way, p.Pix[:p.Channels], test.want)
				}
			}
		}
	}
}

// TestPaintable_takesInks: inks are painted as pixels.
func TestPaintable_takesInks(t *testing.T) {
	for name, data := range map[string][]byte{"JPEG": patchJPEG(t, nil), "TIFF": patchTIFF(5, 4, 8, nil)} {
		p, err := open(t, data).Paintable(t.Context(), imaging.JPEG, color.RGBA{A: 255})
		if _, ok := p.(*imaging.Pixels); err != nil || !ok {
			t.Errorf("%s: got %T, %v, want pixels", name, p, err)
		}
	}
}
