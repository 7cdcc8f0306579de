package imaging_test

import (
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/internal/imaging"
)

// roomy are large limits, in the order of the defaults of the processors.
var roomy = imaging.Limits{MaxSide: 16383, MaxPixels: 50_000_000}

func open(t testing.TB, data []byte) *imaging.Image {
	t.Helper()
	m, err := imaging.Open(data, roomy)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func pixels(t testing.TB, data []byte) *imaging.Pixels {
	t.Helper()
	p, err := open(t, data).Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// detailed draws smooth gradients, rings that get finer outwards, and hard edges.
func detailed(width, height int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			u, v := float64(x)/float64(width), float64(y)/float64(height)
			ring := math.Sin(60 * math.Pi * (u*u + v*v) / 2)
			c := color.NRGBA{uint8(128 + 100*ring), uint8(255 * u), uint8(255 * v), 255}
			if int(u*8)%2 == int(v*8)%2 {
				c.B = 255 - c.B
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

// flat returns an image of one colour.
func flat(width, height int, c color.NRGBA) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := 0; i < len(m.Pix); i += 4 {
		copy(m.Pix[i:], []byte{c.R, c.G, c.B, c.A})
	}
	return m
}

// noisy returns an image with random colours and random alpha.
func noisy(width, height int) *image.NRGBA {
	random := rand.New(rand.NewPCG(1, 2))
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = byte(random.Uint32())
	}
	return m
}

// here is this folder. The store of the tests changes the working directory.
var here, _ = os.Getwd()

// photo reads a test image of bimg.
func photo(t testing.TB, name string) []byte {
	t.Helper()
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/h2non/bimg")
	list.Dir = here
	dir, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func asPNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// encoded encodes an image with this package, for formats that the standard library only
// decodes.
func encoded(t testing.TB, m image.Image, f imaging.Format) []byte {
	t.Helper()
	e, err := pixels(t, asPNG(t, m)).Encode(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return e.Data
}

// exif returns a TIFF structure with an orientation, followed by the bytes of a thumbnail.
func exif(order binary.AppendByteOrder, orientation int, thumbnail string) []byte {
	return append(asTIFF(order, entry{274, short, []uint32{uint32(orientation)}}), thumbnail...)
}

// withSegment inserts a marker segment after the start marker of a JPEG.
func withSegment(data []byte, marker byte, payload []byte) []byte {
	head := []byte{0xff, 0xd8, 0xff, marker}
	head = binary.BigEndian.AppendUint16(head, uint16(len(payload)+2))
	return append(append(head, payload...), data[2:]...)
}

func withOrientation(data []byte, orientation int) []byte {
	return withSegment(data, 0xe1, append([]byte("Exif\x00\x00"), exif(binary.BigEndian, orientation, "")...))
}

// Kinds of TIFF fields.
const (
	short     = 3
	long      = 4
	rational  = 5 // entry has two values for each
	undefined = 7 // bytes
)

// entry is an entry of a TIFF directory.
type entry struct {
	tag, kind uint16
	values    []uint32
}

// asTIFF writes a TIFF of one directory without pixels.
func asTIFF(order binary.AppendByteOrder, entries ...entry) []byte {
	b := append([]byte("II"), 42, 0)
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = append([]byte("MM"), 0, 42)
	}
	return append(order.AppendUint32(b, 8), directoryAt(order, 8, entries...)...)
}

// directoryAt returns the last directory of a TIFF, which is at an offset, with its values.
func directoryAt(order binary.AppendByteOrder, offset int, entries ...entry) []byte {
	b := order.AppendUint16(nil, uint16(len(entries)))
	var values []byte
	for _, e := range entries {
		count := len(e.values)
		if e.kind == rational {
			count /= 2
		}
		b = order.AppendUint32(order.AppendUint16(order.AppendUint16(b, e.tag), e.kind), uint32(count))
		var field []byte
		for _, v := range e.values {
			switch e.kind {
			case undefined:
				field = append(field, byte(v))
			case short:
				field = order.AppendUint16(field, uint16(v))
			default:
				field = order.AppendUint32(field, v)
			}
		}
		if len(field) > 4 {
			at := offset + 2 + 12*len(entries) + 4 + len(values)
			values = append(values, field...)
			field = order.AppendUint32(nil, uint32(at))
		}
		b = append(b, append(field, 0, 0, 0, 0)[:4]...)
	}
	return append(order.AppendUint32(b, 0), values...)
}

// rgbTIFF returns the entries of an uncompressed image. Its pixels start at the directory,
// so that the file needs no pixels of its own.
func rgbTIFF(width, height uint32) []entry {
	return []entry{
		{256, long, []uint32{width}},
		{257, long, []uint32{height}},
		{258, short, []uint32{8, 8, 8}},
		{259, short, []uint32{1}},
		{262, short, []uint32{2}},
		{273, long, []uint32{8}},
		{277, short, []uint32{3}},
		{278, long, []uint32{height}},
		{279, long, []uint32{min(width*height*3, 64)}},
	}
}

// withPixels writes a TIFF with its pixels after the directory.
func withPixels(order binary.AppendByteOrder, entries []entry, pixels []byte) []byte {
	for i, e := range entries {
		switch e.tag {
		case 273:
			entries[i].values = []uint32{uint32(len(asTIFF(order, entries...)))}
		case 279:
			entries[i].values = []uint32{uint32(len(pixels))}
		}
	}
	return append(asTIFF(order, entries...), pixels...)
}

// gifOf writes a GIF with a screen of width × height and red frames, each given as {left,
// top, width, height}.
func gifOf(width, height int, frames ...[4]int) []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(le.AppendUint16([]byte("GIF89a"), uint16(width)), uint16(height))
	b = append(b, 0x80, 0, 0, 255, 0, 0, 0, 0, 255) // two colours: red, blue
	for _, f := range frames {
		b = append(b, 0x2c)
		for _, v := range f {
			b = le.AppendUint16(b, uint16(v))
		}
		b = append(append(append(b, 0), gifData(f[2]*f[3])...), 0)
	}
	return append(b, 0x3b)
}

// gifData returns the image data of n pixels of colour 0, or of a million if n is larger,
// without the terminating block.
func gifData(n int) []byte {
	var codes bytes.Buffer
	w := lzw.NewWriter(&codes, lzw.LSB, 2)
	_, _ = w.Write(make([]byte, min(n, 1<<20))) // writes to a buffer do not fail
	_ = w.Close()
	b := []byte{2}
	for block := range slices.Chunk(codes.Bytes(), 255) {
		b = append(append(b, byte(len(block))), block...)
	}
	return b
}
