package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"regexp"
	"strconv"
	"sync"

	"imageflow.dev/internal/inference"
)

// model is a model of a repository and its description.
type model struct {
	inference.Model
	description
}

// description is how to prepare the input of a model and read its output.
type description struct {
	preprocessing
	choice
	// width and height of the input in pixels.
	width, height int
	names         []string    // of the classes
	kinds         []inputKind // of the inputs of the model
	// outputNames are the names of the outputs in the model file.
	outputNames []string
	// furtherValues is the number of values of each box after its classes.
	furtherValues int64
	pool          *sync.Pool // of *tensor
}

// Accept returns an error unless detection can use the model. A repository of
// files calls it before it replaces a model; see inference.Options.
func Accept(ctx context.Context, m inference.Model) error {
	_, err := describe(ctx, m)
	return err
}

// describe finds out how to use a model: from its metadata, as Ultralytics exports
// have it, from its parameters, and from two runs. This also warms it up.
func describe(ctx context.Context, m inference.Model) (*model, error) {
	info := m.Info()
	d := description{names: parseNames(info.Metadata["names"]), outputNames: info.OutputNames}
	if len(d.names) == 0 {
		d.names = info.Labels
	}
	if len(d.names) == 0 {
		return nil, errors.New("its classes are unknown: the metadata or the parameter names must list all, starting at 0, " +
			"as in {0: 'cat', 1: 'dog'}, or labels.txt, one per line")
	}
	if err := d.setInputSize(info); err != nil {
		return nil, err
	}
	described := &model{m, d}
	if err := described.runTrial(ctx); err != nil {
		return nil, err
	}
	return described, nil
}

// setInputSize sets the size of the input, from the model or its metadata.
func (d *description) setInputSize(info inference.Info) error {
	kinds, at, err := findInputs(info.Inputs, info.Metadata[inputsKey])
	if err != nil {
		return err
	}
	shape := info.Inputs[at].Shape
	if d.kinds = kinds; len(shape) != 4 || shape[1] != 3 {
		return fmt.Errorf("its input is %v but must be [N, 3, height, width]", shape)
	}
	if batch := shape[0]; batch > 1 {
		return fmt.Errorf("its input is %v, fixed to %d images per run: export it for one image or with a dynamic batch axis",
			shape, batch)
	}
	height, width := parseSize(info.Metadata["imgsz"])
	d.height = cmp.Or(int(max(0, shape[2])), height)
	d.width = cmp.Or(int(max(0, shape[3])), width)
	if min(d.height, d.width) < 1 || max(d.height, d.width) > maxSide {
		return fmt.Errorf("its input is %v: the metadata or the parameter imgsz must have its height and width, "+
			"as in [640, 640], from 1 to %d", shape, maxSide)
	}
	d.pool = &sync.Pool{New: func() any {
		return &tensor{make([]float32, 3*d.height*d.width), image.Rect(0, 0, d.width, d.height)}
	}}
	return nil
}

// shape returns the shape of the input for one image.
func (d *description) shape() []int64 { return []int64{1, 3, int64(d.height), int64(d.width)} }

// maxSide bounds the width and height of an input, in pixels.
const maxSide = 4096

var number = regexp.MustCompile(`\d+`)

// parseSize parses a height and a width in the form of a Python list, [480, 640],
// or of one number for both. It returns 0 if there is no number.
func parseSize(text string) (height, width int) {
	numbers := number.FindAllString(text, 2)
	if len(numbers) == 0 {
		return 0, 0
	}
	height, _ = strconv.Atoi(numbers[0])
	width, _ = strconv.Atoi(numbers[len(numbers)-1])
	return height, width
}
