package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// backfill runs a backfill of all uploads, with changes, and returns its failures.
func (w *world) backfill(ctx context.Context, change func(*bridge.Backfill)) (bridge.BackfillCounts, []string, error) {
	w.t.Helper()
	var failed []string
	b := bridge.Backfill{
		Bucket: images, InFlight: 2, Wait: time.Minute, Report: func(bridge.BackfillCounts) {},
		Failed: func(key string, err error) { failed = append(failed, fmt.Sprintf("%s: %v", key, err)) },
	}
	if change != nil {
		change(&b)
	}
	counts, err := w.bridge.Backfill(ctx, b)
	return counts, failed, err
}

// completeChains completes the chain of each event that the broker receives. It returns the
// maximum number of uploads in flight.
func (w *world) completeChains() (inFlight func() int) {
	ctx, stop := context.WithCancel(w.t.Context())
	var done sync.WaitGroup
	most := 0
	done.Go(func() {
		for n := 0; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			all := w.broker.all()
			most = max(most, len(all)-n)
			for _, e := range all[n:] {
				info, err := w.store.Stat(ctx, images, e.Subject())
				if err != nil {
					return
				}
				w.output(info)
				w.post("/completed", last(e))
			}
			n = len(all)
		}
	})
	end := func() int {
		stop()
		done.Wait()
		return most
	}
	w.t.Cleanup(func() { end() })
	return end
}

// TestBackfill sends marked events for the uploads of the selection that have no outcome, in the
// order of their keys, not more at a time than allowed. A dry run only counts them.
func TestBackfill(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		want := []string{}
		for i := range 12 {
			key := fmt.Sprintf("in/%02d.jpg", i)
			want = append(want, key)
			w.put(key, key, nil)
		}
		w.put("elsewhere/a.jpg", "x", nil)
		w.put("in/folder/", "", nil)
		w.put("in/03_resize.jpg", "x", execution.ObjectMetadata("in/03", images, "in/03_resize.jpg"))
		done, failed := w.put("in/done.jpg", "x", nil), w.put("in/failed.jpg", "x", nil)
		w.setOutcome(done, execution.StatusCompleted)
		w.setOutcome(failed, execution.StatusFailed)
		selection := func(b *bridge.Backfill) { b.Prefix, b.Chain, b.InFlight = "in/", "thumbs", 3 }

		counts, _, err := w.backfill(t.Context(), func(b *bridge.Backfill) { selection(b); b.DryRun = true })
		if err != nil || counts.Sent != 12 || len(w.broker.all()) > 0 {
			t.Errorf("a dry run: %+v, %v, sent %q", counts, err, w.subjects(0))
		}
		inFlight := w.completeChains()
		counts, failures, err := w.backfill(t.Context(), selection)
		if err != nil || counts.Completed != 12 || counts.Sent != 12 || len(failures) > 0 {
			t.Errorf("%+v, %v, %q", counts, err, failures)
		}
		if got := w.subjects(0); got != strings.Join(want, " ") {
			t.Errorf("sent %s, want %q", got, want)
		}
		for _, e := range w.broker.all() {
			if e.Extensions()["backfill"] != "thumbs" {
				t.Errorf("the event is not marked: %v", e)
			}
		}
		if most := inFlight(); most > 3 {
			t.Errorf("%d uploads in flight, want at most 3", most)
		}
		if _, err := w.store.Stat(t.Context(), dead, "_backfill/images.cursor"); !errors.Is(err, objects.ErrNotFound) {
			t.Errorf("after its end the run has a cursor: %v", err)
		}
	})
}

func (w *world) setOutcome(info objects.Info, status string) {
	w.t.Helper()
	if err := execution.SetOutcome(w.t.Context(), w.store, info.Bucket, info.Key, info.ETag, status); err != nil {
		w.t.Fatal(err)
	}
}

// TestBackfill_again also sends what has an outcome, waits for the new one, and selects by time.
func TestBackfill_again(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		w.setOutcome(w.put("a.jpg", "x", nil), execution.StatusCompleted)
		w.setOutcome(w.put("b.jpg", "x", nil), execution.StatusFailed)
		w.completeChains()
		for name, change := range map[string]func(*bridge.Backfill){
			"until": func(b *bridge.Backfill) { b.Until = time.Now().Add(-time.Hour) },
			"since": func(b *bridge.Backfill) { b.Since = time.Now().Add(time.Hour) },
		} {
			if counts, _, err := w.backfill(t.Context(), func(b *bridge.Backfill) { b.Again = true; change(b) }); counts.Sent > 0 {
				t.Errorf("%s: %+v, %v", name, counts, err)
			}
		}
		counts, _, err := w.backfill(t.Context(), func(b *bridge.Backfill) { b.Again = true })
		if err != nil || counts.Completed != 2 || w.status("b.jpg") != execution.StatusCompleted {
			t.Errorf("%+v, %v, status %q", counts, err, w.status("b.jpg"))
		}
	})
}

