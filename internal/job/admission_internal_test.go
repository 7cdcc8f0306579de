package job

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"imageflow.dev/functions"
)

// Neither a job that waited for a stalled store nor a single slow job changes the expected
// duration much.
func TestWorking_ignoresOutliers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAdmission(AdmissionLimits{Queue: 8, Active: 4, DecodedBytes: 1, Cores: 2})
		work := func(d time.Duration, err error) {
			leave, enterErr := a.enter(t.Context(), Enqueue, false)
			if enterErr != nil {
				t.Fatal(enterErr)
			}
			time.Sleep(d)
			leave(err)
		}
		for range 40 {
			work(10*time.Millisecond, nil)
		}
		for _, err := range []error{functions.Errorf(functions.Unavailable, "", "stalled"), context.Canceled, nil} {
			work(time.Hour, err)
		}
		if got := time.Duration(a.stored.working.get()); got < 10*time.Millisecond || got > 12*time.Millisecond {
			t.Errorf("after jobs of 10 ms and slow ones, the average is %v", got)
		}
		for range 200 {
			work(time.Second, nil)
		}
		if got := time.Duration(a.stored.working.get()); got < 900*time.Millisecond {
			t.Errorf("when all jobs take a second, the average is %v", got)
		}
	})
}
