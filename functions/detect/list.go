package detect

import (
	"context"
	"errors"

	"imageflow.dev/internal/inference"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// List describes all models. A default model that does not exist is listed too.
func (s *Models) List(ctx context.Context) (*imageflowv1.ListModelsResponse, error) {
	listings, err := s.repository.List(ctx)
	if err != nil {
		return nil, kindError(err)
	}
	resp := &imageflowv1.ListModelsResponse{}
	hasDefault := false
	for _, l := range listings {
		hasDefault = hasDefault || l.Name == s.defaultModel
		m, err := s.listed(ctx, l, "")
		if err != nil {
			return nil, kindError(err)
		}
		m.Default = l.Name == s.defaultModel
		resp.Models = append(resp.Models, m)
	}
	if !hasDefault {
		resp.Models = append(resp.Models, &imageflowv1.Model{
			Name: s.defaultModel, Default: true, Reason: inference.ErrNotFound.Error(),
		})
	}
	return resp, nil
}

// listed describes one model of the list, in a version if that is not empty.
func (s *Models) listed(ctx context.Context, l inference.Listing, version string) (*imageflowv1.Model, error) {
	listed := &imageflowv1.Model{Name: l.Name, Versions: l.Versions, AvailableVersions: l.Available, Reason: l.Reason}
	m, err := s.model(ctx, l.Name, version)
	var refused *inference.RefusedError
	switch {
	case errors.As(err, &refused):
		listed.Reason = refused.Reason
		return listed, nil
	case err != nil && l.Reason != "": // the reason that Triton gives is more precise
		return listed, nil
	case err != nil:
		return nil, err
	}
	info := m.Info()
	listed.Ready, listed.Version, listed.Backend, listed.Provider = true, info.Version, info.Backend, info.Provider
	listed.Layout, listed.Resize, listed.Labels = m.layout.name, string(m.fit), m.names
	listed.Precision, listed.Threads, listed.Instances = string(info.Precision), int32(info.Threads), int32(info.Instances)
	listed.InputWidth, listed.InputHeight = int32(m.width), int32(m.height)
	return listed, nil
}
