package imaging_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"testing"
	"time"

	"imageflow.dev/internal/imaging"
)

// withoutRace leaves a test out under the race detector, which multiplies the
// memory and the processor time that the test measures. `make test` runs it again
// without.
func withoutRace(t *testing.T) {
	t.Helper()
	if race {
		t.Skip("the race detector changes what is measured here; make test runs this without it")
	}
}

// inflating is a zlib stream of some thousand bytes for each of so many MiB.
func inflating(mib int) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(make([]byte, 1<<20)) // a buffer takes all
	_ = w.Flush()
	first := bytes.Clone(b.Bytes())
	_, _ = w.Write(make([]byte, 1<<20))
	_ = w.Flush()
	again := bytes.Clone(b.Bytes()[len(first):]) // goes on where it ends
	return append(append(first, bytes.Repeat(again, mib-1)...), 3, 0, 0, 0, 0, 0)
}

// pngOf is a PNG of zeros with its chunks: some before the image data, and that.
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

// TestBombsCostNothing: small files that would take decoders for many seconds take
// less than one of the processor, whether they are refused or taken.
func TestBombsCostNothing(t *testing.T) {
	withoutRace(t)
	const gib = 1 << 10
	large := inflating(4 * gib)
	small := deflate(make([]byte, 100*(1+3*100)))
	text := append([]byte("k\x00\x00"), inflating(gib)...)
	unicode := append([]byte("k\x00\x01\x00\x00\x00"), inflating(gib)...)
	deflated := rgbTIFF(100, 100)
	deflated[3].values = []uint32{8}
	for name, file := range map[string]struct {
		data  []byte
		taken bool
	}{
		"png, surplus image data":             {pngOf(100, 100, 0, nil, large), false},
		"png, surplus image data of a wide":   {pngOf(4000, 20, 0, nil, large), false},
		"png, surplus interlaced image data":  {pngOf(100, 100, 1, nil, large), false},
		"png, compressed texts":               {pngOf(100, 100, 0, bytes.Repeat(chunk("zTXt", text), 10), small), true},
		"png, compressed texts behind":        {textsBehind(pngOf(100, 100, 0, nil, small), chunk("zTXt", text)), true},
		"png, compressed Unicode texts":       {pngOf(100, 100, 0, bytes.Repeat(chunk("iTXt", unicode), 10), small), true},
		"png, a colour profile":               {pngOf(100, 100, 0, chunk("iCCP", append([]byte("p\x00\x00"), large...)), small), true},
		"png, a million texts":                {pngOf(100, 100, 0, bytes.Repeat(chunk("tEXt", []byte("k\x00v")), 1_000_000), small), true},
		"jpeg, scans over a large picture":    {manyScans(7000, 90), false},
		"tiff, a strip that inflates further": {withPixels(binary.LittleEndian, deflated, large), true},
		"tiff, strips of the same megabytes":  {sameStrips(16_000, deflate(make([]byte, 1<<20)), 1<<20), false},
		"gif, codes behind the last pixel":    {gifWithMore(8 << 20), true},
		"gif of many frames":                  {gifOf(30, 20, manyFrames(300_000)...), true},
	} {
		t.Run(name, func(t *testing.T) {
			began := cpuTime(t)
			m, err := imaging.Open(file.data, roomy)
			if err == nil {
				_, err = m.Resize(t.Context(), 16, 16, imaging.Good, imaging.PNG)
			}
			took := cpuTime(t) - began
			t.Logf("%d bytes, %v, %v", len(file.data), took, err)
			if (err == nil) != file.taken || err != nil && !isInputError(err) {
				t.Errorf("got %v", err)
			}
			if took > time.Second {
				t.Errorf("took %v of the processor", took)
			}
		})
	}
}

// textsBehind puts chunks between the image data and the end.
func textsBehind(png, chunks []byte) []byte { return insert(png, len(png)-12, chunks...) }

// sameStrips has each row in a strip of its own, all of which are the same bytes of
// the file, compressed ones and some more.
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

// gifWithMore has image data of so many bytes behind that of its pixels.
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
