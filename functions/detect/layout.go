package detect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"imageflow.dev/internal/inference"
)

// layout is a format of the output of detection models.
type layout struct {
	name string
	// endToEnd means that the model includes non-maximum suppression.
	endToEnd bool
	// hasClasses reports whether an output of this shape has this number of classes.
	hasClasses func(shape []int64, classes int) bool
	// hasCount reports whether an output of this shape has the number of detections
	// that the layout produces for the model's input; nil means that any number
	// fits.
	hasCount func(shape []int64, d *description) bool
	// exactCount means that the output is only readable with that number.
	exactCount bool
	// classColumn means that the last of six numbers of a row is the class.
	classColumn bool
	// neverEmpty means that a trained model returns boxes for every image.
	neverEmpty bool
	// read returns the candidates at or above the confidence, from all outputs of the
	// model. Their boxes are in pixels of the model's input.
	read func(outputs []inference.Tensor, d *description, confidence float32) []box
	// input is the default preprocessing.
	input preprocessing
}

// layouts are the supported layouts. N is the number of detections, A of anchors, C
// of classes.
var layouts = []layout{
	// [1, N, 6]: x1 y1 x2 y2 confidence class
	{
		name: "end-to-end", endToEnd: true, hasClasses: dimension(2, 0, 6), hasCount: atMostMaxKept, classColumn: true,
		read: readEndToEnd, input: defaultPreprocessing,
	},
	// [1, 4+C, A]: cx cy w h, a confidence for each class
	{name: "v8", hasClasses: dimension(1, 1, 4), read: readV8, input: defaultPreprocessing},
	// [1, A, 5+C]: cx cy w h, objectness, a confidence for each class
	{name: "v5", hasClasses: dimension(2, 1, 5), hasCount: anchors(3), read: readV5, input: defaultPreprocessing},
	// [1, A, 5+C]: as v5, but cx cy relative to the anchor's cell, w h as logarithms, both in units of the stride
	{
		name: "yolox", hasClasses: dimension(2, 1, 5), hasCount: anchors(1), exactCount: true, read: readYOLOX,
		input: yoloxPreprocessing,
	},
	// [1, A, 5+C]: as v5, the boxes of yolox in pixels
	{
		name: "yolox-decoded", hasClasses: dimension(2, 1, 5), hasCount: anchors(1), neverEmpty: true, read: readV5,
		input: yoloxPreprocessing,
	},
	// [1, N, 4+C]: cx cy w h as fractions of the input, a confidence for each class
	{
		name: "rt-detr", endToEnd: true, hasClasses: dimension(2, 1, 4), hasCount: atMostMaxKept, neverEmpty: true,
		read: readRTDETR, input: rtdetrPreprocessing,
	},
	// [1, N, 6]: cx cy w h as fractions of the input, confidence, class
	{
		name: "rt-detr-topk", endToEnd: true, hasClasses: dimension(2, 0, 6), hasCount: atMostMaxKept, classColumn: true,
		neverEmpty: true, read: readRTDETRTopK, input: rtdetrPreprocessing,
	},
}

// dimension returns a check that dimension dim has the size perClass*C + extra.
func dimension(dim, perClass, extra int) func([]int64, int) bool {
	return func(shape []int64, classes int) bool { return shape[dim] == int64(perClass*classes+extra) }
}

// maxKept is well above the number of detections that end-to-end models return,
// and below the number of anchors of the others.
const maxKept = 1000

func atMostMaxKept(shape []int64, _ *description) bool { return shape[1] <= maxKept }

// strides are the cell sizes in pixels. Only large models have the last one.
var strides = []int{8, 16, 32, 64}

// anchors returns a check that the output has perCell anchors for each cell.
func anchors(perCell int64) func([]int64, *description) bool {
	return func(shape []int64, d *description) bool {
		cells := func(stride int) int64 { return int64(d.width/stride) * int64(d.height/stride) }
		n := perCell * (cells(8) + cells(16) + cells(32))
		return shape[1] == n || shape[1] == n+perCell*cells(64)
	}
}

