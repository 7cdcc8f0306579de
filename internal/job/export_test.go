package job

import "time"

// EWMA is the average of the admission.
type EWMA struct{ ewma }

// Add adds a sample.
func (e *EWMA) Add(d time.Duration) { e.add(d) }

// Get returns the average.
func (e *EWMA) Get() time.Duration { return time.Duration(e.get()) }
