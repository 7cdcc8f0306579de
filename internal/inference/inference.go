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

// RefusedError tells that a model is there and cannot be used.
type RefusedError struct {
	Name string
	// Reason is written for who has put the model there.
	Reason string
}

// Error names the model and the reason.
func (e *RefusedError) Error() string { return fmt.Sprintf("model %q: %s", e.Name, e.Reason) }

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
	// Digest tells files of one version apart; empty where a server has them.
	Digest string
	// Backend and Provider are what runs it and on what; a server does not tell
	// its provider.
	Backend, Provider string
	// Input is the shape of the one input, Outputs those of the outputs.
	Input   []int64
	Outputs [][]int64
	// InputName and OutputNames are what the file calls them.
	InputName   string
	OutputNames []string
	// Metadata is what the file says of itself, and over that the parameters of
	// config.pbtxt; on Triton, which does not hand the former on, the latter.
	Metadata map[string]string
	// MaxBatch is the max_batch_size of config.pbtxt; 0 sets no limit.
	MaxBatch int
	// Labels are the lines of labels.txt, which Triton does not hand on.
	Labels []string
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

// Prepare makes of a model that has been loaded the one that a repository gives
// out, or refuses it. It may run it.
type Prepare func(context.Context, Model) (Model, error)

// asItIs prepares nothing.
func asItIs(_ context.Context, m Model) (Model, error) { return m, nil }

// Repository is models by name, each prepared once.
type Repository interface {
	// Model returns the model that a name stands for now. It is the one
	// returned before for as long as that has not changed. Errors are
	// ErrNotFound, ErrUnavailable and RefusedError.
	Model(ctx context.Context, name string) (Model, error)
	// Has is false where it is known, asking no one, that there is no such model.
	Has(name string) bool
	// List tells of every model, sorted by name.
	List(ctx context.Context) ([]Listing, error)
}

// Listing is what a repository has by a name.
type Listing struct {
	Name string
	// Versions are those that lie there, the one of the highest number last.
	Versions []string
	// Reason says why the last one is not in use; empty where it is.
	Reason string
}
