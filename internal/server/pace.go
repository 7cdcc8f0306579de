package server

import (
	"container/list"
	"sync"
	"time"
)

// pace is how fast a caller must send its request and read its answer.
type pace struct {
	// rate is in bytes a second.
	rate int64
	// grace is how long a caller may be silent, and how far it may be behind the rate.
	grace time.Duration
	// contended is the same for one that holds bytes for which others wait.
	contended time.Duration
	// total bounds the time of one body, message or answer.
	total time.Duration
}

// defaults are the times of every server, and the rate of one that names none. The
// total is the longest time that Knative gives a request.
var defaults = pace{rate: 32 << 10, grace: 10 * time.Second, contended: 3 * time.Second, total: 10 * time.Minute}

// maxWait bounds how long a body waits for the budget.
var maxWait = time.Minute

// crowd bounds how many requests of one kind are in flight. It knows which of them
// wait for their callers: those are what silence can hold.
type crowd struct {
	max     int
	answers *answers

	mutex  sync.Mutex
	n      int
	silent list.List // of *transfer, the longest silent first
	looks  bool      // a look at them is due
}

// enter lets a request in while there is a place, or in the place of the request
// whose caller is silent for the longest time.
func (c *crowd) enter(patience time.Duration) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.n >= c.max && !c.cut(patience, func(*transfer) bool { return true }) {
		return false
	}
	c.n++
	return true
}

func (c *crowd) leave() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.n--
}

// free cuts off the callers that are silent for longer than patience, of those that
// may be.
func (c *crowd) free(patience time.Duration, may func(*transfer) bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for c.cut(patience, may) {
	}
}

// cut cuts off the longest silent caller of those that may be, if it is silent for
// longer than patience.
func (c *crowd) cut(patience time.Duration, may func(*transfer) bool) bool {
	for e := c.silent.Front(); e != nil; e = e.Next() {
		t := e.Value.(*transfer)
		if time.Since(t.since) <= patience {
			return false
		}
		if may(t) {
			t.end()
			return true
		}
	}
	return false
}

// look cuts off the callers that are silent for longer than they may be.
func (c *crowd) look() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for e := c.silent.Front(); e != nil; {
		t := e.Value.(*transfer)
		e = e.Next()
		if t.limit > 0 && time.Since(t.since) > t.limit {
			t.end()
		}
	}
	c.looks = c.silent.Len() > 0
	if c.looks {
		time.AfterFunc(defaults.grace/10, c.look)
	}
}

// transfer is one direction of a request: the reads of its body or the writes of
// its answer. The time that the handler takes between them is not the caller's.
type transfer struct {
	pace
	crowd *crowd
	// deadline sets the time until which reads, or writes, may go on.
	deadline func(time.Time) error
	credit   time.Duration // how long the caller may be silent now
	spent    time.Duration

	// under the crowd's mutex:
	holds any // *account of a body, *places of an answer
	since time.Time
	limit time.Duration // 0 is none
	place *list.Element // while the caller is waited for
	cut   bool
}

// await waits for the caller while do reads or writes n bytes of what the transfer
// holds. The caller may be silent for its credit, or, where the transfer rests, as
// long as the crowd has places. await reports whether the caller was cut off.
func (t *transfer) await(holds any, rests bool, do func() (int, error)) (n int, cut bool, err error) {
	t.begin(holds, rests)
	n, err = do()
	took, cut := t.leave()
	if rests {
		t.credit, t.spent = t.grace, 0
	} else {
		t.spent += took
		t.credit = min(t.grace, t.credit-took+time.Duration(float64(n)/float64(t.rate)*float64(time.Second)))
	}
	return n, cut, err
}

func (t *transfer) begin(holds any, rests bool) {
	c := t.crowd
	c.mutex.Lock()
	defer c.mutex.Unlock()
	t.holds, t.since, t.limit = holds, time.Now(), 0
	if !rests {
		t.limit = max(min(t.credit, t.total-t.spent), 1)
	}
	t.place = c.silent.PushBack(t)
	if !c.looks {
		c.looks = true
		time.AfterFunc(t.grace/10, c.look)
	}
}

func (t *transfer) leave() (took time.Duration, cut bool) {
	t.crowd.mutex.Lock()
	defer t.crowd.mutex.Unlock()
	if t.place != nil {
		t.crowd.silent.Remove(t.place)
		t.place = nil
	}
	return time.Since(t.since), t.cut
}

// end ends the read or the write of a caller that is cut off.
func (t *transfer) end() {
	t.crowd.silent.Remove(t.place)
	t.place, t.cut = nil, true
	_ = t.deadline(time.Unix(1, 0))
}
