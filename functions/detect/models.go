package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"imageflow.dev/functions"
	"imageflow.dev/internal/inference"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// detector is a repository of models, and how to read those that were used.
type detector struct {
	repository   inference.Repository
	defaultModel string
	names        []string // none where any may come

	mutex     sync.Mutex
	described map[string]*model
}

// model is a model and how to read it.
type model struct {
	inference.Model
	description
}

// name returns the name of the model that a request means.
func (d *detector) name(r *imageflowv1.DetectionRequest) string {
	return or(r.GetModelName(), d.defaultModel)
}

// check refuses a model that cannot come to be.
func (d *detector) check(r *imageflowv1.DetectionRequest) error {
	if name := d.name(r); len(d.names) > 0 && !slices.Contains(d.names, name) {
		return unknown(name)
	}
	return nil
}

func unknown(name string) error {
	return functions.Errorf(functions.NotFound, "model_name", "no model %q", name)
}

// variant names the version of the model that the request will use.
func (d *detector) variant(ctx context.Context, r *imageflowv1.DetectionRequest) (string, error) {
	m, err := d.repository.Model(ctx, d.name(r))
	if err != nil {
		return "", d.explain(r, err)
	}
	return m.Info().Name + "/" + m.Info().Version, nil
}

// model returns a model as it is now, described.
func (d *detector) model(ctx context.Context, name string) (*model, error) {
	m, err := d.repository.Model(ctx, name)
	if err != nil {
		return nil, err
	}
	d.mutex.Lock()
	known := d.described[name]
	d.mutex.Unlock()
	if known != nil && known.Model == m {
		return known, nil
	}
	about, err := describe(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	known = &model{m, about}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.described[name] = known
	return known, nil
}

// explain gives an error of a repository or a model its kind. That the default
// model is missing is no fault of the caller, and may pass.
func (d *detector) explain(r *imageflowv1.DetectionRequest, err error) error {
	switch missing := errors.Is(err, inference.ErrNotFound); {
	case missing && r.GetModelName() != "":
		return unknown(r.GetModelName())
	case missing, errors.Is(err, inference.ErrUnavailable):
		return &functions.Error{Kind: functions.Unavailable, Message: "the inference backend does not answer", Cause: err}
	}
	return err
}
