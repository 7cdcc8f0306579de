package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"imageflow.dev/test/proc"
)

// steadyWindow is the number of uploads in flight in the steady load before the flood. A watch sees them
// complete about two seconds late.
const steadyWindow = 128

// flood puts c.flood copies of the set's first image into local mode as fast as it takes them, and prints how
// fast and in how much memory their chains complete, beside a steady load before, and whether a watch has seen
// all of it in order.
func flood(c config, set []testImage) error {
	u, err := newUploads(c, set[:1])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w, err := newWatch(ctx, c, u.run)
	if err != nil {
		return err
	}
	rates := map[string]float64{}
	for _, part := range []struct {
		name                string
		n, window, watchers int
	}{{"steady", max(c.flood/5, 1), steadyWindow, 0}, {"flood", c.flood, c.flood, c.watchers}} {
		for range part.watchers {
			if err := w.more(ctx); err != nil {
				return err
			}
		}
		time.Sleep(2 * time.Second) // until the watches have begun
		used := startUsage()
		if err := u.send(ctx, w, part.name, part.n, part.window); err != nil {
			return err
		}
		rates[part.name] = used.print(fmt.Sprintf("%s: %d uploads, %d in flight, %d watches", part.name, part.n, part.window,
			1+part.watchers), part.n)
	}
	fmt.Printf("the flood completes at %.2f of the steady rate\n", rates["flood"]/rates["steady"])
	time.Sleep(3 * time.Second) // the last changes
	return w.report(c.watchers)
}

// send puts n images, at most window in flight, and waits until the watch has seen all of them completed.
func (u *uploads) send(ctx context.Context, w *watch, name string, n, window int) error {
	before := w.completed.Load()
	puts, putting := errgroup.WithContext(ctx)
	puts.SetLimit(64)
	for i := range n {
		if err := w.wait(before+int64(i-window+1), u.limit); err != nil {
			return err
		}
		puts.Go(func() error {
			_, err := u.put(putting, fmt.Sprintf("%s/%s/%d", u.run, name, i), u.set[0])
			return err
		})
	}
	if err := puts.Wait(); err != nil {
		return err
	}
	return w.wait(before+int64(n), u.limit)
}

// usage is what local mode has used since a time.
type usage struct {
	at   time.Time
	cpu  float64
	rss  atomic.Int64 // the largest one, in bytes
	stop func()
}

func startUsage() *usage {
	u := &usage{at: time.Now(), cpu: used(pid)}
	ctx, cancel := context.WithCancel(context.Background())
	u.stop = cancel
	go func() {
		for tick := time.NewTicker(200 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			u.rss.Store(max(u.rss.Load(), proc.Resident(pid)))
		}
	}()
	return u
}

// print prints what n uploads took, and returns their number per second.
func (u *usage) print(name string, n int) (rate float64) {
	u.stop()
	took := time.Since(u.at)
	rate = float64(n) / took.Seconds()
	cpu := (used(pid) - u.cpu) / ticks
	fmt.Printf("%s: completed in %v, %.1f/s; %.1f CPU-ms each, %.2f cores; largest RSS %d MB\n", name, took.Round(time.Second/10),
		rate, 1000*cpu/float64(n), cpu/took.Seconds(), u.rss.Load()>>20)
	return rate
}
