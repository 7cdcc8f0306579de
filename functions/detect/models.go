package detect

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"imageflow.dev/functions"
	"imageflow.dev/internal/inference"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// detector is a repository of models made by Prepare.
type detector struct {
	repository   inference.Repository
	defaultModel string
}

// name returns the name of the model that a request means.
func (d *detector) name(r *imageflowv1.DetectionRequest) string {
	return or(r.GetModelName(), d.defaultModel)
}

// check refuses a model that is known not to be there.
func (d *detector) check(r *imageflowv1.DetectionRequest) error {
	if name := r.GetModelName(); name != "" && !d.repository.Has(name) {
		return unknown(name)
	}
	return nil
}

func unknown(name string) error {
	return functions.Errorf(functions.NotFound, "model_name", "no model %q", name)
}

// variant names the version of the model that the request will use, and its files.
func (d *detector) variant(ctx context.Context, r *imageflowv1.DetectionRequest) (string, error) {
	m, err := d.repository.Model(ctx, d.name(r))
	if err != nil {
		return "", d.explain(r, err)
	}
	info := m.Info()
	return strings.TrimSuffix(info.Name+"/"+info.Version+"@"+info.Digest, "@"), nil
}

// model returns a model as it is now.
func (d *detector) model(ctx context.Context, name string) (*model, error) {
	m, err := d.repository.Model(ctx, name)
	if err != nil {
		return nil, err
	}
	return prepared(m)
}

// prepared returns what Prepare has made.
func prepared(m inference.Model) (*model, error) {
	if m, ok := m.(*model); ok {
		return m, nil
	}
	return nil, fmt.Errorf("model %s has not been prepared", m.Info().Name)
}

// explain gives an error of a repository or a model its kind. That the default
// model is missing is no fault of the caller, and may pass.
func (d *detector) explain(r *imageflowv1.DetectionRequest, err error) error {
	if errors.Is(err, inference.ErrNotFound) && r.GetModelName() != "" {
		return unknown(r.GetModelName())
	}
	return explain(err)
}

// explain gives an error its kind. A model that is refused may be mended.
func explain(err error) error {
	var refused *inference.RefusedError
	switch {
	case errors.As(err, &refused):
		return functions.Errorf(functions.Unavailable, "model_name", "unusable %v", refused)
	case errors.Is(err, inference.ErrNotFound), errors.Is(err, inference.ErrUnavailable):
		return &functions.Error{Kind: functions.Unavailable, Message: "the inference backend does not answer", Cause: err}
	}
	return err
}
