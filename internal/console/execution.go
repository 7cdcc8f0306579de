package console

import (
	"context"
	"log/slog"
	"maps"
	"net/url"
	"slices"
)

// tag is a tag of an object.
type tag struct{ Name, Value string }

// addFailures adds the tags of the upload and the dead letters of the execution to its page.
func (s *Console) addFailures(ctx context.Context, page *executionPage) {
	bucket, id := page.Run.Bucket, page.Run.ID
	page.Tags = s.tagsOf(ctx, page.Run)
	page.ReplayURL = replayPath + "?" + url.Values{"bucket": {bucket}, "id": {id}}.Encode()
	var err error
	if page.DeadLetters, err = s.deadLettersOf(ctx, bucket, id); err != nil {
		page.Unknown = reasonOf(err)
	}
}

// tagsOf returns the tags of a run's upload, or none if the store has none or does not give them.
func (s *Console) tagsOf(ctx context.Context, r *run) (all []tag) {
	if r.Key == "" || !s.config.ReadFrom.Contains(r.Bucket, r.Key) {
		return nil
	}
	tags, err := s.config.Store.Tags(ctx, r.Bucket, r.Key)
	if err != nil {
		slog.DebugContext(ctx, "tags not read", "bucket", r.Bucket, "key", r.Key, "error", err)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, tag{name, tags[name]})
	}
	return all
}
