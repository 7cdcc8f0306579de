package job

import (
	"cmp"

	"imageflow.dev/functions"
	"imageflow.dev/internal/objects"
)

// authorize rejects a plan that reads or writes outside the allow-lists.
func (p *plan) authorize(readFrom, writeTo objects.AllowList) error {
	for _, other := range p.others {
		if err := other.authorize(readFrom, writeTo); err != nil {
			return err
		}
	}
	return cmp.Or(
		authorizeObject(readFrom, p.source, "input_image", "READ_FROM"),
		authorizeObject(readFrom, p.reference, p.referenceField, "READ_FROM"),
		authorizeObject(writeTo, p.output, "output_image", "WRITE_TO"),
		authorizeObject(writeTo, p.crops(), "output_image", "WRITE_TO"),
	)
}

// authorizeObject rejects a location that is not in the list. Setting is the
// environment variable that defines the list.
func authorizeObject(list objects.AllowList, at location, field, setting string) error {
	if at.key == "" || list.Contains(at.bucket, at.key) {
		return nil
	}
	return functions.Errorf(functions.Invalid, field, "bucket %.64q, or this part of it, is not in %s", at.bucket, setting)
}
