package execution

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"imageflow.dev/internal/objects"
)

// State is the progress of an execution.
type State int

// The states, in order. An execution without a chain of events, such as that of a
// workflow, stays Running after its last step: only a chain records its end.
const (
	// Pending means that the image exists and no step has written an output.
	Pending State = iota
	// Running means that a step has written its output.
	Running
	// Completed means that the last step of the chain has finished.
	Completed
	// Failed means that a step failed. Other steps may still run.
	Failed
)

// Execution is the state of one image in a chain.
type Execution struct {
	ID, Bucket string
	State      State
	// Source is the uploaded image, or nil if it does not exist. ID defines its key. If
	// the caller of the steps chose the id, Source is the `<id>.<ext>` that they read.
	Source *objects.Info
	// Steps are the finished steps, in the order of the chain.
	Steps []Step
	// Failure is the newest dead letter, or nil.
	Failure *DeadLetter
}

// Step is a finished step.
type Step struct {
	Name string
	// Variant is that of the output; empty if it has none.
	Variant string
	// Output is the image that the step wrote.
	Output objects.Info
	// SideCar is the key of the step's response as JSON; empty if there is none.
	SideCar string
	// Seconds is the duration of the step; 0 is unknown.
	Seconds float64
}

// maxEntries limits the objects that Find reads: the keys of many other objects may
// have the same prefix, and not every store lists their metadata.
const maxEntries = 1000

// Find returns the execution with an id. It finds the outputs that have the default
// key, `<id>_<suffix>.<ext>` or `<id>_<suffix>-<variant>.<ext>`. The error is objects.ErrNotFound if the bucket has
// neither source, outputs nor dead letters of the execution. If the source of a completed execution is replaced during the
// reads, Find repeats them: the outputs of the new version may have replaced those of the old one.
func Find(ctx context.Context, store *objects.Store, deadLetters DeadLetterStore, bucket, id string) (Execution, error) {
	for {
		e, err := find(ctx, store, deadLetters, bucket, id)
		if err != nil || e.State != Completed || e.Source == nil {
			return e, err
		}
		now, err := store.Stat(ctx, bucket, e.Source.Key)
		if errors.Is(err, objects.ErrNotFound) || err == nil && now.ETag == e.Source.ETag {
			return e, nil
		}
		if err != nil {
			return e, err
		}
	}
}

func find(ctx context.Context, store *objects.Store, deadLetters DeadLetterStore, bucket, id string) (Execution, error) {
	e := Execution{ID: id, Bucket: bucket}
	tags, noTags, err := e.readSource(ctx, store)
	if err != nil {
		return e, err
	}
	var outputs []objects.Info
	var failures []DeadLetter
	reads, within := errgroup.WithContext(ctx)
	reads.Go(func() (err error) { outputs, err = e.outputs(within, store); return err })
	reads.Go(func() (err error) { failures, err = e.failures(within, deadLetters); return err })
	if err := reads.Wait(); err != nil {
		return e, err
	}
	if err := e.findNamedSource(ctx, store, outputs); err != nil {
		return e, err
	}
	e.setFailure(failures)
	e.Steps = steps(e.Source, outputs)
	if e.Source == nil && e.Failure == nil && len(e.Steps) == 0 {
		return e, fmt.Errorf("execution %q in %s: %w", id, bucket, objects.ErrNotFound)
	}
	return e, e.deriveState(ctx, store, tags, noTags)
}

// readSource sets the source and returns its tags; noTags matters only if there is a source. The tags are read before
// the outputs and the dead letters, because the bridge tags the source after both: an outcome that is read has them.
func (e *Execution) readSource(ctx context.Context, store *objects.Store) (tags map[string]string, noTags, err error) {
	reads, within := errgroup.WithContext(ctx)
	reads.Go(func() error { return e.findSource(within, store) })
	reads.Go(func() error { tags, noTags = e.tags(within, store); return nil })
	err = reads.Wait()
	return tags, noTags, err
}

// uploadKey returns the key that gives the id; ok is false if the caller of the steps chose the id.
func (e *Execution) uploadKey() (key string, ok bool) {
	key = Key(e.ID)
	return key, ID(key) == e.ID
}

// findSource sets the source to the upload whose key gives the id.
func (e *Execution) findSource(ctx context.Context, store *objects.Store) error {
	key, ok := e.uploadKey()
	if !ok {
		return nil
	}
	info, err := store.Stat(ctx, e.Bucket, key)
	switch {
	case err == nil && !WrittenByUs(info):
		e.Source = &info
	case errors.Is(err, objects.ErrUnavailable):
		return err
	}
	return nil
}

