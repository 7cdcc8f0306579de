package bridge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"hash/maphash"
	"slices"
	"time"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// walk is a listing of the buckets that continues over several sweeps.
type walk struct {
	bucket int    // the number of the current bucket
	after  string // the last key that was visited in it
	page   int    // objects in a page of a listing
	// isLoaded means that the position was read from the store, isStored that the store has one.
	isLoaded, isStored bool
	// finished has the objects that need no further check, by a digest of their version, so that the
	// store is asked only once about each where listings have no tags. earlier has those of the last
	// walk.
	finished, earlier map[uint64]bool
	seed              maphash.Seed
}

// maxFinished bounds the objects in finished and earlier, to some 10 MB each. The store is asked about
// further ones in each walk.
const maxFinished = 250_000

func newWalk() walk {
	return walk{page: 1000, finished: map[uint64]bool{}, earlier: map[uint64]bool{}, seed: maphash.MakeSeed()}
}

// walkOn continues the walk for the share of the interval that it has, or to its end. It continues
// after a failure and returns the first.
func (s *sweeper) walkOn(ctx context.Context) (first error) {
	w := &s.walk
	first = s.loadPosition(ctx)
	until := time.Now().Add(time.Duration(s.config.Share * float64(s.config.Interval)))
	seen, consecutive := 0, 0
	for ; w.bucket < len(s.config.Buckets); w.bucket++ {
		for entry, err := range s.bridge.config.Store.WalkAfter(ctx, s.config.Buckets[w.bucket], s.config.Prefix, w.after) {
			if err != nil {
				return cmp.Or(first, err)
			}
			w.after = entry.Key
			if err := s.inspect(ctx, entry); err != nil {
				first, consecutive = cmp.Or(first, err), consecutive+1
			} else {
				consecutive = 0
			}
			if seen++; seen%w.page == 0 && time.Now().After(until) || consecutive >= maxFailures {
				return cmp.Or(first, s.storePosition(ctx))
			}
		}
		w.after = ""
	}
	w.bucket = 0
	w.earlier, w.finished = w.finished, map[uint64]bool{}
	return cmp.Or(first, s.storePosition(ctx))
}

// positionKey is the object, in the bucket of dead letters, with the position of a walk that takes several
// sweeps. The next process continues there: one that ends early would never come to the last objects.
const positionKey = "_sweep/position"

// maxPositionBytes is above the size of a position.
const maxPositionBytes = 16 << 10

// position is where a walk stopped.
type position struct {
	Bucket string `json:"bucket"`
	After  string `json:"after"`
}

// loadPosition sets the position of the first walk.
func (s *sweeper) loadPosition(ctx context.Context) error {
	w := &s.walk
	if w.isLoaded {
		return nil
	}
	text, _, err := s.bridge.config.Store.Get(ctx, s.bridge.config.DeadLetters, positionKey, "", maxPositionBytes)
	if err != nil && !errors.Is(err, objects.ErrNotFound) {
		return err
	}
	w.isLoaded = true
	var c position
	if err != nil || json.Unmarshal(text, &c) != nil { // a damaged position is as good as none
		return nil
	}
	if at := slices.Index(s.config.Buckets, c.Bucket); at >= 0 {
		w.bucket, w.after, w.isStored = at, c.After, true
	}
	return nil
}

// storePosition stores the position of a walk, or removes that of one that has ended.
func (s *sweeper) storePosition(ctx context.Context) error {
	w, store, bucket := &s.walk, s.bridge.config.Store, s.bridge.config.DeadLetters
	if w.bucket == 0 && w.after == "" {
		if !w.isStored {
			return nil
		}
		w.isStored = false
		return store.Remove(ctx, bucket, positionKey)
	}
	text, err := json.Marshal(position{s.config.Buckets[w.bucket], w.after})
	if err != nil {
		return err
	}
	metadata := execution.ObjectMetadata("sweep", bucket, positionKey)
	_, err = store.Put(ctx, bucket, positionKey, "application/octet-stream", text, metadata)
	w.isStored = err == nil
	return err
}

// inspect makes an object of a listing a candidate if it may be an unfinished upload. It asks the
// store about the object only if the listing has no metadata.
func (s *sweeper) inspect(ctx context.Context, entry objects.Entry) error {
	if age := s.now().Sub(entry.Modified); age < s.config.Grace || age > s.config.Horizon {
		return nil
	}
	if entry.HasMetadata && (execution.WrittenByUs(entry.Info) || execution.HasOutcome(entry.Info, entry.Tags)) ||
		s.bridge.isCertainlyNoImage(entry) {
		return nil
	}
	version := events.Origin{Bucket: entry.Bucket, Key: entry.Key, ETag: entry.ETag}
	if s.work[version] != nil || s.walk.isFinished(version) {
		return nil
	}
	state := unfinished
	if !entry.HasMetadata {
		var err error
		if _, state, err = s.check(ctx, version); err != nil {
			return err
		}
	}
	switch {
	case state == finished:
		s.walk.finish(version)
	case s.add(version, entry.Modified, state):
		if state == unfinished { // its notification, or its segment of the index, was lost
			s.bridge.indexArrival(entry.Info, entry.Modified)
		}
	case state == unfinished:
		return s.visit(ctx, version, &candidate{})
	}
	return nil
}

// digest returns a digest of a version that nobody outside this process can foresee.
func (w *walk) digest(v events.Origin) uint64 { return maphash.Comparable(w.seed, v) }

// isFinished reports whether a version is known to need no check. It is then known in the next walk, too.
func (w *walk) isFinished(v events.Origin) bool {
	if w.earlier[w.digest(v)] {
		w.finish(v)
	}
	return w.finished[w.digest(v)]
}

func (w *walk) finish(v events.Origin) {
	if len(w.finished) < maxFinished {
		w.finished[w.digest(v)] = true
	}
}
