package imaging_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/internal/imaging"
)

// field is a number of a codestream and its count of bits.
type jxlField struct{ value, bits int }

// jxlStream returns a codestream with these fields after its signature, the lowest bits first.
func jxlStream(fields ...jxlField) []byte {
	out, at := []byte{0xff, 0x0a}, 16
	for _, f := range fields {
		if f == align {
			at = (at + 7) / 8 * 8
		}
		for i := range f.bits {
			if at%8 == 0 {
				out = append(out, 0)
			}
			out[at/8] |= byte(f.value>>i&1) << (at % 8)
			at++
		}
	}
	return out
}

// align skips to the next byte.
var align = jxlField{-1, 0}

// sized is a codestream's size of up to 2³⁰ pixels a side, after which come other fields.
func sized(width, height int, more ...jxlField) []jxlField {
	return append([]jxlField{{0, 1}, {3, 2}, {height - 1, 30}, {0, 3}, {3, 2}, {width - 1, 30}}, more...)
}

// jxlBombs are files whose headers contradict the rest, or describe far more than the file has.
func jxlBombs(t testing.TB) map[string][]byte {
	lossless, boxes := jxlFile(t, "lossless.jxl"), jxlFile(t, "boxes.jxl")
	start := bytes.Index(boxes, []byte("jxlc")) - 4
	head, stream := string(boxes[:start]), string(boxes[start+8:])
	defaults := jxlField{3, 2} // of the image header and the transform
	// A frame header of all defaults, in a table of contents without an order.
	plain := []jxlField{{1, 1}, {0, 1}}
	// A reference frame without filters, of one part of 1 byte.
	hidden := []jxlField{
		{0, 1}, {2, 2}, {0, 12}, {0, 2}, {1, 1}, {0, 2}, {1, 1}, {0, 2}, {0, 1}, align, {1 << 2, 12}, align, {0, 8},
	}
	lie := append([]jxlField{defaults, align, {0, 16}, {1, 1}}, slices.Repeat([]jxlField{{3 | 1<<29<<2, 32}}, 4)...)
	parts := isobox("jxlp", "\x00\x00\x00\x01", stream[:9]) + isobox("jxlp", "\x80\x00\x00\x00", stream[9:])
	many := append([]jxlField{defaults, align}, slices.Repeat(hidden, 5_000)...)
	profile := []jxlField{{0, 5}, {1, 1}, {0, 4}, {1, 1}, {0, 4}, {1, 1}, {3, 2}, {0xfff, 12}, {0x1ff, 9}, {0, 1}}
	return map[string][]byte{
		"jxl of 2³⁰ a side":          jxlStream(sized(1<<30, 1<<30, defaults)...),
		"jxl of 60k":                 jxlStream(sized(60_000, 60_000, append([]jxlField{defaults, align}, plain...)...)...),
		"jxl without frames":         jxlStream(sized(64, 64, defaults)...),
		"jxl of a cut frame":         lossless[:len(lossless)-1],
		"jxl of a huge frame":        jxlStream(sized(64, 64, lie...)...),
		"jxl of many hidden frames":  jxlStream(sized(8, 8, many...)...),
		"jxl of 4k channels":         jxlStream(sized(64, 64, jxlField{0, 2}, jxlField{0, 4}, jxlField{3 | 4095<<2, 14})...),
		"jxl with a profile of MBs":  jxlStream(sized(64, 64, profile...)...),
		"jxl without a codestream":   []byte(head),
		"jxl of a box that is cut":   boxes[:len(boxes)-1],
		"jxl of a box of 4 bytes":    []byte(head + "\x00\x00\x00\x04jxlc" + stream),
		"jxl of a box too long":      []byte(head + "\xff\xff\xff\xffjxlc" + stream),
		"jxl of two codestreams":     []byte(head + isobox("jxlc", stream) + isobox("jxlc", stream)),
		"jxl of parts out of order":  []byte(head + parts),
		"jxl of parts without end":   []byte(head + isobox("jxlp", "\x00\x00\x00\x00", stream)),
		"jxl of a part too short":    []byte(head + isobox("jxlp", "\x80\x00")),
		"jxl of another codestream":  []byte(head + isobox("jxlc", foreign["pdf"])),
		"jxl of a box in its stream": []byte(head + isobox("jxlc", head+isobox("jxlc", stream))),
		"jxl of too many boxes":      []byte(head + strings.Repeat("\x00\x00\x00\x08free", 1<<17) + isobox("jxlc", stream)),
	}
}

func TestJXL_thatContradictsItselfIsRejected(t *testing.T) {
	for name, data := range jxlBombs(t) {
		_, err := imaging.Open(data, roomy)
		if !isInputError(err) {
			t.Errorf("%s: got %v, want an InputError", name, err)
		}
	}
}

// TestJXL_ofParts divides the codestream among boxes, with others between them.
func TestJXL_ofParts(t *testing.T) {
	boxes := jxlFile(t, "boxes.jxl")
	start := bytes.Index(boxes, []byte("jxlc")) - 4
	head, stream := string(boxes[:start]), string(boxes[start+8:])
	parts := head + isobox("jxll", "\x05") + isobox("jxlp", "\x00\x00\x00\x00", stream[:1]) + isobox("xml ", "<x/>") +
		isobox("jxlp", "\x00\x00\x00\x01", stream[1:30]) + isobox("jxlp", "\x80\x00\x00\x02", stream[30:]) + isobox("free", "")
	if got, want := pixels(t, []byte(parts)), pixels(t, boxes); !bytes.Equal(got.Pix, want.Pix) {
		t.Error("the pixels differ from those of one box")
	}
}
