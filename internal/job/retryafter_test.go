package job_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"imageflow.dev/functions"
	"imageflow.dev/internal/job"
)

// TestAdmission_retriesAreSpread: callers that come at once, more than ten times as many as there is room for, are all served
// if they come back when the errors suggest, and none needs more than the five attempts of a gRPC client.
func TestAdmission_retriesAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow = 20 * time.Millisecond
		b := newBlocking(t, job.AdmissionLimits{Queue: 2, Active: 1, DecodedBytes: 1 << 20, Cores: 1}, slow)
		close(b.release)
		var callers sync.WaitGroup
		for range 40 {
			callers.Go(func() {
				err := b.run(t.Context(), job.FailFast)
				for attempts := 1; isBusy(err) && attempts < 5; attempts++ {
					time.Sleep(functions.AsError(err).RetryAfter)
					err = b.run(t.Context(), job.FailFast)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
	})
}
