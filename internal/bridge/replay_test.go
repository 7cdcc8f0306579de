package bridge_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/execution"
)

// replay returns a line for each dead letter.
func (w *world) replay(r bridge.Replay) []string {
	w.t.Helper()
	lines := []string{}
	r.Report = func(l execution.DeadLetter, err error) {
		switch {
		case errors.Is(err, bridge.ErrNoEvent):
			lines = append(lines, l.Execution+" skipped")
		case err != nil:
			lines = append(lines, l.Execution+" failed")
		default:
			lines = append(lines, l.Execution+" sent")
		}
	}
	if r.Wait == 0 {
		r.Wait = time.Minute
	}
	if err := w.bridge.Replay(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
	return lines
}

// TestReplayThatFailsAgain: the dead letter counts on, and the event is as before.
func TestReplayThatFailsAgain(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		e := w.upload("cat.jpg", "x")
		w.post("/dead-letters", failed(e, 400, notAnImage))
		first := w.onlyDeadLetter()
		for want := 2; want <= 3; want++ {
			if got := w.replay(bridge.Replay{}); len(got) != 1 || len(w.allDeadLetters()) != 0 {
				t.Fatalf("replayed: %q", got)
			}
			sent := w.broker.all()
			w.post("/dead-letters", failed(sent[len(sent)-1], 400, notAnImage))
			d := w.onlyDeadLetter()
			if d.Failures != want || !d.First.Equal(first.First) || !bytes.Equal(d.Event, first.Event) {
				t.Errorf("want %d failures since %v: %+v", want, first.First, d)
			}
		}
	})
}

// withoutFailures returns an event that was sent again without what it has for the dead letter that it may become.
func withoutFailures(e cloudevents.Event) cloudevents.Event {
	e.SetExtension("failures", nil)
	e.SetExtension("firstfailure", nil)
	return e
}

func TestReplaySendsTheOriginalEvent(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		cat, dog := w.upload("cat.jpg", "x"), w.upload("dog.jpg", "x")
		w.post("/dead-letters", failed(cat, 400, notAnImage))
		w.post("/dead-letters", failed(dog, 400, notAnImage))
		notify(w.bridge, "", "no event")
		before := len(w.broker.all())

		if got := w.replay(bridge.Replay{DryRun: true}); !slices.Equal(got, []string{"cat sent", "dog sent", " skipped"}) {
			t.Errorf("a dry run: %q", got)
		}
		if len(w.broker.all()) != before || len(w.allDeadLetters()) != 3 || w.status("cat.jpg") != execution.StatusFailed {
			t.Error("a dry run changes something")
		}

		one := bridge.Replay{Selection: execution.Selection{Execution: "cat"}}
		w.broker.answer(http.StatusServiceUnavailable)
		if got := w.replay(one); !slices.Equal(got, []string{"cat failed"}) || w.status("cat.jpg") != execution.StatusFailed {
			t.Errorf("without a broker: %q, status %q", got, w.status("cat.jpg"))
		}
		if all := w.allDeadLetters(); len(all) != 3 ||
			slices.ContainsFunc(all, func(l execution.DeadLetter) bool { return l.InReplay }) {
			t.Errorf("without a broker the dead letters are %+v", all)
		}
		w.broker.answer(http.StatusAccepted)
		if got := w.replay(one); !slices.Equal(got, []string{"cat sent"}) || len(w.allDeadLetters()) != 2 {
			t.Errorf("with one: %q, %d dead letters", got, len(w.allDeadLetters()))
		}
		if got := w.status("cat.jpg"); got != "" {
			t.Errorf("while its chain runs, the status is %q", got)
		}
		all := w.broker.all()
		if sent := withoutFailures(all[len(all)-1]); sent.String() != cat.String() {
			t.Errorf("sent\n%v, want\n%v", sent, cat)
		}
		w.post("/completed", last(cat))
		if got := w.status("cat.jpg"); got != execution.StatusCompleted {
			t.Errorf("after its chain the status is %q", got)
		}
	})
}

// TestReplay_brokerAnswersLate: a broker may answer after the event has failed again or its
// chain has completed. The replay undoes neither.
func TestReplay_brokerAnswersLate(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		cat, dog := w.upload("cat.jpg", "x"), w.upload("dog.jpg", "x")
		w.post("/dead-letters", failed(cat, 400, notAnImage))
		w.post("/dead-letters", failed(dog, 400, notAnImage))
		hold := make(chan struct{})
		w.broker.hold = hold
		done := make(chan []string)
		go func() { done <- w.replay(bridge.Replay{}) }()
		waitFor(t, "the event of the first dead letter", func() bool { // the tag of its object is removed just before
			return w.status("cat.jpg") == "" && slices.ContainsFunc(w.allDeadLetters(),
				func(l execution.DeadLetter) bool { return l.InReplay && l.Execution == "cat" })
		})
		w.post("/dead-letters", failed(cat, 400, "again"))
		w.post("/completed", last(dog))
		close(hold)
		<-done
		l := w.onlyDeadLetter()
		if l.Execution != "cat" || l.Reason != "again" || l.Failures != 2 || l.InReplay ||
			w.status("cat.jpg") != execution.StatusFailed {
			t.Errorf("the failure is %+v, status %q", l, w.status("cat.jpg"))
		}
		if got := w.status("dog.jpg"); got != execution.StatusCompleted {
			t.Errorf("the completed object is %q", got)
		}
	})
}

func TestReplay_afterACrash(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		cat := w.upload("cat.jpg", "x")
		w.post("/dead-letters", failed(cat, 400, notAnImage))
		if _, err := w.deadLetters.BeginReplay(t.Context(), w.onlyDeadLetter()); err != nil {
			t.Fatal(err)
		}
		if got := w.replay(bridge.Replay{}); !slices.Equal(got, []string{"cat sent"}) || len(w.allDeadLetters()) != 0 {
			t.Errorf("got %q, %v", got, w.allDeadLetters())
		}
	})
}

func TestReplay_contextEnds(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		for i := range 3 {
			w.post("/dead-letters", failed(w.upload(fmt.Sprint(i, ".jpg"), "x"), 400, notAnImage))
		}
		ctx, cancel := context.WithCancel(t.Context())
		var lines []string
		err := w.bridge.Replay(ctx, bridge.Replay{Wait: time.Minute, Report: func(l execution.DeadLetter, err error) {
			lines = append(lines, fmt.Sprint(l.Execution, err))
			cancel()
		}})
		if !errors.Is(err, context.Canceled) || len(lines) != 1 || len(w.allDeadLetters()) != 2 {
			t.Errorf("got %v after %s, %d dead letters", err, strings.Join(lines, ", "), len(w.allDeadLetters()))
		}
	})
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timeout while waiting for %s", what)
		}
	}
}
