package imaging_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"image"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/h2non/bimg"

	"imageflow.dev/internal/imaging"
)

// memorySources generate images of noise, which compresses worst, in all variants that take
// different amounts of memory.
var memorySources = map[string]func(t *testing.T, width, height int) []byte{
	"jpeg":             noiseJPEG,
	"jpeg turned":      func(t *testing.T, w, h int) []byte { return withOrientation(noiseJPEG(t, w, h), 6) },
	"jpeg progressive": rewritten(bimg.Options{Type: bimg.JPEG, Interlace: true}),
	"jpeg cmyk":        rewritten(bimg.Options{Type: bimg.JPEG, Interpretation: bimg.InterpretationCMYK}),
	"png":              func(t *testing.T, w, h int) []byte { return fastPNG(t, opaque(w, h)) },
	"png" + atOnce:     func(t *testing.T, w, h int) []byte { return fastPNG(t, opaque(w, h)) },
	"png grey" + atOnce: func(t *testing.T, w, h int) []byte {
		return fastPNG(t, &image.Gray{Pix: noise(w * h), Stride: w, Rect: image.Rect(0, 0, w, h)})
	},
	"png alpha" + atOnce: func(t *testing.T, w, h int) []byte { return alphaPNG(t, w, h) },
	"png alpha":          alphaPNG,
	"png alpha 16": func(t *testing.T, w, h int) []byte {
		return fastPNG(t, &image.NRGBA64{Pix: noise(8 * w * h), Stride: 8 * w, Rect: image.Rect(0, 0, w, h)})
	},
	"png interlaced": rewritten(bimg.Options{Type: bimg.PNG, Interlace: true, Compression: 1}),
	"webp":           rewritten(bimg.Options{Type: bimg.WEBP}),
	"webp lossless":  rewritten(bimg.Options{Type: bimg.WEBP, Lossless: true}),
	"webp alpha": func(t *testing.T, w, h int) []byte {
		e, err := (&imaging.Pixels{Width: w, Height: h, Channels: 4, Pix: noise(4 * w * h)}).Encode(t.Context(), imaging.WebP)
		if err != nil {
			t.Fatal(err)
		}
		return e.Data
	},
	"gif": noiseGIF,
	"gif" + moves: func(t *testing.T, w, h int) []byte {
		all := &gif.GIF{Delay: make([]int, noiseFrames)}
		for range all.Delay {
			m := &image.Paletted{Pix: noise(w * h), Stride: w, Rect: image.Rect(0, 0, w, h), Palette: palette.Plan9}
			all.Image = append(all.Image, m)
		}
		return encodedGIF(t, all)
	},
	"bmp": func(_ *testing.T, w, h int) []byte {
		return append(bmpKind{40, w, h, 24, 0, nil, 0}.headers(), noise((3*w+3)/4*4*h)...)
	},
	"bmp of codes": func(_ *testing.T, w, h int) []byte {
		return append(bmpKind{40, w, h, 8, 1, nil, 256}.headers(), 0, 1)
	},
	"tiff":            noiseTIFF(3, 8, false),
	"tiff deflate":    noiseTIFF(3, 8, true),
	"tiff alpha 16":   noiseTIFF(4, 16, false),
	"tiff doubles":    noiseTIFF(3, 64, true, entry{339, short, []uint32{3, 3, 3}}),
	"tiff deflate 16": noiseTIFF(4, 16, true),
}

// noiseFrames is the number of frames of an animation.
const noiseFrames = 12

// noise returns random bytes with a period of 8.4 million bytes, which is no multiple of a
// row.
func noise(n int) []byte {
	random := rand.NewChaCha8([32]byte{7})
	out := make([]byte, n)
	_, _ = random.Read(out[:min(n, 1<<23+12345)])
	for at := 1<<23 + 12345; at < n; {
		at += copy(out[at:], out[:at])
	}
	return out
}

func opaque(w, h int) *image.NRGBA {
	m := &image.NRGBA{Pix: noise(4 * w * h), Stride: 4 * w, Rect: image.Rect(0, 0, w, h)}
	for i := 3; i < len(m.Pix); i += 4 {
		m.Pix[i] = 255
	}
	return m
}

// noiseJPEG generates a JPEG in 4:2:0, which is all that Go's encoder makes of colours.
func noiseJPEG(t *testing.T, w, h int) []byte {
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio444)
	copy(m.Y, noise(len(m.Y)))
	copy(m.Cb, noise(len(m.Cb)))
	copy(m.Cr, noise(len(m.Cr)))
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func fastPNG(t *testing.T, m image.Image) []byte {
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func alphaPNG(t *testing.T, w, h int) []byte {
	return fastPNG(t, &image.NRGBA{Pix: noise(4 * w * h), Stride: 4 * w, Rect: image.Rect(0, 0, w, h)})
}

func noiseGIF(t *testing.T, w, h int) []byte {
	var b bytes.Buffer
	m := &image.Paletted{Pix: noise(w * h), Stride: w, Rect: image.Rect(0, 0, w, h), Palette: palette.Plan9}
	if err := gif.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noiseTIFF generates a TIFF with one strip.
func noiseTIFF(channels, bits int, deflate bool, more ...entry) func(t *testing.T, w, h int) []byte {
	return func(t *testing.T, w, h int) []byte {
		pixels, compression := noise(w*h*channels*bits/8), uint32(1)
		if deflate {
			compression = 8
			var b bytes.Buffer
			z, _ := zlib.NewWriterLevel(&b, zlib.NoCompression)
			_, _ = z.Write(pixels)
			_ = z.Close()
			pixels = b.Bytes()
		}
		each := make([]uint32, channels)
		for i := range each {
			each[i] = uint32(bits)
		}
		entries := []entry{
			{256, long, []uint32{uint32(w)}}, {257, long, []uint32{uint32(h)}}, {258, short, each},
			{259, short, []uint32{compression}}, {262, short, []uint32{2}}, {273, long, []uint32{8}},
			{277, short, []uint32{uint32(channels)}}, {278, long, []uint32{uint32(h)}}, {279, long, []uint32{0}},
		}
		if channels == 4 {
			entries = append(entries, entry{338, short, []uint32{2}})
		}
		return withPixels(binary.LittleEndian, append(entries, more...), pixels)
	}
}

// rewritten generates a JPEG of noise that bimg re-encodes with options.
func rewritten(o bimg.Options) func(t *testing.T, w, h int) []byte {
	return func(t *testing.T, w, h int) []byte {
		out, err := bimg.Resize(noiseJPEG(t, w, h), o)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// memoryFiles caches generated images in a folder, in a few sizes.
type memoryFiles struct{ dir string }

// path returns the file of a 4:3 image with this many pixels, or up to 10 % fewer.
func (f memoryFiles) path(t *testing.T, source string, pixels int64) string {
	t.Helper()
	size := float64(*memoryPixels)
	for size > float64(pixels) {
		size *= 0.9
	}
	w, h := int(math.Sqrt(size*4/3)), int(math.Sqrt(size*3/4))
	name := filepath.Join(f.dir, fmt.Sprintf("%s %d", source, w))
	if _, err := os.Stat(name); err != nil {
		if err := os.WriteFile(name, memorySources[source](t, w, h), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return name
}
