package console

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestRefresher: asking never waits, something is made at most once in a period, and what is too old is not good.
func TestRefresher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made atomic.Int32
		var fails atomic.Bool
		r := refresher{period: 5 * time.Second, limit: 2 * time.Second, make: func(ctx context.Context) error {
			time.Sleep(time.Second)
			if fails.Load() {
				return errors.New("down")
			}
			made.Add(1)
			return ctx.Err()
		}}
		expect := func(want bool, count int32, when string) {
			t.Helper()
			start := time.Now()
			if got := r.ask(); got != want || made.Load() != count || time.Since(start) != 0 {
				t.Errorf("%s: %v, want %v; made %d times, want %d; after %v", when, got, want, made.Load(), count, time.Since(start))
			}
		}
		expect(false, 0, "at first")
		time.Sleep(1100 * time.Millisecond)
		expect(true, 1, "when it was made")
		time.Sleep(3 * time.Second)
		expect(true, 1, "within the period")
		time.Sleep(time.Second)
		expect(true, 1, "while it is made again")
		time.Sleep(1100 * time.Millisecond)
		expect(true, 2, "after the period")
		time.Sleep(time.Minute)
		expect(false, 2, "when nobody has asked for a minute")
		time.Sleep(1100 * time.Millisecond)
		expect(true, 3, "made again")
		fails.Store(true)
		for range 20 {
			time.Sleep(time.Second)
			r.ask()
		}
		expect(false, 3, "when it cannot be made")
		time.Sleep(5 * time.Second) // for the last one
	})
}
