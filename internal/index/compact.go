package index

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"imageflow.dev/internal/objects"
)

const (
	// smallBytes is the size below which a segment is folded into others.
	smallBytes = 256 << 10
	// manySegments is the number of small segments that are folded while their window is open.
	manySegments = 32
	// maxFolded bounds the segments of one fold.
	maxFolded = 500
	// maxRemoved bounds the segments that one call of Expire removes.
	maxRemoved = 5000
)

// Compact replaces the small segments of each window since a time by few larger ones, if they are old
// enough now. It may run
// anywhere, several times at once, and end at any moment: a fold is written before the segments
// that it replaces are removed, and entries that are in both merge to the same.
func Compact(ctx context.Context, store *objects.Store, bucket string, since, now time.Time) error {
	var current string
	var small []string
	for entry, err := range store.WalkAfter(ctx, bucket, folder, windowKey(since)) {
		if err != nil {
			return err
		}
		if w := windowOf(entry.Key); w != current {
			if err := foldWindow(ctx, store, bucket, current, small, now); err != nil {
				return err
			}
			current, small = w, nil
		}
		if entry.Size < smallBytes && now.Sub(entry.Modified) > foldAge && len(small) < maxFolded {
			small = append(small, entry.Key)
		}
	}
	return foldWindow(ctx, store, bucket, current, small, now)
}

// foldWindow folds the small segments of a window if there are enough.
func foldWindow(
	ctx context.Context, store *objects.Store, bucket, folder string, small []string, now time.Time,
) error {
	start, err := timeOf(folder)
	isOpen := now.Sub(start) < window+lateness
	if len(small) < 2 || isOpen && len(small) < manySegments || err != nil { // err: not a window of ours
		return nil
	}
	all := map[identity]*Entry{}
	for _, key := range small {
		entries, err := load(ctx, store, bucket, key)
		if errors.Is(err, objects.ErrNotFound) {
			return nil // another process folds this window
		}
		if err != nil {
			return err
		}
		mergeInto(all, entries)
	}
	merged := make([]Entry, 0, len(all))
	for e := range maps.Values(all) {
		merged = append(merged, *e)
	}
	slices.SortFunc(merged, func(a, b Entry) int { return strings.Compare(a.Bucket+"/"+a.ID, b.Bucket+"/"+b.ID) })
	for _, content := range encode(merged) {
		key := folder + now.UTC().Format(timeFormat) + "-" + foldName(content) + extension
		if err := put(ctx, store, bucket, key, content); err != nil {
			return err
		}
	}
	for _, key := range small {
		if err := store.Remove(ctx, bucket, key); err != nil {
			return err
		}
	}
	return nil
}

// Expire removes segments written before a time, the oldest first.
func Expire(ctx context.Context, store *objects.Store, bucket string, before time.Time) error {
	end, removed := windowKey(before), 0
	for entry, err := range store.Walk(ctx, bucket, folder) {
		if err != nil || entry.Key >= end || removed >= maxRemoved {
			return err
		}
		if err := store.Remove(ctx, bucket, entry.Key); err != nil {
			return err
		}
		removed++
	}
	return nil
}
