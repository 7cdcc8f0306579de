// Command pictures generates the page that shows the filters and qualities: its images and
// its README.md, in the given folder.
package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"log"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/image/draw"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: pictures IMAGE FOLDER")
	}
	p := page{folder: os.Args[2]}
	if err := p.make(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

// page collects the text of the page and writes its files.
type page struct {
	folder string
	text   strings.Builder
}

const head = `# What it looks like

` + "`make pictures`" + ` generates this page from [sample.jpg](../images/sample.jpg), 1920×1080, with the processors.
[filter.proto](../../proto/imageflow/v1/filter.proto) and [resize.proto](../../proto/imageflow/v1/resize.proto)
define the filters and qualities.
`

const filtersHead = `
## Filters

The input of the filters, 480×270:

![original](original.jpg)

| filter | | |
|---|---|---|
`

const qualitiesHead = `
## Qualities

A detail of the image resized to 200×113. Each pixel is enlarged to %[1]d×%[1]d. FAST lets the JPEG decoder shrink
by 8, GOOD by 4, and BEST does not let it shrink.

| FAST | GOOD | BEST |
|---|---|---|
|`

func (p *page) make(file string) error {
	original, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	p.text.WriteString(head)
	if err := p.filters(original); err != nil {
		return err
	}
	if err := p.qualities(original); err != nil {
		return err
	}
	return p.write("README.md", []byte(p.text.String()))
}

func (p *page) write(name string, data []byte) error {
	return os.WriteFile(filepath.Join(p.folder, name), data, 0o644) //nolint:gosec // a public page
}

// examples are the filters with two intensities each.
var examples = []struct {
	kind        imageflowv1.FilterType
	intensities [2]float32
}{
	{imageflowv1.FilterType_FILTER_TYPE_BLUR, [2]float32{1, 5}},
	{imageflowv1.FilterType_FILTER_TYPE_GAUSSIAN, [2]float32{2, 12}},
	{imageflowv1.FilterType_FILTER_TYPE_SHARPEN, [2]float32{1, 5}},
	{imageflowv1.FilterType_FILTER_TYPE_BRIGHTNESS, [2]float32{-0.25, 0.25}},
	{imageflowv1.FilterType_FILTER_TYPE_CONTRAST, [2]float32{-0.5, 0.8}},
	{imageflowv1.FilterType_FILTER_TYPE_SATURATION, [2]float32{-1, 1}},
}

// filters adds the section of the filters.
func (p *page) filters(original []byte) error {
	small, err := resized(original, 480, imageflowv1.ResizeQuality_RESIZE_QUALITY_BEST, imaging.PNG)
	if err != nil {
		return err
	}
	plain, err := filtered(small, imageflowv1.FilterType_FILTER_TYPE_BLUR, 0)
	if err != nil {
		return err
	}
	if err := p.write("original.jpg", plain); err != nil {
		return err
	}
	p.text.WriteString(filtersHead)
	for _, f := range examples {
		name := strings.ToLower(strings.TrimPrefix(f.kind.String(), "FILTER_TYPE_"))
		fmt.Fprintf(&p.text, "| %s |", name)
		for i, intensity := range f.intensities {
			out, err := filtered(small, f.kind, intensity)
			if err != nil {
				return err
			}
			file := fmt.Sprintf("%s-%d.jpg", name, i+1)
			if err := p.write(file, out); err != nil {
				return err
			}
			fmt.Fprintf(&p.text, " ![%s %g](%s)<br>%g |", name, intensity, file, intensity)
		}
		p.text.WriteString("\n")
	}
	return p.watermarks(small)
}

// watermarks adds the row of the watermark: a small image, half transparent, in a corner and as tiles.
func (p *page) watermarks(original []byte) error {
	mark, err := resized(original, 80, imageflowv1.ResizeQuality_RESIZE_QUALITY_BEST, imaging.PNG)
	if err != nil {
		return err
	}
	corner := &imageflowv1.Watermark{ImageBytes: mark, Gravity: imageflowv1.Gravity_GRAVITY_BOTTOM_RIGHT, Margin: 12}
	p.text.WriteString("| watermark |")
	for i, w := range []*imageflowv1.Watermark{corner, {ImageBytes: mark, Tile: true, Margin: 40}} {
		req := &imageflowv1.FilterRequest{
			FilterType: imageflowv1.FilterType_FILTER_TYPE_WATERMARK, Intensity: 0.5, Watermark: w,
		}
		out, err := apply(filter.Processor, original, req, imaging.JPEG)
		if err != nil {
			return err
		}
		file := fmt.Sprintf("watermark-%d.jpg", i+1)
		if err := p.write(file, out); err != nil {
			return err
		}
		fmt.Fprintf(&p.text, " ![watermark](%s)<br>%s |", file, [...]string{"0.5", "0.5, tile"}[i])
	}
	p.text.WriteString("\n")
	return nil
}

// detail is the part of a resized image that the page shows, enlarged by the factor times.
var detail = image.Rect(84, 68, 144, 108)

const times = 5

// qualities adds the section of the qualities.
func (p *page) qualities(original []byte) error {
	fmt.Fprintf(&p.text, qualitiesHead, times)
	for _, q := range []imageflowv1.ResizeQuality{
		imageflowv1.ResizeQuality_RESIZE_QUALITY_FAST, imageflowv1.ResizeQuality_RESIZE_QUALITY_GOOD,
		imageflowv1.ResizeQuality_RESIZE_QUALITY_BEST,
	} {
		out, err := resized(original, 200, q, imaging.PNG)
		if err != nil {
			return err
		}
		small, err := png.Decode(bytes.NewReader(out))
		if err != nil {
			return err
		}
		large := image.NewRGBA(image.Rectangle{Max: detail.Size().Mul(times)})
		draw.NearestNeighbor.Scale(large, large.Rect, small, detail, draw.Src, nil)
		var b bytes.Buffer
		if err := png.Encode(&b, large); err != nil {
			return err
		}
		file := strings.ToLower(strings.TrimPrefix(q.String(), "RESIZE_QUALITY_")) + ".png"
		if err := p.write(file, b.Bytes()); err != nil {
			return err
		}
		fmt.Fprintf(&p.text, " ![%s](%s) |", file, file)
	}
	p.text.WriteString("\n")
	return nil
}

func resized(data []byte, width int32, q imageflowv1.ResizeQuality, f imaging.Format) ([]byte, error) {
	return apply(resize.Processor, data, &imageflowv1.ResizeRequest{TargetWidth: width, Quality: q}, f)
}

func filtered(data []byte, kind imageflowv1.FilterType, intensity float32) ([]byte, error) {
	req := &imageflowv1.FilterRequest{FilterType: kind, Intensity: intensity}
	return apply(filter.Processor, data, req, imaging.JPEG)
}

func apply(p functions.Processor, data []byte, req functions.Request, f imaging.Format) ([]byte, error) {
	m, err := imaging.Open(data, imaging.Limits{MaxSide: 16383, MaxPixels: 50_000_000})
	if err != nil {
		return nil, err
	}
	out, _, err := p.Apply(context.Background(), req, functions.Input{Image: m, Format: f})
	return out.Data, err
}
