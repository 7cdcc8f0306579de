// Package index is a bounded view of recent executions in a bucket. Bridges append what they
// learn as small immutable objects, and any process can merge them. The index is a help, not a
// record: the images, their tags and the dead letters remain the truth, and what the index lacks
// is found by listing the bucket.
package index

import (
	"cmp"
	"slices"
	"time"

	"imageflow.dev/internal/execution"
)

// Entry is what is known of an execution. Every entry may be partial: Merge joins the entries of one
// execution, in any order and any number of times.
type Entry struct {
	Bucket string `json:"bucket"`
	// ID is the execution id. With Bucket it identifies the execution.
	ID string `json:"id"`
	// Key, ETag and Size describe the newest upload. They are empty for an execution that was
	// started by calls, or whose upload this part does not know.
	Key  string `json:"key,omitempty"`
	ETag string `json:"etag,omitempty"`
	Size int64  `json:"size,omitempty"`
	// Arrived is when the upload was noticed; zero if this part does not know it.
	Arrived time.Time `json:"arrived,omitzero"`
	// Steps are the outputs that steps have written, in the order of time.
	Steps []Step `json:"steps,omitempty"`
	// Outcome is the newest outcome.
	Outcome Outcome `json:"outcome,omitzero"`
}

// Step is one output of a step.
type Step struct {
	Name    string `json:"name"`
	Variant string `json:"variant,omitempty"`
	// ETag is the version of the upload that the output is about; empty if the output does not name it.
	ETag string    `json:"etag,omitempty"`
	At   time.Time `json:"at"`
}

// Outcome is the outcome of a chain, as in the tags of the upload.
type Outcome struct {
	// Status is execution.StatusCompleted or StatusFailed; empty after a replay of a dead letter.
	Status string `json:"status,omitempty"`
	// ETag is the version of the upload that the outcome is about.
	ETag string    `json:"etag,omitempty"`
	At   time.Time `json:"at,omitzero"`
}

// identity identifies an execution.
type identity struct{ bucket, id string }

func (e *Entry) identity() identity { return identity{e.Bucket, e.ID} }

// Merge adds what another part of the same execution knows. The result does not depend on the order.
func (e *Entry) Merge(o Entry) {
	if later(o.Arrived, e.Arrived, o.ETag, e.ETag) {
		e.Key, e.ETag, e.Size, e.Arrived = o.Key, o.ETag, o.Size, o.Arrived
	}
	if later(o.Outcome.At, e.Outcome.At, o.Outcome.Status+o.Outcome.ETag, e.Outcome.Status+e.Outcome.ETag) {
		e.Outcome = o.Outcome
	}
	if len(o.Steps) > 0 {
		e.Steps = mergeSteps(e.Steps, o.Steps)
	}
}

// later reports whether a comes after b. The texts decide between equal times.
func later(a, b time.Time, textA, textB string) bool {
	return cmp.Or(a.Compare(b), cmp.Compare(textA, textB)) > 0
}

// maxSteps bounds the outputs of an execution that are kept: the newest ones.
const maxSteps = 64

func mergeSteps(a, b []Step) []Step {
	all := slices.Concat(a, b)
	byName := func(x, y Step) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Variant, y.Variant), y.At.Compare(x.At), cmp.Compare(x.ETag, y.ETag))
	}
	slices.SortFunc(all, byName)
	all = slices.CompactFunc(all, func(x, y Step) bool { return x.Name == y.Name && x.Variant == y.Variant }) // keeps the newest
	slices.SortFunc(all, func(x, y Step) int { return cmp.Or(x.At.Compare(y.At), byName(x, y)) })
	return all[max(len(all)-maxSteps, 0):]
}

// CurrentSteps returns the outputs for the version of the newest upload. They may be older than its arrival: where the
// same bytes are put again, steps find their outputs and write none.
func (e *Entry) CurrentSteps() []Step {
	return slices.DeleteFunc(slices.Clone(e.Steps), func(s Step) bool { return !e.isCurrent(s) })
}

// isCurrent reports whether an output is for the version of the newest upload. Where a version is unknown, time decides.
func (e *Entry) isCurrent(s Step) bool {
	if s.ETag != "" && e.ETag != "" {
		return s.ETag == e.ETag
	}
	return !s.At.Before(e.Arrived)
}

// Ended returns the outcome of the newest upload; it is zero while there is none.
func (e *Entry) Ended() Outcome {
	if e.Outcome.Status == "" || e.Outcome.At.Before(e.Arrived) || e.ETag != "" && e.Outcome.ETag != e.ETag {
		return Outcome{}
	}
	return e.Outcome
}

// State returns the state of the execution as far as it is known.
func (e *Entry) State() execution.State {
	switch status := e.Ended().Status; {
	case status == execution.StatusCompleted:
		return execution.Completed
	case status == execution.StatusFailed:
		return execution.Failed
	case slices.ContainsFunc(e.Steps, e.isCurrent):
		return execution.Running
	}
	return execution.Pending
}

// Updated returns the time of the newest part.
func (e *Entry) Updated() time.Time {
	newest := e.Arrived
	if e.Outcome.At.After(newest) {
		newest = e.Outcome.At
	}
	if n := len(e.Steps); n > 0 && e.Steps[n-1].At.After(newest) {
		newest = e.Steps[n-1].At
	}
	return newest
}

// mergeInto adds entries to those of their executions. It does not change the given ones.
func mergeInto(all map[identity]*Entry, entries []Entry) {
	for _, e := range entries {
		if known := all[e.identity()]; known != nil {
			known.Merge(e)
		} else {
			all[e.identity()] = &e
		}
	}
}
