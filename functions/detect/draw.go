package detect

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"imageflow.dev/internal/imaging"
)

// palette has colours that stand out from most pictures and from each other,
// all light enough for black text.
var palette = []color.RGBA{
	{255, 200, 0, 255}, {0, 220, 255, 255}, {120, 255, 90, 255}, {255, 130, 180, 255},
	{255, 150, 60, 255}, {190, 160, 255, 255}, {90, 255, 200, 255}, {240, 240, 120, 255},
}

var labelFont = func() *opentype.Font {
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		panic(err) // the font is part of the program
	}
	return f
}()

// drawBox draws a box and its label in the colour of its class. Lines and text
// grow with the picture. Nothing is painted outside the box and the rectangle of
// the label, which it returns.
func drawBox(p *imaging.Pixels, b box, label string) image.Rectangle {
	paint := palette[b.class%len(palette)]
	size := float64(max(p.Width, p.Height))
	line := max(1, int(math.Round(size/400)))
	x1, y1, x2, y2 := int(b.x1), int(b.y1), int(math.Ceil(float64(b.x2))), int(math.Ceil(float64(b.y2)))
	for _, side := range []image.Rectangle{
		{image.Pt(x1, y1), image.Pt(x2, y1+line)}, {image.Pt(x1, y2-line), image.Pt(x2, y2)},
		{image.Pt(x1, y1), image.Pt(x1+line, y2)}, {image.Pt(x2-line, y1), image.Pt(x2, y2)},
	} {
		fill(p, side.Intersect(image.Rect(x1, y1, x2, y2)), paint)
	}
	return drawLabel(p, image.Pt(x1, y1), label, math.Max(10, size/50), paint)
}

// drawLabel writes text on a ground of colour, above a point where there is
// room, within the picture in any case. It returns the ground.
func drawLabel(p *imaging.Pixels, at image.Point, label string, height float64, paint color.RGBA) image.Rectangle {
	face, err := opentype.NewFace(labelFont, &opentype.FaceOptions{Size: height, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return image.Rectangle{} // no size makes this font fail
	}
	defer face.Close()
	metrics := face.Metrics()
	ground := image.Rect(0, 0, font.MeasureString(face, label).Ceil()+int(height/2), (metrics.Ascent + metrics.Descent).Ceil())
	ground = ground.Add(at.Sub(image.Pt(0, ground.Dy())))
	ground = ground.Add(image.Pt(min(0, p.Width-ground.Max.X), min(0, p.Height-ground.Max.Y)))
	ground = ground.Add(image.Pt(max(0, -ground.Min.X), max(0, -ground.Min.Y)))
	fill(p, ground, paint)
	d := font.Drawer{
		Dst: canvas{p, ground.Intersect(whole(p))}, Src: image.Black, Face: face,
		Dot: fixed.P(ground.Min.X+int(height/4), ground.Min.Y+metrics.Ascent.Ceil()),
	}
	d.DrawString(label)
	return ground
}

func whole(p *imaging.Pixels) image.Rectangle { return image.Rect(0, 0, p.Width, p.Height) }

// fill paints a rectangle, as far as it lies in the picture.
func fill(p *imaging.Pixels, r image.Rectangle, paint color.RGBA) {
	draw.Draw(canvas{p, whole(p)}, r, image.NewUniform(paint), image.Point{}, draw.Src)
}

// canvas lets the standard library draw on pixels, within bounds, which lie in
// the picture.
type canvas struct {
	p      *imaging.Pixels
	bounds image.Rectangle
}

// ColorModel returns the model of colours without alpha.
func (c canvas) ColorModel() color.Model { return color.RGBAModel }

// Bounds returns where may be drawn.
func (c canvas) Bounds() image.Rectangle { return c.bounds }

// At returns a pixel's colour.
func (c canvas) At(x, y int) color.Color {
	pixel := c.p.Pix[(y*c.p.Width+x)*c.p.Channels:]
	return color.RGBA{pixel[0], pixel[1], pixel[2], 255}
}

// Set paints a pixel, opaque.
func (c canvas) Set(x, y int, paint color.Color) {
	pixel := c.p.Pix[(y*c.p.Width+x)*c.p.Channels:]
	r, g, b, _ := paint.RGBA()
	pixel[0], pixel[1], pixel[2] = byte(r>>8), byte(g>>8), byte(b>>8)
	if c.p.Channels == 4 {
		pixel[3] = 255
	}
}
