package detect

import (
	"context"
	"errors"

	"imageflow.dev/internal/inference"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// List tells of the models of a repository of those made by Prepare. A default
// that is not there is listed too.
func List(ctx context.Context, repository inference.Repository, defaultModel string) (*imageflowv1.ListModelsResponse, error) {
	listings, err := repository.List(ctx)
	if err != nil {
		return nil, explain(err)
	}
	resp := &imageflowv1.ListModelsResponse{}
	there := false
	for _, l := range listings {
		there = there || l.Name == defaultModel
		m, err := tell(ctx, repository, l)
		if err != nil {
			return nil, explain(err)
		}
		m.Default = l.Name == defaultModel
		resp.Models = append(resp.Models, m)
	}
	if !there {
		resp.Models = append(resp.Models, &imageflowv1.Model{Name: defaultModel, Default: true, Reason: inference.ErrNotFound.Error()})
	}
	return resp, nil
}

// tell describes a model that is listed.
func tell(ctx context.Context, repository inference.Repository, l inference.Listing) (*imageflowv1.Model, error) {
	told := &imageflowv1.Model{Name: l.Name, Versions: l.Versions, Reason: l.Reason}
	given, err := repository.Model(ctx, l.Name)
	var refused *inference.RefusedError
	switch {
	case errors.As(err, &refused):
		told.Reason = refused.Reason
		return told, nil
	case err != nil && l.Reason != "": // Triton's own says more
		return told, nil
	case err != nil:
		return nil, err
	}
	m, err := prepared(given)
	if err != nil {
		return nil, err
	}
	info := m.Info()
	told.Ready, told.Version, told.Backend, told.Provider = true, info.Version, info.Backend, info.Provider
	told.Layout, told.Resize, told.Labels = m.layout.name, string(m.fit), m.names
	told.InputWidth, told.InputHeight = int32(m.width), int32(m.height)
	return told, nil
}
