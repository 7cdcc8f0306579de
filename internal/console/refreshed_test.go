package console

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestRefreshed: asking never waits, a value is made at most once in a period, and one that is too old is not shown.
func TestRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made, fails := 0, false
		r := refreshed[int]{period: 5 * time.Second, limit: 2 * time.Second, make: func(ctx context.Context) (int, error) {
			time.Sleep(time.Second)
			if fails {
				return 0, errors.New("down")
			}
			made++
			return made, ctx.Err()
		}}
		expect := func(want int, when string) {
			t.Helper()
			if start, got := time.Now(), r.get(); got != want || time.Since(start) != 0 {
				t.Errorf("%s: %d, want %d, after %v", when, got, want, time.Since(start))
			}
		}
		expect(0, "at first")
		time.Sleep(1100 * time.Millisecond)
		expect(1, "when it was made")
		time.Sleep(3 * time.Second)
		expect(1, "within the period")
		time.Sleep(time.Second)
		expect(1, "while the next is made")
		time.Sleep(1100 * time.Millisecond)
		expect(2, "after the period")
		time.Sleep(time.Minute)
		expect(0, "when nobody has asked for a minute")
		time.Sleep(1100 * time.Millisecond)
		expect(3, "made again")
		fails = true
		for range 20 {
			time.Sleep(time.Second)
			r.get()
		}
		expect(0, "when it cannot be made")
		synctest.Wait()
		time.Sleep(5 * time.Second) // for the last one
	})
}