// findNamedSource sets the source of an execution whose id the caller of the steps
// chose: the newest `<id>.<ext>` that they read, unless they read the upload whose key
// gives the id.
func (e *Execution) findNamedSource(ctx context.Context, store *objects.Store, outputs []objects.Info) error {
	read := map[string]bool{}
	for _, output := range outputs {
		read[output.Metadata[SourceMetadata]] = true
	}
	if len(outputs) == 0 || e.Source != nil && read[e.Source.ETag] {
		return nil
	}
	var newest *objects.Info
	err := visitObjects(ctx, store, e.Bucket, e.ID+".", func(info objects.Info) {
		if stem(info.Key) == e.ID && read[info.ETag] && !WrittenByUs(info) && (newest == nil || info.Modified.After(newest.Modified)) {
			newest = &info
		}
	})
	if newest != nil {
		e.Source = newest
	}
	return err
}

// outputs returns the objects that the steps of the execution wrote.
func (e *Execution) outputs(ctx context.Context, store *objects.Store) (found []objects.Info, err error) {
	err = visitObjects(ctx, store, e.Bucket, e.ID+"_", func(info objects.Info) {
		if info.Metadata[IDMetadata] == e.ID && WrittenByUs(info) && !isView(info.Metadata) {
			found = append(found, info)
		}
	})
	return found, err
}

// visitObjects calls visit for the objects with a prefix, with their metadata, but not for images for signed URLs. It
// ends after maxEntries.
func visitObjects(ctx context.Context, store *objects.Store, bucket, prefix string, visit func(objects.Info)) error {
	after, seen, isSkipping := "", 0, true
	for isSkipping {
		isSkipping = false
		for entry, err := range store.WalkAfter(ctx, bucket, prefix, after) {
			if err != nil {
				return err
			}
			if after, isSkipping = afterViews(entry.Key); isSkipping {
				break
			}
			if seen++; seen > maxEntries {
				return nil
			}
			if err := visitEntry(ctx, store, entry, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// visitEntry calls visit for an object that still exists.
func visitEntry(ctx context.Context, store *objects.Store, entry objects.Entry, visit func(objects.Info)) error {
	info := entry.Info
	if !entry.HasMetadata {
		var err error
		if info, err = store.Stat(ctx, entry.Bucket, entry.Key); errors.Is(err, objects.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
	}
	visit(info)
	return nil
}

// failures returns the dead letters of steps whose events are not being sent again.
func (e *Execution) failures(ctx context.Context, deadLetters DeadLetterStore) (found []DeadLetter, err error) {
	for d, err := range deadLetters.List(ctx, Selection{Bucket: e.Bucket, Execution: e.ID}) {
		switch {
		case errors.Is(err, objects.ErrNotFound): // there is no bucket of dead letters, and so no bridge
			return nil, nil
		case errors.Is(err, ErrUnreadable): // the tag of the source records the failure
		case err != nil:
			return nil, err
		case !d.InReplay && !d.OfListener():
			found = append(found, d)
		}
	}
	return found, nil
}

// setFailure sets the failure to the newest dead letter of this version of the source.
func (e *Execution) setFailure(failures []DeadLetter) {
	for _, d := range failures {
		isOther := e.Source != nil && d.ETag != "" && d.ETag != e.Source.ETag
		if !isOther && (e.Failure == nil || d.Last.After(e.Failure.Last)) {
			e.Failure = &d
		}
	}
}

// dropOtherSteps drops the steps of versions other than the one that has failed, if the source is deleted.
func (e *Execution) dropOtherSteps() {
	if e.Source == nil && e.Failure != nil && e.Failure.ETag != "" {
		e.Steps = slices.DeleteFunc(e.Steps, func(s Step) bool {
			origin, isKnown := s.Output.Metadata[OriginMetadata]
			return isKnown && origin != e.Failure.ETag
		})
	}
}

// tags returns the tags of the upload whose key gives the id; none if there is no such object.
func (e *Execution) tags(ctx context.Context, store *objects.Store) (map[string]string, error) {
	key, ok := e.uploadKey()
	if !ok {
		return nil, nil
	}
	tags, err := store.Tags(ctx, e.Bucket, key)
	if errors.Is(err, objects.ErrNotFound) {
		return nil, nil
	}
	return tags, err
}

// deriveState sets the state. An outcome has precedence over the outputs and dead letters, which may be from an earlier
// run on the same image. Only the execution whose id follows from the key of the source has an outcome.
func (e *Execution) deriveState(ctx context.Context, store *objects.Store, tags map[string]string, noTags error) error {
	outcome, err := "", error(nil)
	switch {
	case e.Source == nil:
		outcome, err = e.outcomeOfDeleted(ctx, store)
	case ID(e.Source.Key) == e.ID:
		outcome, err = Outcome(*e.Source, tags), noTags
	}
	switch {
	case err != nil:
		return err
	case outcome == StatusCompleted:
		e.State = Completed
	case outcome == StatusFailed, e.Failure != nil:
		e.State = Failed
		e.dropOtherSteps()
	case len(e.Steps) > 0:
		e.State = Running
	default:
		e.State = Pending
	}
	return nil
}
