package execution

import (
	"fmt"
	"strings"
)

// MaxSegmentBytes limits the part of a key between two slashes, as MinIO and file
// systems do.
const MaxSegmentBytes = 255

// The longest texts that a step appends to an execution id, without a variant and before one.
const (
	longestEnding  = "_ai-detection-16.webp"
	longestVariant = "_ai-detection-%s.webp"
)

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
// execution id and a variant, so that no chain fails at its second step, unless that has a
// longer variant of its own.
func NamesFit(id, variant string) bool {
	return SegmentsFit(id+longestEnding) && SegmentsFit(id+fmt.Sprintf(longestVariant, variant))
}
