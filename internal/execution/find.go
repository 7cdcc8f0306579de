package execution

import (
	"cmp"
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
	// Source is the uploaded picture; nil when it is gone, or never was.
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
	if err := e.findFailure(ctx, letters); err != nil {
		return e, err
	}
	outputs, err := e.outputs(ctx, store)
	if err != nil {
		return e, err
	}
	e.Steps = steps(e.Source, outputs)
	if e.Source == nil && e.Failure == nil && len(e.Steps) == 0 {
		return e, fmt.Errorf("execution %q in %s: %w", id, bucket, objects.ErrNotFound)
	}
	return e, e.judge(ctx, store)
}

// findSource finds the newest object that is not ours and whose key gives the id.
func (e *Execution) findSource(ctx context.Context, store *objects.Store) error {
	consider := func(info objects.Info) {
		if ID(info.Key) == e.ID && !Ours(info) && (e.Source == nil || info.Modified.After(e.Source.Modified)) {
			e.Source = &info
		}
	}
	info, err := store.Stat(ctx, e.Bucket, e.ID)
	switch {
	case err == nil:
		consider(info)
	case errors.Is(err, objects.ErrUnavailable):
		return err
	}
	return look(ctx, store, e.Bucket, e.ID+".", consider)
}

// outputs returns the objects that the execution's steps wrote.
func (e *Execution) outputs(ctx context.Context, store *objects.Store) (found []objects.Info, err error) {
	err = look(ctx, store, e.Bucket, e.ID+"_", func(info objects.Info) {
		if info.Metadata[IDMetadata] == e.ID {
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
		if !entry.Told {
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

// judge says how far the execution is. What the source's tag says goes before
// what was written: another run of the same picture may have failed before.
func (e *Execution) judge(ctx context.Context, store *objects.Store) error {
	var tags map[string]string
	if e.Source != nil {
		var err error
		if tags, err = store.Tags(ctx, e.Bucket, e.Source.Key); err != nil && !errors.Is(err, objects.ErrNotFound) {
			return err
		}
	}
	e.State = cmp.Or(map[string]State{StatusCompleted: Completed, StatusFailed: Failed}[tags[StatusTag]], e.unended())
	return nil
}

func (e *Execution) unended() State {
	switch {
	case e.Failure != nil:
		return Failed
	case len(e.Steps) > 0:
		return Running
	}
	return Pending
}

// Finished is when the step was done.
func (s Step) Finished() time.Time { return s.Output.Modified }
