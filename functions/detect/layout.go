package detect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"imageflow.dev/internal/inference"
)

// layout is one way in which models write their detections.
type layout struct {
	name string
	// endToEnd tells that the model suppresses overlaps by itself.
	endToEnd bool
	// holds tells whether an output of this shape has a place for each class.
	holds func(shape []int64, classes int) bool
	// counts tells whether it has as many detections as such a model makes for
	// its input; nil, any number will do.
	counts func(shape []int64, d *description) bool
	// must tells that it cannot be read with another number of them.
	must bool
	// read returns the candidates at or above the confidence, boxes in pixels
	// of the model's input.
	read func(out inference.Tensor, d *description, confidence float32) []box
	// input is what such models take unless they say otherwise.
	input preprocessing
}

// layouts are the layouts that are understood. N are detections, A anchors, C
// classes.
var layouts = []layout{
	// [1, N, 6]: x1 y1 x2 y2 confidence class
	{name: "end-to-end", endToEnd: true, holds: columns(2, 0, 6), counts: few, read: readEndToEnd, input: usual},
	// [1, 4+C, A]: cx cy w h, a confidence for each class
	{name: "v8", holds: columns(1, 1, 4), read: readV8, input: usual},
	// [1, A, 5+C]: cx cy w h, objectness, a confidence for each class
	{name: "v5", holds: columns(2, 1, 5), counts: anchors(3), read: readV5, input: usual},
	// [1, A, 5+C]: as v5, but cx cy in cells from the anchor's and log w h
	{name: "yolox", holds: columns(2, 1, 5), counts: anchors(1), must: true, read: readYOLOX, input: preprocessing{topLeft, true, 255}},
	// [1, N, 4+C]: cx cy w h in parts of the input, a confidence for each class
	{name: "rt-detr", endToEnd: true, holds: columns(2, 1, 4), counts: few, read: readRTDETR, input: preprocessing{stretch, false, 1}},
}

// columns tells shapes by a dimension of so many for each class, and more.
func columns(dim, perClass, more int) func([]int64, int) bool {
	return func(shape []int64, classes int) bool { return shape[dim] == int64(perClass*classes+more) }
}

// maxFew is far above what models keep that are end-to-end, and below the anchors
// of the others.
const maxFew = 1000

func few(shape []int64, _ *description) bool { return shape[1] <= maxFew }

// strides are the sides of cells in pixels; large models have the last too.
var strides = []int{8, 16, 32, 64}

// anchors tells shapes by so many anchors a cell.
func anchors(perCell int64) func([]int64, *description) bool {
	return func(shape []int64, d *description) bool {
		cells := func(stride int) int64 { return int64(d.width/stride) * int64(d.height/stride) }
		n := perCell * (cells(8) + cells(16) + cells(32))
		return shape[1] == n || shape[1] == n+perCell*cells(64)
	}
}

// chooseLayout finds the one layout that a model's output of this shape has: the
// one that the parameter layout names, or else the one that fits what the
// metadata says, by its shape.
func chooseLayout(shape []int64, metadata map[string]string, d *description) (layout, error) {
	if len(shape) != 3 {
		return layout{}, fmt.Errorf("its output is %v but must have three dimensions", shape)
	}
	if name := metadata[layoutKey]; name != "" {
		return namedLayout(name, shape, d)
	}
	fitting := slices.DeleteFunc(slices.Clone(layouts), func(l layout) bool { return !l.fits(shape, d) })
	if len(fitting) > 1 {
		fitting = told(fitting, metadata)
	}
	switch len(fitting) {
	case 0:
		return layout{}, fmt.Errorf("its output %v is of no known layout for %d classes, as its names say, and an input of %d×%d pixels; "+
			"the parameter %s in config.pbtxt can name one", shape, len(d.names), d.width, d.height, layoutKey)
	case 1:
		return fitting[0], nil
	}
	return layout{}, fmt.Errorf("its output %v fits the layouts %s: the parameter %s in config.pbtxt must name one, or metadata end2end, True or False, tell",
		shape, strings.Join(layoutNames(fitting), " and "), layoutKey)
}

func namedLayout(name string, shape []int64, d *description) (layout, error) {
	i := slices.IndexFunc(layouts, func(l layout) bool { return l.name == name })
	if i < 0 {
		return layout{}, fmt.Errorf("the parameter %s is %q but must be one of %s", layoutKey, name, strings.Join(layoutNames(layouts), ", "))
	}
	if !layouts[i].reads(shape, d) {
		return layout{}, fmt.Errorf("its output %v cannot be of the layout %s for %d classes, as its names say, and an input of %d×%d pixels",
			shape, name, len(d.names), d.width, d.height)
	}
	return layouts[i], nil
}

func layoutNames(layouts []layout) (names []string) {
	for _, l := range layouts {
		names = append(names, l.name)
	}
	return names
}

// told drops the layouts that a model of Ultralytics' is not of by what it says of
// itself: the class of its last layer, whether it suppresses overlaps by itself,
// and whether the export has added that.
func told(fitting []layout, metadata map[string]string) []layout {
	endToEnd, err := strconv.ParseBool(metadata["end2end"])
	added := strings.Contains(metadata["args"], "'nms': True")
	head := metadata["head"]
	return slices.DeleteFunc(fitting, func(l layout) bool {
		switch {
		case head != "" && (l.name == "rt-detr") != (head == "RTDETRDecoder"):
			return true
		case err != nil && !added:
			return false
		}
		return (l.name == "end-to-end") != (endToEnd || added)
	})
}

// fits tells whether an output looks like one of this layout.
func (l layout) fits(shape []int64, d *description) bool {
	return l.holds(shape, len(d.names)) && (l.counts == nil || l.counts(shape, d))
}

// reads tells whether an output can be read as one of this layout.
func (l layout) reads(shape []int64, d *description) bool {
	return l.holds(shape, len(d.names)) && (!l.must || l.counts(shape, d))
}

// decode checks what a run really gave and reads it.
func (d *description) decode(out inference.Tensor, confidence float32) ([]box, error) {
	if len(out.Shape) != 3 || out.Shape[0] != 1 || !d.layout.reads(out.Shape, d) {
		return nil, fmt.Errorf("the model gave %v, which is not of its layout %s", out.Shape, d.layout.name)
	}
	found := d.layout.read(out, d, confidence)
	for _, b := range found {
		if b.class < 0 || b.class >= len(d.names) {
			return nil, fmt.Errorf("the model gave class %d, but its names have %d classes", b.class, len(d.names))
		}
	}
	return found, nil
}
