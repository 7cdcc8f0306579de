package index

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"imageflow.dev/internal/objects"
)

const (
	// lateness is how long after the time in its key a segment may appear: the clocks of its writer
	// and its reader differ, or its put took long. Stores refuse requests whose time is 15 minutes off.
	lateness = 15 * time.Minute
	// foldAge is the age from which segments are folded. A tail that reads more often sees every
	// segment before that.
	foldAge = 2 * time.Minute
	// concurrentReads bounds the segments that are read, and in memory, at a time.
	concurrentReads = 8
)

// Tail reads each segment of an index once, as it appears.
type Tail struct {
	store    *objects.Store
	bucket   string
	since    time.Time // segments written before are not read
	lastRead time.Time
	seen     map[string]bool // keys from lateness before lastRead
}

// NewTail returns a tail that reads the segments written since a time.
func NewTail(store *objects.Store, bucket string, since time.Time) *Tail {
	return &Tail{store: store, bucket: bucket, since: since, seen: map[string]bool{}}
}

// Read calls apply for each new segment in the order of keys, which is that of time except for late
// segments. Some entries may come twice. After an error, the next Read continues.
func (t *Tail) Read(ctx context.Context, apply func(key string, entries []Entry)) error {
	now := time.Now()
	from := t.since
	if late := t.lastRead.Add(-lateness); late.After(from) {
		from = late
	}
	start := segmentKey(from, "")
	isContinuous := now.Sub(t.lastRead) < foldAge*3/4
	var keys []string
	for entry, err := range t.store.WalkAfter(ctx, t.bucket, folder, start) {
		switch {
		case err != nil:
			return err
		case t.seen[entry.Key] || isContinuous && isFold(entry.Key):
			continue
		}
		if keys = append(keys, entry.Key); len(keys) == concurrentReads {
			if err := t.read(ctx, keys, apply); err != nil {
				return err
			}
			keys = keys[:0]
		}
	}
	if err := t.read(ctx, keys, apply); err != nil {
		return err
	}
	t.lastRead = now
	for key := range t.seen {
		if key < start {
			delete(t.seen, key)
		}
	}
	return nil
}

// read applies some segments.
func (t *Tail) read(ctx context.Context, keys []string, apply func(string, []Entry)) error {
	contents, err := loadAll(ctx, t.store, t.bucket, keys)
	if err != nil {
		return err
	}
	recent := segmentKey(time.Now().Add(-2*lateness), "")
	for i, entries := range contents {
		if keys[i] > recent { // Read does not list older ones again
			t.seen[keys[i]] = true
		}
		apply(keys[i], entries)
	}
	return nil
}

// loadAll loads segments concurrently. Only the entries of one that was folded meanwhile are nil.
func loadAll(ctx context.Context, store *objects.Store, bucket string, keys []string) ([][]Entry, error) {
	contents := make([][]Entry, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrentReads)
	for i, key := range slices.Clone(keys) {
		group.Go(func() (err error) {
			if contents[i], err = load(ctx, store, bucket, key); errors.Is(err, objects.ErrNotFound) {
				contents[i], err = nil, nil
			}
			return err
		})
	}
	return contents, group.Wait()
}
