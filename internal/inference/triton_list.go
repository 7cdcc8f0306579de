package inference

import (
	"context"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kserve "imageflow.dev/proto/inference"
)

// Has is true: the server knows.
func (t *Triton) Has(string) bool { return true }

// List tells of every model of the server; of a server that keeps no index, which
// is Triton's own extension, of those that were asked for.
func (t *Triton) List(ctx context.Context) ([]Listing, error) {
	all, err := t.index(ctx)
	if status.Code(err) == codes.Unimplemented {
		return t.asked(), nil
	}
	return all, err
}

// index asks the server for its models.
func (t *Triton) index(ctx context.Context) ([]Listing, error) {
	index, err := call(ctx, t, t.client.RepositoryIndex, &kserve.RepositoryIndexRequest{})
	if err != nil {
		return nil, err
	}
	byName := map[string]*Listing{}
	ready := map[string]string{}
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
		slices.SortFunc(l.Versions, byNumber)
		if last := highest(l.Versions); last != "" && ready[name] == last {
			l.Reason = ""
		}
		all = append(all, *l)
	}
	return all, nil
}

// readyState is the protocol's name for that of a version that takes work.
const readyState = "READY"

// asked returns the models that were asked for and are there.
func (t *Triton) asked() (all []Listing) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for _, name := range slices.Sorted(maps.Keys(t.known)) {
		l := Listing{Name: name}
		if version := t.known[name].raw.info.Version; version != "" {
			l.Versions = []string{version}
		}
		all = append(all, l)
	}
	return all
}
