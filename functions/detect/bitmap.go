package detect

import (
	"image"
	"slices"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// bitmap is a mask in a part of an image, row by row.
type bitmap struct {
	at   image.Rectangle
	bits []byte
}

// The bits of a pixel.
const (
	inMask = 1
	// traced means that a contour along the upper edge of the pixel is known.
	traced = 2
)

// clear makes room for the part and empties it.
func (m *bitmap) clear() {
	n := m.at.Dx() * m.at.Dy()
	m.bits = slices.Grow(m.bits[:0], n)[:n]
	clear(m.bits)
}

// has reports whether a pixel is in the mask. Coordinates count from the corner of the part, and may be
// outside.
func (m *bitmap) has(x, y int) bool {
	return x >= 0 && y >= 0 && x < m.at.Dx() && y < m.at.Dy() && m.bits[y*m.at.Dx()+x]&inMask != 0
}

// runLengths returns the mask of an image of width × height pixels in COCO's run-length encoding: the numbers
// of pixels outside and inside the mask in turn, column by column.
func (m *bitmap) runLengths(width, height int) *imageflowv1.RunLengths {
	var runs []int
	end := 0 // of the runs, in pixels
	for x := range m.at.Dx() {
		column := (m.at.Min.X+x)*height + m.at.Min.Y
		for y := 0; y < m.at.Dy(); y++ {
			if !m.has(x, y) {
				continue
			}
			start := column + y
			for y < m.at.Dy() && m.has(x, y) {
				y++
			}
			if start == end && len(runs) > 0 { // the mask goes on from the column before
				runs[len(runs)-1] += column + y - start
			} else {
				runs = append(runs, start-end, column+y-start)
			}
			end = column + y
		}
	}
	if rest := width*height - end; rest > 0 {
		runs = append(runs, rest)
	}
	return &imageflowv1.RunLengths{Size: []int32{int32(height), int32(width)}, Counts: compressed(runs)}
}

// compressed returns run lengths as the text of COCO: from the fourth on, the difference from the one
// before the last, in groups of five bits and a bit for more; rleToString in common/maskApi.c of
// github.com/cocodataset/cocoapi.
func compressed(runs []int) string {
	var text []byte
	for i, v := range runs {
		if i > 2 {
			v -= runs[i-2]
		}
		for more := true; more; {
			group := byte(v & 0x1f)
			v >>= 5
			more = v != 0
			if group&0x10 != 0 { // the sign
				more = v != -1
			}
			if more {
				group |= 0x20
			}
			text = append(text, group+48)
		}
	}
	return string(text)
}
