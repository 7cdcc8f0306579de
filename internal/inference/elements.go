package inference

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/x448/float16"
)

// ElementType is the type of the numbers of a tensor in a model file, by its name in the
// Open Inference Protocol. Callers of Infer use float32 for all of them.
type ElementType string

// The supported element types. Outputs cannot be of Uint8.
const (
	Float32 ElementType = "FP32"
	Float16 ElementType = "FP16"
	Int32   ElementType = "INT32"
	Int64   ElementType = "INT64"
	Uint8   ElementType = "UINT8"
)

// elementSizes are the sizes of the supported types in bytes.
var elementSizes = map[ElementType]int{Float32: 4, Float16: 2, Int32: 4, Int64: 8, Uint8: 1}

// TensorInfo describes an input of a model.
type TensorInfo struct {
	Name string
	Type ElementType
	// Shape has the size of each dimension, or -1 for a dynamic one.
	Shape []int64
}

// String returns name, type and shape, for people.
func (t TensorInfo) String() string { return fmt.Sprintf("%s of %s %v", t.Name, t.Type, t.Shape) }

// checkTypes returns an error unless all inputs and outputs have supported types.
func checkTypes(inputs, outputs []TensorInfo) error {
	if len(inputs) == 0 || len(outputs) == 0 {
		return errors.New("it has no input or no output")
	}
	if slices.ContainsFunc(inputs, func(t TensorInfo) bool { return elementSizes[t.Type] == 0 }) {
		return fmt.Errorf("its inputs must be of FP32, FP16, UINT8, INT32 or INT64, not %s", list(inputs))
	}
	if slices.ContainsFunc(outputs, func(t TensorInfo) bool { return readNumber[t.Type] == nil }) {
		return fmt.Errorf("its outputs must be of FP32, FP16, INT32 or INT64, not %s", list(outputs))
	}
	return nil
}

func list(all []TensorInfo) string {
	var texts []string
	for _, t := range all {
		texts = append(texts, t.String())
	}
	return strings.Join(texts, ", ")
}

// setTensors describes the inputs and outputs.
func (i *Info) setTensors(inputs, outputs []TensorInfo) error {
	i.Inputs = inputs
	for _, out := range outputs {
		i.OutputNames, i.Outputs = append(i.OutputNames, out.Name), append(i.Outputs, out.Shape)
		i.OutputTypes = append(i.OutputTypes, out.Type)
	}
	return checkTypes(inputs, outputs)
}

// checkInputs returns an error unless there is one tensor for each input, with as many
// numbers as its shape has.
func (i *Info) checkInputs(inputs []Tensor) error {
	if len(inputs) != len(i.Inputs) {
		return fmt.Errorf("there are %d inputs instead of %s", len(inputs), list(i.Inputs))
	}
	for _, in := range inputs {
		if n, err := elements(in.Shape); err != nil || n != len(in.Data) {
			return fmt.Errorf("the input has the shape %v but %d numbers", in.Shape, len(in.Data))
		}
	}
	return nil
}

// appendNumbers appends numbers of an element type, in the byte order of all platforms of
// ONNX Runtime. Integers are rounded, and bytes clamped.
func appendNumbers(raw []byte, numbers []float32, t ElementType) []byte {
	raw = slices.Grow(raw, len(numbers)*elementSizes[t])
	add := appendNumber[t]
	for _, v := range numbers {
		raw = add(raw, v)
	}
	return raw
}

var appendNumber = map[ElementType]func(raw []byte, v float32) []byte{
	Float32: func(raw []byte, v float32) []byte { return binary.LittleEndian.AppendUint32(raw, math.Float32bits(v)) },
	Float16: func(raw []byte, v float32) []byte {
		return binary.LittleEndian.AppendUint16(raw, float16.Fromfloat32(v).Bits())
	},
	Int32: func(raw []byte, v float32) []byte {
		return binary.LittleEndian.AppendUint32(raw, uint32(int32(math.Round(float64(v)))))
	},
	Int64: func(raw []byte, v float32) []byte {
		return binary.LittleEndian.AppendUint64(raw, uint64(int64(math.Round(float64(v)))))
	},
	Uint8: func(raw []byte, v float32) []byte { return append(raw, uint8(min(max(v, 0), 255)+0.5)) },
}

// readNumbers is the inverse of appendNumbers. Integers above 2²⁴ lose their last digits.
func readNumbers(numbers []float32, raw []byte, t ElementType) {
	size, read := elementSizes[t], readNumber[t]
	for i := range numbers {
		numbers[i] = read(raw[i*size:])
	}
}

// readNumber has the types of outputs.
var readNumber = map[ElementType]func(raw []byte) float32{
	Float32: func(raw []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(raw)) },
	Float16: func(raw []byte) float32 { return float16.Frombits(binary.LittleEndian.Uint16(raw)).Float32() },
	Int32:   func(raw []byte) float32 { return float32(int32(binary.LittleEndian.Uint32(raw))) },
	Int64:   func(raw []byte) float32 { return float32(int64(binary.LittleEndian.Uint64(raw))) },
}

// elements returns the number of elements of a tensor of this shape.
func elements(shape []int64) (int, error) {
	n := int64(1)
	for _, dim := range shape {
		if dim < 0 || dim > 0 && n > math.MaxInt32/dim {
			return 0, fmt.Errorf("the shape %v is out of range", shape)
		}
		n *= dim
	}
	return int(n), nil
}
