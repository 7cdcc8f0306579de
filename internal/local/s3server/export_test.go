package s3server

import "time"

// RetryAfter sets the first distance between two tries of a notification.
func RetryAfter(d time.Duration) { firstRetry = d }
