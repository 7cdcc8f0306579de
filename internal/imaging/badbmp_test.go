package imaging_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"imageflow.dev/internal/imaging"
)

// rleKind is a kind with run-length codes of 8 or 4 bits.
func rleKind(depth int) bmpKind {
	return bmpKind{40, 6, 3, depth, map[int]uint32{8: 1, 4: 2}[depth], nil, 16}
}

func TestBMP_runLengthCodes(t *testing.T) {
	const want = "555012" + "001230" + "777777" // the rows from the top
	for name, test := range map[string]struct {
		bits     int
		codes    string
		repaired bool
	}{
		"8 bits": {8, "\x06\x07\x00\x00" + "\x00\x02\x02\x00\x00\x03\x01\x02\x03\x00\x00\x00" +
			"\x03\x05\x00\x03\x00\x01\x02\x00\x00\x01", false},
		"4 bits": {4, "\x06\x77\x00\x00" + "\x00\x02\x02\x00\x00\x03\x12\x30\x00\x00" +
			"\x03\x55\x00\x03\x01\x20\x00\x01", false},
		"alternating": {4, "\x06\x77\x00\x00" + "\x02\x00\x00\x03\x12\x30\x00\x00" +
			"\x03\x55\x01\x00\x02\x12\x00\x00\x00\x01", false},
		"without an end": {8, "\x06\x07\x00\x00" + "\x02\x00\x00\x03\x01\x02\x03\x00\x00\x00" +
			"\x03\x05\x00\x03\x00\x01\x02", false},
		"beyond its row": {8, "\xff\x07\x00\x00" + "\x02\x00\x00\x03\x01\x02\x03\x00\x00\x00" +
			"\x03\x05\x00\x03\x00\x01\x02\x00\x09\x00\x00\x01", true},
		"above the image": {8, "\x06\x07\x00\x00" + "\x02\x00\x00\x03\x01\x02\x03\x00\x00\x00" +
			"\x03\x05\x00\x03\x00\x01\x02\x00\x00\x00\x06\x07\x00\x02\x00\xff\x00\x03\x01\x02\x03\x00", true},
	} {
		m := open(t, append(rleKind(test.bits).headers(), test.codes...))
		p, err := m.Pixels(t.Context())
		if err != nil || len(m.Repaired) > 0 != test.repaired {
			t.Errorf("%s: %v, repaired %v", name, err, m.Repaired)
			continue
		}
		for i := range want {
			c := bmpColour(int(want[i] - '0'))
			if !bytes.Equal(p.Pix[3*i:3*i+3], []byte{c.R, c.G, c.B}) {
				t.Errorf("%s: pixel %d is %v, want index %c", name, i, p.Pix[3*i:3*i+3], want[i])
			}
		}
	}
}

// codedBMP returns a BMP of run-length codes.
func codedBMP(width, height int) []byte {
	data := bmpKind{40, width, height, 8, 1, nil, 256}.headers()
	for y := range height {
		data = append(data, byte(width-3), byte(y), 0, 3, 1, 2, 3, 0, 0, 0)
	}
	return append(data, 0, 1)
}

// badBMPs are rejected by their headers or codes.
func badBMPs() map[string][]byte {
	rle := func(codes string) []byte { return append(rleKind(8).headers(), codes...) }
	with := func(at int, value uint32) []byte {
		data := bmpKinds["8 bits"].file()
		binary.LittleEndian.PutUint32(data[at:], value)
		return data
	}
	return map[string][]byte{
		"bmp 2G":                   with(18, 1<<31-1),
		"bmp of 2G rows":           with(22, 1<<31-1),
		"bmp of a negative width":  with(18, 1<<32-37),
		"bmp of the least height":  with(22, 1<<31),
		"bmp of no rows":           with(22, 0),
		"bmp of a huge header":     with(14, 1<<31),
		"bmp of a tiny header":     with(14, 3),
		"bmp of huge depth":        with(28, 30_000),
		"bmp of pixels outside":    with(10, 1<<32-1),
		"bmp of pixels in header":  with(10, 20),
		"bmp of a huge palette":    with(46, 1<<32-1)[:1000],
		"bmp of bad masks":         bmpKind{56, 9, 9, 16, 3, []uint32{0xf0f, 0xf0, 0, 0}, 0}.file(),
		"bmp of wide masks":        bmpKind{56, 9, 9, 16, 3, []uint32{0xff0000, 0xf0, 0, 0}, 0}.file(),
		"bmp of no masks":          bmpKind{56, 9, 9, 16, 3, []uint32{0, 0, 0, 0xff}, 0}.file(),
		"bmp of a JPEG":            bmpKind{40, 9, 9, 24, 4, nil, 0}.file(),
		"bmp of Huffman codes":     bmpKind{64, 9, 9, 1, 3, nil, 2}.file(),
		"rle cut in a row":         rle("\x06\x07\x00\x00\x03\x07"),
		"rle cut in a copy":        rle("\x00\xff\x01"),
		"rle cut in a move":        rle("\x00\x02\x01"),
		"rle of 8 bits in 4":       append(bmpKind{40, 6, 3, 4, 1, nil, 16}.headers(), "\x06\x07\x00\x01"...),
		"bmp of 50k × 50k, in rle": append(bmpKind{40, 50_000, 50_000, 8, 1, nil, 2}.headers(), "\x00\x01"...),
	}
}

func TestBMP_badFilesAreRejected(t *testing.T) {
	for name, data := range badBMPs() {
		if m, err := imaging.Open(data, roomy); !isInputError(err) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	for name, kind := range bmpKinds {
		whole := kind.file()
		for n := range whole {
			if _, err := imaging.Open(whole[:n], roomy); !isInputError(err) && n < len(whole)-3 {
				t.Fatalf("%s cut to %d of %d bytes: %v", name, n, len(whole), err)
			}
		}
	}
}

// TestBMP_runLengthCodesFromTheTop: a negative height reverses the rows.
func TestBMP_runLengthCodesFromTheTop(t *testing.T) {
	const codes = "\x06\x07\x00\x00\x06\x03\x00\x00\x02\x05\x04\x01\x00\x01"
	up := pixels(t, append(bmpKind{40, 6, 3, 8, 1, nil, 16}.headers(), codes...))
	down := pixels(t, append(bmpKind{40, 6, -3, 8, 1, nil, 16}.headers(), codes...))
	for y := range 3 {
		if row, want := down.Pix[18*y:18*(y+1)], up.Pix[18*(2-y):18*(3-y)]; !bytes.Equal(row, want) {
			t.Errorf("row %d: got %v, want %v", y, row, want)
		}
	}
}
