package imaging_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"log"

	"imageflow.dev/internal/imaging"
)

// blackPNG stands for a file that a caller sent.
func blackPNG(width, height int) []byte {
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewRGBA(image.Rect(0, 0, width, height))); err != nil {
		log.Fatal(err)
	}
	return file.Bytes()
}

// Open checks the header only. Resize decodes, resamples and encodes.
func Example() {
	if err := imaging.Start(); err != nil {
		log.Fatal(err)
	}
	m, err := imaging.Open(blackPNG(640, 480), imaging.Limits{MaxSide: 4000, MaxPixels: 16_000_000})
	if err != nil {
		log.Fatal(err)
	}
	out, err := m.Resize(context.Background(), 320, 240, imaging.Good, imaging.WebP)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s of %d×%d pixels became %s of %d×%d\n", m.Format, m.Width, m.Height, out.Format, out.Width, out.Height)
	// Output: png of 640×480 pixels became webp of 320×240
}

// An image beyond the limits is rejected before a pixel is decoded. The text of an
// InputError is written for the caller.
func ExampleOpen() {
	_, err := imaging.Open(blackPNG(640, 480), imaging.Limits{MaxSide: 500, MaxPixels: 16_000_000})
	var input *imaging.InputError
	fmt.Println(errors.As(err, &input), err)
	// Output: true 640×480 pixels: a side is longer than MAX_IMAGE_SIDE=500
}

// A filter decodes the whole image, changes its pixels and encodes them.
func ExamplePixels_Encode() {
	ctx := context.Background()
	m, err := imaging.Open(blackPNG(64, 48), imaging.Limits{MaxSide: 4000, MaxPixels: 16_000_000})
	if err != nil {
		log.Fatal(err)
	}
	p, err := m.Pixels(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Blur(ctx, 2); err != nil {
		log.Fatal(err)
	}
	out, err := p.Encode(ctx, imaging.JPEG)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Channels, "channels became", out.Format, out.Format.MediaType())
	// Output: 4 channels became jpeg image/jpeg
}
