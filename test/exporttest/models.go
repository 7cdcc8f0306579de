package main

import (
	"os"

	"imageflow.dev/internal/testing/onnx"
)

// input is the shape of the input of the models that are made here.
var input = []int64{1, 3, 64, 64}

// saveModels writes the demo model and made ones into a repository: "pose" and "classify" as Ultralytics exports
// these tasks.
func saveModels(repository string) error {
	if err := os.CopyFS(repository, os.DirFS("functions/detect/model/repository")); err != nil {
		return err
	}
	if err := pose().Save(repository, "pose", "1", "model.onnx"); err != nil {
		return err
	}
	return classifier().Save(repository, "classify", "1", "model.onnx")
}

// pose returns a model that always finds two people with five keypoints: some are uncertain, and some outside
// their box or the image.
func pose() onnx.Model {
	const anchors = 84
	people := [][]float32{
		{20, 32, 24, 30, 0.9, 20, 20, 0.9, 15, 25, 0.4, 25, 25, 0.8, 2, 40, 0.7, -9, 44, 0.9},
		{45, 30, 20, 26, 0.7, 45, 22, 0.6, 40, 30, 0.5, 50, 30, 0.49, 44, 75, 0.9, 60, 41, 0.8},
	}
	t := onnx.Tensor{Shape: []int64{1, int64(len(people[0])), anchors}, Data: make([]float32, len(people[0])*anchors)}
	for anchor, row := range people {
		for i, v := range row {
			t.Data[i*anchors+anchor] = v
		}
	}
	return onnx.Always(input, t, map[string]string{"names": "{0: 'person'}", "task": "pose", "kpt_shape": "[5, 3]"})
}

// classifier returns a model whose classes are the colours of which an image has most.
func classifier() onnx.Model {
	return onnx.Model{
		Input: input, Output: []int64{1, 3},
		Nodes: []onnx.Node{
			{Op: "ReduceMean", Inputs: []string{"input"}, Output: "mean", Ints: map[string][]int64{"axes": {2, 3}},
				Int: map[string]int64{"keepdims": 0}},
			{Op: "Softmax", Inputs: []string{"mean"}, Output: "output", Int: map[string]int64{"axis": 1}},
		},
		Metadata: map[string]string{"names": "{0: 'red', 1: 'green', 2: 'blue'}", "task": "classify"},
	}
}
