package detect_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/inference"
)

// fakeModel is a model of the layout v8 that always finds one object.
type fakeModel struct {
	info inference.Info
	err  error
	runs atomic.Int64
}

func (m *fakeModel) Info() inference.Info { return m.info }

func (m *fakeModel) Infer(_ context.Context, _ []inference.Tensor, use func([]inference.Tensor) error) error {
	m.runs.Add(1)
	if m.err != nil {
		return m.err
	}
	output := v8(object{10, 20, 30, 50, []float32{0.9, 0}})
	return use([]inference.Tensor{{Shape: output.Shape, Data: output.Data}})
}

func newFakeModel(version string) *fakeModel {
	inputs := []inference.TensorInfo{{Name: "images", Type: inference.Float32, Shape: input}}
	return &fakeModel{info: inference.Info{Name: "m", Version: version, Inputs: inputs, Metadata: metadata()}}
}

// fakeRepository has one model, which nothing has checked.
type fakeRepository struct{ model inference.Model }

func (r *fakeRepository) Model(context.Context, string, string) (inference.Model, error) {
	return r.model, nil
}
func (r *fakeRepository) Has(string) bool                                   { return true }
func (r *fakeRepository) List(context.Context) ([]inference.Listing, error) { return nil, nil }
func (r *fakeRepository) Close() error                                      { return nil }

// TestModels_describesEachModelOnce: the first use runs the model twice to describe it; a
// replacement is described again.
func TestModels_describesEachModelOnce(t *testing.T) {
	first, second := newFakeModel("1"), newFakeModel("2")
	repository := &fakeRepository{first}
	p := processorOf(repository, "m")
	for _, m := range []*fakeModel{first, second} {
		repository.model = m
		for range 3 {
			if identity, err := p.Identity(t.Context(), &request{}); err != nil || identity != "m/"+m.info.Version {
				t.Errorf("identity %q, %v, want version %s", identity, err, m.info.Version)
			}
		}
		if runs := m.runs.Load(); runs != 2 {
			t.Errorf("version %s ran %d times, want 2", m.info.Version, runs)
		}
	}
}

// TestModels_remembersRefusalsOnly: a model that cannot be used is described once;
// an unavailable backend is asked again.
func TestModels_remembersRefusalsOnly(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		runs int64
	}{
		"refused": {errors.New("invalid graph"), 1}, "unavailable": {inference.ErrUnavailable, 3}, "changed": {inference.ErrChanged, 3},
	} {
		m := newFakeModel("1")
		m.err = c.err
		models := detect.NewModels(&fakeRepository{m}, "m")
		for range 3 {
			if err := models.CheckDefault(t.Context()); err == nil || !strings.Contains(err.Error(), c.err.Error()) {
				t.Errorf("%s: got %v, want %v", name, err, c.err)
			}
		}
		if runs := m.runs.Load(); runs != c.runs {
			t.Errorf("%s: ran %d times, want %d", name, runs, c.runs)
		}
	}
}

// TestModels_refusedModelHasAKind: callers must not retry with a refused model, named or not.
func TestModels_refusedModelHasAKind(t *testing.T) {
	m := newFakeModel("1")
	m.err = errors.New("invalid graph")
	p := detect.New(detect.NewModels(&fakeRepository{m}, "m"))
	for name, want := range map[string]functions.Kind{"m": functions.Invalid, "": functions.Invalid} {
		_, err := p.Identity(t.Context(), &request{ModelName: name})
		var e *functions.Error
		if !errors.As(err, &e) || e.Kind != want || e.Field != "model_name" || !strings.Contains(e.Error(), "invalid graph") {
			t.Errorf("named %q: got %v, want kind %v", name, err, want)
		}
	}
}
