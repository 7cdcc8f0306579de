package resize

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"math"

	"github.com/cenkalti/dominantcolor"
	"github.com/corona10/goimagehash"
	"go.n16f.net/thumbhash"

	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	// describedSide is the longer side, in pixels, of the image that most of a description is made
	// from: the maximum of a ThumbHash.
	describedSide = 100
	// maxColours is the maximum number of dominant colours.
	maxColours = 5
	// describing is the maximum memory of describe in bytes per pixel: the decoded output and the
	// buffers of its decoder.
	describing = 12
)

// describe describes an encoded output.
func describe(ctx context.Context, out imaging.Encoded) (*imageflowv1.Appearance, error) {
	m, err := imaging.Open(out.Data, imaging.Limits{MaxSide: maxSide, MaxPixels: int64(out.Width) * int64(out.Height)})
	if err != nil {
		return nil, fmt.Errorf("describe the output: %w", err)
	}
	full, err := m.Pixels(ctx)
	if err != nil {
		return nil, fmt.Errorf("describe the output: %w", err)
	}
	scale := min(1, describedSide/float64(max(out.Width, out.Height)))
	small, err := m.ScaledWindow(ctx, m.Whole(), side(float64(out.Width), scale), side(float64(out.Height), scale), imaging.Good)
	if err != nil {
		return nil, fmt.Errorf("describe the output: %w", err)
	}
	straight, opaque := images(small)
	hash, err := goimagehash.PerceptionHash(opaque)
	if err != nil {
		return nil, fmt.Errorf("describe the output: %w", err)
	}
	a := &imageflowv1.Appearance{
		ThumbHash:      thumbhash.EncodeImage(straight),
		MeanLuminance:  meanLuminance(opaque),
		PerceptualHash: fmt.Sprintf("%016x", hash.GetHash()),
		Sharpness:      sharpness(full),
	}
	for _, c := range dominantcolor.FindWeight(straight, maxColours) {
		a.DominantColors = append(a.DominantColors, &imageflowv1.DominantColor{
			Color: fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B), Share: c.Weight,
		})
	}
	return a, nil
}

// images returns the pixels with straight alpha, and blended with white.
func images(p *imaging.Pixels) (straight *image.NRGBA, opaque *image.RGBA) {
	bounds := image.Rect(0, 0, p.Width, p.Height)
	straight, opaque = image.NewNRGBA(bounds), image.NewRGBA(bounds)
	for i := range p.Width * p.Height {
		c := color.NRGBA{A: 255}
		pixel := p.Pix[i*p.Channels:][:p.Channels]
		if c.R, c.G, c.B = pixel[0], pixel[1], pixel[2]; p.Channels == 4 {
			c.A = pixel[3]
		}
		straight.SetNRGBA(i%p.Width, i/p.Width, c)
		opaque.SetRGBA(i%p.Width, i/p.Width, color.RGBA{onWhite(c.R, c.A), onWhite(c.G, c.A), onWhite(c.B, c.A), 255})
	}
	return straight, opaque
}

// onWhite blends a value of an alpha with white.
func onWhite(v, alpha uint8) uint8 {
	return uint8((int(v)*int(alpha) + 255*(255-int(alpha)) + 127) / 255)
}

// meanLuminance returns the mean of the relative luminance (WCAG 2), in [0, 1].
func meanLuminance(m *image.RGBA) float64 {
	sum := 0.0
	for i := 0; i < len(m.Pix); i += 4 {
		sum += 0.2126*linear[m.Pix[i]] + 0.7152*linear[m.Pix[i+1]] + 0.0722*linear[m.Pix[i+2]]
	}
	return sum / float64(len(m.Pix)/4)
}

// linear has the linear light of each value of sRGB (IEC 61966-2-1), in [0, 1].
var linear = func() (values [256]float64) {
	for i := range values {
		v := float64(i) / 255
		if values[i] = v / 12.92; v > 0.04045 {
			values[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return values
}()

// sharpness returns the variance of the Laplacian of the luma, as OpenCV computes it: with the
// luma of ITU-R BT.601, the kernel 0 1 0, 1 -4 1, 0 1 0, and edges reflected around the first and
// last pixels.
func sharpness(p *imaging.Pixels) float64 {
	rows := make([][]int, 3) // y - 1, y and y + 1
	for i := range rows {
		rows[i] = make([]int, p.Width)
		setLuma(rows[i], p, reflected(i-1, p.Height))
	}
	sum, squares := 0, 0
	for y := range p.Height {
		above, row, below := rows[0], rows[1], rows[2]
		for x, v := range row {
			d := above[x] + below[x] + row[reflected(x-1, p.Width)] + row[reflected(x+1, p.Width)] - 4*v
			sum, squares = sum+d, squares+d*d
		}
		rows[0], rows[1], rows[2] = row, below, above
		setLuma(above, p, reflected(y+2, p.Height))
	}
	n := float64(p.Width * p.Height)
	mean := float64(sum) / n
	return float64(squares)/n - mean*mean
}

// reflected returns the index of n that an index up to one beyond either end stands for.
func reflected(i, n int) int {
	if i < 0 {
		i = 1
	}
	if i >= n {
		i = 2*n - 2 - i
	}
	return min(max(i, 0), n-1)
}

// setLuma sets row to the luma of row y, on white where it is transparent.
func setLuma(row []int, p *imaging.Pixels, y int) {
	for x := range row {
		pixel := p.Pix[(y*p.Width+x)*p.Channels:][:p.Channels]
		luma := (9798*int(pixel[0]) + 19235*int(pixel[1]) + 3735*int(pixel[2]) + 1<<14) >> 15
		if p.Channels == 4 {
			luma = int(onWhite(uint8(luma), pixel[3]))
		}
		row[x] = luma
	}
}