// chooseLayout returns the layout of a model from the outputs of a trial run: the one
// that the parameter layout names, or the only one that fits the shapes, the metadata
// and the values.
func chooseLayout(outputs []inference.Tensor, info inference.Info, d *description) (layout, error) {
	shape, metadata := outputs[0].Shape, info.Metadata
	if len(shape) != 3 {
		return layout{}, fmt.Errorf("its output is %v but must have three dimensions", shape)
	}
	if name := metadata[layoutKey]; name != "" {
		return namedLayout(name, shape, d)
	}
	fitting := slices.DeleteFunc(slices.Clone(layouts), func(l layout) bool { return !l.fits(shape, d) })
	if len(fitting) == 0 {
		return layout{}, fmt.Errorf("its output %v has no known layout for %d classes (the number of its names) and an input "+
			"of %d×%d pixels; the parameter %s in config.pbtxt can name one", shape, len(d.names), d.width, d.height, layoutKey)
	}
	switch t, clear := chooseTrial(fitting, outputs, metadata, d); {
	case t.isImplausible():
		return layout{}, fmt.Errorf("its output %v has no plausible boxes in the layout %s; the parameter %s in config.pbtxt "+
			"can name another one, or this one to use the model nevertheless",
			shape, strings.Join(layoutNames(fitting), " or "), layoutKey)
	case clear:
		return t.layout, nil
	}
	return layout{}, fmt.Errorf("its output %v fits the layouts %s: the parameter %s in config.pbtxt must name one, "+
		"or the metadata must have end2end, True or False",
		shape, strings.Join(layoutNames(fitting), " and "), layoutKey)
}

// chooseTrial tries the layouts. Metadata decides between those whose values are about
// as plausible.
func chooseTrial(
	fitting []layout, outputs []inference.Tensor, metadata map[string]string, d *description,
) (t trial, clear bool) {
	var all, agreed []trial
	for _, l := range fitting {
		all = append(all, l.try(outputs, d))
	}
	t, clear = best(all)
	for _, l := range filterByMetadata(fitting, metadata) {
		agreed = append(agreed, l.try(outputs, d))
	}
	if len(agreed) == 0 {
		return t, clear
	}
	if a, ok := best(agreed); a.sane > t.sane-minLead {
		return a, ok
	}
	return t, clear
}

func namedLayout(name string, shape []int64, d *description) (layout, error) {
	i := slices.IndexFunc(layouts, func(l layout) bool { return l.name == name })
	if i < 0 {
		return layout{}, fmt.Errorf("the parameter %s is %q but must be one of %s",
			layoutKey, name, strings.Join(layoutNames(layouts), ", "))
	}
	if !layouts[i].canRead(shape, d) {
		return layout{}, fmt.Errorf("its output %v cannot have the layout %s for %d classes (the number of its names) and an input "+
			"of %d×%d pixels", shape, name, len(d.names), d.width, d.height)
	}
	return layouts[i], nil
}

func layoutNames(layouts []layout) (names []string) {
	for _, l := range layouts {
		names = append(names, l.name)
	}
	return names
}

// filterByMetadata drops layouts that contradict the Ultralytics metadata: the class
// of the last layer (head), and whether the model (end2end) or the export (args)
// includes non-maximum suppression.
func filterByMetadata(fitting []layout, metadata map[string]string) []layout {
	endToEnd, err := strconv.ParseBool(metadata["end2end"])
	added := strings.Contains(metadata["args"], "'nms': True")
	head := metadata["head"]
	return slices.DeleteFunc(slices.Clone(fitting), func(l layout) bool {
		switch {
		case head == "RTDETRDecoder":
			return l.input != rtdetrPreprocessing
		case head != "" && l.input == rtdetrPreprocessing:
			return true
		case err != nil && !added:
			return false
		}
		return (l.name == "end-to-end") != (endToEnd || added)
	})
}

// fits reports whether an output of this shape looks like this layout.
func (l layout) fits(shape []int64, d *description) bool {
	return l.hasClasses(shape, len(d.names)) && (l.hasCount == nil || l.hasCount(shape, d))
}

// canRead reports whether an output of this shape is readable with this layout.
func (l layout) canRead(shape []int64, d *description) bool {
	return l.hasClasses(shape, len(d.names)) && (!l.exactCount || l.hasCount(shape, d))
}

// decode checks the outputs of a run and reads them.
func (d *description) decode(outputs []inference.Tensor, confidence float32) ([]box, error) {
	out := outputs[0]
	if len(out.Shape) != 3 || out.Shape[0] != 1 || !d.layout.canRead(out.Shape, d) {
		return nil, fmt.Errorf("the model's output has the shape %v, which is not of its layout %s", out.Shape, d.layout.name)
	}
	found := d.layout.read(outputs, d, confidence)
	for _, b := range found {
		if b.class < 0 || b.class >= len(d.names) {
			return nil, fmt.Errorf("the model's output has class %d, but the model has only %d names of classes", b.class, len(d.names))
		}
	}
	return found, nil
}
