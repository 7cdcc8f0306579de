package inference

import (
	"context"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kserve "imageflow.dev/proto/inference"
)

// Has returns true: only the server knows its models.
func (t *Triton) Has(string) bool { return true }

// List returns all models of the server. The index of models is an extension of
// Triton; without it, List returns the models that were used.
func (t *Triton) List(ctx context.Context) ([]Listing, error) {
	all, err := t.index(ctx)
	if status.Code(err) == codes.Unimplemented {
		return t.cached(), nil
	}
	return all, err
}

// index asks the server for its models.
func (t *Triton) index(ctx context.Context) ([]Listing, error) {
	index, err := t.client.RepositoryIndex(ctx, &kserve.RepositoryIndexRequest{})
	if err != nil {
		return nil, err
	}
	byName := map[string]*Listing{}
	ready := map[string]string{} // the highest version that is ready, by name
	for _, m := range index.GetModels() {
		l := byName[m.GetName()]
		if l == nil {
			l = &Listing{Name: m.GetName()}
			byName[l.Name] = l
		}
		if m.GetVersion() != "" {
			l.Versions = append(l.Versions, m.GetVersion())
		}
		if m.GetState() == readyState {
			ready[l.Name] = highest([]string{ready[l.Name], m.GetVersion()})
		} else if m.GetReason() != "" {
			l.Reason = m.GetReason()
		}
	}
	var all []Listing
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		l := byName[name]
		slices.SortFunc(l.Versions, compareVersions)
		if last := highest(l.Versions); last != "" && ready[name] == last {
			l.Reason = ""
		}
		all = append(all, *l)
	}
	return all, nil
}

// readyState is the state of a version that accepts work.
const readyState = "READY"

// cached returns the models in the cache.
func (t *Triton) cached() (all []Listing) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for _, name := range slices.Sorted(maps.Keys(t.cache)) {
		l := Listing{Name: name}
		if version := t.cache[name].model.info.Version; version != "" {
			l.Versions = []string{version}
		}
		all = append(all, l)
	}
	return all
}
