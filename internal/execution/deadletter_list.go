package execution

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"imageflow.dev/internal/objects"
)

// Selection selects dead letters. Empty fields select all.
type Selection struct {
	Bucket    string `json:"bucket,omitempty"`
	Execution string `json:"execution,omitempty"`
	// Prefix begins the execution id. It needs Bucket.
	Prefix string `json:"prefix,omitempty"`
	// Objects are keys of dead letters.
	Objects []string `json:"objects,omitempty"`
	// Since and Until bound the time of the last failure. Both are inclusive.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// After selects the dead letters whose keys are greater.
	After string `json:"-"`
}

// List loads the selected dead letters in the order of their keys. For a dead letter
// that it cannot load, List yields an error with only Object set, and continues. It
// ends after an error without Object.
func (s DeadLetterStore) List(ctx context.Context, selection Selection) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		for key, err := range s.keys(ctx, selection) {
			if err != nil {
				yield(DeadLetter{}, err)
				return
			}
			d, err := s.Load(ctx, key)
			switch {
			case errors.Is(err, objects.ErrNotFound): // removed meanwhile
				continue
			case err != nil:
				d = DeadLetter{Object: key}
			case !selection.Contains(d):
				continue
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// IndexFolder begins the keys of the index of executions, which is in the bucket of dead letters.
const IndexFolder = "_index/"

// The keys of objects in the bucket of dead letters that are none, such as the index, begin with other, and
// are far more. No bucket's name begins like this. afterOthers follows them.
const (
	other       = "_"
	afterOthers = "`"
)

// keys yields the keys of the dead letters that may be selected. It skips other objects without listing them.
func (s DeadLetterStore) keys(ctx context.Context, selection Selection) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, key := range selection.Objects {
			if isDeadLetterKey(key) && !yield(key, nil) {
				return
			}
		}
		if len(selection.Objects) > 0 {
			return
		}
		for after := selection.After; ; after = afterOthers {
			isBefore := true
			for entry, err := range s.store.WalkAfter(ctx, s.bucket, selection.prefix(), after) {
				if isBefore = !strings.HasPrefix(entry.Key, other); !isBefore {
					break
				}
				if (err != nil || isDeadLetterKey(entry.Key)) && !yield(entry.Key, err) {
					return
				}
			}
			if isBefore { // the end
				return
			}
		}
	}
}

// prefix returns a prefix of the keys of all selected dead letters.
func (s Selection) prefix() string {
	switch {
	case s.Bucket == "":
		return ""
	case s.Execution == "":
		return s.Bucket + "/" // some ids have digests in place of their names, so Prefix does not narrow it
	}
	return folder(s.Bucket, s.Execution) + "/"
}

// Contains reports whether a dead letter is selected, apart from Objects and After.
func (s Selection) Contains(d DeadLetter) bool {
	return (s.Bucket == "" || d.Bucket == s.Bucket) &&
		(s.Execution == "" || d.Execution == s.Execution) &&
		strings.HasPrefix(d.Execution, s.Prefix) &&
		(s.Since.IsZero() || !d.Last.Before(s.Since)) &&
		(s.Until.IsZero() || !d.Last.After(s.Until))
}
