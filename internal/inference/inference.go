// Package inference runs models, either in the process (ONNX Runtime) or on a
// server that speaks the Open Inference Protocol (KServe v2), such as Triton. A
// model is a file in a repository of Triton's layout: <name>/<version>/model.onnx.
package inference

import (
	"context"
	"errors"
	"fmt"
)

var (
	// ErrNotFound is in the chain of an error about a model that does not exist.
	ErrNotFound = errors.New("model not found")
	// ErrUnavailable is in the chain of an error that a retry may cure.
	ErrUnavailable = errors.New("the inference backend is unavailable")
	// ErrChanged means that the repository has replaced the model since Model
	// returned it: ask the repository again. It wraps ErrUnavailable.
	ErrChanged = fmt.Errorf("the model has changed: %w", ErrUnavailable)
)

// RefusedError means that a model exists but cannot be used.
type RefusedError struct {
	Name string
	// Reason is written for the person who installed the model.
	Reason string
	// Temporary means that a retry may help. The error is then an ErrUnavailable, too.
	Temporary bool
}

// Unwrap returns ErrUnavailable for a temporary refusal.
func (e *RefusedError) Unwrap() error {
	if e.Temporary {
		return ErrUnavailable
	}
	return nil
}

// Error names the model and the reason.
func (e *RefusedError) Error() string { return fmt.Sprintf("model %q: %s", e.Name, e.Reason) }

// Tensor is an array of numbers in row-major order. Those of other element types are
// converted from and to float32.
type Tensor struct {
	Shape []int64
	Data  []float32
}

// Info describes a model.
type Info struct {
	// Version is empty if the server does not report it.
	Name, Version string
	// Digest identifies the content of the model's files, also between files of
	// the same version. It is empty for models on a server.
	Digest string
	// Backend is the software that runs the model; Provider is the hardware, or
	// empty for models on a server.
	Backend, Provider string
	// Inputs are in the order that Infer expects.
	Inputs []TensorInfo
	// Outputs are the shapes of the outputs, and OutputNames their names in the model file.
	Outputs     [][]int64
	OutputNames []string
	OutputTypes []ElementType
	// Precision is the element type of most of the weights, Threads the number of threads of one run, and
	// Instances the maximum number of concurrent runs; 0 means any number. They are empty for models on a server.
	Precision ElementType
	Threads   int
	Instances int
	// Metadata is the metadata of the model file, overridden by the parameters of
	// config.pbtxt. Triton reports only the parameters.
	Metadata map[string]string
	// Labels are the lines of labels.txt. Triton does not report them.
	Labels []string
}

// Model is one version of a model, ready to run. It is safe for concurrent use.
// A repository returns equal Models as long as the model does not change.
type Model interface {
	Info() Info
	// Infer runs the model on its inputs and passes the outputs to use; they are
	// valid until use returns. Infer stops when ctx ends. It returns an error of
	// use unchanged.
	Infer(ctx context.Context, inputs []Tensor, use func(outputs []Tensor) error) error
}

// Repository finds models by name.
type Repository interface {
	// Model returns the current model of this name, in an available version; an empty version means the one
	// in use. The error is an ErrNotFound, an ErrNoVersion, an ErrUnavailable or a RefusedError.
	Model(ctx context.Context, name, version string) (Model, error)
	// Has does no I/O. False means that the model certainly does not exist.
	Has(name string) bool
	// List returns all models, sorted by name.
	List(ctx context.Context) ([]Listing, error)
	// Close releases the models or the connection. The repository and its models
	// are not usable afterwards.
	Close() error
}

// Listing describes the versions of one model in a repository.
type Listing struct {
	Name string
	// Versions are sorted by number, as the Available ones, which requests can name.
	Versions, Available []string
	// Reason says why the highest version is not in use. It is empty if it is.
	Reason string
}
