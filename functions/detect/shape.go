package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"

	"imageflow.dev/internal/inference"
)

// The names of the parameters about the shape of the input.
const (
	formatKey      = "input_format"
	sizeKey        = "imgsz"
	strideKey      = "stride"
	rectangularKey = "rectangular"
)

// shape is the shape of the image input of a model.
type shape struct {
	// width and height in pixels. If they are dynamic, they are the largest ones in use.
	width, height int
	// channels is 3, or 1 for grey. channelsLast means [N, height, width, channels].
	channels     int
	channelsLast bool
	// batch is the number of images in a run. Only the first one is used.
	batch int
	// rectangular means that sides may be other multiples of stride. fitted means that the parameter
	// says so, which also applies to images that are stretched.
	rectangular, fitted bool
	stride              int
}

// maxSide bounds the width and height of an input, in pixels.
const maxSide = 4096

// setInputs sets the inputs and their shape, from the model or its metadata.
func (d *description) setInputs(info inference.Info) error {
	kinds, at, err := findInputs(info.Inputs, info.Metadata[inputsKey])
	if err != nil {
		return err
	}
	d.kinds, d.imageType, d.pool = kinds, info.Inputs[at].Type, &sync.Pool{}
	d.shape, err = findShape(info.Inputs[at].Shape, info.Metadata)
	return err
}

// findShape reads the shape of the image input, in which -1 is a dynamic dimension.
func findShape(dims []int64, metadata map[string]string) (shape, error) {
	of := parameters{values: metadata}
	format, rectangular := of.choice(formatKey, "nchw", "nhwc"), of.choice(rectangularKey, "true", "false")
	if of.err != nil {
		return shape{}, of.err
	}
	if len(dims) != 4 {
		return shape{}, fmt.Errorf("its input is %v but must be [N, 3, height, width]", dims)
	}
	first, last := isChannels(dims[1]), isChannels(dims[3])
	if format == "" && first == last {
		return shape{}, fmt.Errorf("its input is %v: the parameter %s in config.pbtxt must say where the 1 or 3 channels are, "+
			"nchw for [N, channels, height, width] or nhwc", dims, formatKey)
	}
	s := shape{channelsLast: format == "nhwc" || format == "" && last, batch: int(max(1, dims[0])), stride: defaultStride}
	channels, sides := dims[1], dims[2:]
	if s.channelsLast {
		channels, sides = dims[3], dims[1:3]
	}
	if channels > 0 && !isChannels(channels) || dims[0] > maxBatch {
		return shape{}, fmt.Errorf("its input is %v but must have 1 or 3 channels, and at most %d images per run: "+
			"export it for one image or with a dynamic batch axis", dims, maxBatch)
	}
	s.channels = int(cmp.Or(max(0, channels), 3))
	height, width := parseSize(metadata[sizeKey])
	s.height, s.width = cmp.Or(int(max(0, sides[0])), height), cmp.Or(int(max(0, sides[1])), width)
	if min(s.height, s.width) < 1 || max(s.height, s.width) > maxSide {
		return shape{}, fmt.Errorf("its input is %v: the metadata or the parameter imgsz must have its height and width, "+
			"as in [640, 640], from 1 to %d", dims, maxSide)
	}
	if stride, _ := strconv.Atoi(metadata[strideKey]); stride > 0 {
		s.stride = stride
	}
	s.rectangular, s.fitted = rectangular != "false" && sides[0] < 1 && sides[1] < 1, rectangular == "true"
	if s.fitted && !s.rectangular {
		return shape{}, fmt.Errorf("its input is %v: the parameter %s needs a dynamic height and width", dims, rectangularKey)
	}
	return s, nil
}

const (
	// defaultStride is the cell size of most models in pixels.
	defaultStride = 32
	// maxBatch bounds the images of a run of a model with a batch of fixed size.
	maxBatch = 64
)

func isChannels(n int64) bool { return n == 1 || n == 3 }

// dims returns the dimensions of the input for a run.
func (s shape) dims() []int64 {
	n, c, h, w := int64(s.batch), int64(s.channels), int64(s.height), int64(s.width)
	if s.channelsLast {
		return []int64{n, h, w, c}
	}
	return []int64{n, c, h, w}
}

// checkRectangular runs the model on a rectangular input. Some files declare a dynamic size but work
// with one size only.
func (m *model) checkRectangular(ctx context.Context) error {
	half := m.at(m.width, min(m.height, max(1, m.height/2/m.stride)*m.stride))
	if !m.fitsImages() || half.height == m.height {
		return nil
	}
	err := m.Infer(ctx, half.inputs(half.noise()), func(outputs []inference.Tensor) error {
		_, err := half.decode(half.first(outputs), 2) // above all confidences
		return err
	})
	switch {
	case err == nil, ctx.Err() != nil, errors.Is(err, inference.ErrUnavailable):
		return err
	case m.fitted:
		return fmt.Errorf("it fails with an input of %d×%d pixels, but the parameter %s is true: %w",
			half.width, half.height, rectangularKey, err)
	}
	m.rectangular = false
	return nil
}

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
