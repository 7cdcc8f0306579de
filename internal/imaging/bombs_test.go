package imaging_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"testing"
	"time"

	"imageflow.dev/internal/imaging"
)

// withoutRace skips a test under the race detector, which multiplies the memory and the CPU
// time that the test measures. `make test` runs the test again without it.
func withoutRace(t *testing.T) {
	t.Helper()
	if imaging.Race {
		t.Skip("the race detector changes what is measured here; make test runs this without it")
	}
}

// inflating returns a zlib stream that inflates to this many MiB, about 1000 times its size.
func inflating(mib int) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(make([]byte, 1<<20)) // writes to a buffer do not fail
	_ = w.Flush()
	first := bytes.Clone(b.Bytes())
	_, _ = w.Write(make([]byte, 1<<20))
	_ = w.Flush()
	again := bytes.Clone(b.Bytes()[len(first):]) // can be repeated
	return append(append(first, bytes.Repeat(again, mib-1)...), 3, 0, 0, 0, 0, 0)
}

// pngOf returns a PNG with the chunks before, and an IDAT chunk with data.
func pngOf(width, height uint32, interlaced byte, before, data []byte) []byte {
	be := binary.BigEndian
	ihdr := be.AppendUint32(be.AppendUint32(nil, width), height)
	png := chunk("IHDR", append(ihdr, 8, 2, 0, 0, interlaced))
	png = append(append(append([]byte("\x89PNG\r\n\x1a\n"), png...), before...), chunk("IDAT", data)...)
	return append(png, chunk("IEND", nil)...)
}

func chunk(kind string, content []byte) []byte {
	empty := withChunk(make([]byte, 33), kind, content)
	return empty[33:]
}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

// bomb is a small file that takes a decoder many seconds.
type bomb struct {
	data     []byte
	accepted bool
}

func slowBombs() map[string]bomb {
	const gib = 1 << 10
	large := inflating(4 * gib)
	small := deflate(make([]byte, 100*(1+3*100)))
	text := append([]byte("k\x00\x00"), inflating(gib)...)
	unicode := append([]byte("k\x00\x01\x00\x00\x00"), inflating(gib)...)
	deflated := rgbTIFF(100, 100)
	deflated[3].values = []uint32{8}
	icc := chunk("iCCP", append([]byte("p\x00\x00"), large...))
	texts := func(kind string, content []byte, n int) []byte {
		return pngOf(100, 100, 0, bytes.Repeat(chunk(kind, content), n), small)
	}
	return map[string]bomb{
		"png, surplus image data":                 {pngOf(100, 100, 0, nil, large), false},
		"png, surplus image data of a wide image": {pngOf(4000, 20, 0, nil, large), false},
		"png, surplus interlaced image data":      {pngOf(100, 100, 1, nil, large), false},
		"png, compressed texts":                   {texts("zTXt", text, 10), true},
		"png, compressed texts at the end":        {textsAtEnd(pngOf(100, 100, 0, nil, small), chunk("zTXt", text)), true},
		"png, compressed Unicode texts":           {texts("iTXt", unicode, 10), true},
		"png, a colour profile":                   {pngOf(100, 100, 0, icc, small), true},
		"png, a million texts":                    {texts("tEXt", []byte("k\x00v"), 1_000_000), true},
		"jpeg, scans over a large image":          {manyScans(7000, 90), false},
		"tiff, surplus data in a strip":           {withPixels(binary.LittleEndian, deflated, large), true},
		"tiff, strips of the same megabytes":      {sameStrips(16_000, deflate(make([]byte, 1<<20)), 1<<20), false},
		"gif, codes after the last pixel":         {gifWithMore(8 << 20), true},
		"gif of many frames":                      {gifOf(30, 20, manyFrames(300_000)...), true},
	}
}

// TestBombsCostNothing checks that each bomb takes less than one second of CPU time.
func TestBombsCostNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory or time: make test")
	}
	withoutRace(t)
	for name, file := range slowBombs() {
		t.Run(name, func(t *testing.T) {
			began := cpuTime(t)
			m, err := imaging.Open(file.data, roomy)
			if err == nil {
				_, err = m.Resize(t.Context(), 16, 16, imaging.Good, imaging.PNG)
			}
			took := cpuTime(t) - began
			t.Logf("%d bytes, %v, %v", len(file.data), took, err)
			if (err == nil) != file.accepted || err != nil && !isInputError(err) {
				t.Errorf("got %v", err)
			}
			if took > time.Second {
				t.Errorf("took %v of CPU time", took)
			}
		})
	}
}

// textsAtEnd inserts chunks between the image data and the end.
func textsAtEnd(png, chunks []byte) []byte { return insert(png, len(png)-12, chunks...) }

// sameStrips returns a TIFF with one strip per row. All strips are the same size bytes of the
// file, which start with the compressed data.
func sameStrips(height uint32, data []byte, size int) []byte {
	e := rgbTIFF(100, height)
	e[3].values, e[7].values = []uint32{8}, []uint32{1}
	e[5].values, e[8].values = make([]uint32, height), make([]uint32, height)
	at := uint32(len(asTIFF(binary.LittleEndian, e...)))
	for i := range height {
		e[5].values[i], e[8].values[i] = at, uint32(size)
	}
	return append(asTIFF(binary.LittleEndian, e...), append(data, make([]byte, size)...)...)
}

// gifWithMore returns a GIF with n bytes of image data after its last pixel.
func gifWithMore(n int) []byte {
	gif := gifOf(30, 20, [4]int{0, 0, 30, 20})
	more := bytes.Repeat(append([]byte{255}, bytes.Repeat([]byte{0x84}, 255)...), n/256)
	return insert(gif, len(gif)-2, more...)
}

func manyFrames(n int) [][4]int {
	frames := [][4]int{{0, 0, 30, 20}}
	for range n {
		frames = append(frames, [4]int{0, 0, 1, 1})
	}
	return frames
}
