package job

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// queued is a budget in a synctest bubble with a record of its grants.
type queued struct {
	*budget
	t       *testing.T
	grants  []class
	granted [classes]float64
}

// add lets a job wait for n, or take it at once.
func (q *queued) add(c class, n int64) {
	go func() {
		if q.Acquire(q.t.Context(), c, n) == nil {
			q.grants = append(q.grants, c)
			q.granted[c] += float64(n)
		}
	}()
	synctest.Wait() // one at a time, so that the order is known
}

// finish releases the job that was granted last and waits for the grants after it.
func (q *queued) finish(c class, n int64) {
	q.Release(c, n)
	synctest.Wait()
}

// TestBudget_sharesByWeight: while two classes wait, what they are granted over any time differs
// from the shares by weight by at most one grant of each.
func TestBudget_sharesByWeight(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 20 {
		const largest = 8
		b := newBudget(largest, largest)
		var waiting, held [classes][]*waiter
		var got [classes]float64 // granted so far, divided by the weight
		fill := func() {
			for c := range classes {
				for len(b.waiting[c]) < 10 {
					waiting[c] = append(waiting[c], b.enqueue(c, 1+random.Int64N(largest)))
				}
			}
		}
		history := [][classes]float64{}
		for range 1000 {
			fill()
			for c := range classes {
				for waiting[c][0].isGranted() {
					got[c] += float64(waiting[c][0].n) / weights[c]
					held[c], waiting[c] = append(held[c], waiting[c][0]), waiting[c][1:]
				}
			}
			history = append(history, got)
			c := class(random.IntN(int(classes)))
			for len(held[c]) == 0 {
				c = (c + 1) % classes
			}
			b.Release(c, held[c][0].n)
			held[c] = held[c][1:]
		}
		checkShares(t, random, history, largest)
	}
}

// checkShares compares what the classes were granted between any two times.
func checkShares(t *testing.T, random *rand.Rand, history [][classes]float64, largest float64) {
	t.Helper()
	for range 2000 {
		i, j := random.IntN(len(history)), random.IntN(len(history))
		from, to := history[min(i, j)], history[max(i, j)]
		for a := range classes {
			for b := range a {
				difference := math.Abs((to[a] - from[a]) - (to[b] - from[b]))
				if bound := largest/weights[a] + largest/weights[b]; difference > bound+1e-9 {
					t.Fatalf("classes %d and %d differ by %.2f, above %.2f", a, b, difference, bound)
				}
			}
		}
	}
	if last := history[len(history)-1]; last[backfillJobs] < 10 {
		t.Errorf("a backfill is granted %v in 1000 turns", last[backfillJobs])
	}
}

// TestBudget_overtakesBacklog: a call that arrives behind 1,000 jobs of a backfill and 100 events
// waits only for the job that runs; the next calls wait for no job of the backfill.
func TestBudget_overtakesBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queued{budget: newBudget(1, 1), t: t}
		for range 1000 {
			q.add(backfillJobs, 1)
		}
		for range 100 {
			q.add(eventJobs, 1)
		}
		for range 3 {
			q.add(callJobs, 1)
		}
		q.finish(backfillJobs, 1)
		q.finish(callJobs, 1)
		for len(q.grants) < 1103 {
			q.finish(q.grants[len(q.grants)-1], 1)
		}
		if q.grants[0] != backfillJobs || q.grants[1] != callJobs {
			t.Errorf("the first grants are %v", q.grants[:8])
		}
		turns := map[class]int{}
		for _, c := range q.grants[1:] {
			if turns[c]++; turns[callJobs] == 3 {
				break
			}
		}
		if turns[backfillJobs] > 0 || turns[eventJobs] > 1 {
			t.Errorf("before the third call: %v", turns)
		}
		q.finish(q.grants[len(q.grants)-1], 1)
	})
}

// TestBudget_idleClassGetsNoCredit: calls that did not wait for a long time do not shut out others.
func TestBudget_idleClassGetsNoCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queued{budget: newBudget(1, 1), t: t}
		q.add(backfillJobs, 1)
		for range 1000 {
			q.add(backfillJobs, 1)
			q.finish(backfillJobs, 1)
		}
		for range 100 {
			q.add(callJobs, 1)
		}
		q.add(backfillJobs, 1)
		before := len(q.grants)
		for len(q.grants) < before+101 {
			q.finish(q.grants[len(q.grants)-1], 1)
		}
		turn := 0
		for i, c := range q.grants[before:] {
			if c == backfillJobs {
				turn = i
			}
		}
		if turn > 17 {
			t.Errorf("a job of the backfill waits for %d calls, want at most 17", turn)
		}
		q.finish(q.grants[len(q.grants)-1], 1)
	})
}

// TestBudget_leavesRoom: a backfill leaves its part of a budget to others, but one of its jobs may
// be larger than that.
func TestBudget_leavesRoom(t *testing.T) {
	b := newBudget(4, 2)
	for _, n := range []int64{1, 1} {
		if !b.TryAcquire(backfillJobs, n) {
			t.Fatal("a job within the limit does not run")
		}
	}
	if b.TryAcquire(backfillJobs, 1) {
		t.Error("a backfill has more than its part")
	}
	if !b.TryAcquire(eventJobs, 2) {
		t.Error("an event does not get the part that a backfill leaves")
	}
	b.Release(eventJobs, 2)
	b.Release(backfillJobs, 2)
	if !b.TryAcquire(backfillJobs, 4) {
		t.Error("a large job of a backfill never runs")
	}
}

// TestBudget_cancelledJobs: jobs that stop waiting leave their place, and the others get what they
// waited for.
func TestBudget_cancelledJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queued{budget: newBudget(4, 4), t: t}
		q.add(eventJobs, 2)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- q.Acquire(ctx, callJobs, 4) }()
		synctest.Wait()
		q.add(eventJobs, 2) // fits, but not before the call
		if len(q.grants) != 1 {
			t.Fatalf("grants %v: a small job overtakes a large one", q.grants)
		}
		cancel()
		synctest.Wait()
		if err := <-ended; !errors.Is(err, context.Canceled) || len(q.grants) != 2 {
			t.Errorf("%v, grants %v", err, q.grants)
		}
		q.Release(eventJobs, 4)
		if u := q.usage(); u.Taken != 0 {
			t.Errorf("%d are still taken", u.Taken)
		}
	})
}
