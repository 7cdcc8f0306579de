package main

import (
	"context"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/image/draw"

	"imageflow.dev/internal/imaging"
)

// compareFidelity prints the PSNR of each peer's output before lossy encoding, against the full
// image filtered with Lanczos3 in double precision. The colours of both are subsampled as in the
// output, which is 4:2:0 unless it is a PNG.
func compareFidelity(workers map[string]*process, p photos, dir string) error {
	fmt.Printf("| PSNR in dB · of luma · of colours | %s |\n|---|%s\n",
		strings.Join(lossless, " | "), strings.Repeat("---|", len(lossless)))
	images, err := p.varied()
	if err != nil {
		return err
	}
	for _, t := range images {
		original, err := decode(t.task.file)
		if err != nil {
			return err
		}
		want := image.NewRGBA(image.Rect(0, 0, t.task.width, t.task.height))
		lanczos3.Scale(want, want.Rect, original, original.Rect, draw.Src, nil)
		fmt.Printf("| %s |", t.name)
		for _, peer := range lossless {
			got, err := resized(workers[peer], peer, t.task, filepath.Join(dir, peer+".png"))
			if err != nil {
				return err
			}
			fmt.Printf(" %s |", fidelityOf(got, outputOf(want, t.task.format)))
		}
		fmt.Println()
	}
	return nil
}

// outputOf returns the samples that an encoder of the format would encode.
func outputOf(m *image.RGBA, f imaging.Format) ycc {
	if f == imaging.PNG {
		return toYCC(m)
	}
	return toYCC(m).subsampled()
}

// lossless are the peers that can return an image without the loss of an encoder.
var lossless = []string{baseline, "FAST", "GOOD", "BEST", "bimg", "imagor"}

// qualities are the qualities of the peers that are this repository.
var qualities = map[string]imaging.Quality{"FAST": imaging.Fast, "GOOD": imaging.Good, "BEST": imaging.Best}

// resized returns a peer's output before lossy encoding. It uses a file, unless the peer is
// this repository and resizes the planes of a JPEG.
func resized(worker *process, peer string, t task, file string) (ycc, error) {
	if q, ours := qualities[peer]; ours && t.format == imaging.JPEG {
		if planes, err := resizedPlanes(t, q); err != nil || planes != nil {
			return fromPlanes(planes), err
		}
	}
	format := t.format
	t.format, t.keep = imaging.PNG, file
	if _, err := worker.do(t); err != nil {
		return ycc{}, err
	}
	m, err := decode(file)
	if err != nil {
		return ycc{}, err
	}
	return outputOf(m, format), nil
}

// resizedPlanes returns nil if the image is not resized on its planes.
func resizedPlanes(t task, q imaging.Quality) ([]imaging.Plane, error) {
	data, err := os.ReadFile(t.file)
	if err != nil {
		return nil, err
	}
	m, err := imaging.Open(data, limits)
	if err != nil {
		return nil, err
	}
	return m.ResizePlanes(context.Background(), t.width, t.height, q)
}

// varied returns photographs, a rendered scene and drawings. Their sizes are divisible and
// not divisible by the factors of a shrinking JPEG decoder. All but the last three are also
// written to JPEGs with other subsampling than 4:2:0.
func (p photos) varied() ([]named, error) {
	var all []named
	list := []struct {
		name, file    string
		width, height int
		format        imaging.Format
	}{
		{"a beach, 4032×3024", "12mp.jpg", 800, 600, imaging.JPEG},
		{"stars, 4000×6000", "vertical.jpg", 400, 600, imaging.JPEG},
		{"a bird, 1920×1080", "northern_cardinal_bird.jpg", 800, 450, imaging.JPEG},
		{"the bird, smaller", "northern_cardinal_bird.jpg", 203, 115, imaging.JPEG},
		{"a nebula, 1680×1050", "test.jpg", 400, 250, imaging.JPEG},
		{"the nebula, 999×999", "test_square.jpg", 240, 240, imaging.JPEG},
		{"a fjord, 550×368", "test_issue.jpg", 100, 67, imaging.JPEG},
		{"a drawn tiger, 900×900", "test_svg.jpg", 200, 200, imaging.JPEG},
		{"a rendered scene, 1920×1080", "sample.jpg", 400, 225, imaging.JPEG},
		{"bright lines on black, 703×681", "test_gif.jpg", 150, 145, imaging.JPEG},
		{"a PNG, 2048×1536", "3mp.png", 800, 600, imaging.PNG},
		{"a WebP, 1920×1080", "1080p.webp", 800, 450, imaging.WebP},
	}
	for _, v := range list {
		name := fmt.Sprintf("%s → %d×%d", v.name, v.width, v.height)
		all = append(all, named{name, task{p.path(v.file), v.width, v.height, v.format, 8, ""}})
	}
	for _, v := range all[:len(all)-3] {
		for _, s := range []struct {
			name   string
			across int
		}{{"4:2:2", 2}, {"4:1:1", 4}} {
			file, err := p.sampled(v.task.file, s.across)
			if err != nil {
				return nil, err
			}
			t := v.task
			t.file = file
			all = append(all, named{v.name + ", " + s.name, t})
		}
	}
	return all, nil
}

// decode decodes an image file at full size.
func decode(path string) (*image.RGBA, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := imaging.Open(data, limits)
	if err != nil {
		return nil, err
	}
	p, err := m.Pixels(context.Background())
	if err != nil {
		return nil, err
	}
	out := image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := range p.Width * p.Height {
		copy(out.Pix[4*i:], p.Pix[i*p.Channels:][:3])
		out.Pix[4*i+3] = 255
	}
	return out, nil
}

var lanczos3 = &draw.Kernel{Support: 3, At: func(d float64) float64 {
	if d == 0 {
		return 1
	}
	return 3 * math.Sin(math.Pi*d) * math.Sin(math.Pi*d/3) / (math.Pi * math.Pi * d * d)
}}
