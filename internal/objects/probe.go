package objects

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
)

// Probe tries what ImageFlow needs on an object of its own in a bucket, "_probe/...", and removes it. The error
// is ErrUnsupported if the store lacks something, or ignores it, that the Config does not do without.
func (s *Store) Probe(ctx context.Context, bucket string) error {
	key, metadata := "_probe/"+rand.Text(), map[string]string{"imageflow-probe": "a ü"}
	put := func(etag string) error {
		_, err := s.PutOver(ctx, etag, bucket, key, "text/plain", []byte("probe"), metadata)
		return err
	}
	defer func() { _ = s.Remove(context.WithoutCancel(ctx), bucket, key) }()
	if err := put(""); err != nil {
		return err
	}
	for _, etag := range []string{"", "00000000000000000000000000000000"} { // the object exists, with another ETag
		if err := put(etag); err == nil {
			return fmt.Errorf("%w: it ignores the conditions of writes; set %s", ErrUnsupported, withoutConditions)
		} else if !errors.Is(err, ErrChanged) {
			return err
		}
	}
	info, err := s.Stat(ctx, bucket, key)
	if err == nil && !maps.Equal(info.Metadata, metadata) {
		err = fmt.Errorf("%w: it changes user metadata, without which ImageFlow cannot work: %v became %v", ErrUnsupported,
			metadata, info.Metadata)
	}
	if err != nil {
		return err
	}
	tags := map[string]string{"imageflow-probe": "kept"}
	if err := s.SetTags(ctx, bucket, key, info.ETag, tags); err != nil {
		return err
	}
	have, err := s.Tags(ctx, bucket, key)
	if err == nil && !maps.Equal(have, tags) {
		err = fmt.Errorf("%w: it does not keep tags; set %s", ErrUnsupported, withoutTags)
	}
	return errors.Join(err, s.SetTags(ctx, bucket, key, info.ETag, map[string]string{"imageflow-probe": ""}))
}
