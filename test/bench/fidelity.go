package main

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"

	"imageflow.dev/internal/imaging"
)

// compareFidelity prints the PSNR of each peer's output before lossy encoding, against ideal.
func compareFidelity(workers map[string]*process, p photos, dir string) error {
	fmt.Printf("| PSNR in dB · of luma · of colours | %s |\n|---|%s\n",
		strings.Join(lossless, " | "), strings.Repeat("---|", len(lossless)))
	images, err := p.varied()
	if err != nil {
		return err
	}
	for _, t := range images {
		want, err := idealOf(t.task)
		if err != nil {
			return err
		}
		fmt.Printf("| %s |", t.name)
		for _, peer := range lossless {
			got, err := resized(workers[peer], peer, t.task, filepath.Join(dir, peer+".png"), want)
			if err != nil {
				return err
			}
			fmt.Printf(" %s |", got)
		}
		fmt.Println()
	}
	return nil
}

// encodable returns the samples that an encoder of the format would encode.
func encodable(m ycc, f imaging.Format) ycc {
	if f == imaging.PNG {
		return m
	}
	return m.subsampled()
}

// lossless are the peers that can return an image without the loss of an encoder.
var lossless = []string{baseline, "FAST", "GOOD", "BEST", "bimg", "imagor"}

// qualities are the qualities of the peers that are this repository.
var qualities = map[string]imaging.Quality{"FAST": imaging.Fast, "GOOD": imaging.Good, "BEST": imaging.Best}

// resized returns the fidelity of a peer's output before lossy encoding. It uses a file, unless
// the peer is this repository and resizes the planes of a JPEG.
func resized(worker *process, peer string, t task, file string, want ideal) (string, error) {
	if q, ours := qualities[peer]; ours && t.format == imaging.JPEG {
		if planes, err := resizedPlanes(t, q); err != nil || planes != nil {
			return fidelityOf(fromPlanes(planes), want.planes).String(), err
		}
	}
	format := t.format
	t.format, t.keep = imaging.PNG, file
	if _, err := worker.do(t); err != nil {
		return "", err
	}
	m, err := decode(file)
	if err != nil {
		return "", err
	}
	return fidelityOf(encodable(toYCC(m), format), encodable(want.pixels, format)).String(), nil
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
		all = append(all, named{name, task{p.path(v.file), v.width, v.height, v.format, 8, stretch, ""}})
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