// TestBackfill_resumes: a run that was stopped must be resumed or forgotten, and goes on with its
// own selection where it was.
func TestBackfill_resumes(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		for i := range 40 {
			w.put(fmt.Sprintf("in/%02d.jpg", i), fmt.Sprint(i), nil)
		}
		w.put("other.jpg", "x", nil)
		w.completeChains()
		w.stopAfter(20, func(b *bridge.Backfill) { b.Prefix, b.Chain = "in/", "thumbs" })
		before := len(w.broker.all())
		for name, change := range map[string]func(*bridge.Backfill){
			"no resume": nil, "another prefix": func(b *bridge.Backfill) { b.Prefix, b.Resume = "other", true },
			"the whole bucket": func(b *bridge.Backfill) { b.Resume, b.Begin = true, true },
		} {
			if _, _, err := w.backfill(t.Context(), change); !errors.Is(err, bridge.ErrUnfinished) ||
				!strings.Contains(err.Error(), "in/") || len(w.broker.all()) != before {
				t.Errorf("%s: %v", name, err)
			}
		}
		counts, _, err := w.backfill(t.Context(), func(b *bridge.Backfill) { b.Resume = true })
		if err != nil || counts.Before == 0 || w.status("other.jpg") != "" {
			t.Errorf("resumed: %+v, %v", counts, err)
		}
		for i := range 40 {
			if key := fmt.Sprintf("in/%02d.jpg", i); w.status(key) != execution.StatusCompleted {
				t.Errorf("%s is %q", key, w.status(key))
			}
		}
		if n := len(w.broker.all()); n > 42 {
			t.Errorf("%d events for 40 uploads with two in flight", n)
		}
		if e := w.broker.all()[len(w.broker.all())-1]; e.Extensions()["backfill"] != "thumbs" {
			t.Errorf("the resumed run sent %v", e)
		}
	})
}

// stopAfter runs a backfill and ends its context after n uploads.
func (w *world) stopAfter(n int64, change func(*bridge.Backfill)) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	stopped, _, err := w.backfill(ctx, func(b *bridge.Backfill) {
		change(b)
		b.Report = func(c bridge.BackfillCounts) {
			if c.Completed == n {
				cancel()
			}
		}
	})
	if !errors.Is(err, context.Canceled) || stopped.Completed < n || stopped.Completed > n+2 {
		w.t.Fatalf("%+v, %v", stopped, err)
	}
}

// TestBackfill_onlyOne: while a run works, another one of its bucket is refused.
func TestBackfill_onlyOne(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		w.put("a.jpg", "x", nil)
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error)
		go func() {
			_, _, err := w.backfill(ctx, nil)
			first <- err
		}()
		waitFor(t, "the first run", func() bool { return len(w.broker.all()) > 0 })
		for name, change := range map[string]func(*bridge.Backfill){
			"resume":  func(b *bridge.Backfill) { b.Resume = true },
			"restart": func(b *bridge.Backfill) { b.Restart = true },
		} {
			if _, _, err := w.backfill(t.Context(), change); !errors.Is(err, bridge.ErrAnotherRun) {
				t.Errorf("%s: %v", name, err)
			}
		}
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the first run ends with %v", err)
		}
	})
}

// TestBackfill_replaced: a run that another one has replaced, because it seemed dead, ends, and
// leaves the cursor to that.
func TestBackfill_replaced(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		w.put("a.jpg", "x", nil)
		first := make(chan error)
		go func() {
			_, _, err := w.backfill(t.Context(), nil)
			first <- err
		}()
		waitFor(t, "the first run", func() bool { return len(w.broker.all()) > 0 })
		const other = `{"run": "other", "running": true}`
		if _, err := w.store.Put(t.Context(), dead, "_backfill/images.cursor", "application/json", []byte(other), nil); err != nil {
			t.Fatal(err)
		}
		if err := <-first; !errors.Is(err, bridge.ErrAnotherRun) {
			t.Errorf("the replaced run ends with %v", err)
		}
		if text, _, err := w.store.Get(t.Context(), dead, "_backfill/images.cursor", "", 1000); string(text) != other {
			t.Errorf("the other run's cursor is %s, %v", text, err)
		}
	})
}

// TestBackfill_failures: a refused event becomes a dead letter, and a chain that completes nothing
// ends the run. A broker that is away for a moment does not.
func TestBackfill_failures(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		w.put("a.jpg", "x", nil)
		w.broker.answer(http.StatusBadRequest)
		counts, failed, err := w.backfill(t.Context(), nil)
		if err != nil || counts.Failed != 1 || len(failed) != 1 || !strings.Contains(failed[0], "400") ||
			w.status("a.jpg") != execution.StatusFailed {
			t.Errorf("refused: %+v, %q, %v, status %q", counts, failed, err, w.status("a.jpg"))
		}
		if l := w.onlyDeadLetter(); l.Key != "a.jpg" {
			t.Errorf("the dead letter is %+v", l)
		}
		for i := range 40 {
			w.put(fmt.Sprintf("%02d.jpg", i), "x", nil)
		}
		w.broker.answer(http.StatusServiceUnavailable)
		time.AfterFunc(200*time.Millisecond, func() { w.broker.answer(http.StatusAccepted) })
		counts, failed, err = w.backfill(t.Context(), func(b *bridge.Backfill) { b.Wait = 500 * time.Millisecond; b.InFlight = 16 })
		if !errors.Is(err, bridge.ErrNoOutcomes) || counts.Silent != 32 {
			t.Errorf("no outcomes: %+v, %v", counts, err)
		}
		explained := func(text string) bool { return strings.Contains(text, "EVENT_SIGNING_KEYS") }
		if err == nil || !explained(err.Error()) || !explained(failed[0]) || explained(failed[31]) {
			t.Errorf("the causes are not in the first message and the last: %q, %v", failed, err)
		}
	})
}
