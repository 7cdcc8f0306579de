package console_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/jpeg"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
)

var measure = flag.Duration("measure", 0, "measure live updates, with images for this `time`")

const (
	imagesPerSecond = 20
	maxLatency      = 100 * time.Millisecond // p95
	maxTask         = 30 * time.Millisecond  // of the main thread for an update
)

// watchUpdates notes the updates of a page: their number, and for each the milliseconds from the arrival of the event to the
// change of the document, and to the time after the next frame. The page and the server are on one machine.
const watchUpdates = `(() => {
	window.updates = 0;
	window.changed = [];
	window.painted = [];
	const since = (element) => performance.timeOrigin + performance.now() - element.dataset.updated;
	new MutationObserver((records) => {
		for (const element of records.flatMap((record) => [...record.addedNodes])) {
			if (!element.id) continue;
			window.updates++;
			if (!element.dataset.updated) continue;
			window.changed.push(since(element));
			requestAnimationFrame(() => setTimeout(() => window.painted.push(since(element))));
		}
	}).observe(document.body, {childList: true, subtree: true});
	return true;
})()`

// TestSpeed_live measures how soon an open page shows what an event says while images move through the chain, and how long
// its main thread works for that.
func TestSpeed_live(t *testing.T) {
	if *measure == 0 {
		t.Skip("only for measurements (make bench-console)")
	}
	system := local(t, nil)
	b := system.open(t, "/executions")
	b.await(`document.querySelector("live-region[open]")`)
	if _, err := chromedp.Call(b.ctx, performance.Enable, performance.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	stop := putImages(t, system)
	b.await(`document.querySelectorAll("tbody tr").length >= 200`)
	b.measureUpdates("/executions with 200 rows", *measure)
	for _, name := range []string{"changed", "painted"} {
		all := get[[]float64](b, "window."+name)
		p95 := quantile(all, 0.95)
		t.Logf("from the event to the %s page: p50 %.0f ms, p95 %.0f ms, maximum %.0f ms of %d", name, quantile(all, 0.5), p95,
			quantile(all, 1), len(all))
		if p95 > float64(maxLatency.Milliseconds()) {
			t.Errorf("p95 is above %v", maxLatency)
		}
	}
	for _, path := range []string{"/chain", "/"} {
		b.visit(path)
		b.await(`document.querySelector("live-region[open]")`)
		if path == "/" {
			b.choose(sample)
		}
		b.measureUpdates(path, *measure/3)
	}
	t.Logf("%d images", stop())
}

// measureUpdates measures the work of the page's main thread for its updates during a time.
func (b *tab) measureUpdates(name string, d time.Duration) {
	b.Helper()
	get[bool](b, watchUpdates)
	before := b.mainThread()
	time.Sleep(d)
	took := b.mainThread() - before
	updates := get[int](b, "window.updates")
	each := took / time.Duration(max(1, updates))
	b.Logf("%s: %d updates in %v, %.1f ms of the main thread each", name, updates, d, float64(each.Microseconds())/1000)
	if updates == 0 || each > maxTask {
		b.Errorf("%s: want updates, with at most %v each", name, maxTask)
	}
}

// mainThread returns how long the page's main thread has worked.
func (b *tab) mainThread() time.Duration {
	b.Helper()
	all, err := chromedp.Call(b.ctx, performance.GetMetrics, cdp.Empty{})
	if err != nil {
		b.Fatal(err)
	}
	at := slices.IndexFunc(all.Metrics, func(m *performance.Metric) bool { return m.Name == "TaskDuration" })
	if at < 0 {
		b.Fatal("Chromium does not measure tasks")
	}
	return time.Duration(all.Metrics[at].Value * float64(time.Second))
}

// putImages puts small images at a constant rate until stop, which returns their number.
func putImages(t testing.TB, system *site) (stop func() int) {
	t.Helper()
	var small bytes.Buffer
	if err := jpeg.Encode(&small, image.NewGray(image.Rect(0, 0, 160, 120)), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	n := 0
	all.Go(func() {
		ticks := time.NewTicker(time.Second / imagesPerSecond)
		defer ticks.Stop()
		for ; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
				all.Go(func() { put(t, system, fmt.Sprintf("uploads/%d.jpg", n), "image/jpeg", small.Bytes()) })
			}
		}
	})
	return func() int {
		cancel()
		all.Wait()
		return n
	}
}

// quantile returns the value that a part of the values does not exceed.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
