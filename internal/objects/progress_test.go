package objects_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
)

// all is more than any operation transfers, in bytes.
const all = 1 << 40

// big is longer than the buffers of a connection.
var big = bytes.Repeat([]byte("x"), 32<<20)

// stalledOperation is an operation of which only some bytes pass in each direction.
type stalledOperation struct {
	name     string
	up, down int64
	call     func(context.Context, *objects.Store) error
}

var stalledOperations = []stalledOperation{
	{"get, no header", all, 0, get}, {"get, half a header", all, 20, get}, {"get, half a body", all, 1 << 20, get},
	{"get, no request", 0, all, get},
	{"put, half a body", 1 << 20, all, func(ctx context.Context, s *objects.Store) error {
		_, err := s.Put(ctx, bucket, "in/put", "text/plain", big, nil)
		return err
	}},
	{"put, no response", all, 0, func(ctx context.Context, s *objects.Store) error {
		_, err := s.PutOver(ctx, "", bucket, "in/over", "text/plain", []byte("x"), nil)
		return err
	}},
	{"stat", all, 0, func(ctx context.Context, s *objects.Store) error {
		_, err := s.Stat(ctx, bucket, "in/big")
		return err
	}},
	{"get prefix", all, 500, func(ctx context.Context, s *objects.Store) error {
		_, err := s.GetPrefix(ctx, bucket, "in/big", "", 100_000)
		return err
	}},
	{"list", all, 200, func(ctx context.Context, s *objects.Store) error {
		for _, err := range s.Walk(ctx, bucket, "in/") {
			if err != nil {
				return err
			}
		}
		return nil
	}},
	{"tags", all, 0, func(ctx context.Context, s *objects.Store) error {
		_, err := s.Tags(ctx, bucket, "in/big")
		return err
	}},
	{"remove", all, 0, func(ctx context.Context, s *objects.Store) error { return s.Remove(ctx, bucket, "in/none") }},
	{"bucket", all, 0, func(ctx context.Context, s *objects.Store) error { return s.CheckBucket(ctx, bucket) }},
}

// run checks that the operation fails, and that its connection is closed.
func (c stalledOperation) run(t *testing.T, config objects.Config) {
	proxy := stores.NewStall(t, config.Endpoint)
	proxy.After(c.up, c.down)
	slow := config
	slow.Endpoint, slow.ProgressTimeout = proxy.Address, 200*time.Millisecond
	store := open(t, slow)
	done := make(chan error, 1)
	go func() { done <- c.call(t.Context(), store) }()
	select {
	case err := <-done:
		if !errors.Is(err, objects.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the operation does not end")
	}
	for start := time.Now(); c.down < all && proxy.Dropped.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatal("the connection is still open")
		}
	}
}

// When a transfer makes no progress, the operation fails with ErrUnavailable although
// its context has no deadline, and its connection is closed.
func TestProgressTimeout_stalledOperations(t *testing.T) {
	config, direct := stores.Start(t, stores.Local, bucket)
	put(t, direct, "in/big", string(big[:4<<20]), nil)
	for _, c := range stalledOperations {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, config)
		})
	}
}

func get(ctx context.Context, s *objects.Store) error {
	_, _, err := s.Get(ctx, bucket, "in/big", "", 64<<20)
	return err
}
