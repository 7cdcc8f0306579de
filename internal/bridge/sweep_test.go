package bridge_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
)

const grace = 10 * time.Minute

var sweeping = bridge.Sweep{
	Buckets: []string{images}, Prefix: "in/", Interval: time.Hour, Grace: grace, Horizon: 100 * time.Hour, Rate: 1000,
}

// subjects returns the subjects of the events after the first n, sorted.
func (w *world) subjects(n int) string {
	var all []string
	for _, e := range w.broker.all()[n:] {
		all = append(all, e.Subject())
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// checkCreated checks the event of an object with the metadata mine=x.
func checkCreated(t *testing.T, e cloudevents.Event, lost objects.Info) {
	t.Helper()
	if e.Type() != "com.amazonaws.s3.ObjectCreated:Put" || e.Source() != "minio:s3.."+images || e.Validate() != nil ||
		e.Extensions()["origin"] != objects.URI(images, lost.Key, lost.ETag) ||
		e.Extensions()["partitionkey"] != execution.ID(lost.Key) {
		t.Errorf("the event is %v", e)
	}
	var record objects.Record
	if err := json.Unmarshal(e.Data(), &record); err != nil {
		t.Fatal(err)
	}
	info, err := record.Info()
	if err != nil || info.Key != lost.Key || info.ETag != lost.ETag || info.Bucket != images || info.Metadata["mine"] != "x" {
		t.Errorf("the record is %+v", record)
	}
}

func TestSweepSendsUnfinishedObjects(t *testing.T) {
	worlds(t, sweeping, func(t *testing.T, w *world) {
		sweeper := w.bridge.NewSweeper()
		lost := w.put("in/lost ü.jpg", "v1", map[string]string{"mine": "x"})
		w.put("in/cat_resize.jpg", "output", execution.ObjectMetadata("in/cat", images, "in/cat_resize.jpg"))
		w.put("elsewhere/dog.jpg", "outside the prefix", nil)
		done, gaveUp := w.upload("in/done.jpg", "done"), w.upload("in/failed.jpg", "failed")
		w.post("/completed", last(done))
		w.post("/dead-letters", failed(gaveUp, 400, notAnImage))
		before := len(w.broker.all())
		if err := sweeper.Sweep(t.Context()); err != nil || len(w.broker.all()) != before {
			t.Fatalf("within the grace period: %v, %s", err, w.subjects(before))
		}

		sweeper.Ahead = grace + time.Second
		if err := sweeper.Sweep(t.Context()); err != nil || w.subjects(before) != "in/lost ü.jpg" {
			t.Fatalf("after the grace period: %v, %q", err, w.subjects(before))
		}
		e := w.broker.all()[before]
		checkCreated(t, e, lost)
		if err := sweeper.Sweep(t.Context()); err != nil || w.subjects(before) != "in/lost ü.jpg" {
			t.Errorf("a second sweep at once: %v, %q", err, w.subjects(before))
		}
		another := w.bridge.NewSweeper()
		another.Ahead = sweeper.Ahead
		if err := another.Sweep(t.Context()); err != nil || w.subjects(before) != "in/lost ü.jpg in/lost ü.jpg" {
			t.Errorf("another sweeper: %v, %q", err, w.subjects(before))
		} else if w.broker.all()[before+1].ID() != e.ID() {
			t.Error("equal objects give events of different ids")
		}
	})
}

// TestSweepSlowsDown: the event of an object that no Trigger selects is sent less and less
// often. A new version of the object starts over.
func TestSweepSlowsDown(t *testing.T) {
	worlds(t, sweeping, func(t *testing.T, w *world) {
		sweeper := w.bridge.NewSweeper()
		w.put("in/a.jpg", "v1", nil)
		for graces, want := range []int{0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4} {
			sweeper.Ahead = time.Duration(graces)*grace + time.Duration(graces+1)*time.Second
			if err := sweeper.Sweep(t.Context()); err != nil || len(w.broker.all()) != want {
				t.Errorf("after %d times the grace period: %v, %d events, want %d", graces, err, len(w.broker.all()), want)
			}
		}
		w.put("in/a.jpg", "v2", nil)
		if err := sweeper.Sweep(t.Context()); err != nil || len(w.broker.all()) != 5 {
			t.Errorf("a new version: %v, %d events", err, len(w.broker.all()))
		}
		sweeper.Ahead = sweeping.Horizon + time.Second
		if err := sweeper.Sweep(t.Context()); err != nil || len(w.broker.all()) != 5 {
			t.Errorf("beyond the horizon: %v, %d events", err, len(w.broker.all()))
		}
	})
}

// TestSweep_brokerUnavailable: the sweep reports the failure, tries every object, and
// waits before the next attempt.
func TestSweep_brokerUnavailable(t *testing.T) {
	worlds(t, sweeping, func(t *testing.T, w *world) {
		sweeper := w.bridge.NewSweeper()
		sweeper.Ahead = grace + time.Second
		w.put("in/a.jpg", "x", nil)
		w.put("in/b.jpg", "x", nil)
		w.broker.answer(http.StatusServiceUnavailable)
		if err := sweeper.Sweep(t.Context()); err == nil || w.subjects(0) != "in/a.jpg in/b.jpg" {
			t.Errorf("got %v, tried %s", err, w.subjects(0))
		}
		w.broker.answer(http.StatusAccepted)
		if err := sweeper.Sweep(t.Context()); err != nil || w.subjects(2) != "" {
			t.Errorf("at once: %v, tried %s", err, w.subjects(2))
		}
		sweeper.Ahead *= 4
		if err := sweeper.Sweep(t.Context()); err != nil || w.subjects(2) != "in/a.jpg in/b.jpg" {
			t.Errorf("later: %v, tried %s", err, w.subjects(2))
		}
	})
}

// TestSweepGoesOnByItself: the bridge sweeps without requests until it is stopped.
func TestSweepGoesOnByItself(t *testing.T) {
	c := sweeping
	c.Interval, c.Grace = 10*time.Millisecond, time.Millisecond
	worlds(t, c, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			w.bridge.Sweep(ctx)
		}()
		w.put("in/a.jpg", "x", nil)
		waitFor(t, "the object's event", func() bool { return len(w.broker.all()) > 0 })
		cancel()
		<-ended
	})
}

