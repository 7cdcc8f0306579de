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
	known, ok := m.(*model)
	if !ok {
		return nil, fmt.Errorf("model %s has not been prepared", name)
	}
	return known, nil
}

// explain gives an error of a repository or a model its kind. That the default
// model is missing is no fault of the caller, and may pass; so may a model's being
// refused.
func (d *detector) explain(r *imageflowv1.DetectionRequest, err error) error {
	var refused *inference.RefusedError
	switch missing := errors.Is(err, inference.ErrNotFound); {
	case errors.As(err, &refused):
		return &functions.Error{Kind: functions.Unavailable, Field: "model_name", Message: "unusable " + refused.Error(), Cause: err}
	case missing && r.GetModelName() != "":
		return unknown(r.GetModelName())
	case missing, errors.Is(err, inference.ErrUnavailable):
		return &functions.Error{Kind: functions.Unavailable, Message: "the inference backend does not answer", Cause: err}
	}
	return err
}
