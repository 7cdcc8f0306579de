package objects

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// marker is the object that has the tags of another one, for stores without tags. As in a store with tags,
// another version of the object has none, even if its bytes are the same.
type marker struct {
	Bucket   string            `json:"bucket"`
	Key      string            `json:"key"`
	ETag     string            `json:"etag"`
	Modified time.Time         `json:"modified"`
	Tags     map[string]string `json:"tags"`
}

// maxMarkerBytes is above the size of a marker: a key of 1024 bytes and ten tags of at most 384 characters.
const maxMarkerBytes = 64 << 10

// markerKey returns the key of a marker. No bucket's name begins with "_".
func markerKey(bucket, key string) string {
	digest := sha256.Sum256([]byte(key))
	return "_tags/" + bucket + "/" + hex.EncodeToString(digest[:])
}

// markedTags returns the tags in the marker of an object. A damaged marker is as good as none.
func (s *Store) markedTags(ctx context.Context, bucket, key string) (map[string]string, error) {
	info, err := s.Stat(ctx, bucket, key)
	if err != nil {
		return nil, err
	}
	text, _, err := s.Get(ctx, s.tagBucket, markerKey(bucket, key), "", maxMarkerBytes)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("tags of %s/%s: %w", bucket, key, err)
	}
	var m marker
	if err != nil || json.Unmarshal(text, &m) != nil || m.Tags == nil || m.ETag != info.ETag || !m.Modified.Equal(info.Modified) {
		return map[string]string{}, nil
	}
	return m.Tags, nil
}

// putMarker replaces the tags of a version of an object.
func (s *Store) putMarker(ctx context.Context, of Info, tags map[string]string) error {
	key := markerKey(of.Bucket, of.Key)
	if len(tags) == 0 {
		return s.Remove(ctx, s.tagBucket, key)
	}
	text, err := json.Marshal(marker{of.Bucket, of.Key, of.ETag, of.Modified, tags})
	if err == nil {
		_, err = s.Put(ctx, s.tagBucket, key, "application/json", text, nil)
	}
	if err != nil {
		return fmt.Errorf("tag %s/%s: %w", of.Bucket, of.Key, err)
	}
	return nil
}
