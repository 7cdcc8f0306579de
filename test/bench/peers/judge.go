package main

import (
	"bytes"
	"fmt"
	"image"
	"image/gif"
	"image/png"
	"math"
	"os"
	"path/filepath"
)

// common is the reference of the files that have none of their own.
const common = "reference.png"

// referenceOf returns the file with the pixels of a file.
func referenceOf(file string) string {
	if _, err := os.Stat(file + ".png"); err == nil {
		return file + ".png"
	}
	return filepath.Join(filepath.Dir(file), common)
}

// fidelity returns the PSNR of a PNG against a reference, in dB.
func fidelity(data []byte, reference string) string {
	want, err := os.ReadFile(reference)
	if err != nil {
		return err.Error()
	}
	a, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return "no PNG: " + err.Error()
	}
	b, err := png.Decode(bytes.NewReader(want))
	if err != nil {
		return err.Error()
	}
	if a.Bounds() != b.Bounds() {
		return fmt.Sprintf("another size: %v", a.Bounds().Size())
	}
	if e := meanSquare(a, b); e > 0 {
		return fmt.Sprintf("%.0f dB", 10*math.Log10(255*255/e))
	}
	return "equal"
}

// meanSquare returns the mean square of the difference of two images, in steps of 8 bits.
func meanSquare(a, b image.Image) float64 {
	sum, size := 0.0, a.Bounds().Size()
	for y := range size.Y {
		for x := range size.X {
			r, g, blue, _ := a.At(x, y).RGBA()
			r2, g2, blue2, _ := b.At(x, y).RGBA()
			for _, d := range []float64{float64(r) - float64(r2), float64(g) - float64(g2), float64(blue) - float64(blue2)} {
				sum += d * d / (257 * 257)
			}
		}
	}
	return sum / float64(3*size.X*size.Y)
}

// signatures are the bytes at which files of a format can be recognized.
var signatures = []struct {
	format, bytes string
	at            int
}{
	{"JPEG", "\xff\xd8", 0}, {"PNG", "\x89PNG", 0}, {"WebP", "WEBP", 8}, {"GIF", "GIF8", 0}, {"TIFF", "II*", 0},
	{"TIFF", "MM\x00*", 0}, {"AVIF", "ftypavif", 4}, {"HEIC", "ftypheic", 4}, {"JPEG XL", "\xff\x0a", 0},
	{"JPEG XL", "JXL ", 4}, {"JPEG 2000", "jP  ", 4}, {"JPEG 2000", "\xff\x4f", 0},
}

// describe returns the format of a file and the number of its frames.
func describe(data []byte) string {
	for _, s := range signatures {
		if len(data) > s.at && bytes.HasPrefix(data[s.at:], []byte(s.bytes)) {
			return fmt.Sprintf("%s, frames: %d", s.format, frames(data, s.format))
		}
	}
	return "an unknown format"
}

func frames(data []byte, format string) int {
	switch format {
	case "GIF":
		if all, err := gif.DecodeAll(bytes.NewReader(data)); err == nil {
			return len(all.Image)
		}
		return 0
	case "PNG":
		return max(bytes.Count(data, []byte("fcTL")), 1)
	case "WebP":
		return max(bytes.Count(data, []byte("ANMF")), 1)
	}
	return 1
}
