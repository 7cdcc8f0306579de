package job

import (
	"cmp"
	"slices"
	"strings"

	"imageflow.dev/functions"
)

// Reach lists where jobs may read or write: buckets, and parts of buckets as
// "bucket/prefix". An empty one is everywhere that the store lets us.
type Reach []string

func (r Reach) holds(p place) bool {
	return len(r) == 0 || slices.ContainsFunc(r, func(part string) bool {
		bucket, prefix, _ := strings.Cut(part, "/")
		return p.bucket == bucket && strings.HasPrefix(p.key, prefix)
	})
}

// demand refuses an object out of reach; done says what would be done with it.
func (r Reach) demand(p place, field, done string) error {
	if p.key == "" || r.holds(p) {
		return nil
	}
	return functions.Errorf(functions.Invalid, field, "%q in bucket %q may not be %s here", p.key, p.bucket, done)
}

// within refuses a plan that reaches further than it may.
func (p *plan) within(readFrom, writeTo Reach) error {
	return cmp.Or(
		readFrom.demand(p.source, "input_image", "read"),
		readFrom.demand(p.reference, "resize_metadata_ref", "read"),
		writeTo.demand(p.output, "output_image", "written"),
	)
}
