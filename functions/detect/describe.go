package detect

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
)

// description is what must be known of a model to use it.
type description struct {
	layout layout
	side   int // of the square input, in pixels
	names  []string
	pool   *sync.Pool // of input tensors, 3×side×side
}

// describe reads a model's metadata, in the form that Ultralytics exports have,
// and runs it once on a black picture: many files leave the shape of the output
// open, and the first run of a model is slower than those that follow.
func describe(ctx context.Context, m inference.Model) (description, error) {
	info := m.Info()
	if len(info.Input) != 4 || info.Input[1] != 3 || info.Input[2] != info.Input[3] {
		return description{}, fmt.Errorf("its input is %v but must be [N, 3, side, side]", info.Input)
	}
	d := description{side: int(info.Input[2]), names: parseNames(info.Metadata["names"])}
	if d.side < 1 {
		d.side = firstNumber(info.Metadata["imgsz"])
	}
	if d.side < 1 || d.side > maxSide {
		return d, fmt.Errorf("its input's side is unknown: metadata imgsz must give it, in [1, %d]", maxSide)
	}
	if task := info.Metadata["task"]; task != "" && task != "detect" {
		return d, fmt.Errorf("it is for the task %q, not detect", task)
	}
	if len(d.names) == 0 {
		return d, fmt.Errorf("its classes are unknown: metadata names must give them all, from 0, as {0: 'cat', 1: 'dog'}")
	}
	d.pool = &sync.Pool{New: func() any { return make([]float32, 3*d.side*d.side) }}
	black := inference.Tensor{Shape: d.shape(), Data: make([]float32, 3*d.side*d.side)}
	err := m.Infer(ctx, black, func(outputs []inference.Tensor) (err error) {
		d.layout, err = chooseLayout(outputs[0].Shape, info.Metadata, len(d.names), d.side)
		return err
	})
	return d, err
}

// shape returns the shape of an input of one picture.
func (d description) shape() []int64 { return []int64{1, 3, int64(d.side), int64(d.side)} }

// maxSide bounds the input of a model.
const maxSide = 4096

// entry matches one item of a Python dict of numbers to strings.
var entry = regexp.MustCompile(`(\d+)\s*:\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")`)

// parseNames reads class names as Python prints a dict: {0: 'cat', 1: 'dog'}. It
// returns none where a number is left out.
func parseNames(text string) []string {
	byID := map[int]string{}
	for _, m := range entry.FindAllStringSubmatch(text, -1) {
		id, err := strconv.Atoi(m[1])
		if err != nil {
			return nil
		}
		byID[id] = strings.NewReplacer(`\'`, `'`, `\"`, `"`, `\\`, `\`).Replace(m[2] + m[3])
	}
	names := make([]string, len(byID))
	for id, name := range byID {
		if id >= len(names) {
			return nil
		}
		names[id] = name
	}
	return names
}

var number = regexp.MustCompile(`\d+`)

// firstNumber reads the first number of a Python list, 0 where there is none.
func firstNumber(text string) int {
	n, _ := strconv.Atoi(number.FindString(text))
	return n
}

// input returns the picture as the model takes it, 3×side×side in [0, 1],
// letterboxed. It goes back by release.
func (d description) input(m *imaging.Image) ([]float32, imaging.Placement, error) {
	p, place, err := m.Letterbox(d.side)
	if err != nil {
		return nil, place, err
	}
	tensor := d.pool.Get().([]float32)
	n := d.side * d.side
	red, green, blue := tensor[:n], tensor[n:2*n], tensor[2*n:]
	for i := range n {
		pixel := p.Pix[3*i : 3*i+3]
		red[i], green[i], blue[i] = unit[pixel[0]], unit[pixel[1]], unit[pixel[2]]
	}
	return tensor, place, nil
}

func (d description) release(tensor []float32) { d.pool.Put(tensor) } //nolint:staticcheck // the header is small beside its pixels

// unit maps a byte to [0, 1].
var unit = func() (table [256]float32) {
	for v := range table {
		table[v] = float32(v) / 255
	}
	return table
}()
