package main

import (
	"bytes"
	"image"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"os"

	"imageflow.dev/internal/imaging"
)

// animated writes an animated WebP of 480×270 pixels: a window that moves over an image by 8 pixels per frame.
func (p photos) animated(from string, frames int, to string) error {
	m, err := decode(p.path(from))
	if err != nil {
		return err
	}
	moving := &gif.GIF{}
	for i := range frames {
		frame := image.NewPaletted(image.Rect(0, 0, 480, 270), palette.Plan9)
		draw.Draw(frame, frame.Rect, m, image.Pt(8*i, 400), draw.Src)
		moving.Image, moving.Delay = append(moving.Image, frame), append(moving.Delay, 10)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, moving); err != nil {
		return err
	}
	source, err := imaging.Open(b.Bytes(), limits)
	if err != nil {
		return err
	}
	out, err := processed(source, task{width: 480, height: 270, format: imaging.WebP, mode: animation}, imaging.Best)
	if err != nil {
		return err
	}
	return os.WriteFile(p.path(to), out, 0o600)
}
