package execution

import "strings"

// MaxSegmentBytes is how long a part of a key between slashes may be: MinIO and
// file systems hold no longer ones.
const MaxSegmentBytes = 255

// longestEnding is the longest that a step adds to an execution id.
const longestEnding = "_ai-detection-16.webp"

// SegmentsFit reports whether a store can hold a key, by its parts.
func SegmentsFit(key string) bool {
	for part := range strings.SplitSeq(key, "/") {
		if len(part) > MaxSegmentBytes {
			return false
		}
	}
	return true
}

// NamesFit reports whether a store can hold every name that a step derives from an
// execution id, so that no chain fails at its second step.
func NamesFit(id string) bool { return SegmentsFit(id + longestEnding) }
