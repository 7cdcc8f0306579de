package inference_test

import (
	"slices"
	"testing"

	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/onnx"
)

// TestInfer_convertsHalves: models exported with half precision take and return float32.
func TestInfer_convertsHalves(t *testing.T) {
	numbers := []float32{0, 1, -2.5, 0.333251953125, 65504, 5.9604645e-08} // float16 has these exactly
	m := onnx.Model{
		Input: []int64{-1, 6}, InputType: onnx.Float16, Output: []int64{-1, 6}, OutputType: onnx.Float16,
		Nodes: []onnx.Node{
			{Op: "Cast", Inputs: []string{"input"}, Output: "wide", To: onnx.Float32},
			{Op: "Cast", Inputs: []string{"wide"}, Output: "output", To: onnx.Float16},
		},
	}
	model := openModel(t, m)
	for range 3 { // the first run checks the declared shapes
		input := []inference.Tensor{{Shape: []int64{1, 6}, Data: numbers}}
		err := model.Infer(t.Context(), input, func(outputs []inference.Tensor) error {
			if got := outputs[0]; !slices.Equal(got.Data, numbers) || !slices.Equal(got.Shape, []int64{1, 6}) {
				t.Errorf("got %v", got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
