package detect

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"imageflow.dev/internal/inference"
)

// inputKind is what a model expects in an input.
type inputKind string

// Inputs beside the image have two numbers for each image. They ask for the size of the original
// image, to return boxes in its pixels. They get the size of the input, so that the boxes of
// all models are in pixels of the input.
const (
	imageInput inputKind = "image"
	// widthHeight and heightWidth are the size of the original image in pixels.
	widthHeight inputKind = "width_height"
	heightWidth inputKind = "height_width"
	// scaleInput is the size of the image in the input divided by the size of the original.
	scaleInput inputKind = "scale"
)

// knownInputs are the kinds of inputs by name. D-FINE, DEIM and RT-DETRv2 multiply boxes by
// orig_target_sizes (rtdetr_postprocessor.py), and their tools fill in width and height.
// PaddleDetection divides boxes by scale_factor (ppyoloe_head.py).
var knownInputs = map[string]inputKind{"orig_target_sizes": widthHeight, "im_shape": heightWidth, "scale_factor": scaleInput}

// inputsKey is the name of the parameter that overrides knownInputs.
const inputsKey = "inputs"

// findInputs returns the kind of each input, and the index of the image.
func findInputs(inputs []inference.TensorInfo, parameter string) (kinds []inputKind, image int, err error) {
	named, err := parseInputs(inputs, parameter)
	if err != nil {
		return nil, 0, err
	}
	image = -1
	for i, in := range inputs {
		kind, ok := named[in.Name]
		switch {
		case ok && fitsInput(in.Shape, kind):
		case len(in.Shape) == 4, len(inputs) == 1:
			kind = imageInput
		default:
			return nil, 0, fmt.Errorf("its input %v is neither an image nor a size; the parameter %s in config.pbtxt can say which "+
				"size it is, as in %s=%s", in, inputsKey, in.Name, widthHeight)
		}
		if kind == imageInput {
			if image >= 0 {
				return nil, 0, fmt.Errorf("its inputs %v and %v are both images, but it must have one", inputs[image], in)
			}
			image = i
		}
		kinds = append(kinds, kind)
	}
	if image < 0 {
		return nil, 0, fmt.Errorf("none of its inputs %v is an image: it must have one of [N, 3, height, width]", inputs)
	}
	return kinds, image, nil
}

// fitsInput reports whether an input of this shape can be of this kind.
func fitsInput(shape []int64, kind inputKind) bool {
	if kind == imageInput {
		return len(shape) == 4
	}
	return len(shape) == 2 && (shape[1] == 2 || shape[1] < 0)
}

// parseInputs returns the known kinds by name, overridden by the parameter: name=kind, separated
// by commas.
func parseInputs(inputs []inference.TensorInfo, parameter string) (map[string]inputKind, error) {
	named := maps.Clone(knownInputs)
	kinds := []inputKind{imageInput, widthHeight, heightWidth, scaleInput}
	for item := range strings.SplitSeq(parameter, ",") {
		if strings.TrimSpace(item) == "" {
			continue
		}
		name, kind, _ := strings.Cut(item, "=")
		name, kind = strings.TrimSpace(name), strings.TrimSpace(kind)
		if !slices.Contains(kinds, inputKind(kind)) {
			return nil, fmt.Errorf("the parameter %s has %q but needs name=kind with a kind of %v", inputsKey, item, kinds)
		}
		i := slices.IndexFunc(inputs, func(in inference.TensorInfo) bool { return in.Name == name })
		if i < 0 || !fitsInput(inputs[i].Shape, inputKind(kind)) {
			return nil, fmt.Errorf("the parameter %s has %q, which fits none of the inputs %v", inputsKey, item, inputs)
		}
		named[name] = inputKind(kind)
	}
	return named, nil
}

// inputs returns the tensors for a run on an image.
func (d *description) inputs(image []float32) []inference.Tensor {
	width, height := float32(d.width), float32(d.height)
	numbers := map[inputKind][]float32{widthHeight: {width, height}, heightWidth: {height, width}, scaleInput: {1, 1}}
	var all []inference.Tensor
	for _, kind := range d.kinds {
		if kind == imageInput {
			all = append(all, inference.Tensor{Shape: d.dims(), Data: image})
		} else {
			all = append(all, inference.Tensor{Shape: []int64{int64(d.batch), 2}, Data: slices.Repeat(numbers[kind], d.batch)})
		}
	}
	return all
}
