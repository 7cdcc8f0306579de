package main

import (
	"fmt"
	"os"
	"path/filepath"

	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

type resizeRequest = imageflowv1.ResizeRequest

const fitsHead = `
## Fits and gravities

The input, 480×270:

![original](original.jpg)

It is resized to 160×160, PAD with the background ` + "`f0c040`" + `:

| CONTAIN | COVER | FILL | PAD |
|---|---|---|---|
|`

const tallHead = `
COVER at 90×150. Its height is that of the whole input, so the gravities in a column are equal:

| TOP_LEFT, LEFT, BOTTOM_LEFT | TOP, CENTER, BOTTOM | TOP_RIGHT, RIGHT, BOTTOM_RIGHT | ATTENTION | ENTROPY | focal point |
|---|---|---|---|---|---|
|`

const wideHead = `
COVER at 240×60. Its width is that of the whole input:

| TOP_LEFT, TOP, TOP_RIGHT | LEFT, CENTER, RIGHT | BOTTOM_LEFT, BOTTOM, BOTTOM_RIGHT |
|---|---|---|
|`

const stepsHead = `
## Other steps

Crops are the middle of the image in fractions: left 0.25, top 0.25, width 0.5, height 0.5. The background
is ` + "`f0c040`" + `. Trim removes the border that extend adds.

| crop | crop_after | rotate | angle | flip | extend | trim |
|---|---|---|---|---|---|---|
|`

// geometry adds the sections of the options that change the shape of an image.
func (p *page) geometry(original, small []byte) error {
	plain, err := p.resized(&resizeRequest{InputBytes: small, TargetWidth: 480, OutputImage: as(imaging.JPEG)})
	if err != nil {
		return err
	}
	if err := p.write("original.jpg", plain); err != nil {
		return err
	}
	for _, section := range []func([]byte) error{p.fits, p.gravities, p.steps} {
		if err := section(original); err != nil {
			return err
		}
	}
	return nil
}

// example is an image of the page. The request lacks the input and the format.
type example struct {
	file, caption string
	request       *resizeRequest
}

// row adds the rest of a row of a table, with the examples made from an image.
func (p *page) row(original []byte, examples []example) error {
	defer p.text.WriteString("\n")
	return p.cells(original, examples)
}

func (p *page) cells(original []byte, examples []example) error {
	for _, e := range examples {
		e.request.InputBytes, e.request.OutputImage = original, as(imaging.JPEG)
		out, err := p.resized(e.request)
		if err != nil {
			return fmt.Errorf("%s: %w", e.file, err)
		}
		if err := p.show(e.file, e.caption, out); err != nil {
			return err
		}
	}
	return nil
}

func (p *page) fits(original []byte) error {
	p.text.WriteString(fitsHead)
	fit := func(f imageflowv1.Fit) *resizeRequest {
		return &resizeRequest{TargetWidth: 160, TargetHeight: 160, Fit: f}
	}
	pad := fit(imageflowv1.Fit_FIT_PAD)
	pad.Encoding = &imageflowv1.Encoding{Background: "f0c040"}
	return p.row(original, []example{
		{"contain.jpg", "160×90", fit(imageflowv1.Fit_FIT_CONTAIN)}, {"cover.jpg", "160×160", fit(imageflowv1.Fit_FIT_COVER)},
		{"fill.jpg", "160×160", fit(imageflowv1.Fit_FIT_FILL)}, {"pad.jpg", "160×160", pad},
	})
}

func (p *page) gravities(original []byte) error {
	cover := func(width, height int32, g imageflowv1.Gravity) *resizeRequest {
		return &resizeRequest{TargetWidth: width, TargetHeight: height, Fit: imageflowv1.Fit_FIT_COVER, Gravity: g}
	}
	tall := func(g imageflowv1.Gravity) *resizeRequest { return cover(90, 150, g) }
	wide := func(g imageflowv1.Gravity) *resizeRequest { return cover(240, 60, g) }
	focal := tall(imageflowv1.Gravity_GRAVITY_UNSPECIFIED)
	focal.FocalPoint = &imageflowv1.FocalPoint{X: 0.81, Y: 0.4}
	p.text.WriteString(tallHead)
	err := p.row(original, []example{
		{"left.jpg", "LEFT", tall(imageflowv1.Gravity_GRAVITY_LEFT)},
		{"center.jpg", "CENTER", tall(imageflowv1.Gravity_GRAVITY_CENTER)},
		{"right.jpg", "RIGHT", tall(imageflowv1.Gravity_GRAVITY_RIGHT)},
		{"attention.jpg", "ATTENTION", tall(imageflowv1.Gravity_GRAVITY_ATTENTION)},
		{"entropy.jpg", "ENTROPY", tall(imageflowv1.Gravity_GRAVITY_ENTROPY)}, {"focal-point.jpg", "(0.81, 0.4)", focal},
	})
	if err != nil {
		return err
	}
	p.text.WriteString(wideHead)
	return p.row(original, []example{
		{"top.jpg", "TOP", wide(imageflowv1.Gravity_GRAVITY_TOP)},
		{"center-wide.jpg", "CENTER", wide(imageflowv1.Gravity_GRAVITY_CENTER)},
		{"bottom.jpg", "BOTTOM", wide(imageflowv1.Gravity_GRAVITY_BOTTOM)},
	})
}

// steps adds the steps before and after a resize.
func (p *page) steps(original []byte) error {
	p.text.WriteString(stepsHead)
	crop := &imageflowv1.Crop{Left: 0.25, Top: 0.25, Width: 0.5, Height: 0.5, Fractions: true}
	coloured := &imageflowv1.Encoding{Background: "f0c040"}
	border := &imageflowv1.Extend{Left: 8, Top: 8, Right: 8, Bottom: 8}
	err := p.cells(original, []example{
		{"crop.jpg", "to 160×90", &resizeRequest{TargetWidth: 160, Crop: crop}},
		{"crop-after.jpg", "of 320×180", &resizeRequest{TargetWidth: 320, CropAfter: crop}},
		{"rotate.jpg", "90", &resizeRequest{TargetWidth: 90, Rotate: 90}},
		{"angle.jpg", "10", &resizeRequest{TargetWidth: 160, Angle: 10, Encoding: coloured}},
		{"flip.jpg", "HORIZONTAL", &resizeRequest{TargetWidth: 160, Flip: imageflowv1.Flip_FLIP_HORIZONTAL}},
		{"extend.jpg", "8 on each side", &resizeRequest{TargetWidth: 160, Extend: border, Encoding: coloured}},
	})
	if err != nil {
		return err
	}
	return p.trim()
}

// trim adds the cell of an image without the border of another one.
func (p *page) trim() error {
	extended, err := os.ReadFile(filepath.Join(p.folder, "extend.jpg"))
	if err != nil {
		return err
	}
	return p.row(extended, []example{{"trim.jpg", "160×90", &resizeRequest{Trim: &imageflowv1.Trim{}}}})
}
