// Package inference runs models: in the process, or on a server that speaks the
// Open Inference Protocol (KServe v2), as Triton does. A model is a file in a
// repository of Triton's layout: <name>/<version>/model.onnx.
package inference

import (
	"context"
	"errors"
	"fmt"
)

var (
	// ErrNotFound is in the chain of an error about a model that is not there.
	ErrNotFound = errors.New("there is no such model")
	// ErrUnavailable is in the chain of an error that another try may cure.
	ErrUnavailable = errors.New("the inference backend is unavailable")
	// ErrChanged tells that the model is not any more what its Info says: the
	// repository has another by its name. It is an ErrUnavailable.
	ErrChanged = fmt.Errorf("the model has changed: %w", ErrUnavailable)
)

// Tensor is numbers in a shape, the last dimension contiguous.
type Tensor struct {
	// Shape has -1 for a dynamic dimension where it describes a model.
	Shape []int64
	Data  []float32
}

// Info describes a model.
type Info struct {
	// Version is empty where a server does not tell it.
	Name, Version string
	// Input is the shape of the one input, Outputs those of the outputs.
	Input   []int64
	Outputs [][]int64
	// InputName and OutputNames are what the file calls them.
	InputName   string
	OutputNames []string
	// Metadata is what the file says of itself; on Triton, which does not hand
	// that on, the parameters of config.pbtxt.
	Metadata map[string]string
}

// Model is one version of a model, ready to run, safe for concurrent use.
// Two are the same one when they are equal.
type Model interface {
	Info() Info
	// Infer runs the model on one input. The outputs are lent to use and are
	// void when it has returned. The end of ctx ends the run. An error that use
	// returns is returned as it is.
	Infer(ctx context.Context, input Tensor, use func(outputs []Tensor) error) error
}

// Repository is models by name.
type Repository interface {
	// Model returns the model that a name stands for now. It is the one
	// returned before for as long as that has not changed. Errors are
	// ErrNotFound and ErrUnavailable.
	Model(ctx context.Context, name string) (Model, error)
}
