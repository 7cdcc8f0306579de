package detect_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/testing/onnx"
)

// output is an output of a twin.
type output struct {
	name string
	kind uint64
	onnx.Tensor
}

func floats(name string, t onnx.Tensor) output { return output{name, onnx.Float32, t} }

func integers(name string, t onnx.Tensor) output { return output{name, onnx.Int64, t} }

// twin returns a small model with the names, types and shapes of the outputs of an export. The
// outputs are constant.
func twin(metadata map[string]string, outputs ...output) onnx.Model {
	m := onnx.Model{Input: input, Metadata: metadata, Constants: map[string]onnx.Tensor{}}
	for i, out := range outputs {
		value := fmt.Sprint("value", i)
		m.Constants[value] = out.Tensor
		m.Nodes = append(m.Nodes, onnx.Node{Op: "Cast", Inputs: []string{value}, Output: out.name, To: out.kind})
		v := onnx.Value{Name: out.name, Type: out.kind, Shape: out.Shape}
		if i == 0 {
			m.OutputName, m.Output, m.OutputType = v.Name, v.Shape, v.Type
		} else {
			m.MoreOutputs = append(m.MoreOutputs, v)
		}
	}
	return m
}

// tensor returns a tensor whose rows are padded with zeros.
func tensor(shape []int64, values ...[]float32) onnx.Tensor {
	t := shaped(shape...)
	width := len(t.Data)
	if len(values) > 0 {
		width = int(shape[len(shape)-1])
	}
	for i, row := range values {
		copy(t.Data[i*width:], row)
	}
	return t
}

const catAndDog = "{0: 'cat', 1: 'dog'}"

// logits returns classes of 300 rows as logits: the first row is a dog.
func logits(columns int64) onnx.Tensor {
	t := shaped(1, 300, columns)
	for i := range t.Data {
		t.Data[i] = -20
	}
	t.Data[1] = 2.1972246 // of 0.9
	return t
}

// twins are models with the outputs of exports, each with a dog from (10, 20) to (30, 50).
var twins = map[string]onnx.Model{
	"rf-detr": twin(
		map[string]string{"names": catAndDog},
		floats("dets", tensor([]int64{1, 300, 4}, []float32{20. / 64, 35. / 64, 20. / 64, 30. / 64})),
		floats("labels", logits(3)),
	),
	"mmdet": twin(
		map[string]string{"names": catAndDog},
		floats("dets", tensor([]int64{1, 100, 5}, []float32{10, 20, 30, 50, 0.9})),
		integers("labels", tensor([]int64{1, 100}, []float32{1})),
	),
	"efficient-nms": twin(
		map[string]string{"names": catAndDog},
		output{"num_dets", onnx.Int32, tensor([]int64{1, 1}, []float32{1})},
		floats("det_boxes", tensor([]int64{1, 100, 4}, []float32{10, 20, 30, 50}, []float32{1, 2, 30, 40})),
		floats("det_scores", tensor([]int64{1, 100}, []float32{0.9, 0.8})),
		output{"det_classes", onnx.Int32, tensor([]int64{1, 100}, []float32{1, 1})},
	),
	"paddle": twin(
		map[string]string{"names": catAndDog},
		floats("multiclass_nms3_0.tmp_0", tensor([]int64{2, 6}, []float32{1, 0.9, 10, 20, 30, 50}, []float32{0, 0.1, 1, 2, 30, 40})),
		output{"multiclass_nms3_0.tmp_2", onnx.Int32, tensor([]int64{1}, []float32{2})},
	),
	"yolo-nas": twin(
		map[string]string{"names": catAndDog},
		floats("output0", tensor([]int64{1, 84, 4}, []float32{10, 20, 30, 50})),
		floats("output1", tensor([]int64{1, 84, 2}, []float32{0, 0.9})),
	),
	"yolo-nas-flat": twin(
		map[string]string{"names": catAndDog},
		floats("graph2_flat_predictions", tensor([]int64{2, 7},
			[]float32{0, 10, 20, 30, 50, 0.9, 1}, []float32{1, 1, 2, 30, 40, 0.9, 0})),
	),
	"v8 with masks": twin(
		map[string]string{"names": catAndDog, "task": "segment"},
		floats("output0", tensor([]int64{1, 38, 1},
			[]float32{20}, []float32{35}, []float32{20}, []float32{30}, []float32{0}, []float32{0.9}, []float32{7}, []float32{-7})),
		floats("output1", shaped(1, 32, 16, 16)),
	),
	"end-to-end with masks": twin(
		map[string]string{"names": catAndDog, "task": "segment", "end2end": "True"},
		floats("output0", tensor([]int64{1, 300, 38}, []float32{10, 20, 30, 50, 0.9, 1, 7, -7})),
		floats("output1", shaped(1, 32, 16, 16)),
	),
	"v8 with keypoints": twin(
		map[string]string{"names": catAndDog, "task": "pose", "kpt_shape": "[17, 3]"},
		floats("output0", tensor([]int64{1, 57, 1},
			[]float32{20}, []float32{35}, []float32{20}, []float32{30}, []float32{0}, []float32{0.9}, []float32{7}, []float32{-7})),
	),
	"yolov7-nms": twin(
		map[string]string{"names": catAndDog},
		floats("output", tensor([]int64{1, 7}, []float32{0, 10, 20, 30, 50, 1, 0.9})),
	),
}

