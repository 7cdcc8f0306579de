package detect

import (
	"context"
	"image"
	"testing"

	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
)

// NewInput returns a function that makes and drops the input of a model with the default
// preprocessing.
func NewInput(t testing.TB, width, height int64, q imaging.Quality) func(context.Context, *imaging.Image) error {
	t.Helper()
	d := description{preprocessing: defaultPreprocessing}
	d.quality = q
	inputs := []inference.TensorInfo{{Name: "images", Shape: []int64{1, 3, height, width}}}
	if err := d.setInputs(inference.Info{Inputs: inputs}); err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, m *imaging.Image) error {
		tensor, _, _, err := d.input(ctx, m)
		if err == nil {
			d.release(tensor)
		}
		return err
	}
}

// InputOf returns the numbers and the size of the input that an image becomes, for a model of the
// default preprocessing with an image input of this shape.
func InputOf(
	t *testing.T, m *imaging.Image, kind inference.ElementType, dims []int64, parameters map[string]string,
) (numbers []float32, width, height int, err error) {
	t.Helper()
	d := description{}
	inputs := []inference.TensorInfo{{Name: "images", Type: kind, Shape: dims}}
	if err := d.setInputs(inference.Info{Inputs: inputs, Metadata: parameters}); err != nil {
		return nil, 0, 0, err
	}
	if d.preprocessing, err = preprocess(defaultPreprocessing, kind, parameters); err != nil {
		return nil, 0, 0, err
	}
	tensor, sized, _, err := d.input(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return tensor.numbers, sized.width, sized.height, nil
}

// ParseNames reads the metadata "names".
var ParseNames = parseNames

// Colour returns the colour of a class.
var Colour = colour

// DrawBox draws a box of a class and returns where its label is.
func DrawBox(p *imaging.Pixels, x1, y1, x2, y2 float32, class int, label string) image.Rectangle {
	patches := drawBox(p.Width, p.Height, box{x1: x1, y1: y1, x2: x2, y2: y2, class: class}, label)
	if err := p.Paint(context.Background(), patches); err != nil {
		panic(err)
	}
	if last := patches[len(patches)-1]; last.Pixels != nil {
		return last.At
	}
	return image.Rectangle{}
}

// RotatedIoU returns the overlap of two rectangles: centre, size, angle.
func RotatedIoU(a, b [5]float64) float32 {
	return rotated{a[0], a[1], a[2], a[3], a[4]}.iou(rotated{b[0], b[1], b[2], b[3], b[4]})
}
