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

// endingContext is a context that ends just after the work has started. Its Err is nil once.
type endingContext struct {
	context.Context
	begun atomic.Bool
}

func (c *endingContext) Err() error {
	if c.begun.CompareAndSwap(false, true) {
		return nil
	}
	return c.Context.Err()
}

func newEndingContext(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return &endingContext{Context: ctx}
}

// cpuTime returns the CPU time of this process.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// minTime returns the minimum CPU time of four runs of work, since a run can include time of the
// garbage collector. While it is above limit, there are up to twenty, since on a busy machine the end
// of a context may be noticed late. Each run must return the error want.
func minTime(t *testing.T, work func() error, want error, limit time.Duration) time.Duration {
	t.Helper()
	minimum := time.Duration(math.MaxInt64)
	for i := 0; i < 4 || i < 20 && minimum > limit; i++ {
		began := cpuTime(t)
		if err := work(); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
		minimum = min(minimum, cpuTime(t)-began)
	}
	return minimum
}

// TestCancelledWorkStops checks that decoders, the loops of this package and encoders stop
// early after their context has ended.
func TestCancelledWorkStops(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory or time: make test")
	}
	const width, height = 3000, 2000
	noise := noisy(width, height)
	jpeg, png := asJPEG(t, noise), asPNG(t, noise)
	p := pixels(t, png)
	for name, work := range map[string]func(context.Context) error{
		"decode jpeg":             func(ctx context.Context) error { _, err := open(t, jpeg).Pixels(ctx); return err },
		"decode png":              func(ctx context.Context) error { _, err := open(t, png).Pixels(ctx); return err },
		"resize":                  func(ctx context.Context) error { _, err := scaled(ctx, open(t, png), 1000, 700); return err },
		"blur":                    func(ctx context.Context) error { return p.Blur(ctx, 1) },
		"blur of a coarser image": func(ctx context.Context) error { return p.Blur(ctx, 9) },
		"sharpen":                 func(ctx context.Context) error { return p.Sharpen(ctx, 3, 0.1) },
		"paint": func(ctx context.Context) error {
			_, err := open(t, jpeg).Painted(ctx, nil, imaging.JPEG)
			return err
		},
		"encode png":  func(ctx context.Context) error { _, err := p.Encode(ctx, imaging.PNG); return err },
		"encode jpeg": func(ctx context.Context) error { _, err := p.Encode(ctx, imaging.JPEG); return err },
	} {
		t.Run(name, func(t *testing.T) {
			whole := minTime(t, func() error { return work(t.Context()) }, nil, math.MaxInt64)
			part := minTime(t, func() error { return work(newEndingContext(t)) }, context.Canceled, whole/2)
			if part > whole/2 {
				t.Errorf("cancelled work took %v of CPU time, uncancelled work %v", part, whole)
			} else {
				t.Logf("%v of %v", part, whole)
			}
		})
	}
}

// TestEndedContextStartsNothing covers all operations that take a context.
func TestEndedContextStartsNothing(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	m := open(t, asJPEG(t, detailed(60, 40)))
	p := imaging.NewPixels(60, 40, 4)
	for name, work := range map[string]func() error{
		"pixels":  func() error { _, err := m.Pixels(ended); return err },
		"resize":  func() error { _, err := m.Resize(ended, 30, 20, imaging.Good, imaging.PNG); return err },
		"scaled":  func() error { _, err := scaled(ended, m, 30, 20); return err },
		"convert": func() error { _, err := m.Convert(ended, imaging.PNG); return err },
		"painted": func() error { _, err := m.Painted(ended, nil, imaging.JPEG); return err },
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
