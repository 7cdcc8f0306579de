package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"

	"golang.org/x/image/draw"

	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const qualitiesHead = `
## Qualities of resize

A detail of the image resized to 200×113. Each pixel is enlarged to %[1]d×%[1]d. The JPEG decoder shrinks
the image for FAST and GOOD.

| FAST | GOOD | BEST |
|---|---|---|
|`

const encodingsHead = `
## Encodings

Details of the image resized to 480×270, encoded and decoded. Each pixel is enlarged to %[1]d×%[1]d.

| | | |
|---|---|---|
`

// times is the factor by which details are enlarged.
const times = 5

// enlarged returns a detail of a PNG.
func enlarged(data []byte, detail image.Rectangle) ([]byte, error) {
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	large := image.NewRGBA(image.Rectangle{Max: detail.Size().Mul(times)})
	draw.NearestNeighbor.Scale(large, large.Rect, m, detail, draw.Src, nil)
	var b bytes.Buffer
	err = png.Encode(&b, large)
	return b.Bytes(), err
}

// qualities adds the section of the qualities of resize.
func (p *page) qualities(original, _ []byte) error {
	fmt.Fprintf(&p.text, qualitiesHead, times)
	for _, q := range []struct {
		file, caption string
		quality       imageflowv1.ResizeQuality
	}{
		{"fast.png", "shrunk by 8", imageflowv1.ResizeQuality_RESIZE_QUALITY_FAST},
		{"good.png", "shrunk by 4", imageflowv1.ResizeQuality_RESIZE_QUALITY_GOOD},
		{"best.png", "not shrunk", imageflowv1.ResizeQuality_RESIZE_QUALITY_BEST},
	} {
		out, err := p.resized(&resizeRequest{InputBytes: original, TargetWidth: 200, Quality: q.quality, OutputImage: as(imaging.PNG)})
		if err != nil {
			return err
		}
		large, err := enlarged(out, image.Rect(84, 68, 144, 108))
		if err != nil {
			return err
		}
		if err := p.show(q.file, q.caption, large); err != nil {
			return err
		}
	}
	p.text.WriteString("\n")
	return nil
}

// encoded is an encoding that the page shows.
type encoded struct {
	file, name string
	format     imaging.Format
	encoding   *imageflowv1.Encoding
}

// die and cone are details of the image of 480×270 pixels.
var die, cone = image.Rect(235, 170, 295, 210), image.Rect(365, 55, 425, 95)

// encodingRows are the rows of the section of encodings.
var encodingRows = []struct {
	detail    image.Rectangle
	encodings []encoded
}{
	{die, []encoded{
		{"jpeg-10.png", "JPEG, quality 10", imaging.JPEG, &imageflowv1.Encoding{Quality: 10}},
		{"jpeg-50.png", "JPEG, quality 50", imaging.JPEG, &imageflowv1.Encoding{Quality: 50}},
		{"jpeg-85.png", "JPEG, quality 85", imaging.JPEG, &imageflowv1.Encoding{Quality: 85}},
	}},
	{die, []encoded{
		{"jpeg-bytes.png", "JPEG, max_bytes 6000", imaging.JPEG, &imageflowv1.Encoding{MaxBytes: 6000}},
		{"webp-bytes.png", "WebP, max_bytes 6000", imaging.WebP, &imageflowv1.Encoding{MaxBytes: 6000}},
		{"avif-bytes.png", "AVIF, max_bytes 6000", imaging.AVIF, &imageflowv1.Encoding{MaxBytes: 6000}},
	}},
	{cone, []encoded{
		{"chroma-420.png", "JPEG, 4:2:0", imaging.JPEG, &imageflowv1.Encoding{Chroma: imageflowv1.Chroma_CHROMA_420}},
		{"chroma-444.png", "JPEG, 4:4:4", imaging.JPEG, &imageflowv1.Encoding{Chroma: imageflowv1.Chroma_CHROMA_444}},
		{"lossless.png", "WebP, lossless", imaging.WebP, &imageflowv1.Encoding{Lossless: true}},
	}},
}

// encodings adds the section of the encodings.
func (p *page) encodings(_, small []byte) error {
	fmt.Fprintf(&p.text, encodingsHead, times)
	for _, row := range encodingRows {
		p.text.WriteString("|")
		for _, e := range row.encodings {
			out, err := p.resized(&resizeRequest{InputBytes: small, TargetWidth: 480, Encoding: e.encoding, OutputImage: as(e.format)})
			if err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
			pixels, err := p.resized(&resizeRequest{InputBytes: out, TargetWidth: 480, OutputImage: as(imaging.PNG)})
			if err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
			large, err := enlarged(pixels, row.detail)
			if err != nil {
				return err
			}
			if err := p.show(e.file, fmt.Sprintf("%s: %d bytes", e.name, len(out)), large); err != nil {
				return err
			}
		}
		p.text.WriteString("\n")
	}
	return nil
}
