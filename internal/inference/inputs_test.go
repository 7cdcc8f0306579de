package inference_test

import (
	"slices"
	"testing"

	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/onnx"
	"imageflow.dev/internal/testing/triton"
)

// sum returns a model that adds three inputs of different types. Its second output has integers.
func sum() onnx.Model {
	cast := func(from, to string, kind uint64) onnx.Node {
		return onnx.Node{Op: "Cast", Inputs: []string{from}, Output: to, To: kind}
	}
	return onnx.Model{
		Input: []int64{-1, 2}, InputType: onnx.Uint8, Output: []int64{-1, 2},
		MoreInputs: []onnx.Value{
			{Name: "sizes", Type: onnx.Int64, Shape: []int64{-1, 2}}, {Name: "half", Type: onnx.Float16, Shape: []int64{2}},
		},
		MoreOutputs: []onnx.Value{{Name: "whole", Type: onnx.Int64, Shape: []int64{-1, 2}}},
		Nodes: []onnx.Node{
			cast("input", "a", onnx.Float32), cast("sizes", "b", onnx.Float32), cast("half", "c", onnx.Float32),
			{Op: "Add", Inputs: []string{"a", "b"}, Output: "ab"},
			{Op: "Add", Inputs: []string{"ab", "c"}, Output: "output"},
			cast("output", "whole", onnx.Int64),
		},
	}
}

// TestInfer_convertsInputs: inputs of every type are given as float32, in the order of the model.
func TestInfer_convertsInputs(t *testing.T) {
	dir := t.TempDir()
	triton.Save(t, sum(), dir, "sum", "1")
	inputs := []inference.Tensor{
		{Shape: []int64{1, 2}, Data: []float32{254.6, -3}}, // rounded and clamped
		{Shape: []int64{1, 2}, Data: []float32{640, 1 << 20}},
		{Shape: []int64{2}, Data: []float32{0.5, -0.25}},
	}
	for name, start := range backends {
		t.Run(name, func(t *testing.T) {
			m := modelOf(t, start(t, dir), "sum")
			if kinds := m.Info().Inputs; len(kinds) != 3 || kinds[1].Name != "sizes" || kinds[1].Type != inference.Int64 {
				t.Errorf("inputs %v, want sizes of INT64 as the second", kinds)
			}
			for range 3 { // the first run checks the declared shapes
				err := m.Infer(t.Context(), inputs, func(outputs []inference.Tensor) error {
					if got := outputs[0].Data; !slices.Equal(got, []float32{895.5, 1<<20 - 0.25}) {
						t.Errorf("sum %v", got)
					}
					if got := outputs[1].Data; !slices.Equal(got, []float32{895, 1<<20 - 1}) {
						t.Errorf("integers %v", got)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := m.Infer(t.Context(), inputs[:2], nil); err == nil {
				t.Error("a run with two of three inputs succeeded")
			}
		})
	}
}
