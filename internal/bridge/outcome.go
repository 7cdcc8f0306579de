package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/signature"
)

// handleCompleted records the end of a chain, or of one of its branches: then the parameter `of` of the
// Trigger's URI names all leaves.
func (b *Bridge) handleCompleted(w http.ResponseWriter, r *http.Request) {
	leaves, err := execution.ParseLeavesQuery(r.URL.RawQuery)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.handleOutcome(w, r, func(ctx context.Context, e *cloudevents.Event) error { return b.recordCompleted(ctx, e, leaves) })
}

// handleDeadLetter records an event that the broker gave up.
func (b *Bridge) handleDeadLetter(w http.ResponseWriter, r *http.Request) {
	b.handleOutcome(w, r, func(ctx context.Context, e *cloudevents.Event) error { return b.keepFailure(ctx, newDeadLetter(e)) })
}

// handleOutcome answers an event after record has recorded it. If record fails, the
// broker sends the event again.
func (b *Bridge) handleOutcome(w http.ResponseWriter, r *http.Request, record func(context.Context, *cloudevents.Event) error) {
	e, err := b.config.Signer.Read(w, r, httpevent.Read) // so that what a step refuses becomes a dead letter
	switch {
	case errors.Is(err, signature.ErrUnsigned), errors.Is(err, signature.ErrInvalid):
		b.refuse(w, r, err)
		return
	case err != nil:
		http.Error(w, err.Error(), httpevent.Status(err))
		return
	}
	if err := record(r.Context(), e); err != nil {
		slog.WarnContext(r.Context(), "outcome not recorded: the broker will repeat it", "path", r.URL.Path, "event", e.ID(),
			"error", err)
		http.Error(w, "the outcome could not be recorded", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// refuse answers an event without a valid signature. Brokers do not retry after 401.
func (b *Bridge) refuse(w http.ResponseWriter, r *http.Request, reason error) {
	slog.WarnContext(r.Context(), "event refused", "path", r.URL.Path, "reason", reason)
	http.Error(w, reason.Error(), http.StatusUnauthorized)
}

// recordCompleted tags the object of a completed chain and removes the dead letters of
// that version of the object, since the failed steps have succeeded by now. A chain with
// leaves has completed when all of them exist, whichever event comes last. If the tag
// can never be set, recordCompleted stores a dead letter, since a retry would not help.
func (b *Bridge) recordCompleted(ctx context.Context, e *cloudevents.Event, leaves []execution.Leaf) error {
	if events.IsOutcome(e.Type()) { // of a Trigger whose filter selects any event
		return nil
	}
	origin, ok := events.OriginOf(e)
	var run chainRun
	var err error
	switch {
	case ok && b.mayTag(origin) && len(leaves) > 0:
		run, err = b.findLeaves(ctx, e, origin, leaves)
	case ok && b.mayTag(origin):
		run, err = b.findRun(ctx, e, origin)
	}
	if err != nil {
		return err
	}
	if !run.hasEnded {
		slog.InfoContext(ctx, "no outcome yet: outputs of the object are missing", "event", e.ID(),
			"bucket", origin.Bucket, "key", origin.Key)
		return nil
	}
	return b.setCompleted(ctx, e, origin, run.last)
}

// chainRun is what the bucket shows of a chain.
type chainRun struct {
	hasEnded bool
	// last are its last outputs, if they are known.
	last []objects.Info
}

func (b *Bridge) setCompleted(ctx context.Context, e *cloudevents.Event, origin events.Origin, last []objects.Info) error {
	err := b.tag(ctx, origin, execution.StatusCompleted)
	if errors.Is(err, objects.ErrNotFound) { // the output and the index have the outcome of an upload that is gone
		b.indexOutcome(origin, execution.StatusCompleted)
	}
	switch {
	case err == nil || isGone(err):
		recordChainDuration(ctx, e)
		if left := errors.Join(b.removeDeadLetters(ctx, origin), b.tagOutput(ctx, origin, last)); left != nil || err != nil {
			return left
		}
		return b.sendCompleted(ctx, e, origin, last)
	case errors.Is(err, objects.ErrUnavailable):
		return err
	}
	d := newDeadLetter(e)
	d.Reason = fmt.Sprintf("the chain has completed, but its object cannot be tagged: %v", err)
	return b.putDeadLetter(ctx, d)
}

// tagOutput tags the last output, or one of them, with the outcome, which then outlasts the upload. Outputs in another
// bucket are not found by the upload's id. It returns an error only if the store is unavailable.
func (b *Bridge) tagOutput(ctx context.Context, origin events.Origin, last []objects.Info) error {
	if len(last) == 0 || last[0].Bucket != origin.Bucket {
		return nil
	}
	upload := objects.Info{Bucket: origin.Bucket, Key: origin.Key, ETag: origin.ETag}
	err := execution.SetOutcomeOfUpload(ctx, b.config.Store, last[0], upload)
	if err != nil && !isGone(err) {
		slog.WarnContext(ctx, "the output is not tagged, so the outcome is lost when the upload is deleted", "error", err,
			"bucket", last[0].Bucket, "key", last[0].Key)
	}
	return ifUnavailable(err)
}

// findLeaves looks for all leaves of an upload. Their keys have the extension of the output in
// the event unless they name another one. An event of a step that is no leaf changes nothing.
// It returns an error only if the store is unavailable.
func (b *Bridge) findLeaves(
	ctx context.Context, e *cloudevents.Event, origin events.Origin, leaves []execution.Leaf,
) (chainRun, error) {
	step, _ := events.CompletedStep(e.Type())
	variant, _ := events.VariantOf.Get(e)
	isEvents := func(l execution.Leaf) bool { return l.Step == step && l.Variant == variant }
	if !slices.ContainsFunc(leaves, isEvents) {
		return chainRun{}, nil
	}
	extension := ""
	if result, err := events.ParseStepCompleted(e); err == nil {
		extension = strings.TrimPrefix(path.Ext(result.GetOutputImage().GetObjectKey()), ".")
	}
	upload := objects.Info{Bucket: origin.Bucket, Key: origin.Key, ETag: origin.ETag}
	found, err := execution.FindLeaves(ctx, b.config.Store, upload, leaves, extension)
	return chainRun{hasEnded: len(found) > 0, last: found}, ifUnavailable(err)
}

// findRun looks for a sign that a chain has run on an upload: the output that the last event names, or else another
// output. It returns an error only if the store is unavailable.
func (b *Bridge) findRun(ctx context.Context, last *cloudevents.Event, origin events.Origin) (chainRun, error) {
	if result, err := events.ParseStepCompleted(last); err == nil {
		output := result.GetOutputImage()
		info, err := b.config.Store.Stat(ctx, output.GetBucket(), output.GetObjectKey())
		if err == nil && execution.IsOutput(info, execution.ID(origin.Key)) {
			return chainRun{hasEnded: true, last: []objects.Info{info}}, nil
		}
	}
	has, err := execution.HasOutput(ctx, b.config.Store, origin.Bucket, origin.Key, origin.ETag)
	return chainRun{hasEnded: has && err == nil}, ifUnavailable(err)
}

// ifUnavailable returns an error of a store that may answer later.
func ifUnavailable(err error) error {
	if errors.Is(err, objects.ErrUnavailable) {
		return err
	}
	return nil
}

// mayTag reports whether an outcome may change an object: the object is in one of
// OutcomeBuckets, and its version is known.
func (b *Bridge) mayTag(origin events.Origin) bool {
	if origin.Key == "" || origin.ETag == "" {
		return false
	}
	return len(b.config.OutcomeBuckets) == 0 || slices.Contains(b.config.OutcomeBuckets, origin.Bucket)
}

// tag tags an object with the outcome of its chain, if the object is still the version
// that the chain processed. An empty status removes the tag.
func (b *Bridge) tag(ctx context.Context, origin events.Origin, status string) error {
	err := execution.SetOutcome(ctx, b.config.Store, origin.Bucket, origin.Key, origin.ETag, status)
	if err == nil {
		b.indexOutcome(origin, status)
	}
	return err
}

// statusOf returns the outcome in an object's tags.
func (b *Bridge) statusOf(ctx context.Context, origin events.Origin) (string, error) {
	info, err := b.config.Store.Stat(ctx, origin.Bucket, origin.Key)
	if err != nil {
		return "", err
	}
	tags, err := b.config.Store.Tags(ctx, origin.Bucket, origin.Key)
	return execution.Outcome(info, tags), err
}

// tagFailed tags the object of a dead letter as failed, unless its chain has completed: then a
// repeated delivery or another branch of the chain failed, and the dead letter records it. Webhooks and other
// listeners are no steps of the chain. Of an object that is gone, only the index has the outcome.
func (b *Bridge) tagFailed(ctx context.Context, d execution.DeadLetter) (tagged bool, err error) {
	origin := events.Origin{Bucket: d.Bucket, Key: d.Key, ETag: d.ETag}
	if d.OfListener() || !b.mayTag(origin) {
		return false, nil
	}
	status, err := b.statusOf(ctx, origin)
	if err == nil && status != execution.StatusCompleted {
		err = b.tag(ctx, origin, execution.StatusFailed)
		tagged = err == nil
	}
	if errors.Is(err, objects.ErrNotFound) {
		b.indexOutcome(origin, execution.StatusFailed)
	}
	if isGone(err) {
		return false, nil
	}
	return tagged, err
}

// removeDeadLetters removes the dead letters of steps about a version of an object, and the reports that it has
// failed, which are no longer true. The other dead letters of webhooks stay: the end of the chain does not deliver them.
func (b *Bridge) removeDeadLetters(ctx context.Context, origin events.Origin) error {
	s := execution.Selection{Bucket: origin.Bucket, Execution: execution.ID(origin.Key)}
	for d, err := range b.deadLetters.List(ctx, s) {
		switch {
		case err != nil && d.Object == "":
			return err
		case err != nil:
			slog.WarnContext(ctx, "dead letter unreadable", "dead_letter", d.Object, "error", err)
		case d.Key == origin.Key && d.ETag == origin.ETag && (!d.OfListener() || d.EventType == events.ExecutionFailed):
			if err := b.deadLetters.Remove(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}
