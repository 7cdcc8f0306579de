package imaging_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"imageflow.dev/internal/imaging"
)

// asBigTIFF returns a TIFF with a new directory at its end, and the header of a BigTIFF over its
// first 16 bytes.
func asBigTIFF(order byteOrder, tiff []byte) []byte {
	at := int(order.Uint32(tiff[4:]))
	n := int(order.Uint16(tiff[at:]))
	out := bytes.Clone(tiff)
	copy(out[2:], order.AppendUint16(order.AppendUint16(order.AppendUint16(nil, 43), 8), 0))
	copy(out[8:], order.AppendUint64(nil, uint64(len(tiff))))
	out = order.AppendUint64(out, uint64(n))
	for i := range n {
		e := tiff[at+2+12*i:][:12]
		kind, count := order.Uint16(e[2:]), order.Uint32(e[4:])
		size := int(count) * map[uint16]int{short: 2, long: 4, rational: 8, undefined: 1}[kind]
		field := append(bytes.Clone(e[8:]), 0, 0, 0, 0)
		if size > 4 {
			from := int(order.Uint32(e[8:]))
			if field = order.AppendUint64(nil, uint64(from)); size <= 8 && from+size <= len(tiff) {
				field = append(bytes.Clone(tiff[from:from+size]), make([]byte, 8-size)...)
			}
		}
		out = append(order.AppendUint64(append(out, e[:4]...), uint64(count)), field...)
	}
	return order.AppendUint64(out, uint64(order.Uint32(tiff[at+2+12*n:])))
}

func TestBigTIFF_isReadLikeTIFF(t *testing.T) {
	noise, resolution := noise(30*20*3), []uint32{300, 1}
	entries := append(rgbTIFF(30, 20), entry{274, short, []uint32{6}},
		entry{282, rational, resolution}, entry{283, rational, resolution})
	for name, order := range map[string]byteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
		classic := withPixels(order, entries, noise)
		big := asBigTIFF(order, classic)
		if m := open(t, big); m.Format != imaging.TIFF || m.Orientation != 6 || len(m.Repaired) > 0 {
			t.Errorf("%s-endian: %s, orientation %d, repaired %v", name, m.Format, m.Orientation, m.Repaired)
		}
		got, want := pixels(t, big), pixels(t, classic)
		if !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%s-endian: the pixels differ", name)
		}
		out, err := got.Encode(t.Context(), imaging.PNG)
		if err != nil || !bytes.Contains(out.Data, []byte("pHYs")) {
			t.Errorf("%s-endian: the density is lost, %v", name, err)
		}
		for n := range big {
			if m, err := imaging.Open(big[:n], roomy); err == nil && n < len(big)-8 || err != nil && !isInputError(err) {
				t.Fatalf("%s-endian, cut to %d of %d bytes: %+v, %v", name, n, len(big), m, err)
			}
		}
	}
}

// TestBigTIFF_isRepairedLikeTIFF covers the faults of repair_test.go.
func TestBigTIFF_isRepairedLikeTIFF(t *testing.T) {
	for _, order := range []byteOrder{binary.LittleEndian, binary.BigEndian} {
		for name, fault := range faultyTIFFs(order) {
			m := open(t, asBigTIFF(order, fault.data))
			if !slices.Equal(m.Repaired, []string{fault.fault}) {
				t.Errorf("%s: repaired %v, want %q", name, m.Repaired, fault.fault)
			}
			p, err := m.Pixels(t.Context())
			if err != nil || !bytes.Equal(p.Pix, pixels(t, fault.intact).Pix) {
				t.Errorf("%s: %v, or its pixels differ from those of the intact file", name, err)
			}
		}
	}
}

// badBigTIFFs have numbers of 64 bits that no file can have.
func badBigTIFFs() map[string][]byte {
	le := binary.LittleEndian
	whole := asBigTIFF(le, withPixels(le, rgbTIFF(30, 20), noise(30*20*3)))
	at := int(le.Uint64(whole[8:]))
	with := func(at int, value uint64) []byte {
		data := bytes.Clone(whole)
		le.PutUint64(data[at:], value)
		return data
	}
	bits, offsets := at+8+20*2, at+8+20*5
	return map[string][]byte{
		"bigtiff of a directory outside": with(8, math.MaxUint64),
		"bigtiff of many entries":        with(at, math.MaxUint64-3),
		"bigtiff of a huge count":        with(bits+4, math.MaxUint64/2),
		"bigtiff of bits outside":        with(bits+12, math.MaxUint64-9)[:at+8+20*4],
		"bigtiff of pixels outside":      with(offsets+12, 1<<32-1),
	}
}

func TestBigTIFF_badNumbersAreRejected(t *testing.T) {
	for name, data := range badBigTIFFs() {
		if m, err := imaging.Open(data, roomy); !isInputError(err) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}
