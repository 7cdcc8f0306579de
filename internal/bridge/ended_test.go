package bridge_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// announcing returns a world whose bridge sends the events of outcomes.
func announcing(t *testing.T, acceptWithin time.Duration) *world {
	_, s := stores.Start(t, stores.Local, images, dead)
	b := newBroker(t)
	h, err := bridge.New(bridge.Config{
		Broker: b.URL, Store: s, DeadLetters: dead, AcceptWithin: acceptWithin, OutcomeEvents: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Drain(context.Background()) })
	return &world{t: t, store: s, broker: b, bridge: h, deadLetters: execution.NewDeadLetterStore(s, dead)}
}

// outcomes returns the events of outcomes that the broker got.
func (w *world) outcomes() (all []cloudevents.Event) {
	for _, e := range w.broker.all() {
		if events.IsOutcome(e.Type()) {
			all = append(all, e)
		}
	}
	return all
}

// made stores the output of a step of an upload, as the step does.
func (w *world) made(of objects.Info, step string) {
	w.t.Helper()
	id := execution.ID(of.Key)
	metadata := execution.ObjectMetadata(id, images, id+"_"+step+".jpg")
	metadata[execution.StepMetadata], metadata[execution.SourceMetadata], metadata[execution.OriginMetadata] = step, of.ETag, of.ETag
	w.put(id+"_"+step+".jpg", "output", metadata)
}

func (w *world) info(key string) objects.Info {
	w.t.Helper()
	info, err := w.store.Stat(w.t.Context(), images, key)
	if err != nil {
		w.t.Fatal(err)
	}
	return info
}

// TestCompletedIsAnnounced: after the tag comes one event with the outputs, the same after each repetition, and no
// outcome follows from it.
func TestCompletedIsAnnounced(t *testing.T) {
	w := announcing(t, time.Minute)
	e := w.upload("in/cat.jpg", "v1")
	w.made(w.info("in/cat.jpg"), "filter")
	w.post("/completed", last(e))
	w.post("/completed", last(e))
	got := w.outcomes()
	if len(got) != 2 || got[0].ID() != got[1].ID() || !got[0].Time().Equal(got[1].Time()) {
		t.Fatalf("the outcomes are %v", got)
	}
	ended, err := events.ParseExecutionEnded(&got[0])
	if err != nil {
		t.Fatal(err)
	}
	origin, _ := events.OriginOf(&got[0])
	if got[0].Type() != "dev.imageflow.execution.completed.v1" || got[0].Subject() != "in/cat" || origin.Key != "in/cat.jpg" ||
		ended.GetStatus() != imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED || ended.GetSource().GetEtag() != origin.ETag ||
		len(ended.GetSteps()) != 2 || ended.GetSteps()[0].GetOutputImage().GetObjectKey() != "in/cat_filter.jpg" {
		t.Errorf("the outcome is %v with %v", got[0], ended)
	}
	w.post("/completed", got[0])
	w.post("/dead-letters", failed(got[0], 400, "not for me"))
	if n := len(w.outcomes()); n != 2 || w.status("in/cat.jpg") != execution.StatusCompleted {
		t.Errorf("an outcome led to %d more", n-2)
	}
	w.upload("in/cat.jpg", "v2")
	w.post("/completed", last(e)) // of the version before, which is not tagged
	if n := len(w.outcomes()); n != 2 {
		t.Errorf("%d outcomes of a version that is gone", n-2)
	}
}

// TestFailedIsAnnounced: each dead letter of a step is an outcome, and no dead letter of a listener. After the chain has
// completed, no dead letter reports that it failed.
func TestFailedIsAnnounced(t *testing.T) {
	w := announcing(t, time.Minute)
	e := w.upload("in/cat.jpg", "v1")
	w.post("/dead-letters", failed(e, 400, notAnImage))
	w.post("/dead-letters", failed(e, 400, notAnImage))
	got := w.outcomes()
	if len(got) != 2 || got[0].ID() != got[1].ID() || got[0].Type() != "dev.imageflow.execution.failed.v1" {
		t.Fatalf("the outcomes are %v", got)
	}
	ended, err := events.ParseExecutionEnded(&got[0])
	if err != nil || ended.GetFailure().GetReason() != "input_image: not an image" || ended.GetFailure().GetDeadLetter() == "" {
		t.Errorf("the outcome has %v, %v", ended, err)
	}
	w.post("/dead-letters", failed(got[0], 500, "broken")) // of a subscriber without the parameter hook
	ofHook := failed(e, 410, "gone")
	ofHook.SetID("other")
	ofHook.SetExtension("knativeerrordest", "http://notify/?hook=shop")
	w.post("/dead-letters", ofHook)
	if n := len(w.outcomes()); n != 2 {
		t.Errorf("failures of listeners are %d outcomes", n-2)
	}
	w.made(w.info("in/cat.jpg"), "filter")
	w.post("/completed", last(e))
	if got := w.outcomes(); len(got) != 3 || got[2].ID() == got[0].ID() || w.onlyDeadLetter().EventID != "other" {
		t.Errorf("after the chain has completed: %v, dead letters %v", got, w.allDeadLetters())
	}
}

// TestOutcomeNotAccepted: the upload is tagged, and its event is asked for again, or is a dead letter.
func TestOutcomeNotAccepted(t *testing.T) {
	w := announcing(t, time.Minute)
	e := w.upload("in/cat.jpg", "v1")
	w.broker.answer(http.StatusServiceUnavailable)
	end := last(e)
	attributes := map[string]string{"id": end.ID(), "type": end.Type(), "origin": end.Extensions()["origin"].(string)}
	if code := postRaw(w.bridge, "/completed", "application/json", "{}", attributes); code != http.StatusServiceUnavailable ||
		w.status("in/cat.jpg") != execution.StatusCompleted {
		t.Errorf("answered %d, status %q", code, w.status("in/cat.jpg"))
	}
	w.broker.answer(http.StatusBadRequest)
	w.post("/completed", end)
	d := w.onlyDeadLetter()
	if !strings.Contains(d.Reason, "the broker answered 400") || !d.OfListener() || d.Execution != "in/cat" {
		t.Errorf("the dead letter is %+v", d)
	}
	w.broker.answer(http.StatusAccepted)
	if got := w.replay(bridge.Replay{}); len(got) != 1 || !strings.HasSuffix(got[0], "sent") {
		t.Errorf("replayed: %q", got)
	}
}

// TestOutcomeAcceptedLate: a broker that does not answer delays neither the tag nor the answer, and what it refuses then
// is a dead letter.
func TestOutcomeAcceptedLate(t *testing.T) {
	w := announcing(t, time.Millisecond)
	info := w.put("in/cat.jpg", "v1", nil)
	w.output(info)
	hold := make(chan struct{})
	w.broker.hold = hold
	w.broker.answer(http.StatusBadRequest)
	e := cloudevents.NewEvent()
	e.SetID("e")
	events.Origin{Bucket: images, Key: "in/cat.jpg", ETag: info.ETag}.Set(&e)
	w.post("/completed", last(e))
	if got := w.status("in/cat.jpg"); got != execution.StatusCompleted || len(w.allDeadLetters()) > 0 {
		t.Errorf("before the broker answers, the status is %q", got)
	}
	close(hold)
	if err := w.bridge.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.onlyDeadLetter()
}
