package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	// bridgeDelay is well above the time in which a bridge finds a request and sends some events.
	bridgeDelay = 30 * time.Second
	// maxLookups bounds the executions of a page of which the gateway is asked one by one.
	maxLookups = 50
)

// requestedPage is the data of the page of a requested replay.
type requestedPage struct {
	*requestedReplay
	Executions []*replayed
	// IsLate means that events wait although a bridge should have sent them.
	IsLate bool
	// Live is the URL of live updates.
	Live, Failed string
}

// replayed has the dead letters of one execution that were requested to be sent again, and what became of them.
type replayed struct {
	DOM, Name, URL string
	Letters        []deadLetter
	// Icon and Word say what became of them: Class is one of status.
	Icon, Word, Class string
	Reason            string
	Updated           int64
}

// requested shows a replay that was requested here.
func (s *Console) requested(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("request")
	replay := s.replays.get(name)
	if replay == nil {
		s.fail(w, r, http.StatusNotFound, "This console does not know the replay: it was long ago, or the console has started since. "+
			"The pages of dead letters and executions show what became of it.")
		return
	}
	query := url.Values{"view": {replayedView}, "request": {name}}.Encode()
	data := requestedPage{requestedReplay: replay, Live: livePath + "?" + query}
	there, err := s.stillThere(r.Context(), replay)
	if err != nil {
		data.Failed = reasonOf(err)
	}
	lookups := 0
	for _, letters := range byExecution(replay.Letters) {
		seen := s.feed.get(letters[0].GetBucket(), letters[0].GetExecutionId())
		if seen == nil && err == nil && lookups < maxLookups && letters[0].GetExecutionId() != "" {
			lookups++
			seen = s.stored(r.Context(), letters[0].GetBucket(), letters[0].GetExecutionId())
		}
		e := replayedOf(letters)
		e.set(seen, there)
		data.Executions = append(data.Executions, e)
		data.IsLate = data.IsLate || e.Word == wordWaiting && time.Since(replay.At) > bridgeDelay
	}
	s.show(w, r, http.StatusOK, "requested", "Replay", data)
}

// stored returns what the gateway knows about an execution, or nil.
func (s *Console) stored(ctx context.Context, bucket, id string) *run {
	e, err := s.config.Executions.GetExecution(ctx, &imageflowv1.GetExecutionRequest{Bucket: bucket, ExecutionId: id})
	if err != nil {
		return nil
	}
	return runOf(bucket, e)
}

// stillThere returns those dead letters of a replay that exist now, by id.
func (s *Console) stillThere(ctx context.Context, replay *requestedReplay) (map[string]*imageflowv1.DeadLetter, error) {
	req := &imageflowv1.ReplayDeadLettersRequest{Bucket: replay.Bucket, DryRun: true}
	for _, d := range replay.Letters {
		req.Ids = append(req.Ids, d.GetId())
	}
	found, err := s.config.Executions.ReplayDeadLetters(ctx, req)
	there := map[string]*imageflowv1.DeadLetter{}
	for _, d := range found.GetDeadLetters() {
		there[d.GetId()] = d
	}
	return there, err
}

// byExecution returns dead letters in groups of one execution. A dead letter that names none is a group of its own.
func byExecution(all []deadLetter) (groups [][]deadLetter) {
	at := map[string]int{}
	for _, d := range all {
		i, ok := at[d.GetExecutionId()]
		if !ok || d.GetExecutionId() == "" {
			i = len(groups)
			at[d.GetExecutionId()] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], d)
	}
	return groups
}

func replayedOf(letters []deadLetter) *replayed {
	d := letters[0]
	e := &replayed{Name: d.Name(), URL: d.ExecutionURL(), Letters: letters, DOM: domID("r", d.GetBucket(), d.GetExecutionId())}
	if d.GetExecutionId() == "" {
		e.DOM = domID("r", d.GetId())
	}
	return e
}

const wordWaiting = "waiting for a bridge"

// set says what became of the dead letters, by the execution, which is nil if it is unknown, and those that still exist.
// The replay of a dead letter that is gone was accepted by the broker.
func (e *replayed) set(now *run, there map[string]*imageflowv1.DeadLetter) {
	last, isWaiting := time.Time{}, false
	for _, d := range e.Letters {
		failed := d.GetLastFailedAt().AsTime()
		last = later(last, failed)
		have := there[d.GetId()]
		if have != nil && have.GetLastFailedAt().AsTime().After(failed) {
			e.Icon, e.Word, e.Class, e.Reason = "✕", "failed again", "failed", have.GetReason()
			return
		}
		isWaiting = isWaiting || have != nil
	}
	e.Icon, e.Word, e.Class = "◐", "sent, running", "running"
	isOther := func(d deadLetter) bool {
		return now != nil && d.GetEtag() != "" && now.ETag != "" && d.GetEtag() != now.ETag
	}
	switch {
	case slices.ContainsFunc(e.Letters, isOther):
		e.Icon, e.Word, e.Class, e.Reason = "○", "superseded", "pending", "the image has been replaced since"
	case isWaiting:
		e.Icon, e.Word, e.Class = "○", wordWaiting, "pending"
	case now == nil:
		e.Icon, e.Word, e.Class = "◐", "sent", "running"
	case now.Failure.GetFailedAt().AsTime().After(last):
		e.Icon, e.Word, e.Class, e.Reason = "✕", "failed again", "failed", now.Failure.GetReason()
	case now.Status == imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED:
		e.Icon, e.Word, e.Class = "●", "replayed and completed", "completed"
	}
	if now != nil {
		e.Updated = now.Updated.UnixMilli()
	}
}

// ofReplay shows what becomes of a replay when something happens to its executions: an event of an execution means that its
// dead letters were sent.
func (v *view) ofReplay(replay *requestedReplay) error {
	if replay == nil {
		return errors.New("this console does not know the replay")
	}
	letters := map[string][]deadLetter{}
	for _, d := range replay.Letters {
		letters[d.GetExecutionId()] = append(letters[d.GetExecutionId()], d)
	}
	v.wants = func(x *run) bool {
		return x.Bucket == replay.Bucket && x.Updated.After(replay.At) && len(letters[x.ID]) > 0
	}
	v.fragments = []string{"became"}
	v.data = func(x *run) any {
		e := replayedOf(letters[x.ID])
		e.set(x, nil)
		return e
	}
	return nil
}
