package detect

import (
	"image"

	"imageflow.dev/internal/imaging"
)

// ParseNames reads the metadata "names".
var ParseNames = parseNames

// Colour returns the colour of a class.
var Colour = colour

// DrawBox draws a box of a class and returns where its label is.
func DrawBox(p *imaging.Pixels, x1, y1, x2, y2 float32, class int, label string) image.Rectangle {
	patches := drawBox(p.Width, p.Height, box{x1: x1, y1: y1, x2: x2, y2: y2, class: class}, label)
	p.Paint(patches)
	if last := patches[len(patches)-1]; last.Pixels != nil {
		return last.At
	}
	return image.Rectangle{}
}
