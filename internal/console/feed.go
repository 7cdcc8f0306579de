package console

import (
	"container/list"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/signature"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// maxSeen bounds the executions that a feed remembers, to some 10 MB.
const maxSeen = 2000

// run is what the events said about the execution of one version of an upload. It never changes.
type run struct {
	Bucket, ID, Key, ETag string
	Status                imageflowv1.ProcessingStatus
	// Began is when the upload was written, and Updated the time of the newest event.
	Began, Updated time.Time
	Steps          []runStep
	// Bytes, Width and Height are the sizes of the upload; 0 where they are unknown.
	Bytes         int64
	Width, Height int32
	// Failure is the reason of a failed execution.
	Failure *imageflowv1.ExecutionFailure
	// TraceID is the trace of the events; empty if there is none.
	TraceID string
}

// runStep is one output of a run.
type runStep struct {
	Name, Variant string
	Output        *imageflowv1.ImageData
	SideCar       string
	Finished      time.Time
	Seconds       float64
	// Stages are the times of the parts of the job, in order; empty if they are unknown.
	Stages []stage
}

// stage is one part of a job.
type stage struct {
	Name         string
	Milliseconds float64
}

// feed makes runs of the events of the broker and sends each change to the open pages.
type feed struct {
	now func() time.Time

	mu        sync.Mutex
	runs      map[string]*list.Element // of *run, by bucket and id
	order     list.List                // the last changed first
	listeners map[*listener]bool
	max       int // listeners
	window    window
	closed    bool
}

func newFeed(now func() time.Time, maxListeners int) *feed {
	return &feed{now: now, max: maxListeners, runs: map[string]*list.Element{}, listeners: map[*listener]bool{}}
}

// receive takes an event of the broker.
func (s *Console) receive(w http.ResponseWriter, r *http.Request) {
	e, err := s.config.Signer.Read(w, r, httpevent.ReadValid)
	switch {
	case errors.Is(err, signature.ErrUnsigned), errors.Is(err, signature.ErrInvalid):
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	case err != nil:
		http.Error(w, err.Error(), httpevent.Status(err))
		return
	}
	if o, ok := events.OriginOf(e); ok && !s.config.ReadFrom.Contains(o.Bucket, o.Key) { // nobody may see it
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if err := s.feed.take(e); err != nil { // a repetition would not help
		slog.WarnContext(r.Context(), "event not shown", "event", e.ID(), "type", e.Type(), "error", err)
	}
	w.WriteHeader(http.StatusAccepted)
}

// take notes what an event says.
func (f *feed) take(e *cloudevent.Event) error {
	origin, ok := events.OriginOf(e)
	if !ok {
		return errors.New("the event has no origin")
	}
	step, isStep := events.CompletedStep(e.Type())
	switch {
	case isStep:
		result, err := events.ParseStepCompleted(e)
		if err != nil {
			return err
		}
		width, height := resizedFrom(e, step)
		f.change(e, origin, events.ExecutionID.Get(result), func(r *run) {
			r.addStep(step, result)
			if width > 0 && events.SourceKey.Get(result) == r.Key {
				r.Width, r.Height = width, height
			}
		})
	case events.IsOutcome(e.Type()):
		ended, err := events.ParseExecutionEnded(e)
		if err != nil {
			return err
		}
		f.change(e, origin, ended.GetExecutionId(), func(r *run) { r.end(ended) })
	case events.IsObjectCreated(e.Type()):
		var record objects.Record
		if err := json.Unmarshal(e.Data(), &record); err != nil {
			return errors.New("not the record of a new object")
		}
		f.change(e, origin, execution.ID(origin.Key), func(r *run) { r.Bytes = record.S3.Object.Size })
	}
	return nil
}

// change makes the next version of a run and sends it to the listeners.
func (f *feed) change(e *cloudevent.Event, origin events.Origin, id string, apply func(*run)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := origin.Bucket + "\x00" + id
	next := run{Bucket: origin.Bucket, ID: id, Key: origin.Key, ETag: origin.ETag, Began: events.ChainBegan(e),
		Status: imageflowv1.ProcessingStatus_PROCESSING_STATUS_PENDING}
	element := f.runs[name]
	if element != nil {
		have := element.Value.(*run)
		if have.ETag != origin.ETag && have.Began.After(next.Began) {
			return // a late event of an older version, such as a replay
		}
		if have.ETag == origin.ETag {
			next = *have
			next.Steps = slices.Clone(have.Steps)
		}
		f.order.Remove(element)
	}
	next.Updated = f.now()
	if trace := traceOf(e); trace != "" {
		next.TraceID = trace
	}
	apply(&next)
	f.runs[name] = f.order.PushFront(&next)
	if f.order.Len() > maxSeen {
		oldest := f.order.Remove(f.order.Back()).(*run)
		delete(f.runs, oldest.Bucket+"\x00"+oldest.ID)
	}
	f.window.add(&next, e, f.now())
	f.send(&next)
}

// traceOf returns the id of an event's trace.
func traceOf(e *cloudevent.Event) string {
	parent, _ := events.Text("traceparent").Get(e)
	if len(parent) < len("00-")+32 {
		return ""
	}
	return parent[len("00-"):][:32]
}

// addStep adds the output of a step. The same output may come again.
func (r *run) addStep(name string, result *imageflowv1.ProcessingResult) {
	s := stepOf(name, result)
	at := slices.IndexFunc(r.Steps, func(have runStep) bool { return have.Output.GetObjectKey() == s.Output.GetObjectKey() })
	if at < 0 {
		r.Steps = append(r.Steps, s)
	} else {
		r.Steps[at] = s
	}
	if r.Status == imageflowv1.ProcessingStatus_PROCESSING_STATUS_PENDING {
		r.Status = imageflowv1.ProcessingStatus_PROCESSING_STATUS_RUNNING
	}
}

// resizedFrom returns the pixels of the image that a resize read; 0 for other steps.
func resizedFrom(e *cloudevent.Event, step string) (width, height int32) {
	var data struct {
		Metadata struct {
			Width  int32 `json:"original_width"`
			Height int32 `json:"original_height"`
		}
	}
	if step != "resize" || json.Unmarshal(e.Data(), &data) != nil {
		return 0, 0
	}
	return data.Metadata.Width, data.Metadata.Height
}

// end notes the outcome, with the outputs that no event reported before.
func (r *run) end(ended *imageflowv1.GetExecutionResponse) {
	r.Status, r.Failure = ended.GetStatus(), ended.GetFailure()
	r.Steps = withKnownTimes(stepsOf(ended), r.Steps)
	r.Bytes = max(r.Bytes, ended.GetSource().GetSizeBytes())
}

// get returns what is known of an execution, or nil.
func (f *feed) get(bucket, id string) *run {
	f.mu.Lock()
	defer f.mu.Unlock()
	if element := f.runs[bucket+"\x00"+id]; element != nil {
		return element.Value.(*run)
	}
	return nil
}
