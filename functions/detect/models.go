package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"imageflow.dev/functions"
	"imageflow.dev/internal/inference"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Models wraps a model repository. It finds out how to read each model when it is
// first used, and again when the repository has replaced it.
type Models struct {
	repository   inference.Repository
	defaultModel string

	mutex sync.Mutex
	cache map[versionKey]cacheEntry

	trials sync.Mutex // held during a trial for a caller
}

// versionKey is a model and a version of it; an empty version means the one in use.
type versionKey struct{ name, version string }

// cacheEntry is the result of describing one model of the repository.
type cacheEntry struct {
	source  inference.Model
	model   *model
	refused *inference.RefusedError // instead of model
}

// NewModels wraps a repository. Requests without a model name use the default.
func NewModels(repository inference.Repository, defaultModel string) *Models {
	return &Models{repository: repository, defaultModel: defaultModel, cache: map[versionKey]cacheEntry{}}
}

// CheckDefault returns an error unless the default model can be used.
func (s *Models) CheckDefault(ctx context.Context) error {
	_, err := s.model(ctx, s.defaultModel, "")
	return err
}

// Close closes the repository.
func (s *Models) Close() error { return s.repository.Close() }

// model returns the current model of this name, in a version if that is not empty.
func (s *Models) model(ctx context.Context, name, version string) (*model, error) {
	key := versionKey{name, version}
	source, err := s.repository.Model(ctx, name, version)
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	entry := s.cache[key]
	s.mutex.Unlock()
	if entry.source != source {
		if entry, err = newEntry(ctx, source); err != nil {
			return nil, fmt.Errorf("model %q: %w", name, err)
		}
		s.mutex.Lock()
		s.cache[key] = entry
		s.mutex.Unlock()
	}
	if entry.refused != nil {
		return nil, entry.refused
	}
	return entry.model, nil
}

// newEntry describes a model. The error is temporary; other errors are in the
// entry.
func newEntry(ctx context.Context, source inference.Model) (cacheEntry, error) {
	m, err := describe(ctx, source)
	if ctx.Err() != nil || errors.Is(err, inference.ErrUnavailable) {
		return cacheEntry{}, err
	}
	if err != nil {
		return cacheEntry{source: source, refused: &inference.RefusedError{Name: source.Info().Name, Reason: err.Error()}}, nil
	}
	return cacheEntry{source: source, model: m}, nil
}

// requested returns the name of the model that a request means.
func (s *Models) requested(r *imageflowv1.DetectionRequest) string {
	return cmp.Or(r.GetModelName(), s.defaultModel)
}

// requestedModel returns the model that a request means, with the size of the input that it asks for.
func (s *Models) requestedModel(ctx context.Context, r *imageflowv1.DetectionRequest) (*model, error) {
	m, err := s.model(ctx, s.requested(r), r.GetModelVersion())
	if err != nil {
		return nil, err
	}
	return m.sized(int(r.GetImageSize()))
}

// sized returns the model with an input of size × size pixels; 0 means its own size.
func (m *model) sized(size int) (*model, error) {
	switch {
	case size == 0, size == m.width && size == m.height:
		return m, nil
	case !m.rectangular:
		return nil, functions.Errorf(functions.Invalid, "image_size",
			"the model has an input of %d×%d pixels only: leave it out, or export the model with a dynamic height and width",
			m.width, m.height)
	case size%m.stride != 0:
		return nil, functions.Errorf(functions.Invalid, "image_size", "must be a multiple of %d for this model", m.stride)
	}
	return &model{m.Model, *m.at(size, size)}, nil
}

// check rejects a model name that is known not to exist.
func (s *Models) check(r *imageflowv1.DetectionRequest) error {
	if name := r.GetModelName(); name != "" && !s.repository.Has(name) {
		return notFound(name)
	}
	return nil
}

func notFound(name string) error {
	return functions.Errorf(functions.NotFound, "model_name", "no model %.64q", name)
}

// identity names the model that the request will use: version and files.
func (s *Models) identity(ctx context.Context, r *imageflowv1.DetectionRequest) (string, error) {
	m, err := s.requestedModel(ctx, r)
	if err != nil {
		return "", s.requestError(r, err)
	}
	info := m.Info()
	return strings.TrimSuffix(info.Name+"/"+info.Version+"@"+info.Digest, "@"), nil
}

// requestError gives an error of a repository or a model its kind. A missing model that the request
// names is the caller's fault; a missing default model is not.
func (s *Models) requestError(r *imageflowv1.DetectionRequest, err error) error {
	if r.GetModelName() != "" && errors.Is(err, inference.ErrNotFound) {
		return notFound(r.GetModelName())
	}
	return kindError(err)
}

// kindError gives an error of a repository or a model its kind. A retry does not help with a model
// that is refused.
func kindError(err error) error {
	var refused *inference.RefusedError
	switch {
	case errors.Is(err, inference.ErrNoVersion):
		return functions.Errorf(functions.Invalid, "model_version", "%v", err)
	case errors.As(err, &refused):
		kind := functions.Invalid
		if refused.Temporary {
			kind = functions.Unavailable
		}
		return functions.Errorf(kind, "model_name", "unusable %v", refused)
	case errors.Is(err, inference.ErrChanged):
		return functions.Errorf(functions.Unavailable, "", "the model was replaced or unloaded during the request; try again")
	case errors.Is(err, inference.ErrNotFound), errors.Is(err, inference.ErrUnavailable):
		return &functions.Error{Kind: functions.Unavailable, Message: "the inference backend does not answer", Cause: err}
	}
	return err
}
