package detect_test

import (
	"math"
	"slices"

	"imageflow.dev/internal/testing/onnx"
)

// object is the detection of a model: a box and a confidence for each class.
type object struct {
	x1, y1, x2, y2 float32
	classes        []float32
}

// size is the size of a model's input in pixels.
type size struct{ width, height int }

// cells counts the cells of the strides 8, 16 and 32.
func (s size) cells() (n int) {
	for _, stride := range []int{8, 16, 32} {
		n += s.width / stride * (s.height / stride)
	}
	return n
}

// cell returns the top left corner of cell i, and its stride.
func (s size) cell(i int) (x, y, stride float32) {
	for _, stride := range []int{8, 16, 32} {
		columns, rows := s.width/stride, s.height/stride
		if i < columns*rows {
			return float32(i % columns * stride), float32(i / columns * stride), float32(stride)
		}
		i -= columns * rows
	}
	panic("no such cell")
}

// encoders write objects in each layout, distributed over its rows.
var encoders = map[string]func(size, ...object) onnx.Tensor{
	"end-to-end": func(_ size, objects ...object) onnx.Tensor { // x1 y1 x2 y2 confidence class; the rest is zero
		t := rows(300, 6)
		for i, o := range objects {
			confidence := slices.Max(o.classes)
			copy(t.Data[6*i:], []float32{o.x1, o.y1, o.x2, o.y2, confidence, float32(slices.Index(o.classes, confidence))})
		}
		return t
	},
	"v8": func(s size, objects ...object) onnx.Tensor { // columns of cx cy w h and classes
		anchors, n := s.cells(), 4+len(objects[0].classes)
		t := onnx.Tensor{Shape: []int64{1, int64(n), int64(anchors)}, Data: make([]float32, n*anchors)}
		for i, o := range objects {
			for k, v := range append(o.centre(), o.classes...) {
				t.Data[k*anchors+spread(i, anchors)] = v
			}
		}
		return t
	},
	"v5": func(s size, objects ...object) onnx.Tensor { // cx cy w h, objectness, class confidences divided by it
		t := rows(3*s.cells(), 5+len(objects[0].classes))
		for i, o := range objects {
			copy(row(t, spread(i, 3*s.cells())), slices.Concat(o.centre(), o.parts(0.95)))
		}
		return t
	},
	"yolox": func(s size, objects ...object) onnx.Tensor { // as v5, relative to the cell and its stride, sizes as logarithms
		t := rows(s.cells(), 5+len(objects[0].classes))
		for i, o := range objects {
			at := spread(i, s.cells())
			x, y, stride := s.cell(at)
			c := o.centre()
			log := func(v float32) float32 { return float32(math.Log(float64(v / stride))) }
			copy(row(t, at), slices.Concat([]float32{(c[0] - x) / stride, (c[1] - y) / stride, log(c[2]), log(c[3])}, o.parts(0.95)))
		}
		return t
	},
	"yolox-decoded": func(s size, objects ...object) onnx.Tensor { // as v5, with one row per cell
		t := rows(s.cells(), 5+len(objects[0].classes))
		for i, o := range objects {
			copy(row(t, spread(i, s.cells())), slices.Concat(o.centre(), o.parts(0.95)))
		}
		return t
	},
	"rt-detr-topk": func(s size, objects ...object) onnx.Tensor { // cx cy w h as fractions of the input, confidence, class
		t := rows(300, 6)
		for i, o := range objects {
			c, w, h := o.centre(), float32(s.width), float32(s.height)
			confidence := slices.Max(o.classes)
			copy(row(t, i), []float32{
				c[0] / w, c[1] / h, c[2] / w, c[3] / h, confidence, float32(slices.Index(o.classes, confidence)),
			})
		}
		return t
	},
	"rt-detr": func(s size, objects ...object) onnx.Tensor { // cx cy w h as fractions of the input, and classes
		t := rows(300, 4+len(objects[0].classes))
		for i, o := range objects {
			c, w, h := o.centre(), float32(s.width), float32(s.height)
			copy(row(t, spread(i, 300)), slices.Concat([]float32{c[0] / w, c[1] / h, c[2] / w, c[3] / h}, o.classes))
		}
		return t
	},
}

func rows(n, width int) onnx.Tensor {
	return onnx.Tensor{Shape: []int64{1, int64(n), int64(width)}, Data: make([]float32, n*width)}
}

func row(t onnx.Tensor, i int) []float32 { return t.Data[i*int(t.Shape[2]):] }

// spread returns the row of object i; the objects are far apart.
func spread(i, rows int) int { return (i*(rows/7+1) + 3) % rows }

func (o object) centre() []float32 {
	return []float32{(o.x1 + o.x2) / 2, (o.y1 + o.y2) / 2, o.x2 - o.x1, o.y2 - o.y1}
}

// parts returns an objectness, and the confidence of each class divided by it.
func (o object) parts(objectness float32) []float32 {
	all := []float32{objectness}
	for _, v := range o.classes {
		all = append(all, v/objectness)
	}
	return all
}

// endToEnd, v8 and v5 encode objects for an input of side×side pixels.
func endToEnd(objects ...object) onnx.Tensor {
	return encoders["end-to-end"](size{side, side}, objects...)
}
func v8(objects ...object) onnx.Tensor { return encoders["v8"](size{side, side}, objects...) }
func v5(objects ...object) onnx.Tensor { return encoders["v5"](size{side, side}, objects...) }
