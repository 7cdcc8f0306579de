package execution

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"imageflow.dev/internal/objects"
)

// State is how far an execution is.
type State int

// The states, in order. An execution without a chain of events, such as one of a
// workflow, stays Running when all is done: only a chain says that it has ended.
const (
	// Pending means that the picture is there and nothing is done.
	Pending State = iota
	// Running means that a step has written its output.
	Running
	// Completed means that the chain has run to its end.
	Completed
	// Failed means that a step could not be done; others may go on.
	Failed
)

// Execution is what is known of one picture's way through a chain.
type Execution struct {
	ID, Bucket string
	State      State
	// Source is the uploaded image; nil when it is gone, or never was. See ID; an
	// id that was given to the steps is that of the `<id>.<ext>` that they read.
	Source *objects.Info
	// Steps are those that are done, in the order of the chain.
	Steps []Step
	// Failure is the newest dead letter, nil where there is none.
	Failure *Letter
}

// Step is one step that has been done.
type Step struct {
	Name string
	// Output is the step's picture.
	Output objects.Info
	// SideCar is the key of the step's facts, empty where it has none.
	SideCar string
	// Seconds is the step's own time; 0 is unknown.
	Seconds float64
}

// maxEntries is how many objects Find looks at: many others can have names that
// begin with the execution's, and not every store tells whose they are without
// being asked for each.
const maxEntries = 1000

// Find returns an execution of a bucket by its id. It knows the outputs that
// have the names which the contract gives them, `<id>_<suffix>.<ext>`. The error
// is objects.ErrNotFound when nothing is there of that id.
func Find(ctx context.Context, store *objects.Store, letters Letters, bucket, id string) (Execution, error) {
	e := Execution{ID: id, Bucket: bucket}
	if err := e.findSource(ctx, store); err != nil {
		return e, err
	}
	outputs, err := e.outputs(ctx, store)
	if err != nil {
		return e, err
	}
	if err := e.findNamedSource(ctx, store, outputs); err != nil {
		return e, err
	}
	if err := e.findFailure(ctx, letters); err != nil {
		return e, err
	}
	e.Steps = steps(e.Source, outputs)
	if e.Source == nil && e.Failure == nil && len(e.Steps) == 0 {
		return e, fmt.Errorf("execution %q in %s: %w", id, bucket, objects.ErrNotFound)
	}
	return e, e.deriveState(ctx, store)
}

// findSource finds the upload that has the id.
func (e *Execution) findSource(ctx context.Context, store *objects.Store) error {
	key := Key(e.ID)
	if ID(key) != e.ID { // no upload has this id
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

// findNamedSource finds the source of an execution whose id was given to the
// steps: the newest `<id>.<ext>` that they read, if they did not read the upload
// that has the id.
func (e *Execution) findNamedSource(ctx context.Context, store *objects.Store, outputs []objects.Info) error {
	read := map[string]bool{}
	for _, output := range outputs {
		read[output.Metadata[SourceMetadata]] = true
	}
	if len(outputs) == 0 || e.Source != nil && read[e.Source.ETag] {
		return nil
	}
	var newest *objects.Info
	err := look(ctx, store, e.Bucket, e.ID+".", func(info objects.Info) {
		if stem(info.Key) == e.ID && read[info.ETag] && !WrittenByUs(info) && (newest == nil || info.Modified.After(newest.Modified)) {
			newest = &info
		}
	})
	if newest != nil {
		e.Source = newest
	}
	return err
}

// outputs returns the objects that the execution's steps wrote.
func (e *Execution) outputs(ctx context.Context, store *objects.Store) (found []objects.Info, err error) {
	err = look(ctx, store, e.Bucket, e.ID+"_", func(info objects.Info) {
		if info.Metadata[IDMetadata] == e.ID && WrittenByUs(info) {
			found = append(found, info)
		}
	})
	return found, err
}

// look calls visit for the objects under a prefix, with their metadata.
func look(ctx context.Context, store *objects.Store, bucket, prefix string, visit func(objects.Info)) error {
	seen := 0
	for entry, err := range store.Walk(ctx, bucket, prefix) {
		if err != nil {
			return err
		}
		if seen++; seen > maxEntries {
			return nil
		}
		info := entry.Info
		if !entry.HasMetadata {
			if info, err = store.Stat(ctx, bucket, entry.Key); errors.Is(err, objects.ErrNotFound) {
				continue
			} else if err != nil {
				return err
			}
		}
		visit(info)
	}
	return nil
}

// steps orders outputs as a chain: each was made from the source or from the
// output of a step before. Outputs of an earlier version of the source fall out;
// without a source, all count, in the order of time.
func steps(source *objects.Info, outputs []objects.Info) []Step {
	isFacts := func(o objects.Info) bool { return o.ContentType == "application/json" }
	pictures := slices.DeleteFunc(slices.Clone(outputs), isFacts)
	slices.SortStableFunc(pictures, func(a, b objects.Info) int { return a.Modified.Compare(b.Modified) })
	if source != nil {
		pictures = descendants(source.ETag, pictures)
	}
	var done []Step
	for _, picture := range pictures {
		step := Step{Name: picture.Metadata[StepMetadata], Output: picture}
		step.Seconds, _ = strconv.ParseFloat(picture.Metadata[SecondsMetadata], 64)
		for _, o := range outputs {
			if isFacts(o) && stem(o.Key) == stem(picture.Key) {
				step.SideCar = o.Key
			}
		}
		done = append(done, step)
	}
	return done
}

// descendants returns the pictures that were made from a version, each after
// what it was made from.
func descendants(etag string, pictures []objects.Info) (found []objects.Info) {
	taken := map[string]bool{}
	take := func(from string) {
		for _, p := range pictures {
			if p.Metadata[SourceMetadata] == from && !taken[p.Key] {
				taken[p.Key] = true
				found = append(found, p)
			}
		}
	}
	take(etag)
	for i := 0; i < len(found); i++ {
		take(found[i].ETag)
	}
	return found
}

func stem(key string) string { return strings.TrimSuffix(key, path.Ext(key)) }

// findFailure finds the newest letter. One whose event is being sent again is
// none any more.
func (e *Execution) findFailure(ctx context.Context, letters Letters) error {
	for letter, err := range letters.List(ctx, Selection{Bucket: e.Bucket, Execution: e.ID}) {
		switch {
		case errors.Is(err, ErrUnreadable): // the source's tag says enough
		case err != nil:
			return err
		case letter.Sent, e.Source != nil && letter.ETag != "" && letter.ETag != e.Source.ETag:
		case e.Failure == nil || letter.Last.After(e.Failure.Last):
			e.Failure = &letter
		}
	}
	return nil
}

// deriveState sets how far the execution is. The outcome in the source's tags goes
// before what was written: an earlier run on the same image may have failed. It is
// that of the upload's own execution.
func (e *Execution) deriveState(ctx context.Context, store *objects.Store) error {
	outcome := ""
	if e.Source != nil && ID(e.Source.Key) == e.ID {
		tags, err := store.Tags(ctx, e.Bucket, e.Source.Key)
		if err != nil && !errors.Is(err, objects.ErrNotFound) {
			return err
		}
		outcome = Outcome(*e.Source, tags)
	}
	switch {
	case outcome == StatusCompleted:
		e.State = Completed
	case outcome == StatusFailed, e.Failure != nil:
		e.State = Failed
	case len(e.Steps) > 0:
		e.State = Running
	default:
		e.State = Pending
	}
	return nil
}

// Finished is when the step was done.
func (s Step) Finished() time.Time { return s.Output.Modified }
