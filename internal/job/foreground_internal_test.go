package job

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A job of a backfill starts neither beside the steps of a live chain nor between them. It does
// start beside jobs that never end.
func TestAdmission_backfillStartsBetweenJobs(t *testing.T) {
	const step, hop = 20 * time.Millisecond, 10 * time.Millisecond
	for name, c := range map[string]struct {
		steps int
		want  time.Duration // until the job of the backfill starts
	}{
		"idle":    {0, 0},
		"a chain": {3, 3*step + 2*hop + backfillPause},
		"forever": {100, maxYield},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := NewAdmission(AdmissionLimits{Queue: 8, Active: 4, DecodedBytes: 1, Cores: 2})
				began := time.Now()
				var chain sync.WaitGroup
				chain.Go(func() {
					for range c.steps {
						leave, err := a.enter(t.Context(), Enqueue, false)
						if err != nil {
							t.Error(err)
							return
						}
						time.Sleep(step)
						leave(nil)
						time.Sleep(hop)
					}
				})
				defer chain.Wait()
				synctest.Wait()
				leave, err := a.enter(t.Context(), Backfill, false)
				if err != nil {
					t.Fatal(err)
				}
				leave(nil)
				if got := time.Since(began); got != c.want {
					t.Errorf("it starts after %v, want %v", got, c.want)
				}
			})
		})
	}
}
