package gateway

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/index"
	"imageflow.dev/internal/objects"
)

// The limits of one page that comes from the bucket. At one of them the page ends early.
const (
	maxListed = 5000 // objects
	maxFound  = 100  // executions that are read one by one
)

// listBucket returns up to n executions whose image is older than the index, in the order of the keys
// after a key.
func (x *Executions) listBucket(
	ctx context.Context, query index.Query, after string, n int, reach time.Time,
) (page []index.Entry, next *pageToken, err error) {
	listed, found := 0, 0
	for object, err := range x.walk(ctx, query, after) {
		if err != nil {
			return nil, nil, err
		}
		if len(page) >= n || listed >= maxListed || found >= maxFound {
			return page, &pageToken{InBucket: true, Key: after}, nil
		}
		listed, after = listed+1, object.Key
		isInIndex := !reach.IsZero() && !object.Modified.Before(reach)
		if isInIndex || object.HasMetadata && execution.WrittenByUs(object.Info) || strings.HasSuffix(object.Key, "/") {
			continue
		}
		e := index.Entry{
			Bucket: object.Bucket, ID: execution.ID(object.Key), Key: object.Key, ETag: object.ETag, Size: object.Size,
			Arrived: object.Modified,
		}
		if ended := execution.Outcome(object.Info, object.Tags); ended != "" && !query.BySteps {
			e.Outcome = index.Outcome{Status: ended, ETag: e.ETag, At: e.Arrived}
		} else {
			found++
			isUpload, err := x.findEntry(ctx, &e)
			if err != nil {
				return nil, nil, err
			}
			if !isUpload {
				continue
			}
		}
		if query.Contains(&e) && query.ContainsState(e.State()) {
			page = append(page, e)
		}
	}
	return page, nil, nil
}

// walk lists the objects of a query that ReadFrom contains, in the order of the keys after a key.
func (x *Executions) walk(ctx context.Context, query index.Query, after string) iter.Seq2[objects.Entry, error] {
	return func(yield func(objects.Entry, error) bool) {
		for _, prefix := range x.ReadFrom.Prefixes(query.Bucket, query.Prefix) {
			for object, err := range x.Store.WalkAfter(ctx, query.Bucket, prefix, after) {
				isAllowed := err != nil || x.ReadFrom.Contains(object.Bucket, object.Key)
				if isAllowed && !yield(object, err) {
					return
				}
			}
		}
	}
}

// findEntry reads the steps and the outcome of an execution from the bucket. It returns false for an
// object that is no upload.
func (x *Executions) findEntry(ctx context.Context, e *index.Entry) (isUpload bool, err error) {
	found, err := execution.Find(ctx, x.Store, x.DeadLetters, e.Bucket, e.ID)
	if errors.Is(err, objects.ErrNotFound) || err == nil && (found.Source == nil || found.Source.Key != e.Key) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, s := range found.Steps {
		e.Merge(index.Entry{Steps: []index.Step{{Name: s.Name, Variant: s.Variant, ETag: e.ETag, At: s.Finished()}}})
	}
	switch found.State {
	case execution.Completed:
		e.Outcome = index.Outcome{Status: execution.StatusCompleted, ETag: e.ETag, At: e.Updated()}
	case execution.Failed:
		e.Outcome = index.Outcome{Status: execution.StatusFailed, ETag: e.ETag, At: e.Updated()}
	}
	return true, nil
}
