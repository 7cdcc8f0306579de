package main

import (
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"os"

	"imageflow.dev/internal/imaging"
)

// ideal is an image filtered with Lanczos3 in double precision, in samples between 0 and 255.
type ideal struct {
	// pixels is made of the decoded colours at full resolution. It is for outputs in pixels.
	pixels ycc
	// planes is made of the planes that a JPEG stores: decoding has neither enlarged nor limited
	// its colours. They are filtered straight to half the size. It is for outputs in planes.
	planes ycc
}

// idealOf returns the ideal output of a task.
func idealOf(t task) (ideal, error) {
	m, err := decode(t.file)
	if err != nil {
		return ideal{}, err
	}
	size := image.Pt(t.width, t.height)
	out := ideal{pixels: toYCC(m).filtered(image.Pt(1, 1), size, 1).displayed()}
	if t.format != imaging.JPEG {
		return out, nil
	}
	stored, sampling, err := storedPlanes(t.file)
	if err != nil {
		return ideal{}, err
	}
	out.planes = stored.filtered(sampling, size, 2)
	return out, nil
}

// samplings are the pixels across and down that a sample of colour covers.
var samplings = map[image.YCbCrSubsampleRatio]image.Point{
	image.YCbCrSubsampleRatio444: {1, 1}, image.YCbCrSubsampleRatio422: {2, 1}, image.YCbCrSubsampleRatio420: {2, 2},
	image.YCbCrSubsampleRatio440: {1, 2}, image.YCbCrSubsampleRatio411: {4, 1},
}

// storedPlanes decodes a JPEG with Go's library. A sample of colour covers sampling pixels.
func storedPlanes(file string) (m ycc, sampling image.Point, err error) {
	f, err := os.Open(file)
	if err != nil {
		return m, sampling, err
	}
	defer f.Close()
	decoded, err := jpeg.Decode(f)
	if err != nil {
		return m, sampling, fmt.Errorf("%s: %w", file, err)
	}
	w, h := decoded.Bounds().Dx(), decoded.Bounds().Dy()
	switch d := decoded.(type) {
	case *image.Gray:
		return ycc{planeOf(d.Pix, d.Stride, w, h), flatPlane(w, h), flatPlane(w, h)}, image.Pt(1, 1), nil
	case *image.YCbCr:
		sampling = samplings[d.SubsampleRatio]
		cw, ch := (w+sampling.X-1)/sampling.X, (h+sampling.Y-1)/sampling.Y
		return ycc{planeOf(d.Y, d.YStride, w, h), planeOf(d.Cb, d.CStride, cw, ch), planeOf(d.Cr, d.CStride, cw, ch)}, sampling, nil
	}
	return m, sampling, fmt.Errorf("%s has no planes", file)
}

// filtered resamples the image to a size. A sample of colour covers sampling pixels of the input,
// and step × step pixels of the output.
func (m ycc) filtered(sampling, size image.Point, step int) ycc {
	across, down := float64(m.y.width)/float64(size.X), float64(m.y.height)/float64(size.Y)
	colours := func(p plane) plane {
		return p.filtered((size.X+step-1)/step, (size.Y+step-1)/step,
			across*float64(step)/float64(sampling.X), down*float64(step)/float64(sampling.Y))
	}
	return ycc{m.y.filtered(size.X, size.Y, across, down), colours(m.cb), colours(m.cr)}
}

// filtered resamples a plane with Lanczos3. A sample of the output covers across × down samples.
func (p plane) filtered(width, height int, across, down float64) plane {
	middle := newPlane(width, p.height)
	for x := range width {
		first, weights := lanczos3(x, across)
		for y := range p.height {
			for i, w := range weights {
				middle.values[y*width+x] += w * p.at(max(first+i, 0), y)
			}
		}
	}
	out := newPlane(width, height)
	for y := range height {
		first, weights := lanczos3(y, down)
		for x := range width {
			for i, w := range weights {
				out.values[y*width+x] += w * middle.at(x, max(first+i, 0))
			}
			out.values[y*width+x] = min(max(out.values[y*width+x], 0), 255)
		}
	}
	return out
}

// lanczos3 returns the weights of output i, and the input of the first one. An output covers
// scale inputs.
func lanczos3(i int, scale float64) (first int, weights []float64) {
	centre, width := (float64(i)+0.5)*scale-0.5, max(scale, 1)
	first = int(math.Ceil(centre - 3*width))
	sum := 0.0
	for at := first; float64(at) <= centre+3*width; at++ {
		v := sinc((float64(at)-centre)/width) * sinc((float64(at)-centre)/width/3)
		weights, sum = append(weights, v), sum+v
	}
	for j := range weights {
		weights[j] /= sum
	}
	return first, weights
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}
