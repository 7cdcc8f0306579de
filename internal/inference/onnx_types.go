//go:build cgo

package inference

import (
	"encoding/binary"
	"fmt"

	"github.com/x448/float16"
	ort "github.com/yalue/onnxruntime_go"
)

// isSupported reports whether tensors of an element type can be converted.
func isSupported(t ort.TensorElementDataType) bool {
	return t == ort.TensorElementDataTypeFloat || t == ort.TensorElementDataTypeFloat16
}

// newInput returns a tensor of an element type for the runtime. One of float32 shares
// the memory of the input.
func newInput(in Tensor, t ort.TensorElementDataType) (ort.Value, error) {
	if t == ort.TensorElementDataTypeFloat {
		return ort.NewTensor(in.Shape, in.Data)
	}
	halves := make([]byte, 0, 2*len(in.Data))
	for _, v := range in.Data {
		halves = binary.NativeEndian.AppendUint16(halves, float16.Fromfloat32(v).Bits())
	}
	return ort.NewCustomDataTensor(in.Shape, halves, ort.TensorElementDataTypeFloat16)
}

// readOutput returns a tensor of the runtime. One of float32 shares its memory.
func readOutput(value ort.Value) (Tensor, error) {
	switch t := value.(type) {
	case *ort.Tensor[float32]:
		return Tensor{Shape: t.GetShape(), Data: t.GetData()}, nil
	case *ort.CustomDataTensor:
		if t.DataType() != ort.TensorElementDataTypeFloat16 {
			break
		}
		halves := t.GetData()
		out := Tensor{Shape: t.GetShape(), Data: make([]float32, len(halves)/2)}
		for i := range out.Data {
			out.Data[i] = float16.Frombits(binary.NativeEndian.Uint16(halves[2*i:])).Float32()
		}
		return out, nil
	}
	return Tensor{}, fmt.Errorf("a %T is no tensor of float32 or float16", value)
}
