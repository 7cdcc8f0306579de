package imaging_test

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"imageflow.dev/internal/imaging"
)

// leaving is a context that ends as soon as the work has begun: its Err is nil once.
type leaving struct {
	context.Context
	begun atomic.Bool
}

func (c *leaving) Err() error {
	if c.begun.CompareAndSwap(false, true) {
		return nil
	}
	return c.Context.Err()
}

func newLeaving(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return &leaving{Context: ctx}
}

// cpuTime returns the processor time of this process.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// leastTime returns the least processor time of some runs of work, each of which
// must end with the error: the garbage collector's time is in it too.
func leastTime(t *testing.T, work func() error, want error) time.Duration {
	t.Helper()
	least := time.Duration(math.MaxInt64)
	for range 4 {
		began := cpuTime(t)
		if err := work(); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
		least = min(least, cpuTime(t)-began)
	}
	return least
}

// TestCancelledWorkStops: work whose context ends stops in the middle, in the
// decoders, in our own loops and in the encoders.
func TestCancelledWorkStops(t *testing.T) {
	const width, height = 3000, 2000
	noise := noisy(width, height)
	jpeg, png := asJPEG(t, noise), asPNG(t, noise)
	p := pixels(t, png)
	for name, work := range map[string]func(context.Context) error{
		"decode jpeg":             func(ctx context.Context) error { _, err := open(t, jpeg).Pixels(ctx); return err },
		"decode png":              func(ctx context.Context) error { _, err := open(t, png).Pixels(ctx); return err },
		"resize":                  func(ctx context.Context) error { _, err := open(t, png).Scaled(ctx, 1000, 700); return err },
		"blur":                    func(ctx context.Context) error { return p.Blur(ctx, 1) },
		"blur by way of a coarse": func(ctx context.Context) error { return p.Blur(ctx, 9) },
		"sharpen":                 func(ctx context.Context) error { return p.Sharpen(ctx, 3, 0.1) },
		"encode png":              func(ctx context.Context) error { _, err := p.Encode(ctx, imaging.PNG); return err },
		"encode jpeg":             func(ctx context.Context) error { _, err := p.Encode(ctx, imaging.JPEG); return err },
	} {
		t.Run(name, func(t *testing.T) {
			whole := leastTime(t, func() error { return work(t.Context()) }, nil)
			part := leastTime(t, func() error { return work(newLeaving(t)) }, context.Canceled)
			if part > whole/2 {
				t.Errorf("took %v of the processor after the end, %v in all", part, whole)
			} else {
				t.Logf("%v of %v", part, whole)
			}
		})
	}
}

// TestEndedContextStartsNothing covers every operation that takes a context.
func TestEndedContextStartsNothing(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	m := open(t, asJPEG(t, detailed(60, 40)))
	p := imaging.NewPixels(60, 40, 4)
	for name, work := range map[string]func() error{
		"pixels":  func() error { _, err := m.Pixels(ended); return err },
		"resize":  func() error { _, err := m.Resize(ended, 30, 20, imaging.Good, imaging.PNG); return err },
		"scaled":  func() error { _, err := m.Scaled(ended, 30, 20); return err },
		"convert": func() error { _, err := m.Convert(ended, imaging.PNG); return err },
		"blur":    func() error { return p.Blur(ended, 2) },
		"sharpen": func() error { return p.Sharpen(ended, 1, 2) },
		"encode":  func() error { _, err := p.Encode(ended, imaging.WebP); return err },
		"flatten": func() error { _, err := p.Encode(ended, imaging.JPEG); return err },
	} {
		if err := work(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want the context's error", name, err)
		}
	}
}
