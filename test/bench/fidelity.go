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

// compareFidelity prints the PSNR of each peer's lossless output, against the full image
// filtered with Lanczos3 in double precision.
func compareFidelity(workers map[string]*process, p photos, dir string) error {
	fmt.Printf("| PSNR in dB | %s |\n|---|%s\n", strings.Join(order, " | "), strings.Repeat("---|", len(order)))
	for _, t := range p.varied() {
		original, err := decode(t.task.file)
		if err != nil {
			return err
		}
		want := image.NewRGBA(image.Rect(0, 0, t.task.width, t.task.height))
		lanczos3.Scale(want, want.Rect, original, original.Rect, draw.Src, nil)
		fmt.Printf("| %s |", t.name)
		for _, peer := range order {
			t.task.keep = filepath.Join(dir, peer+".png")
			if _, err := workers[peer].do(t.task); err != nil {
				return err
			}
			got, err := decode(t.task.keep)
			if err != nil {
				return err
			}
			fmt.Printf(" %.1f |", psnr(got, want))
		}
		fmt.Println()
	}
	return nil
}

// varied returns photographs, a rendered scene and drawings. Their sizes are divisible and
// not divisible by the factors of a shrinking JPEG decoder.
func (p photos) varied() []named {
	var all []named
	for _, v := range []struct {
		name, file    string
		width, height int
	}{
		{"a beach, 4032×3024", "12mp.jpg", 800, 600},
		{"stars, 4000×6000", "vertical.jpg", 400, 600},
		{"a bird, 1920×1080", "northern_cardinal_bird.jpg", 800, 450},
		{"the bird, smaller", "northern_cardinal_bird.jpg", 203, 115},
		{"a nebula, 1680×1050", "test.jpg", 400, 250},
		{"the nebula, 999×999", "test_square.jpg", 240, 240},
		{"a fjord, 550×368", "test_issue.jpg", 100, 67},
		{"a drawn tiger, 900×900", "test_svg.jpg", 200, 200},
		{"a rendered scene, 1920×1080", "sample.jpg", 400, 225},
		{"bright lines on black, 703×681", "test_gif.jpg", 150, 145},
		{"a PNG, 2048×1536", "3mp.png", 800, 600},
	} {
		name := fmt.Sprintf("%s → %d×%d", v.name, v.width, v.height)
		all = append(all, named{name, task{p.path(v.file), v.width, v.height, imaging.PNG, ""}})
	}
	return all
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

func psnr(a, b *image.RGBA) float64 {
	var sum float64
	for i := range a.Pix {
		d := float64(a.Pix[i]) - float64(b.Pix[i])
		sum += d * d
	}
	return 10 * math.Log10(255*255*float64(len(a.Pix)/4*3)/sum)
}
