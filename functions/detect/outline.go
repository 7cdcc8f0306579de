package detect

import (
	"image"
	"image/color"
	"math"

	"imageflow.dev/internal/imaging"
)

// outline returns the edge of a box, also of a turned one, for an image of width × height pixels. Nothing
// is painted outside an upright box.
func (b box) outline(width, height int, paint color.RGBA) (patches []imaging.Patch) {
	if b.details != nil && b.details.rotated != nil {
		corners := b.details.rotated.corners()
		return drawPolygon(corners[:], width, height, paint)
	}
	line := lineWidth(width, height)
	x1, y1, x2, y2 := int(b.x1), int(b.y1), int(math.Ceil(float64(b.x2))), int(math.Ceil(float64(b.y2)))
	for _, side := range []image.Rectangle{
		{image.Pt(x1, y1), image.Pt(x2, y1+line)}, {image.Pt(x1, y2-line), image.Pt(x2, y2)},
		{image.Pt(x1, y1), image.Pt(x1+line, y2)}, {image.Pt(x2-line, y1), image.Pt(x2, y2)},
	} {
		patches = append(patches, imaging.Patch{At: side.Intersect(image.Rect(x1, y1, x2, y2)), Colour: paint})
	}
	return patches
}

// lineWidth returns the width of lines in pixels.
func lineWidth(width, height int) int {
	return max(1, int(math.Round(float64(max(width, height))/400)))
}

// drawPolygon returns a closed line through points as squares at distances of half their side. Edges
// that are much longer than the image are omitted.
func drawPolygon(points []point, width, height int, paint color.RGBA) (patches []imaging.Patch) {
	line := lineWidth(width, height)
	square, half := image.Pt(line, line), float64(line)/2
	whole := image.Rect(0, 0, width, height)
	for i, from := range points {
		to := points[(i+1)%len(points)]
		dx, dy := float64(to.x-from.x), float64(to.y-from.y)
		length := math.Hypot(dx, dy)
		if !(length <= 4*float64(width+height)) { // also true for NaN
			continue
		}
		steps := math.Ceil(length / max(1, half))
		for k := 0.; k < steps; k++ {
			x, y := float64(from.x)+dx*k/steps, float64(from.y)+dy*k/steps
			corner := image.Pt(int(math.Floor(x-half+0.5)), int(math.Floor(y-half+0.5)))
			if at := (image.Rectangle{corner, corner.Add(square)}).Intersect(whole); !at.Empty() {
				patches = append(patches, imaging.Patch{At: at, Colour: paint})
			}
		}
	}
	return patches
}
