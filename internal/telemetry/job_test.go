package telemetry_test

import (
	"errors"
	"testing"
	"time"

	"imageflow.dev/internal/telemetry"
)

func TestStagesAddUp(t *testing.T) {
	watch := telemetry.StartJob(t.Context(), "resize")
	for range 2 { // one name twice is one stage
		end := watch.Stage("queue")
		time.Sleep(time.Millisecond)
		end()
	}
	_ = watch.Stage("never ended")
	if got := watch.Stages(); len(got) != 1 || got["queue"] < 2*time.Millisecond || got["queue"] > watch.Elapsed() {
		t.Errorf("stages %v of %v", got, watch.Elapsed())
	}
	watch.Of("cat")
	watch.End("done", errors.New("any"))
}
