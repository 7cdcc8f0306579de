package objects

import (
	"context"
	"fmt"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/notification"
)

// MakeBucket creates a bucket if it does not exist. Made reports whether it did.
func (s *Store) MakeBucket(ctx context.Context, bucket string) (made bool, err error) {
	ctx, end := s.begin(ctx)
	defer end()
	exists, err := s.core.BucketExists(ctx, bucket)
	if err == nil && !exists {
		err = s.core.MakeBucket(ctx, bucket, minio.MakeBucketOptions{})
	}
	return err == nil && !exists, explain(ctx, err, "make", bucket, "")
}

// CheckBucket returns an error unless the bucket exists and the credentials give
// access to it.
func (s *Store) CheckBucket(ctx context.Context, bucket string) error {
	ctx, end := s.begin(ctx)
	defer end()
	exists, err := s.core.BucketExists(ctx, bucket)
	if err == nil && !exists {
		err = ErrNotFound
	}
	return explain(ctx, err, "look for", bucket, "")
}

// SetNotification makes the store notify a target, given by its ARN, of events in a
// bucket. It replaces the events of this target and keeps those of others.
func (s *Store) SetNotification(ctx context.Context, bucket, arn string, events []string) error {
	ctx, end := s.begin(ctx)
	defer end()
	target, err := notification.NewArnFromString(arn)
	if err != nil {
		return fmt.Errorf("%q is not an ARN such as arn:minio:sqs::IMAGEFLOW:webhook: %w", arn, err)
	}
	config, err := s.core.GetBucketNotification(ctx, bucket)
	if err != nil {
		return explainNotifications(explain(ctx, err, "get notifications of", bucket, ""))
	}
	config.RemoveQueueByArn(target)
	queue := notification.NewConfig(target)
	for _, event := range events {
		queue.AddEvents(notification.EventType(event))
	}
	config.AddQueue(queue)
	err = s.core.SetBucketNotification(ctx, bucket, config)
	return explainNotifications(explain(ctx, err, "set notifications of", bucket, ""))
}

// NotificationEvents returns the events of a bucket that a target, given by its ARN,
// is notified of.
func (s *Store) NotificationEvents(ctx context.Context, bucket, arn string) (events []string, err error) {
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
	return events, explainNotifications(explain(ctx, err, "get notifications of", bucket, ""))
}

func explainNotifications(err error) error {
	return explainUnsupported(err, "notifications", withoutNotifications)
}
