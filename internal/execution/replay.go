package execution

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"imageflow.dev/internal/objects"
)

// The keys of requests to replay dead letters are "_replay/<time>-<random>.request".
const (
	replayFolder    = "_replay/"
	replayRequested = ".request"
	// maxReplayRequestBytes is above the size of a request with MaxReplayObjects keys.
	maxReplayRequestBytes = 2 << 20
)

// MaxReplayObjects bounds the keys in one request.
const MaxReplayObjects = 1000

// RequestReplay stores a request to replay the selected dead letters, which a bridge will find: a process
// that may read dead letters but not send events asks for a replay by it. It returns the key of the request.
func (s DeadLetterStore) RequestReplay(ctx context.Context, selection Selection) (key string, err error) {
	text, err := json.Marshal(selection)
	if err != nil {
		return "", err
	}
	key = replayFolder + time.Now().UTC().Format("20060102T150405.000Z-") + rand.Text()[:10] + replayRequested
	_, err = s.store.Put(ctx, s.bucket, key, "application/json", text, ObjectMetadata("replay", s.bucket, key))
	return key, err
}

// ReplayRequests yields the keys of the requests to replay, the oldest first.
func (s DeadLetterStore) ReplayRequests(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for entry, err := range s.store.Walk(ctx, s.bucket, replayFolder) {
			if !yield(entry.Key, err) {
				return
			}
		}
	}
}

// ReplayRequest returns the selection of a request. The error is ErrUnreadable if the object is not a
// request.
func (s DeadLetterStore) ReplayRequest(ctx context.Context, key string) (selection Selection, err error) {
	text, _, err := s.store.Get(ctx, s.bucket, key, "", maxReplayRequestBytes)
	if err == nil {
		err = json.Unmarshal(text, &selection)
		if err != nil {
			err = fmt.Errorf("%w: %s: %w", ErrUnreadable, key, err)
		}
	}
	if errors.Is(err, objects.ErrTooLarge) {
		err = fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return selection, err
}

// RemoveReplayRequest removes a request that is done. It returns nil if there is none.
func (s DeadLetterStore) RemoveReplayRequest(ctx context.Context, key string) error {
	return s.store.Remove(ctx, s.bucket, key)
}
