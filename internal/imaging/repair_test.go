package imaging_test

import (
	"bytes"
	"encoding/binary"
	"image/color"
	"reflect"
	"strings"
	"testing"

	"github.com/h2non/bimg"

	"imageflow.dev/internal/imaging"
)

// faulty is a file with a fault that does its pixels no harm.
type faulty struct {
	whole, data []byte
	says        string
}

func progressive(t testing.TB, width, height int) []byte {
	t.Helper()
	data, err := bimg.Resize(asPNG(t, detailed(width, height)), bimg.Options{Type: bimg.JPEG, Quality: 90, Interlace: true})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// insert puts bytes into data.
func insert(data []byte, at int, more ...byte) []byte {
	return append(append(bytes.Clone(data[:at]), more...), data[at:]...)
}

// without leaves the last n bytes out.
func without(data []byte, n int) []byte { return data[: len(data)-n : len(data)-n] }

func badChecksum(data []byte, kind string) []byte {
	data = bytes.Clone(data)
	at := bytes.Index(data, []byte(kind))
	data[at+4+int(binary.BigEndian.Uint32(data[at-4:]))] ^= 1
	return data
}

func faults(t *testing.T) map[string]faulty {
	jpeg, slow, png := asJPEG(t, detailed(60, 40)), progressive(t, 60, 40), asPNG(t, noisy(60, 40))
	tables := bytes.Index(jpeg, []byte{0xff, 0xc4})
	two := gifOf(30, 20, [4]int{0, 0, 30, 20}, [4]int{0, 0, 9, 9})
	one := gifOf(30, 20, [4]int{0, 0, 30, 20})
	profiled := withChunk(png, "iCCP", deflated(profile("RGB ", 1)))
	all := map[string]faulty{
		"jpeg without end":                   {jpeg, without(jpeg, 2), "the end marker was missing"},
		"jpeg with half an end":              {jpeg, without(jpeg, 1), "the end marker was missing"},
		"jpeg with zeros for its end":        {jpeg, append(without(jpeg, 2), make([]byte, 90)...), "the end marker was missing"},
		"progressive jpeg without end":       {slow, without(slow, 2), "the end marker was missing"},
		"jpeg with bytes between segments":   {jpeg, insert(jpeg, tables, 1, 2, 3), "bytes between its segments were left out"},
		"jpeg with what looks like a marker": {jpeg, insert(jpeg, tables, 0xff, 0, 7), "bytes between its segments were left out"},
		"png without end":                    {png, without(png, 12), "the end marker was missing"},
		"png with half an end":               {png, without(png, 7), "the end marker was missing"},
		"png with a bad end":                 {png, badChecksum(png, "IEND"), "the end marker did not match its checksum"},
		"png with a bad text":                {png, badChecksum(withChunk(png, "tEXt", []byte("a\x00b")), "tEXt"), "a chunk that did not match its checksum was left out"},
		"png with a bad size":                {png, badChecksum(withChunk(png, "pHYs", make([]byte, 9)), "pHYs"), "a chunk that did not match its checksum was left out"},
		"png with two profiles":              {profiled, withChunk(profiled, "iCCP", deflated(profile("RGB ", 1))), "a second colour profile was left out"},
		"gif without end":                    {one, without(one, 1), "the end marker was missing"},
		"gif with a zero for its end":        {one, append(without(one, 1), 0), "bytes behind its frames were left out"},
		"gif with bytes before its end":      {one, insert(one, len(one)-1, 7, 7), "bytes behind its frames were left out"},
		"animated gif without end":           {two, without(two, 1), "the end marker was missing"},
		"animated gif, its second frame cut": {two, without(two, 5), "the end marker was missing"},
	}
	for _, order := range []byteOrder{binary.LittleEndian, binary.BigEndian} {
		for name, fault := range faultyTIFFs(order) {
			all[name+", "+order.String()] = fault
		}
	}
	return all
}

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func faultyTIFFs(order byteOrder) map[string]faulty {
	image := bytes.Repeat([]byte{90, 40, 200}, 600)
	build := func(change func([]entry) []entry) []byte {
		return withPixels(order, change(rgbTIFF(30, 20)), image)
	}
	whole := build(func(e []entry) []entry { return e })
	large := bytes.Clone(whole)
	order.PutUint32(large[8+2+12*8+8:], 5_000)
	private := build(func(e []entry) []entry { return append(e, entry{50_000, long, make([]uint32, 3)}) })
	order.PutUint32(private[8+2+12*9+8:], 1<<30)
	return map[string]faulty{
		"tiff without sizes":                   {whole, build(func(e []entry) []entry { return e[:8] }), "the size of its image data was missing"},
		"tiff with a size beyond the file":     {whole, large, "the size of its image data was too large"},
		"tiff with a private value outside it": {whole, private, "a tag whose value lies outside the file was left out"},
	}
}

// TestFaultsAreRepaired: where all pixels are there, they come out as those of the
// file without the fault, and what was wrong is said. STRICT_INPUT refuses, with the
// same words.
func TestFaultsAreRepaired(t *testing.T) {
	strict := roomy
	strict.Strict = true
	for name, fault := range faults(t) {
		t.Run(name, func(t *testing.T) {
			if whole := open(t, fault.whole); len(whole.Repaired) > 0 {
				t.Fatalf("the file without the fault: %v", whole.Repaired)
			}
			m := open(t, fault.data)
			if !reflect.DeepEqual(m.Repaired, []string{fault.says}) {
				t.Errorf("it says %v, want %q", m.Repaired, fault.says)
			}
			if got, want := pixels(t, fault.data), pixels(t, fault.whole); !reflect.DeepEqual(got, want) {
				t.Error("the pixels are not those of the file without the fault")
			}
			_, err := imaging.Open(fault.data, strict)
			if !isInputError(err) || !strings.Contains(err.Error(), fault.says) || !strings.Contains(err.Error(), "STRICT_INPUT") {
				t.Errorf("strict: got %v", err)
			}
			if _, err := imaging.Open(fault.whole, strict); err != nil {
				t.Errorf("strict, without the fault: %v", err)
			}
		})
	}
}

// TestRepairedBytesAreWhole: an input that is handed on as it is has no fault any more.
func TestRepairedBytesAreWhole(t *testing.T) {
	for name, fault := range faults(t) {
		m := open(t, fault.data)
		if !m.Format.Writable() {
			continue
		}
		out, err := m.Convert(t.Context(), m.Format)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// libtiff works missing sizes out, which nothing is written for.
		if again := open(t, out.Data); len(again.Repaired) > 0 && !strings.Contains(name, "without sizes") {
			t.Errorf("%s: handed on it says %v", name, again.Repaired)
		}
		if !reflect.DeepEqual(pixels(t, out.Data), pixels(t, fault.whole)) {
			t.Errorf("%s: handed on it has other pixels", name)
		}
	}
}

// TestDoubtfulPixelsAreRefused: what decides about pixels is not repaired.
func TestDoubtfulPixelsAreRefused(t *testing.T) {
	png := asPNG(t, paletted(30, 20, 0))
	at := bytes.Index(png, []byte("IDAT"))
	slow := progressive(t, 60, 40)
	scan := bytes.LastIndex(slow, []byte{0xff, 0xda})
	text := insert(png, at-4, withChunk(png, "tEXt", []byte("a\x00b"))[33:33+12+3]...)
	for name, data := range map[string][]byte{
		"png with bad image data":           badChecksum(png, "IDAT"),
		"png with a bad header":             badChecksum(png, "IHDR"),
		"png with a bad palette":            badChecksum(png, "PLTE"),
		"png with bad transparency":         badChecksum(png, "tRNS"),
		"png cut in its image data":         png[:at+20],
		"png with an unknown critical part": bytes.Replace(text, []byte("tEXt"), []byte("TEXt"), 1),
		"progressive jpeg without a scan":   slow[:scan],
		"tiff with its colours outside it":  withPixels(binary.LittleEndian, append(rgbTIFF(30, 20), entry{338, long, make([]uint32, 1<<16)}), nil)[:400],
	} {
		m, err := imaging.Open(data, roomy)
		if err == nil {
			_, err = m.Pixels(t.Context())
		}
		if !isInputError(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := imaging.Open(asPNG(t, flat(9, 9, color.NRGBA{1, 2, 3, 255})), imaging.Limits{MaxSide: 9, MaxPixels: 81, Strict: true}); err != nil {
		t.Errorf("strict: %v", err)
	}
}
