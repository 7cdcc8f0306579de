package imaging_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/internal/imaging"
)

// maker returns the entry of a camera's make.
func maker(name string) entry {
	e := entry{tag: 271, kind: undefined}
	for _, c := range append([]byte(name), 0) {
		e.values = append(e.values, uint32(c))
	}
	return e
}

// rawImage returns a TIFF of a preview and a further directory with raw samples. The preview refers to
// it by SubIFDs, or it follows in the chain.
func rawImage(order byteOrder, chained bool, raw entry, more ...entry) []byte {
	preview := append(append(rgbTIFF(30, 20), more...), entry{330, 13, []uint32{0}})
	if chained {
		preview = preview[:len(preview)-1]
	}
	data := withPixels(order, preview, bytes.Repeat([]byte{90}, 1800))
	at := uint32(len(data))
	if chained {
		order.PutUint32(data[8+2+12*len(preview):], at)
	} else {
		order.PutUint32(data[8+2+12*(len(preview)-1)+8:], at)
	}
	entries := rgbTIFF(30, 20)
	entries[slices.IndexFunc(entries, func(e entry) bool { return e.tag == raw.tag })] = raw
	return append(data, asTIFF(order, entries...)[8:]...)
}

// rawImages are raw images of cameras with their names.
func rawImages() map[string][]byte {
	mosaic, nef, arw := entry{262, short, []uint32{32803}}, entry{259, short, []uint32{34713}}, entry{259, short, []uint32{32767}}
	le, be := binary.LittleEndian, binary.BigEndian
	cr2 := rawImage(le, true, entry{262, short, []uint32{1}}, maker("Canon"))
	directory := bytes.Clone(cr2[8 : 8+2+12*10+4]) // it moves to the end, behind a mark
	le.PutUint32(cr2[4:], uint32(len(cr2)))
	copy(cr2[8:], "CR\x02\x00")
	cr2 = append(cr2, directory...)
	version := entry{50706, undefined, []uint32{1, 4, 0, 0}}
	return map[string][]byte{
		"a raw image of a Nikon camera": rawImage(be, false, mosaic, maker("NIKON CORPORATION")),
		"a raw image of a Sony camera":  rawImage(le, false, arw, maker("SONY")),
		"a raw image of a Leaf camera":  rawImage(be, true, nef, maker("Leaf")),
		"a raw image of a Canon camera": cr2,
		"a raw image of a camera":       rawImage(le, false, mosaic),
		"a DNG raw image":               rawImage(le, false, mosaic, maker("Apple"), version),
	}
}

// TestRawImages_areNamed checks that the preview of a raw image is not taken for the image.
func TestRawImages_areNamed(t *testing.T) {
	for want, data := range rawImages() {
		if _, err := imaging.Open(data, roomy); err == nil || !strings.HasPrefix(err.Error(), want+"; supported formats") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestTIFF_withOtherDirectoriesIsNoRawImage covers thumbnails and loops of directories.
func TestTIFF_withOtherDirectoriesIsNoRawImage(t *testing.T) {
	le := binary.LittleEndian
	rgb := entry{262, short, []uint32{2}}
	loop := withPixels(le, append(rgbTIFF(30, 20), entry{330, 13, []uint32{8}}), bytes.Repeat([]byte{90}, 1800))
	many := withPixels(le, append(rgbTIFF(30, 20), entry{330, long, make([]uint32, 5_000)}), bytes.Repeat([]byte{90}, 1800))
	for name, data := range map[string][]byte{
		"a smaller image in SubIFDs": rawImage(le, false, rgb), "a second page": rawImage(le, true, rgb, maker("NIKON")),
		"a loop": loop, "many": many,
	} {
		if p := pixels(t, data); p.Width != 30 {
			t.Errorf("%s: %d pixels wide", name, p.Width)
		}
	}
}

// listing returns the segment of a Multi-Picture file that lists images of these types.
func listing(types ...uint32) []byte {
	le := binary.LittleEndian
	var list []uint32
	for _, kind := range types {
		for _, b := range append(le.AppendUint32(nil, kind), make([]byte, 12)...) {
			list = append(list, uint32(b))
		}
	}
	index := asTIFF(le, entry{0xb001, long, []uint32{uint32(len(types))}}, entry{0xb002, undefined, list})
	return append([]byte("MPF\x00"), index...)
}

func TestAnimated_countsFramesOnly(t *testing.T) {
	jpeg, png := asJPEG(t, detailed(30, 20)), asPNG(t, detailed(30, 20))
	withFrames := func(n byte) []byte { return withChunk(png, "acTL", []byte{0, 0, 0, n, 0, 0, 0, 0}) }
	control := withChunk(png, "fcTL", make([]byte, 26))
	end := bytes.Index(png, []byte("IEND")) - 4
	late := slices.Concat(png[:end], withChunk(png, "acTL", []byte{0, 0, 0, 9, 0, 0, 0, 0})[33:33+20], png[end:])
	for name, test := range map[string]struct {
		data []byte
		want bool
	}{
		"a stereo pair":                 {withSegment(jpeg, 0xe2, listing(0x20020002, 0x20002)), true},
		"a panorama":                    {withSegment(jpeg, 0xe2, listing(0x20020001, 0x20001, 0x20001)), true},
		"a preview":                     {withSegment(jpeg, 0xe2, listing(0x20030000, 0x10002)), false},
		"a gain map":                    {withSegment(jpeg, 0xe2, listing(0x20030000, 0)), false},
		"an empty list":                 {withSegment(jpeg, 0xe2, []byte("MPF\x00")), false},
		"two frames":                    {withFrames(2), true},
		"no frames":                     {withFrames(0), false},
		"one frame, which is the image": {withChunk(control, "acTL", []byte{0, 0, 0, 1, 0, 0, 0, 0}), false},
		"one frame after another image": {withFrames(1), true},
		"frames after the image data":   {late, false},
		"a truncated count of frames":   {withChunk(png, "acTL", []byte{0, 0}), false},
	} {
		if m := open(t, test.data); m.Animated != test.want {
			t.Errorf("%s: animated is %v, want %v", name, m.Animated, test.want)
		}
	}
}
