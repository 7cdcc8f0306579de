package gateway_test

import (
	"slices"
	"testing"
	"time"

	"imageflow.dev/internal/gateway"
)

const tick = time.Millisecond

// simulation is a server behind a limiter. It processes one call at a time.
type simulation struct {
	limiter gateway.Limiter
	now     time.Time
	each    time.Duration // processing time of a call
	queue   []*simulated
	left    time.Duration // remaining time of the first call
	refused int
	done    []time.Duration // latencies
}

type simulated struct {
	arrived time.Time
	evicted func() bool
	release func(time.Time)
	after   func() // called at its end, or nil
}

func newSimulation(each time.Duration) *simulation {
	return &simulation{now: time.Unix(1000, 0), each: each}
}

func (s *simulation) call(after func()) {
	evicted, release := s.limiter.Acquire(s.now)
	if release == nil {
		s.refused++
		return
	}
	s.queue = append(s.queue, &simulated{s.now, evicted, release, after})
}

// run advances the time by d. It calls arrive before each tick.
func (s *simulation) run(d time.Duration, arrive func()) {
	for end := s.now.Add(d); s.now.Before(end); s.now = s.now.Add(tick) {
		arrive()
		s.queue = slices.DeleteFunc(s.queue, func(c *simulated) bool {
			if c.evicted() {
				s.refused++
				c.release(s.now)
				return true
			}
			return false
		})
		if len(s.queue) == 0 {
			s.left = s.each
			continue
		}
		if s.left -= tick; s.left > 0 {
			continue
		}
		first := s.queue[0]
		s.queue, s.left = s.queue[1:], s.each
		s.done = append(s.done, s.now.Sub(first.arrived))
		first.release(s.now)
		if first.after != nil {
			first.after()
		}
	}
}

// rate returns a function for run that makes perSecond calls a second.
func (s *simulation) rate(perSecond float64) func() {
	var due float64
	return func() {
		for due += perSecond * tick.Seconds(); due >= 1; due-- {
			s.call(nil)
		}
	}
}

// Callers that wait for their answers make a queue that does not grow, however slow the
// processors are and however late some callers start.
func TestLimiter_admitsClosedLoops(t *testing.T) {
	for _, each := range []time.Duration{5 * time.Millisecond, 35 * time.Millisecond, 200 * time.Millisecond} {
		for _, callers := range []int{1, 20, 64} {
			for _, spread := range []time.Duration{tick, 700 * time.Millisecond} {
				s := newSimulation(each)
				var again func(n int) func()
				again = func(n int) func() {
					return func() {
						if n > 0 {
							s.call(again(n - 1))
						}
					}
				}
				begun, every := 0, max(spread/time.Duration(callers), tick)
				s.run(time.Duration(callers)*10*each+5*time.Second, func() {
					for ; begun < callers && s.now.Sub(time.Unix(1000, 0)) >= time.Duration(begun)*every; begun++ {
						s.call(again(9))
					}
				})
				if s.refused > 0 || len(s.done) != 10*callers {
					t.Errorf("%d callers within %v, %v each: %d done, %d refused", callers, spread, each, len(s.done), s.refused)
				}
			}
		}
	}
}

// If calls arrive at twice the rate of their processing, the processed calls have a low
// latency, and the processors stay busy.
func TestLimiter_twiceTheCapacity(t *testing.T) {
	for _, each := range []time.Duration{10 * time.Millisecond, 35 * time.Millisecond, 50 * time.Millisecond} {
		s := newSimulation(each)
		s.run(time.Minute, s.rate(2/each.Seconds()))
		slices.Sort(s.done)
		if capacity := int(time.Minute / each); len(s.done) < capacity*9/10 {
			t.Errorf("%v each: %d of at most %d done", each, len(s.done), capacity)
		}
		if p99 := s.done[len(s.done)*99/100]; p99 > 500*time.Millisecond {
			t.Errorf("%v each: p99 %v", each, p99)
		}
		s.refused = 0
		s.run(10*time.Second, func() {})
		s.run(10*time.Second, s.rate(0.8/each.Seconds()))
		if s.refused > 0 {
			t.Errorf("%v each: %d refused after the overload", each, s.refused)
		}
	}
}

// If slightly more calls arrive than can be processed, the queue stays short as well.
func TestLimiter_slightOverload(t *testing.T) {
	for _, each := range []time.Duration{10 * time.Millisecond, 35 * time.Millisecond, 50 * time.Millisecond} {
		s := newSimulation(each)
		s.run(5*time.Minute, s.rate(1.15/each.Seconds()))
		slices.Sort(s.done)
		if capacity := int(5 * time.Minute / each); len(s.done) < capacity*9/10 {
			t.Errorf("%v each: %d of at most %d done", each, len(s.done), capacity)
		}
		if last := s.done[len(s.done)-1]; last > 2*time.Second {
			t.Errorf("%v each: a call took %v", each, last)
		}
	}
}
