package serve

import "time"

// SetBodyTime has bodies come within d until the test has run.
func SetBodyTime(d time.Duration) (restore func()) {
	before := bodyTime
	bodyTime = d
	return func() { bodyTime = before }
}
