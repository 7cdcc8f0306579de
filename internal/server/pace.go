package server

import (
	"container/list"
	"sync"
	"time"
)

// pace is the speed at which callers must send requests and read answers, and the
// time that they wait.
type pace struct {
	// rate is in bytes a second.
	rate int64
	// grace is the time that a caller may be silent, or behind the rate.
	grace time.Duration
	// contended replaces grace for a caller that holds bytes others wait for.
	contended time.Duration
	// total bounds the time of one body, message or answer.
	total time.Duration
	// maxWait bounds the time that a body waits for the budget, or an answer for
	// the answer budget.
	maxWait time.Duration
}

// defaultPace is the pace without a MinBodyRate. Its total is the longest time that
// Knative gives a request.
var defaultPace = pace{
	rate: 32 << 10, grace: 10 * time.Second, contended: 3 * time.Second, total: 10 * time.Minute, maxWait: time.Minute,
}

// inFlight bounds the requests of one kind that are in flight. It knows which of
// them wait for their callers, and cuts off silent callers.
type inFlight struct {
	pace
	max     int
	answers *answerBudgets

	mutex     sync.Mutex
	n         int
	silent    list.List // of *transfer, the longest silent first
	scheduled bool      // enforce will run
}

func newInFlight(max int, p pace, answerBytes int64) *inFlight {
	return &inFlight{pace: p, max: max, answers: newAnswerBudgets(answerBytes, p)}
}

// acquire admits a request if fewer than max are in flight. Otherwise it takes the
// slot of the caller that is silent for the longest time, if that exceeds silence.
func (f *inFlight) acquire(silence time.Duration) bool {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.n >= f.max && !f.cutOffLongest(silence, func(*transfer) bool { return true }) {
		return false
	}
	f.n++
	return true
}

func (f *inFlight) release() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.n--
}

// cutOffSilent cuts off all matching callers that are silent for longer than silence.
func (f *inFlight) cutOffSilent(silence time.Duration, match func(*transfer) bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for f.cutOffLongest(silence, match) {
	}
}

// cutOffLongest cuts off the matching caller that is silent for the longest time, if
// that exceeds silence.
func (f *inFlight) cutOffLongest(silence time.Duration, match func(*transfer) bool) bool {
	for e := f.silent.Front(); e != nil; e = e.Next() {
		t := e.Value.(*transfer)
		if time.Since(t.since) <= silence {
			return false
		}
		if match(t) {
			t.cutOffNow()
			return true
		}
	}
	return false
}

// enforce cuts off the callers that exceed their own limits, and runs again while
// any caller is waited for.
func (f *inFlight) enforce() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for e := f.silent.Front(); e != nil; {
		t := e.Value.(*transfer)
		e = e.Next()
		if t.limit > 0 && time.Since(t.since) > t.limit {
			t.cutOffNow()
		}
	}
	f.scheduled = f.silent.Len() > 0
	if f.scheduled {
		time.AfterFunc(f.grace/10, f.enforce)
	}
}

// transfer is one direction of a request: the reads of its body or the writes of
// its answer. Time that the handler takes between them does not count.
type transfer struct {
	pace
	inFlight *inFlight
	// setDeadline sets the read or write deadline of the connection or stream.
	setDeadline func(time.Time) error
	credit      time.Duration // the time that the caller may be silent now
	spent       time.Duration

	// The mutex of inFlight guards the following fields.
	holds  any // *account of a body, *reservation of an answer
	since  time.Time
	limit  time.Duration // 0 means none
	silent *list.Element // set while the caller is waited for
	cutOff bool
}

// do calls io, which reads or writes n bytes, while the transfer holds the bytes of
// holds. The caller may be silent for its credit. If the transfer is at rest, it may
// be silent until its slot is needed. cutOff reports whether the caller was cut off.
func (t *transfer) do(holds any, atRest bool, io func() (int, error)) (n int, cutOff bool, err error) {
	t.begin(holds, atRest)
	n, err = io()
	took, cutOff := t.finish()
	if atRest {
		t.credit, t.spent = t.grace, 0
	} else {
		t.spent += took
		t.credit = min(t.grace, t.credit-took+time.Duration(float64(n)/float64(t.rate)*float64(time.Second)))
	}
	return n, cutOff, err
}

func (t *transfer) begin(holds any, atRest bool) {
	f := t.inFlight
	f.mutex.Lock()
	defer f.mutex.Unlock()
	t.holds, t.since, t.limit = holds, time.Now(), 0
	if !atRest {
		t.limit = max(min(t.credit, t.total-t.spent), 1)
	}
	t.silent = f.silent.PushBack(t)
	if !f.scheduled {
		f.scheduled = true
		time.AfterFunc(t.grace/10, f.enforce)
	}
}

func (t *transfer) finish() (took time.Duration, cutOff bool) {
	t.inFlight.mutex.Lock()
	defer t.inFlight.mutex.Unlock()
	if t.silent != nil {
		t.inFlight.silent.Remove(t.silent)
		t.silent = nil
	}
	return time.Since(t.since), t.cutOff
}

// cutOffNow makes the read or write in progress fail.
func (t *transfer) cutOffNow() {
	t.inFlight.silent.Remove(t.silent)
	t.silent, t.cutOff = nil, true
	_ = t.setDeadline(time.Unix(1, 0))
}
