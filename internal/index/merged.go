package index

import (
	"maps"
	"slices"
)

// mergedWindow has what the segments of a window say, merged. It never changes, so many can read it.
type mergedWindow struct {
	segments map[string]bool // the keys of the segments, of which some may be folded meanwhile
	entries  map[identity]*Entry
	sorted   []*Entry // the entries, the newest first
}

// with returns the window with the contents of further segments. Segments that a fold has replaced
// stay: what is in both merges to the same.
func (w *mergedWindow) with(keys []string, contents [][]Entry) *mergedWindow {
	all := &mergedWindow{segments: map[string]bool{}, entries: map[identity]*Entry{}}
	maps.Copy(all.segments, w.segments)
	maps.Copy(all.entries, w.entries)
	for i, key := range keys {
		all.segments[key] = true
		for _, e := range contents[i] {
			if known := all.entries[e.identity()]; known != nil {
				merged := *known
				merged.Merge(e)
				e = merged
			}
			all.entries[e.identity()] = &e
		}
	}
	all.sorted = slices.SortedFunc(maps.Values(all.entries), newestFirst)
	return all
}
