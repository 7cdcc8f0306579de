package imaging_test

import (
	"context"
	"image"

	"imageflow.dev/internal/imaging"
)

// modelSide is the width and height of a model's input in pixels.
const modelSide = 640

// modelInput is the memory of the input, which detection uses again.
var modelInput = make([]float32, 3*modelSide*modelSide)

// examine makes the input of a model.
func examine(ctx context.Context, m *imaging.Image) error {
	w, h := m.Size()
	w, h = max(1, modelSide*w/max(w, h)), max(1, modelSide*h/max(w, h))
	return m.ScaledTo(ctx, w, h, imaging.Good, imaging.Floats{
		Red: modelInput, Green: modelInput[w*h:], Blue: modelInput[2*w*h:], Stride: w, White: 1,
	})
}

// examineTiles makes the inputs of the image and its four quarters.
func examineTiles(ctx context.Context, m *imaging.Image) error {
	if err := examine(ctx, m); err != nil {
		return err
	}
	p, err := m.PixelsInSRGB(ctx)
	if err != nil {
		return err
	}
	var tiles []image.Rectangle
	half := image.Pt(p.Width/2, p.Height/2)
	for _, corner := range []image.Point{{}, {X: half.X}, {Y: half.Y}, half} {
		tiles = append(tiles, image.Rectangle{corner, corner.Add(half)})
	}
	return p.EachTile(tiles, func(_ image.Rectangle, tile *imaging.Image) error { return examine(ctx, tile) })
}

func detectFootprint(m *imaging.Image, f imaging.Format) int64 {
	m = selected(m)
	return max(m.ReadFootprint(), m.ConvertFootprint(f))
}

// detected is detection in each frame, without drawn boxes.
func detected(m *imaging.Image, f imaging.Format) error {
	m = selected(m)
	err := m.EachFrame(context.Background(), func(_ int, frame *imaging.Image) error {
		return examine(context.Background(), frame)
	})
	if err != nil {
		return err
	}
	_, err = m.Convert(context.Background(), f)
	return err
}

func tilesFootprint(m *imaging.Image, f imaging.Format) int64 {
	w, h := m.Size()
	return selectedFootprint(m, f) + (4+1)*int64(w)*int64(h) // the pixels, and a tile of a quarter of them
}

// detectedInTiles is detection in the tiles of each frame, with an output that is drawn anew.
func detectedInTiles(m *imaging.Image, f imaging.Format) error {
	err := selected(m).EachFrame(context.Background(), func(_ int, frame *imaging.Image) error {
		return examineTiles(context.Background(), frame)
	})
	switch {
	case err != nil:
		return err
	case selected(m).Moves(f):
		return animated(m, f)
	}
	return changed(m, f)
}
