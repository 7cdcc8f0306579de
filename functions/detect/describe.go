package detect

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"imageflow.dev/internal/inference"
)

// model is a model and how to read it.
type model struct {
	inference.Model
	description
}

// description is what must be known of a model to use it.
type description struct {
	preprocessing
	layout layout
	// width and height of the input in pixels.
	width, height int
	names         []string
	pool          *sync.Pool   // of input tensors, 3×height×width
	numbers       [256]float32 // of each byte of a picture
}

// Prepare finds out how to read a model: from its metadata, in the form that
// Ultralytics exports have, or the parameters beside it. It runs it once on a grey
// picture: many files leave the shape of the output open, and the first run of a
// model is slower than those that follow.
func Prepare(ctx context.Context, m inference.Model) (inference.Model, error) {
	info := m.Info()
	d := description{names: parseNames(info.Metadata["names"])}
	if len(d.names) == 0 {
		d.names = info.Labels
	}
	if task := info.Metadata["task"]; task != "" && task != "detect" {
		return nil, fmt.Errorf("it is for the task %q, not detect", task)
	}
	if len(d.names) == 0 {
		return nil, fmt.Errorf("its classes are unknown: metadata or the parameter names must give them all, from 0, as {0: 'cat', 1: 'dog'}, or labels.txt, one a line")
	}
	if err := d.measure(info); err != nil {
		return nil, err
	}
	tensor := d.pool.Get().([]float32)
	defer d.release(tensor)
	set(tensor, 0.5)
	err := m.Infer(ctx, inference.Tensor{Shape: d.shape(), Data: tensor}, func(outputs []inference.Tensor) (err error) {
		d.layout, err = chooseLayout(outputs[0].Shape, info.Metadata, &d)
		return err
	})
	if err == nil {
		d.preprocessing, err = preprocess(d.layout, info.Metadata)
	}
	if err != nil {
		return nil, err
	}
	d.numbers = d.numbered()
	return &model{m, d}, nil
}

// measure finds the size of the input.
func (d *description) measure(info inference.Info) error {
	if len(info.Input) != 4 || info.Input[1] != 3 {
		return fmt.Errorf("its input is %v but must be [N, 3, height, width]", info.Input)
	}
	if batch := info.Input[0]; batch > 1 {
		return fmt.Errorf("its input is %v, fixed to %d pictures a run: export it for one, or with a dynamic batch axis", info.Input, batch)
	}
	height, width := parseSize(info.Metadata["imgsz"])
	d.height, d.width = cmp.Or(int(max(0, info.Input[2])), height), cmp.Or(int(max(0, info.Input[3])), width)
	if min(d.height, d.width) < 1 || max(d.height, d.width) > maxSide {
		return fmt.Errorf("its input is %v: metadata or the parameter imgsz must give its height and width, in [1, %d], as [640, 640]", info.Input, maxSide)
	}
	d.pool = &sync.Pool{New: func() any { return make([]float32, 3*d.height*d.width) }}
	return nil
}

// shape returns the shape of an input of one picture.
func (d *description) shape() []int64 { return []int64{1, 3, int64(d.height), int64(d.width)} }

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

// parseSize reads a height and a width as Python prints a list of them, or one
// number that is both; 0 where there is none.
func parseSize(text string) (height, width int) {
	numbers := number.FindAllString(text, 2)
	if len(numbers) == 0 {
		return 0, 0
	}
	height, _ = strconv.Atoi(numbers[0])
	width, _ = strconv.Atoi(numbers[len(numbers)-1])
	return height, width
}
