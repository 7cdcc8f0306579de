package openinference

import (
	"net/http"
	"slices"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// The states of a version.
const (
	stateReady       = "READY"
	stateUnavailable = "UNAVAILABLE"
)

// indexEntry is an element of $repository_index_response.
type indexEntry struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	State   string `json:"state"`
	Reason  string `json:"reason"`
}

// entriesOf returns an entry for each version of a model, or one without a version if it has none.
func entriesOf(m *imageflowv1.Model) (entries []indexEntry) {
	for _, version := range m.GetVersions() {
		e := indexEntry{Name: m.GetName(), Version: version, State: stateReady}
		available := m.GetAvailableVersions()
		switch {
		case version == m.GetVersion():
		case !slices.Contains(available, version):
			e.State, e.Reason = stateUnavailable, "not available by its version_policy"
		case !m.GetReady(), m.GetReason() != "" && version == available[len(available)-1]:
			e.State, e.Reason = stateUnavailable, m.GetReason()
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		entries = append(entries, indexEntry{Name: m.GetName(), State: stateUnavailable, Reason: m.GetReason()})
	}
	return entries
}

// indexRequest is $repository_index_request.
type indexRequest struct {
	Ready bool `json:"ready"`
}

func (h *handler) index(r *http.Request) (any, error) {
	var request indexRequest
	if err := readBody(r, &request, `{"ready": true}`); err != nil {
		return nil, err
	}
	list, err := h.models.ListModels(r.Context(), &imageflowv1.ListModelsRequest{})
	if err != nil {
		return nil, err
	}
	entries := []indexEntry{}
	for _, m := range list.GetModels() {
		for _, e := range entriesOf(m) {
			if e.State == stateReady || !request.Ready {
				entries = append(entries, e)
			}
		}
	}
	return entries, nil
}
