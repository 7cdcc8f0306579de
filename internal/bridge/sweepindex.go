package bridge

import (
	"context"
	"slices"
	"strings"
	"time"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/index"
)

// readIndex takes the uploads without an outcome from the new segments of the index, and drops those
// that have one by now.
func (s *sweeper) readIndex(ctx context.Context) error {
	if s.bridge.index == nil {
		return nil
	}
	return s.tail.Read(ctx, func(_ string, entries []index.Entry) {
		for _, e := range entries {
			s.take(e)
		}
	})
}

// take takes one entry, which may be partial.
func (s *sweeper) take(e index.Entry) {
	judged := events.Origin{Bucket: e.Bucket, Key: execution.Key(e.ID), ETag: e.Outcome.ETag}
	if !slices.Contains(s.config.Buckets, e.Bucket) || !strings.HasPrefix(judged.Key, s.config.Prefix) {
		return
	}
	switch {
	case e.Ended().Status != "":
		delete(s.work, judged)
	case e.Arrived.Before(e.Outcome.At): // a dead letter is sent again
		s.add(judged, e.Outcome.At, unfinished)
	case e.Key != "":
		s.add(events.Origin{Bucket: e.Bucket, Key: e.Key, ETag: e.ETag}, e.Arrived, unfinished)
	}
}

const (
	// compacted is how far back each sweep compacts the index. tidyInterval is the time between two
	// compactions of the whole index.
	compacted    = 2 * time.Hour
	tidyInterval = time.Hour
)

// tidyIndex compacts the index, and removes what is older than the horizon.
func (s *sweeper) tidyIndex(ctx context.Context) error {
	if s.bridge.index == nil {
		return nil
	}
	store, bucket := s.bridge.config.Store, s.bridge.config.DeadLetters
	horizon, since := time.Now().Add(-s.config.Horizon), time.Now().Add(-compacted)
	isWhole := time.Since(s.tidied) >= tidyInterval
	if isWhole {
		since = horizon
		if err := index.Expire(ctx, store, bucket, horizon); err != nil {
			return err
		}
	}
	err := index.Compact(ctx, store, bucket, since, time.Now())
	if err == nil && isWhole {
		s.tidied = time.Now()
	}
	return err
}
