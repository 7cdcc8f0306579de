package index

import (
	"slices"
	"strings"
	"time"

	"imageflow.dev/internal/execution"
)

// Query selects executions of a bucket.
type Query struct {
	Bucket       string
	Prefix       string    // of the execution id
	Since, Until time.Time // of the arrival; zero: no bound
	// Match selects executions by what does not depend on their state. States are the states; empty: all.
	Match  func(*Entry) bool
	States []execution.State
	// BySteps means that Match depends on the steps.
	BySteps bool
}

// Contains reports whether the query selects an execution.
func (q *Query) Contains(e *Entry) bool {
	at := e.Began()
	isWithin := (q.Since.IsZero() || !at.Before(q.Since)) && (q.Until.IsZero() || !at.After(q.Until))
	return e.Bucket == q.Bucket && strings.HasPrefix(e.ID, q.Prefix) && isWithin && q.Match(e)
}

// ContainsState reports whether the query selects executions in a state.
func (q *Query) ContainsState(s execution.State) bool {
	return len(q.States) == 0 || slices.Contains(q.States, s)
}

// Cursor is a position in a list: after the execution with an id that arrived at a time.
type Cursor struct {
	Window  string    `json:"w,omitempty"`
	Arrived time.Time `json:"t,omitzero"`
	ID      string    `json:"i,omitempty"`
}
