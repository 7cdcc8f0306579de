package main

import (
	"fmt"
	"strings"

	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const filtersHead = `
## Filters

The input is that of above, 480×270. The numbers are intensities.

| filter | | |
|---|---|---|
`

// intensities are the filters of pixels with two intensities each.
var intensities = []struct {
	kind   imageflowv1.FilterType
	values [2]float32
}{
	{imageflowv1.FilterType_FILTER_TYPE_BLUR, [2]float32{1, 5}},
	{imageflowv1.FilterType_FILTER_TYPE_GAUSSIAN, [2]float32{2, 12}},
	{imageflowv1.FilterType_FILTER_TYPE_SHARPEN, [2]float32{1, 5}},
	{imageflowv1.FilterType_FILTER_TYPE_BRIGHTNESS, [2]float32{-0.25, 0.25}},
	{imageflowv1.FilterType_FILTER_TYPE_CONTRAST, [2]float32{-0.5, 0.8}},
	{imageflowv1.FilterType_FILTER_TYPE_SATURATION, [2]float32{-1, 1}},
}

// filters adds the section of the filters.
func (p *page) filters(_, small []byte) error {
	p.text.WriteString(filtersHead)
	for _, f := range intensities {
		name := strings.ToLower(strings.TrimPrefix(f.kind.String(), "FILTER_TYPE_"))
		fmt.Fprintf(&p.text, "| %s |", name)
		for i, intensity := range f.values {
			out, err := p.filtered(&imageflowv1.FilterRequest{
				InputBytes: small, FilterType: f.kind, Intensity: intensity, OutputImage: as(imaging.JPEG),
			})
			if err != nil {
				return err
			}
			if err := p.show(fmt.Sprintf("%s-%d.jpg", name, i+1), fmt.Sprint(intensity), out); err != nil {
				return err
			}
		}
		p.text.WriteString("\n")
	}
	return p.watermarks(small)
}

// watermarks adds the row of the watermark: a small image, half transparent, in a corner and as tiles.
func (p *page) watermarks(small []byte) error {
	mark, err := p.resized(&resizeRequest{InputBytes: small, TargetWidth: 80, OutputImage: as(imaging.PNG)})
	if err != nil {
		return err
	}
	corner := &imageflowv1.Watermark{ImageBytes: mark, Gravity: imageflowv1.Gravity_GRAVITY_BOTTOM_RIGHT, Margin: 12}
	p.text.WriteString("| watermark |")
	for i, w := range []*imageflowv1.Watermark{corner, {ImageBytes: mark, Tile: true, Margin: 40}} {
		out, err := p.filtered(&imageflowv1.FilterRequest{
			InputBytes: small, FilterType: imageflowv1.FilterType_FILTER_TYPE_WATERMARK, Intensity: 0.5, Watermark: w,
			OutputImage: as(imaging.JPEG),
		})
		if err != nil {
			return err
		}
		caption := [...]string{"0.5, BOTTOM_RIGHT", "0.5, tile"}[i]
		if err := p.show(fmt.Sprintf("watermark-%d.jpg", i+1), caption, out); err != nil {
			return err
		}
	}
	p.text.WriteString("\n")
	return nil
}
