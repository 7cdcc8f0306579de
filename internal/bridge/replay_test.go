package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/execution"
)

// replay returns a line for each letter.
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

func TestReplaySendsTheEventAsItWas(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		cat, dog := w.upload("cat.jpg", "x"), w.upload("dog.jpg", "x")
		w.post("/dead-letters", failed(cat, 400, refusal))
		w.post("/dead-letters", failed(dog, 400, refusal))
		notify(w.bridge, "", "no event")
		before := len(w.broker.all())

		if got := w.replay(bridge.Replay{DryRun: true}); !slices.Equal(got, []string{"cat sent", "dog sent", " skipped"}) {
			t.Errorf("a dry run: %q", got)
		}
		if len(w.broker.all()) != before || len(w.allLetters()) != 3 || w.status("cat.jpg") != execution.StatusFailed {
			t.Error("a dry run changes something")
		}

		one := bridge.Replay{Selection: execution.Selection{Execution: "cat"}}
		w.broker.answer(http.StatusServiceUnavailable)
		if got := w.replay(one); !slices.Equal(got, []string{"cat failed"}) || w.status("cat.jpg") != execution.StatusFailed {
			t.Errorf("without a broker: %q, status %q", got, w.status("cat.jpg"))
		}
		if all := w.allLetters(); len(all) != 3 || slices.ContainsFunc(all, func(l execution.DeadLetter) bool { return l.InReplay }) {
			t.Errorf("without a broker the letters are %+v", all)
		}
		w.broker.answer(http.StatusAccepted)
		if got := w.replay(one); !slices.Equal(got, []string{"cat sent"}) || len(w.allLetters()) != 2 {
			t.Errorf("with one: %q, %d letters", got, len(w.allLetters()))
		}
		if got := w.status("cat.jpg"); got != "" {
			t.Errorf("while its chain runs, the status is %q", got)
		}
		all := w.broker.all()
		if sent := all[len(all)-1]; sent.String() != cat.String() {
			t.Errorf("sent\n%v, want\n%v", sent, cat)
		}
		w.post("/completed", last(cat))
		if got := w.status("cat.jpg"); got != execution.StatusCompleted {
			t.Errorf("after its chain the status is %q", got)
		}
	})
}

// TestReplayKeepsWhatFailsAgain: a broker may answer after the event has failed
// again, or its chain has completed; neither is undone.
func TestReplayKeepsWhatFailsAgain(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		cat, dog := w.upload("cat.jpg", "x"), w.upload("dog.jpg", "x")
		w.post("/dead-letters", failed(cat, 400, refusal))
		w.post("/dead-letters", failed(dog, 400, refusal))
		hold := make(chan struct{})
		w.broker.hold = hold
		done := make(chan []string)
		go func() { done <- w.replay(bridge.Replay{}) }()
		waitFor(t, "the first letter's event to be sent", func() bool { // its object's tag is taken away just before
			return w.status("cat.jpg") == "" && slices.ContainsFunc(w.allLetters(), func(l execution.DeadLetter) bool { return l.InReplay && l.Execution == "cat" })
		})
		w.post("/dead-letters", failed(cat, 400, "again"))
		w.post("/completed", last(dog))
		close(hold)
		<-done
		l := w.one()
		if l.Execution != "cat" || l.Reason != "again" || l.Failures != 2 || l.InReplay || w.status("cat.jpg") != execution.StatusFailed {
			t.Errorf("the failure is %+v, status %q", l, w.status("cat.jpg"))
		}
		if got := w.status("dog.jpg"); got != execution.StatusCompleted {
			t.Errorf("what has completed is %q", got)
		}
	})
}

func TestReplayGoesOnAfterACrash(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		cat := w.upload("cat.jpg", "x")
		w.post("/dead-letters", failed(cat, 400, refusal))
		if _, err := w.letters.BeginReplay(t.Context(), w.one()); err != nil {
			t.Fatal(err)
		}
		if got := w.replay(bridge.Replay{}); !slices.Equal(got, []string{"cat sent"}) || len(w.allLetters()) != 0 {
			t.Errorf("got %q, %v", got, w.allLetters())
		}
	})
}

func TestReplayStopsWhenAsked(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		for i := range 3 {
			w.post("/dead-letters", failed(w.upload(fmt.Sprint(i, ".jpg"), "x"), 400, refusal))
		}
		ctx, cancel := context.WithCancel(t.Context())
		var lines []string
		err := w.bridge.Replay(ctx, bridge.Replay{Wait: time.Minute, Report: func(l execution.DeadLetter, err error) {
			lines = append(lines, fmt.Sprint(l.Execution, err))
			cancel()
		}})
		if !errors.Is(err, context.Canceled) || len(lines) != 1 || len(w.allLetters()) != 2 {
			t.Errorf("got %v after %s, %d letters", err, strings.Join(lines, ", "), len(w.allLetters()))
		}
	})
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
