package imaging

import "math"

// Placement says where a letterboxed picture lies: the shown pixel (x, y) is at
// (x·ScaleX + PadX, y·ScaleY + PadY).
type Placement struct{ ScaleX, ScaleY, PadX, PadY float64 }

// letterboxGrey fills what the picture does not cover, as detectors are trained
// with.
const letterboxGrey = 114

// Letterbox returns the picture upright, scaled to fit into side × side pixels,
// in the middle of grey; three channels.
func (m *Image) Letterbox(side int) (*Pixels, Placement, error) {
	width, height := m.Size()
	scale := math.Min(float64(side)/float64(width), float64(side)/float64(height))
	w, h := fit(width, scale, side), fit(height, scale, side)
	p, err := m.scaled(w, h, Fast)
	if err != nil {
		return nil, Placement{}, err
	}
	if p.Channels == 4 {
		p = p.flatten()
	}
	left, top := (side-w)/2, (side-h)/2
	box := NewPixels(side, side, 3)
	for i := range box.Pix {
		box.Pix[i] = letterboxGrey
	}
	for y := range h {
		copy(box.Pix[((top+y)*side+left)*3:], p.Pix[y*w*3:(y+1)*w*3])
	}
	return box, Placement{
		ScaleX: float64(w) / float64(width), ScaleY: float64(h) / float64(height),
		PadX: float64(left), PadY: float64(top),
	}, nil
}

func fit(length int, scale float64, side int) int {
	return min(side, max(1, int(math.Round(float64(length)*scale))))
}