// sizedTwin returns a model of D-FINE, DEIM and RT-DETRv2, whose boxes are in pixels of its input
// orig_target_sizes.
func sizedTwin() onnx.Model {
	m := twin(
		map[string]string{"names": catAndDog},
		integers("labels", tensor([]int64{1, 300}, []float32{1})),
		floats("boxes", tensor([]int64{1, 300, 4}, []float32{10. / 64, 20. / 64, 30. / 64, 50. / 64})),
		floats("scores", tensor([]int64{1, 300}, []float32{0.9})),
	)
	m.MoreInputs = []onnx.Value{{Name: "orig_target_sizes", Type: onnx.Int64, Shape: []int64{-1, 2}}}
	m.Constants["twice"] = tensor([]int64{2}, []float32{1, 2})
	m.Nodes[1] = onnx.Node{Op: "Mul", Inputs: []string{"value1", "sizes"}, Output: "boxes"}
	m.Nodes = append([]onnx.Node{
		{Op: "Cast", Inputs: []string{"orig_target_sizes"}, Output: "floats", To: onnx.Float32},
		{Op: "Cast", Inputs: []string{"twice"}, Output: "repeats", To: onnx.Int64},
		{Op: "Tile", Inputs: []string{"floats", "repeats"}, Output: "sizes"},
	}, m.Nodes...)
	return m
}

// TestTwins_areRead: the layout is found without parameters.
func TestTwins_areRead(t *testing.T) {
	all := maps.Clone(twins)
	all["d-fine"] = sizedTwin()
	for name, m := range all {
		t.Run(name, func(t *testing.T) {
			p, err := newProcessor(t, m)
			if err != nil {
				t.Fatal(err)
			}
			_, resp, err := apply(t.Context(), p, &request{}, functions.Input{Image: greyImage(t, 128, 128), Format: imaging.PNG})
			if err != nil {
				t.Fatal(err)
			}
			expect(t, resp, "dog/1 0.90: 20.0 40.0 60.0 100.0")
		})
	}
}

// TestParameters_describeOutputs: outputs that no layout fits are described by parameters.
func TestParameters_describeOutputs(t *testing.T) {
	for name, c := range map[string]struct {
		settings []string
		outputs  []output
	}{
		"several outputs, y first, in fractions": {
			[]string{
				"boxes", "where", "scores", "how_sure", "classes", "what", "count", "n", "box_form", "yxyx", "box_scale", "fractions",
				"nms", "included",
			},
			[]output{
				floats("n", tensor([]int64{1}, []float32{1})),
				floats("where", tensor([]int64{1, 5, 4}, []float32{20. / 64, 10. / 64, 50. / 64, 30. / 64})),
				floats("how_sure", tensor([]int64{1, 5}, []float32{0.9, 0.9})), integers("what", tensor([]int64{1, 5}, []float32{1})),
			},
		},
		"logits, values first": {
			[]string{
				"boxes", "output[0:4]", "objectness", "output[6]", "scores", "output[4:6]", "box_form", "xywh", "order", "values-first",
				"activation", "sigmoid",
			},
			[]output{floats("output", tensor([]int64{1, 7, 1}, []float32{10}, []float32{20}, []float32{20}, []float32{30},
				[]float32{-9}, []float32{2.1972246}, []float32{20}))},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := newProcessor(t, twin(metadata(c.settings...), c.outputs...))
			if err != nil {
				t.Fatal(err)
			}
			_, resp, err := apply(t.Context(), p, &request{}, functions.Input{Image: greyImage(t, side, side), Format: imaging.PNG})
			if err != nil {
				t.Fatal(err)
			}
			expect(t, resp, "dog/1 0.90: 10.0 20.0 30.0 50.0")
		})
	}
}

