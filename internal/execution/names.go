package execution

import "strings"

// MaxSegmentBytes limits the part of a key between two slashes, as MinIO and file
// systems do.
const MaxSegmentBytes = 255

// longestEnding is the longest text that a step appends to an execution id.
const longestEnding = "_ai-detection-16.webp"

// SegmentsFit reports whether every part of a key between slashes is within MaxSegmentBytes.
func SegmentsFit(key string) bool {
	for part := range strings.SplitSeq(key, "/") {
		if len(part) > MaxSegmentBytes {
			return false
		}
	}
	return true
}

// NamesFit reports whether SegmentsFit for every key that a step derives from an
// execution id, so that no chain fails at its second step.
func NamesFit(id string) bool { return SegmentsFit(id + longestEnding) }
