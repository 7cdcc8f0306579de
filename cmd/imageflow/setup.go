package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/events"
	"imageflow.dev/internal/objects"
)

const setupSummary = "creates the buckets and the notifications of the bridge"

const setupUsage = `Usage: imageflow setup [flags]

Creates the bucket for images and the bucket for dead letters, and sets up
notifications of new images to the bridge. It keeps what exists, so it can run
again at any time. The store must know the bridge as a webhook. For MinIO set

  MINIO_NOTIFY_WEBHOOK_ENABLE_IMAGEFLOW=on
  MINIO_NOTIFY_WEBHOOK_ENDPOINT_IMAGEFLOW=http://<bridge>/notifications
  MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_IMAGEFLOW="Bearer <BRIDGE_TOKEN>"
  MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_IMAGEFLOW=<folder that outlives a restart>

Flags:
`

// setup prepares the store or, with --check, reports what it lacks.
func setup(ctx context.Context, args []string, out io.Writer) error {
	config := &role.SetupConfig{}
	f := flag.NewFlagSet("imageflow setup", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() {
		fmt.Fprint(out, setupUsage)
		f.PrintDefaults()
		fmt.Fprint(out, "\nEnvironment:\n")
		_ = role.Usage(out, config)
	}
	check := f.Bool("check", false, "change nothing; fail if something is missing")
	var users userFolders
	f.StringVar(&users.users, "users", "",
		"`folder` of the users to create in MinIO: <role>/access-key and <role>/secret-key for each file of --policies")
	f.StringVar(&users.policies, "policies", "",
		"`folder` of the policies of these users: <role>.json, as in config/minio-policies")
	timeout := f.Duration("wait", time.Minute, "maximum time to wait for the store and its webhook")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	}
	if err := loadEnvironment("setup", config); err != nil {
		return err
	}
	store, err := config.Open()
	if err != nil {
		return err
	}
	if *check {
		return checkStore(ctx, out, store, config)
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	return prepareStore(ctx, out, store, config, users)
}

// prepareStore retries each step until it succeeds or the context ends. A MinIO that
// has just started does not answer, and then does not know its webhooks yet.
func prepareStore(ctx context.Context, out io.Writer, store *objects.Store, config *role.SetupConfig, users userFolders) error {
	steps := []func() error{
		func() error { return createBucket(ctx, out, store, config.Bucket) },
		func() error { return createBucket(ctx, out, store, config.DeadLetters) },
		func() error { return setNotification(ctx, store, config) },
		func() error { return users.create(ctx, out, config.Admin()) },
	}
	for _, step := range steps {
		for err := step(); err != nil; err = step() {
			if errors.Is(err, objects.ErrUnsupported) {
				return err
			}
			select {
			case <-ctx.Done():
				return err
			case <-time.After(500 * time.Millisecond):
			}
		}
	}
	if config.Notified {
		fmt.Fprintf(out, "new objects in %s are reported to %s\n", config.Bucket, config.Webhook)
	} else {
		fmt.Fprintln(out, sweptOnly)
	}
	return nil
}

func setNotification(ctx context.Context, store *objects.Store, config *role.SetupConfig) error {
	if !config.Notified {
		return nil
	}
	return store.SetNotification(ctx, config.Bucket, config.Webhook, events.CreationNames())
}

// sweptOnly describes a store without notifications.
const sweptOnly = "the store reports no new objects: the bridge finds them by listing the bucket, with SWEEP_SHARE=1"

func createBucket(ctx context.Context, out io.Writer, store *objects.Store, bucket string) error {
	created, err := store.MakeBucket(ctx, bucket)
	if created {
		fmt.Fprintf(out, "created bucket %s\n", bucket)
	}
	return err
}

// checkStore reports what the store lacks.
func checkStore(ctx context.Context, out io.Writer, store *objects.Store, config *role.SetupConfig) error {
	var missing []error
	for _, bucket := range []string{config.Bucket, config.DeadLetters} {
		if err := store.CheckBucket(ctx, bucket); err != nil {
			missing = append(missing, fmt.Errorf("bucket %s: %w", bucket, err))
		}
	}
	if err := store.Probe(ctx, config.DeadLetters); err != nil {
		missing = append(missing, fmt.Errorf("features of the store: %w", err))
	}
	if config.Notified {
		missing = append(missing, checkNotifications(ctx, store, config)...)
	}
	if len(missing) > 0 {
		return fmt.Errorf("the store is not ready; run imageflow setup:\n%w", errors.Join(missing...))
	}
	if config.Notified {
		fmt.Fprintln(out, "the store is ready: both buckets exist, and the bridge receives notifications of new objects")
	} else {
		fmt.Fprintln(out, "the store is ready: both buckets exist;", sweptOnly)
	}
	return nil
}

// checkNotifications reports the notifications that the store does not send to the bridge.
func checkNotifications(ctx context.Context, store *objects.Store, config *role.SetupConfig) (missing []error) {
	names, err := store.NotificationEvents(ctx, config.Bucket, config.Webhook)
	if err != nil {
		return []error{fmt.Errorf("notifications of %s: %w", config.Bucket, err)}
	}
	for _, name := range events.CreationNames() {
		if !slices.Contains(names, name) {
			missing = append(missing, fmt.Errorf("notifications of %s: %s does not receive %s", config.Bucket, config.Webhook, name))
		}
	}
	return missing
}
