package scenario

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// TestScaleIn loads one pod until the autoscaler has made four of it, and ends the load, so that three go. Meanwhile it
// puts two images a second and makes a call after the other: no call fails, and each upload completes. `make scale` runs
// it.
func TestScaleIn(t *testing.T) {
	needsStandin(t)
	s := cluster(t)
	deployStandin(t, scaled{min: 1, max: 4, activator: true})
	prefix := fmt.Sprintf("cards/standin/%d/", time.Now().Unix())
	sendUploads(t, prefix)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var beside sync.WaitGroup
	var trickle *calls
	uploads := 0
	beside.Go(func() { trickle = callUntil(ctx, t, routes[0], 1, 100*time.Millisecond) })
	beside.Go(func() { uploads = s.putEvery(ctx, t, prefix, 500*time.Millisecond) })

	scaleOutAndIn(t)

	time.Sleep(5 * time.Second) // for what the last pods that go would still lose
	stop()
	beside.Wait()
	t.Logf("%d images put, %.0f calls beside them, answered by %v", uploads, trickle.rate()*trickle.took.Seconds(), trickle.byPod)
	trickle.succeed(t, "while the pods changed")
	for i := range uploads {
		s.awaitTag(t, fmt.Sprint(prefix, i, ".jpg"), time.Now().Add(2*time.Minute))
	}
	if letters := s.deadLetterKeys(t); len(letters) > 0 {
		t.Errorf("dead letters: %q", letters)
	}
}

// scaleOutAndIn loads the stand-in until four pods answer, measures them, and waits until one is left.
func scaleOutAndIn(t *testing.T) {
	t.Helper()
	began := time.Now()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load sync.WaitGroup
	var loading *calls
	load.Go(func() { loading = callUntil(ctx, t, routes[0], 4*perPod, 0) })
	eventually(t, "four pods", func() bool { return readyPods(t, standin) == 4 })
	t.Logf("four pods are ready after %v of load", time.Since(began).Round(time.Second))
	stop()
	load.Wait()
	full := callStandins(t, routes[0], 4*perPod, 10*time.Second)
	t.Logf("with four pods: %.1f images/s, answered by %v", full.rate(), full.byPod)
	if len(full.byPod) != 4 {
		t.Errorf("%d pods answered, want 4", len(full.byPod))
	}
	loading.succeed(t, "while pods were added")
	full.succeed(t, "with four pods")
	ended := time.Now()
	eventually(t, "one pod", func() bool { return readyPods(t, standin) == 1 })
	t.Logf("one pod is left %v after the load", time.Since(ended).Round(time.Second))
}

// putEvery puts small images at an interval until the context ends, and returns their number.
func (s *system) putEvery(ctx context.Context, t testing.TB, prefix string, interval time.Duration) (n int) {
	img := jpegOf(t, 320, 240)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return n
		case <-tick.C:
			s.put(t, fmt.Sprint(prefix, n, ".jpg"), "image/jpeg", img)
			n++
		}
	}
}
