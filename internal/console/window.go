package console

import (
	"cmp"
	"hash/maphash"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"imageflow.dev/internal/events"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	// windowSpan is how far a window looks back.
	windowSpan = 5 * time.Minute
	// maxSamples bounds the events in a window, to some 2 MB: five minutes of 100 events a second. With more, it looks back less.
	maxSamples = 30_000
	// maxCauses bounds the ids of events by which a window finds the event before another, in each of two generations.
	maxCauses = 2048
	// maxSampleKey bounds the bytes of a key in a window. Of a longer key it has the start and the end.
	maxSampleKey = 128
)

// window has what happened in the last five minutes, for the figures of the pages. The caller holds the mutex of the feed.
//
// The overhead of a hop is the time of a step's event, minus the time of the event that led to it, minus the processing time of
// the step's result: the ways through the broker, and the wait in the step's queue. The time of an upload's event is when the
// store wrote the object, and the time of a step's event is when the step stored its output, so their clocks must agree.
// The event of a pipeline's last step has the time of the steps before in its overhead.
type window struct {
	samples []sample // from head, the oldest first
	head    int
	series  map[series]*usedSeries
	seed    maphash.Seed
	// causes are the events that came last, by the digests of their ids, and older those that came before.
	causes, older map[uint64]cause
}

// sample is one event.
type sample struct {
	*series
	// key is the key of the upload, shortened.
	key string
	at  int64 // when it came, in Unix milliseconds
	// took is the processing time of a step, or the time from the upload to the outcome, and waited the overhead of the hop,
	// in seconds; negative if it is unknown.
	took, waited float32
}

// series is what many events have in common.
type series struct {
	kind   sampleKind
	bucket string
	// output is the output of a step, and from the output in the event that led to it, which is zero for an upload.
	output, from output
	// isFault means that a failure was ImageFlow's, not the image's: its last answer was 5xx, or there was none.
	isFault bool
}

// output names what a step makes of an execution.
type output struct{ step, variant string }

type sampleKind int

const (
	uploadSample sampleKind = iota
	stepSample
	completedSample
	failedSample
)

type usedSeries struct {
	series
	uses int
}

// cause is an event that may lead to others.
type cause struct {
	at     time.Time
	output output
}

// add notes an event, unless it has come before.
func (w *window) add(r *run, e *cloudevent.Event, now time.Time) {
	if w.series == nil {
		w.series, w.causes, w.seed = map[series]*usedSeries{}, map[uint64]cause{}, maphash.MakeSeed()
	}
	w.expire(now)
	id := maphash.String(w.seed, e.ID())
	if _, isKnown := w.cause(id); isKnown {
		return
	}
	kind, s := w.describe(r, e)
	s.at = now.UnixMilli()
	if len(w.causes) >= maxCauses {
		w.older, w.causes = w.causes, map[uint64]cause{}
	}
	w.causes[id] = cause{e.Time(), kind.output}
	s.series = w.use(kind)
	w.samples = append(w.samples, s)
}

// describe returns what an event says. The times of a backfill, whose uploads are old, are unknown.
func (w *window) describe(r *run, e *cloudevent.Event) (series, sample) {
	kind, s := series{bucket: r.Bucket}, sample{key: sampleKey(r.Key), took: -1, waited: -1}
	_, isBackfill := events.Backfill.Get(e)
	switch step, isStep := events.CompletedStep(e.Type()); {
	case isStep:
		variant, _ := events.VariantOf.Get(e)
		kind.kind, kind.output = stepSample, output{step, variant}
		s.took = float32(r.secondsOf(kind.output))
		before, ok := w.before(e)
		kind.from = before.output
		if ok && !isBackfill {
			s.waited = float32(max(0, e.Time().Sub(before.at).Seconds()-float64(s.took)))
		}
	case events.IsOutcome(e.Type()):
		kind.kind = completedSample
		if r.Status == imageflowv1.ProcessingStatus_PROCESSING_STATUS_FAILED {
			code := r.Failure.GetCode()
			kind.kind, kind.isFault = failedSample, code == 0 || code >= http.StatusInternalServerError
		}
		if before, ok := w.before(e); !isBackfill { // a store may round the times of outputs to seconds
			ended := e.Time()
			if ok && kind.kind == completedSample {
				ended = before.at
			}
			s.took = float32(max(0, ended.Sub(events.ChainBegan(e)).Seconds()))
		}
	}
	return kind, s
}

// before returns the event that led to another. The first event of a chain need not have come.
func (w *window) before(e *cloudevent.Event) (cause, bool) {
	if events.ChainLength.Get(e) == 1 {
		return cause{at: events.ChainBegan(e)}, true
	}
	id, _ := events.CausationID.Get(e)
	return w.cause(maphash.String(w.seed, id))
}

func (w *window) cause(id uint64) (cause, bool) {
	if c, ok := w.causes[id]; ok {
		return c, true
	}
	c, ok := w.older[id]
	return c, ok
}

// use returns the only copy of a series.
func (w *window) use(s series) *series {
	have := w.series[s]
	if have == nil {
		have = &usedSeries{series: s}
		w.series[s] = have
	}
	have.uses++
	return &have.series
}

// expire removes samples that are too old, or too many for one more.
func (w *window) expire(now time.Time) {
	oldest := now.Add(-windowSpan).UnixMilli()
	for w.head < len(w.samples) && (w.samples[w.head].at < oldest || len(w.samples)-w.head >= maxSamples) {
		s := &w.samples[w.head]
		used := w.series[*s.series]
		if used.uses--; used.uses == 0 {
			delete(w.series, *s.series)
		}
		*s = sample{}
		w.head++
	}
	if w.head > len(w.samples)/8 {
		w.samples = slices.Delete(w.samples, 0, w.head)
		w.head = 0
	}
}

// since returns the events that came after a time, the oldest first.
func (w *window) since(at time.Time) []sample {
	all := w.samples[w.head:]
	first, _ := slices.BinarySearchFunc(all, at.UnixMilli(), func(s sample, ms int64) int { return cmp.Compare(s.at, ms) })
	return slices.Clone(all[first:])
}

// recent returns the events of the last part of the window, the oldest first.
func (f *feed) recent(period time.Duration) []sample {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.window.since(f.now().Add(-min(period, windowSpan)))
}

// secondsOf returns the processing time of an output; -1 if it is unknown.
func (r *run) secondsOf(o output) float64 {
	for _, s := range slices.Backward(r.Steps) {
		if s.Name == o.step && s.Variant == o.variant {
			return s.Seconds
		}
	}
	return -1
}

// sampleKey returns a key, or the start and the end of a long one.
func sampleKey(key string) string {
	if len(key) <= maxSampleKey {
		return key
	}
	return strings.Clone(key[:maxSampleKey-32] + key[len(key)-32:])
}

// times are percentiles, in seconds, of Count values.
type times struct {
	Count    int
	P50, P95 float64
}

// timesOf sorts values and returns their percentiles, by the nearest rank. Negative values are unknown.
func timesOf(values []float32) times {
	slices.Sort(values)
	first, _ := slices.BinarySearch(values, 0)
	values = values[first:]
	t := times{Count: len(values)}
	if t.Count == 0 {
		return t
	}
	rank := func(p float64) float64 { return float64(values[int(math.Ceil(p*float64(t.Count)))-1]) }
	t.P50, t.P95 = rank(0.5), rank(0.95)
	return t
}
