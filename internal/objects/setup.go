package objects

import (
	"context"
	"fmt"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/notification"
)

// MakeBucket makes a bucket and tells whether it was not there before.
func (s *Store) MakeBucket(ctx context.Context, bucket string) (made bool, err error) {
	ctx, end := s.begin(ctx)
	defer end()
	there, err := s.core.BucketExists(ctx, bucket)
	if err == nil && !there {
		err = s.core.MakeBucket(ctx, bucket, minio.MakeBucketOptions{})
	}
	return err == nil && !there, explain(ctx, err, "make", bucket, "")
}

// CheckBucket fails unless the bucket is there and the store lets us see it.
func (s *Store) CheckBucket(ctx context.Context, bucket string) error {
	ctx, end := s.begin(ctx)
	defer end()
	there, err := s.core.BucketExists(ctx, bucket)
	if err == nil && !there {
		err = ErrNotFound
	}
	return explain(ctx, err, "look for", bucket, "")
}

// Watch makes the store tell a target, by its ARN, of these events in a bucket.
// What it tells other targets stays.
func (s *Store) Watch(ctx context.Context, bucket, arn string, events []string) error {
	ctx, end := s.begin(ctx)
	defer end()
	target, err := notification.NewArnFromString(arn)
	if err != nil {
		return fmt.Errorf("%q is no ARN such as arn:minio:sqs::IMAGEFLOW:webhook: %w", arn, err)
	}
	config, err := s.core.GetBucketNotification(ctx, bucket)
	if err != nil {
		return explain(ctx, err, "watch", bucket, "")
	}
	config.RemoveQueueByArn(target)
	queue := notification.NewConfig(target)
	for _, event := range events {
		queue.AddEvents(notification.EventType(event))
	}
	config.AddQueue(queue)
	return explain(ctx, s.core.SetBucketNotification(ctx, bucket, config), "watch", bucket, "")
}

// Watched returns the events of a bucket that the store tells a target of.
func (s *Store) Watched(ctx context.Context, bucket, arn string) (events []string, err error) {
	ctx, end := s.begin(ctx)
	defer end()
	config, err := s.core.GetBucketNotification(ctx, bucket)
	for _, queue := range config.QueueConfigs {
		if queue.Queue != arn {
			continue
		}
		for _, event := range queue.Events {
			events = append(events, string(event))
		}
	}
	return events, explain(ctx, err, "watch", bucket, "")
}