// putFinished puts n objects that need no work: outputs, and uploads that are completed.
func (w *world) putFinished(n int) {
	w.t.Helper()
	for i := range n {
		key := "in/" + strings.Repeat("x", i+1) + ".jpg"
		if i%2 == 0 {
			w.put(key, "ours", execution.ObjectMetadata("x", images, key))
			continue
		}
		w.put(key, "done", nil)
		if err := execution.SetOutcome(w.t.Context(), w.store, images, key, "", execution.StatusCompleted); err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestSweepRequests counts the requests of sweeps over finished objects. A sweep needs
// none if listings contain metadata and tags, and else at most two for each object.
func TestSweepRequests(t *testing.T) {
	const n = 20
	for _, c := range []struct {
		kind stores.Kind
		want []int64 // requests about single objects, by sweep
	}{
		{stores.MinIO, []int64{1, 0}},           // the first asks where the last walk stopped
		{stores.Local, []int64{1 + n + n/2, 0}}, // the metadata suffices for outputs
	} {
		t.Run(c.kind.Name, func(t *testing.T) {
			config, s := stores.Start(t, c.kind, images, dead)
			w := &world{t: t, store: s, broker: newBroker(t)}
			w.putFinished(n)
			requests := &atomic.Int64{}
			h, err := bridge.New(bridge.Config{Broker: w.broker.URL, Store: countRequests(t, config, requests), DeadLetters: dead,
				Sweep: sweeping})
			if err != nil {
				t.Fatal(err)
			}
			sweeper := h.NewSweeper()
			sweeper.Ahead = grace + time.Second
			for i, want := range c.want {
				requests.Store(0)
				if err := sweeper.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := requests.Load(); got != want {
					t.Errorf("sweep %d made %d requests, want %d", i+1, got, want)
				}
			}
			if len(w.broker.all()) != 0 {
				t.Errorf("sent %s", w.subjects(0))
			}
		})
	}
}

// countRequests returns a client of a store that counts its requests about single objects.
func countRequests(t *testing.T, c objects.Config, requests *atomic.Int64) *objects.Store {
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: c.Endpoint})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(strings.Trim(r.URL.Path, "/"), "/") {
			requests.Add(1)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	c.Endpoint = strings.TrimPrefix(front.URL, "http://")
	store, err := objects.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return store
}
