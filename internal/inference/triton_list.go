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
			l.Available = append(l.Available, m.GetVersion())
		} else if m.GetReason() != "" {
			l.Reason = m.GetReason()
		}
	}
	var all []Listing
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		l := byName[name]
		slices.SortFunc(l.Versions, compareVersions)
		slices.SortFunc(l.Available, compareVersions)
		if last := highest(l.Versions); last != "" && highest(l.Available) == last {
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
	versions := map[string][]string{} // by name
	for key, entry := range t.cache {
		versions[key.name] = append(versions[key.name], entry.model.info.Version)
	}
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		found := slices.DeleteFunc(versions[name], func(version string) bool { return version == "" })
		slices.SortFunc(found, compareVersions)
		found = slices.Compact(found)
		all = append(all, Listing{Name: name, Versions: found, Available: found})
	}
	return all
}
