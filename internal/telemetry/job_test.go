package telemetry_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"imageflow.dev/internal/telemetry"
)

func TestJob_addsStagesOfOneName(t *testing.T) {
	synctest.Test(t, testStages)
}

func testStages(t *testing.T) {
	ctx, job := telemetry.StartJob(t.Context(), "resize", time.Now())
	for range 2 {
		_, end := job.Stage(ctx, "queue")
		time.Sleep(time.Millisecond)
		end()
	}
	job.Stage(ctx, "never ended")
	if got := job.Stages(); len(got) != 1 || got["queue"] != 2*time.Millisecond || got["queue"] != job.Elapsed() {
		t.Errorf("stages %v in %v", got, job.Elapsed())
	}
	ctx = job.SetExecution(ctx, "cat")
	job.End(ctx, "done", errors.New("any"))
}
