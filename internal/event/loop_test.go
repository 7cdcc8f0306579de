package event_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"imageflow.dev/internal/events"
)

// TestLoopEnds sends the events of a step back to the step, as Triggers in a loop do.
func TestLoopEnds(t *testing.T) {
	var got *request
	url := serve(t, echo(&got))
	e := created("a.jpg")
	for steps := 0; steps < 100; steps++ {
		resp := post(t, url+"/?target_width=7", e, false)
		if resp.StatusCode == http.StatusOK {
			e = *next(t, resp)
			continue
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body.String(), "loop") || steps != 16 {
			t.Errorf("after %d steps: %s %s", steps, resp.Status, body.String())
		}
		return
	}
	t.Error("the loop did not end after 100 steps")
}

// TestLoopCounterThatIsNone: an event whose counter of steps cannot be read would never end a loop.
func TestLoopCounterThatIsNone(t *testing.T) {
	url := serveNoJobs(t)
	for _, hops := range []string{"many", "-1", "1.5", "99999999999"} {
		e := created("a.jpg")
		e.SetExtension("hops", hops)
		resp := post(t, url+"/?target_width=7", e, false)
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		want := `hops: \"` + hops + `\" must be an integer from 0`
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body.String(), want) {
			t.Errorf("%s: %s %s", hops, resp.Status, body.String())
		}
	}
}

// TestOutcomesStartNothing: a step whose Trigger selects every type does nothing for the outcome of an execution.
func TestOutcomesStartNothing(t *testing.T) {
	url := serveNoJobs(t)
	for _, eventType := range []string{events.ExecutionCompleted, events.ExecutionFailed} {
		e := created("cat.jpg")
		e.SetType(eventType)
		if resp := post(t, url, e, false); resp.StatusCode != http.StatusAccepted {
			t.Errorf("%s: answered %d", eventType, resp.StatusCode)
		}
	}
}
