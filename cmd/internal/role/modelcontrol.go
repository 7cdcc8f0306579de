package role

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/openinference"
	"imageflow.dev/internal/server"
)

// The values of MODEL_CONTROL, as of Triton's --model-control-mode.
const (
	pollModels     = "poll"
	explicitModels = "explicit"
)

// ModelControl says what loads and unloads models.
type ModelControl struct {
	Control      string `envconfig:"MODEL_CONTROL" default:"poll" desc:"onnxruntime: poll: follow the files; explicit: by requests"`
	ControlToken string `envconfig:"MODEL_CONTROL_TOKEN" desc:"bearer token of requests to load and unload models"`
}

func (c ModelControl) isExplicit() bool { return c.Control == explicitModels }

func (c ModelControl) validate(backend string) error {
	switch {
	case c.Control != pollModels && !c.isExplicit():
		return fmt.Errorf("MODEL_CONTROL is %q but must be poll or explicit (MODEL_REPOSITORY_POLL=0 is Triton's none)", c.Control)
	case !c.isExplicit():
		return nil
	case backend != onnxRuntime:
		return errors.New("MODEL_CONTROL=explicit is for INFERENCE_BACKEND=onnxruntime: Triton has --model-control-mode")
	}
	return errors.Join(required("MODEL_CONTROL_TOKEN", c.ControlToken), bearer("MODEL_CONTROL_TOKEN", c.ControlToken))
}

// modelLoader is a repository whose models requests can load and unload.
type modelLoader interface {
	Load(ctx context.Context, name string) error
	Unload(ctx context.Context, name string) error
}

// control returns what loads and unloads the models of a repository; nil if requests do not.
func (c ModelControl) control(repository modelLoader) *openinference.Control {
	if !c.isExplicit() {
		return nil
	}
	answer := func(change func(context.Context, string) error) func(context.Context, string) error {
		return func(ctx context.Context, name string) error { return controlError(ctx, change(ctx, name)) }
	}
	return &openinference.Control{
		Token: server.Token(c.ControlToken), Load: answer(repository.Load), Unload: answer(repository.Unload),
	}
}

// controlError returns an error of a modelLoader as a status.
func controlError(ctx context.Context, err error) error {
	var refused *inference.RefusedError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, inference.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.As(err, &refused):
		return status.Error(codes.InvalidArgument, refused.Error())
	case errors.Is(err, objects.ErrUnavailable):
		return status.Error(codes.Unavailable, "the object store does not answer")
	}
	return job.Status(ctx, err).Err()
}
