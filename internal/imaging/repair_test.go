package imaging_test

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"

	"github.com/h2non/bimg"

	"imageflow.dev/internal/imaging"
)

// faulty is a file with a fault that does not affect its pixels.
type faulty struct {
	intact, data []byte
	fault        string
}

func progressive(t testing.TB, width, height int) []byte {
	t.Helper()
	options := bimg.Options{Type: bimg.JPEG, Quality: 90, Interlace: true}
	data, err := bimg.Resize(asPNG(t, detailed(width, height)), options)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// insert returns data with more bytes at an offset.
func insert(data []byte, at int, more ...byte) []byte {
	return append(append(bytes.Clone(data[:at]), more...), data[at:]...)
}

// without returns data without the last n bytes.
func without(data []byte, n int) []byte { return data[: len(data)-n : len(data)-n] }

func badChecksum(data []byte, kind string) []byte {
	data = bytes.Clone(data)
	at := bytes.Index(data, []byte(kind))
	data[at+4+int(binary.BigEndian.Uint32(data[at-4:]))] ^= 1
	return data
}

func faults(t *testing.T) map[string]faulty {
	const (
		noEnd        = "the end marker was missing"
		strayBytes   = "bytes between its segments were left out"
		surplusBytes = "bytes after its frames were left out"
		badChunk     = "a chunk that did not match its checksum was left out"
	)
	jpeg, slow, png := asJPEG(t, detailed(60, 40)), progressive(t, 60, 40), asPNG(t, noisy(60, 40))
	tables := bytes.Index(jpeg, []byte{0xff, 0xc4})
	two := gifOf(30, 20, [4]int{0, 0, 30, 20}, [4]int{0, 0, 9, 9})
	one := gifOf(30, 20, [4]int{0, 0, 30, 20})
	icc := deflated(profile("RGB ", 1))
	profiled := withChunk(png, "iCCP", icc)
	all := map[string]faulty{
		"jpeg without end":                 {jpeg, without(jpeg, 2), noEnd},
		"jpeg with half an end":            {jpeg, without(jpeg, 1), noEnd},
		"jpeg with zeros for its end":      {jpeg, append(without(jpeg, 2), make([]byte, 90)...), noEnd},
		"progressive jpeg without end":     {slow, without(slow, 2), noEnd},
		"jpeg with bytes between segments": {jpeg, insert(jpeg, tables, 1, 2, 3), strayBytes},
		"jpeg with an apparent marker":     {jpeg, insert(jpeg, tables, 0xff, 0, 7), strayBytes},
		"png without end":                  {png, without(png, 12), noEnd},
		"png with half an end":             {png, without(png, 7), noEnd},
		"png with a bad end":               {png, badChecksum(png, "IEND"), "the end marker did not match its checksum"},
		"png with a bad text":              {png, badChecksum(withChunk(png, "tEXt", []byte("a\x00b")), "tEXt"), badChunk},
		"png with a bad density":           {png, badChecksum(withChunk(png, "pHYs", make([]byte, 9)), "pHYs"), badChunk},
		"png with two profiles":            {profiled, withChunk(profiled, "iCCP", icc), "a second colour profile was left out"},
		"gif without end":                  {one, without(one, 1), noEnd},
		"gif with a zero for its end":      {one, append(without(one, 1), 0), surplusBytes},
		"gif with bytes before its end":    {one, insert(one, len(one)-1, 7, 7), surplusBytes},
		"animated gif without end":         {two, without(two, 1), noEnd},
		"animated gif, second frame cut":   {two, without(two, 5), noEnd},
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
	intact := build(func(e []entry) []entry { return e })
	unsized := build(func(e []entry) []entry { return e[:8] })
	large := bytes.Clone(intact)
	order.PutUint32(large[8+2+12*8+8:], 5_000)
	private := build(func(e []entry) []entry { return append(e, entry{50_000, long, make([]uint32, 3)}) })
	order.PutUint32(private[8+2+12*9+8:], 1<<30)
	twice := build(func(e []entry) []entry {
		return append(e, entry{50_000, short, []uint32{1}}, entry{50_000, short, []uint32{2}})
	})
	return map[string]faulty{
		"tiff with a repeated private tag":     {intact, twice, "a repeated tag was left out"},
		"tiff without sizes":                   {intact, unsized, "the size of its image data was missing"},
		"tiff with a size beyond the file":     {intact, large, "the size of its image data was too large"},
		"tiff with a private value outside it": {intact, private, "a tag whose value lies outside the file was left out"},
	}
}

// TestFaults_areRepaired checks that a file with all of its pixels is decoded to the same
// pixels as the intact file, and that the fault is reported. Strict limits reject the file
// with the same description.
func TestFaults_areRepaired(t *testing.T) {
	strict := roomy
	strict.Strict = true
	for name, fault := range faults(t) {
		t.Run(name, func(t *testing.T) {
			if intact := open(t, fault.intact); len(intact.Repaired) > 0 {
				t.Fatalf("the intact file: %v", intact.Repaired)
			}
			m := open(t, fault.data)
			if !reflect.DeepEqual(m.Repaired, []string{fault.fault}) {
				t.Errorf("got the faults %v, want %q", m.Repaired, fault.fault)
			}
			if got, want := pixels(t, fault.data), pixels(t, fault.intact); !reflect.DeepEqual(got, want) {
				t.Error("the pixels differ from those of the intact file")
			}
			_, err := imaging.Open(fault.data, strict)
			if !isInputError(err) || !strings.Contains(err.Error(), fault.fault) ||
				!strings.Contains(err.Error(), "STRICT_INPUT") {
				t.Errorf("strict: got %v", err)
			}
			if _, err := imaging.Open(fault.intact, strict); err != nil {
				t.Errorf("strict, intact file: %v", err)
			}
		})
	}
}

// TestConvert_returnsRepairedFiles checks the files that Convert returns without
// re-encoding.
func TestConvert_returnsRepairedFiles(t *testing.T) {
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
		// libtiff computes missing sizes, so that the file stays without them.
		if again := open(t, out.Data); len(again.Repaired) > 0 && !strings.Contains(name, "without sizes") {
			t.Errorf("%s: the output has the faults %v", name, again.Repaired)
		}
		if !reflect.DeepEqual(pixels(t, out.Data), pixels(t, fault.intact)) {
			t.Errorf("%s: the output has different pixels", name)
		}
	}
}

// TestUncertainPixels_areRejected checks that faults which affect pixels are not repaired.
func TestUncertainPixels_areRejected(t *testing.T) {
	png := asPNG(t, paletted(30, 20, 0))
	at := bytes.Index(png, []byte("IDAT"))
	slow := progressive(t, 60, 40)
	scan := bytes.LastIndex(slow, []byte{0xff, 0xda})
	text := insert(png, at-4, withChunk(png, "tEXt", []byte("a\x00b"))[33:33+12+3]...)
	extra := append(rgbTIFF(30, 20), entry{338, long, make([]uint32, 1<<16)})
	for name, data := range map[string][]byte{
		"png with bad image data":           badChecksum(png, "IDAT"),
		"png with a bad header":             badChecksum(png, "IHDR"),
		"png with a bad palette":            badChecksum(png, "PLTE"),
		"png with bad transparency":         badChecksum(png, "tRNS"),
		"png cut in its image data":         png[:at+20],
		"png with an unknown critical part": bytes.Replace(text, []byte("tEXt"), []byte("TEXt"), 1),
		"progressive jpeg without a scan":   slow[:scan],
		"tiff with extra samples outside":   withPixels(binary.LittleEndian, extra, nil)[:400],
	} {
		m, err := imaging.Open(data, roomy)
		if err == nil {
			_, err = m.Pixels(t.Context())
		}
		if !isInputError(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
