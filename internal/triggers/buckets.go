package triggers

import (
	"slices"
	"strings"

	"imageflow.dev/internal/processors"
)

// OutputBuckets returns the buckets to which the step of a Trigger writes: the one that its parameters name or, if it takes
// uploads, theirs, which are uploads if its filters name none. There are none if its subscriber is no processor, or if the
// steps before decide.
func (t Trigger) OutputBuckets(uploads string) (found []string) {
	_, service := t.service()
	if _, isProcessor := processors.At(service); !isProcessor {
		return nil
	}
	if named := t.output().bucket; named != "" {
		return []string{named}
	}
	for _, upload := range (path{condition: []term{{}}}).reaches(t) {
		bucket := uploads
		for _, l := range upload {
			if name, ok := strings.CutPrefix(l.value, bucketSource); ok && l.attribute == "source@" && l.kind == exact && !l.negated {
				bucket = name
			}
		}
		if !slices.Contains(found, bucket) {
			found = append(found, bucket)
		}
	}
	return found
}
