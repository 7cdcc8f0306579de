package imaging_test

import (
	"context"
	"errors"
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

// cpuOf returns the CPU time of this process while work runs, which must return the error want.
func cpuOf(t *testing.T, want error, work func() error) time.Duration {
	t.Helper()
	began := cpuTime(t)
	if err := work(); !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	return cpuTime(t) - began
}

// checkStops checks that work takes less than half of its CPU time when its context ends just after it has started. Work that
// goes on takes all of it in each attempt. Work that stops can take long, too, on a busy machine, where the end is noticed late,
// or while the garbage collector runs: one good attempt is enough. The whole work is measured beside each, under the same load.
func checkStops(t *testing.T, work func(context.Context) error) {
	whole := cpuOf(t, nil, func() error { return work(t.Context()) }) // it also makes what later runs share
	for range 30 {
		whole = min(whole, cpuOf(t, nil, func() error { return work(t.Context()) }))
		part := cpuOf(t, context.Canceled, func() error { return work(newEndingContext(t)) })
		t.Logf("%v of %v", part, whole)
		if part < whole/2 {
			return
		}
	}
	t.Error("cancelled work goes on")
}

// TestCancelledWorkStops checks that decoders, the loops of this package and encoders stop
// early after their context has ended.
func TestCancelledWorkStops(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory or time: make test")
	}
	const width, height, scaledWidth, scaledHeight = 3000, 2000, 1000, 700
	p := imaging.NewPixels(width, height, 4)
	copy(p.Pix, noisy(width, height).Pix)
	jpeg, png := open(t, encodedAs(t, p, imaging.JPEG)), open(t, encodedAs(t, p, imaging.PNG))
	opaque, err := jpeg.Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	floats := make([]float32, scaledWidth*scaledHeight)
	scaled := imaging.Floats{Red: floats, Green: floats, Blue: floats, Stride: scaledWidth, White: 255}
	for name, work := range map[string]func(context.Context) error{
		"decode jpeg": func(ctx context.Context) error { _, err := jpeg.Pixels(ctx); return err },
		"decode png":  func(ctx context.Context) error { _, err := png.Pixels(ctx); return err },
		"resize": func(ctx context.Context) error {
			return png.ScaledTo(ctx, scaledWidth, scaledHeight, imaging.Fast, scaled)
		},
		"blur":                    func(ctx context.Context) error { return p.Blur(ctx, 1) },
		"blur of a coarser image": func(ctx context.Context) error { return p.Blur(ctx, 9) },
		"sharpen":                 func(ctx context.Context) error { return p.Sharpen(ctx, 3, 0.1) },
		"paint":                   func(ctx context.Context) error { _, err := jpeg.Painted(ctx, nil, imaging.JPEG); return err },
		"encode png":              func(ctx context.Context) error { _, err := p.Encode(ctx, imaging.PNG); return err },
		"encode jpeg":             func(ctx context.Context) error { _, err := opaque.Encode(ctx, imaging.JPEG); return err },
	} {
		t.Run(name, func(t *testing.T) { checkStops(t, work) })
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
