package job

import (
	"cmp"

	"imageflow.dev/functions"
	"imageflow.dev/internal/objects"
)

// authorize refuses a plan that reads or writes outside the allow-lists.
func (p *plan) authorize(readFrom, writeTo objects.AllowList) error {
	return cmp.Or(
		allow(readFrom, p.source, "input_image", "READ_FROM"),
		allow(readFrom, p.reference, "resize_metadata_ref", "READ_FROM"),
		allow(writeTo, p.output, "output_image", "WRITE_TO"),
	)
}

// allow refuses an object outside a list. Setting is the variable that holds it.
func allow(list objects.AllowList, p place, field, setting string) error {
	if p.key == "" || list.Contains(p.bucket, p.key) {
		return nil
	}
	return functions.Errorf(functions.Invalid, field, "bucket %.64q, or this part of it, is not in %s", p.bucket, setting)
}
