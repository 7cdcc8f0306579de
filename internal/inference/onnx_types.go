//go:build cgo

package inference

import (
	"fmt"

	ort "github.com/yalue/onnxruntime_go"
)

// elementTypes are the supported types of the runtime.
var elementTypes = map[ort.TensorElementDataType]ElementType{
	ort.TensorElementDataTypeFloat:   Float32,
	ort.TensorElementDataTypeFloat16: Float16,
	ort.TensorElementDataTypeInt32:   Int32,
	ort.TensorElementDataTypeInt64:   Int64,
	ort.TensorElementDataTypeUint8:   Uint8,
}

// describeTensors converts descriptions of the runtime. An unsupported type keeps the
// runtime's name.
func describeTensors(all []ort.InputOutputInfo) (infos []TensorInfo) {
	for _, t := range all {
		kind, ok := elementTypes[t.DataType]
		if !ok {
			kind = ElementType(t.DataType.String())
		}
		infos = append(infos, TensorInfo{t.Name, kind, t.Dimensions})
	}
	return infos
}

// newInputs returns tensors of the types of the inputs for the runtime. Those of float32 share
// the memory of the numbers. The caller destroys what is not nil, also after an error.
func newInputs(numbers []Tensor, inputs []TensorInfo) ([]ort.Value, error) {
	values := make([]ort.Value, len(numbers))
	for i, in := range numbers {
		value, err := newInput(in, inputs[i].Type)
		if err != nil {
			return values, err
		}
		values[i] = value
	}
	return values, nil
}

func newInput(in Tensor, t ElementType) (ort.Value, error) {
	if t == Float32 {
		return ort.NewTensor(in.Shape, in.Data)
	}
	raw := appendNumbers(nil, in.Data, t)
	for number, name := range elementTypes {
		if name == t {
			return ort.NewCustomDataTensor(in.Shape, raw, number)
		}
	}
	return nil, fmt.Errorf("the element type %s is not supported", t)
}

// destroyAll frees those values that are not nil.
func destroyAll(values []ort.Value) {
	for _, value := range values {
		if value != nil {
			destroy(value)
		}
	}
}

// readOutput returns a tensor of the runtime. One of float32 shares its memory.
func readOutput(value ort.Value) (Tensor, error) {
	switch t := value.(type) {
	case *ort.Tensor[float32]:
		return Tensor{Shape: t.GetShape(), Data: t.GetData()}, nil
	case *ort.Tensor[int32]:
		return converted(t, len(t.GetData()), func(i int) float32 { return float32(t.GetData()[i]) }), nil
	case *ort.Tensor[int64]:
		return converted(t, len(t.GetData()), func(i int) float32 { return float32(t.GetData()[i]) }), nil
	case *ort.CustomDataTensor:
		if t.DataType() != ort.TensorElementDataTypeFloat16 {
			break
		}
		out := Tensor{Shape: t.GetShape(), Data: make([]float32, len(t.GetData())/2)}
		readNumbers(out.Data, t.GetData(), Float16)
		return out, nil
	}
	return Tensor{}, fmt.Errorf("a %T is no tensor of a supported type", value)
}

// converted returns a tensor with the shape of another one and n numbers.
func converted(from ort.Value, n int, number func(i int) float32) Tensor {
	out := Tensor{Shape: from.GetShape(), Data: make([]float32, n)}
	for i := range out.Data {
		out.Data[i] = number(i)
	}
	return out
}

// metadata returns the metadata of a model file.
func metadata(session *ort.DynamicAdvancedSession) (map[string]string, error) {
	m, err := session.GetModelMetadata()
	if err != nil {
		return nil, err
	}
	defer destroy(m)
	keys, err := m.GetCustomMetadataMapKeys()
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, key := range keys {
		if all[key], _, err = m.LookupCustomMetadataMap(key); err != nil {
			return nil, err
		}
	}
	return all, nil
}