// TestParameters_areChecked: the error names the parameter and its possible values.
func TestParameters_areChecked(t *testing.T) {
	for setting, want := range map[string][]string{
		"boxes=output[0:3]": {"parameter boxes", "3 columns instead of 4", "output[0:4]"},
		"boxes=other":       {`parameter boxes is "other"`, "name of an output (output)"},
		"scores=":           {"scores is missing"},
		"scores=output[4:]": {"parameter scores has 3 columns", "2 names", "parameter classes"},
		"scores=output[9:]": {"parameter scores", "[1 20 7]", "columns 9 to"},
		"box_form=xyhw":     {`parameter box_form is "xyhw"`, "xyxy, cxcywh, xywh or yxyx"},
		"box_scale=percent": {`parameter box_scale is "percent"`, "pixels or fractions"},
		"order=columns":     {`parameter order is "columns"`, "boxes-first or values-first"},
		"activation=relu":   {`parameter activation is "relu"`, "none or sigmoid"},
		"nms=yes":           {`parameter nms is "yes"`, "excluded or included"},
	} {
		settings := metadata("boxes", "output[0:4]", "scores", "output[5:7]")
		key, value, _ := strings.Cut(setting, "=")
		settings[key] = value
		_, err := newProcessor(t, twin(settings, floats("output", shaped(1, 20, 7))))
		for _, text := range want {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: got %v, want %q", setting, err, text)
			}
		}
	}
}

// TestMetadata_contradictsValues: such a model is refused, and the parameter layout is the way out.
func TestMetadata_contradictsValues(t *testing.T) {
	fractions := tensor([]int64{1, 300, 6}, []float32{20. / 64, 35. / 64, 20. / 64, 30. / 64, 0.9, 1})
	for head, output := range map[string]onnx.Tensor{
		"RTDETRDecoder": v8(object{10, 20, 30, 50, []float32{0, 0.9}}), "Detect": fractions,
	} {
		_, err := newProcessor(t, onnx.Always(input, output, metadata("head", head, "names", catAndDog, "end2end", "")))
		if err == nil || !strings.Contains(err.Error(), head) || !strings.Contains(err.Error(), "parameter layout") {
			t.Errorf("%s: got %v, want a refusal", head, err)
		}
	}
	expect(t, detectConstant(t, fractions, greyImage(t, side, side), &request{}, "head", "Detect", "layout", "rt-detr-topk"),
		"dog/1 0.90: 10.0 20.0 30.0 50.0")
}

// TestTrial_refusesClassWithoutName: the names of such a model must be wrong.
func TestTrial_refusesClassWithoutName(t *testing.T) {
	output := endToEnd()
	copy(output.Data, []float32{10, 20, 30, 50, 0.9, 2})
	_, err := newProcessor(t, onnx.Always(input, output, metadata()))
	if err == nil || !strings.Contains(err.Error(), "class 2") || !strings.Contains(err.Error(), "only 2 classes") {
		t.Errorf("got %v, want an error about class 2", err)
	}
}

// TestDecode_rejectsUnknownClass: a class below 0 has no name.
func TestDecode_rejectsUnknownClass(t *testing.T) {
	output := endToEnd()
	copy(output.Data, []float32{10, 20, 30, 50, 0.9, -1})
	p, err := newProcessor(t, onnx.Always(input, output, metadata()))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = apply(t.Context(), p, &request{}, functions.Input{Image: greyImage(t, 9, 9), Format: imaging.PNG})
	if err == nil || !strings.Contains(err.Error(), "only 2 names") {
		t.Errorf("got %v, want an error", err)
	}
}
