package job

import (
	"errors"
	"slices"

	"buf.build/go/protovalidate"

	"imageflow.dev/functions"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Check refuses what a runner of the processor would refuse without looking at
// the picture.
func Check(p functions.Processor, req functions.Request) error {
	_, err := check(p, req, "")
	return err
}

func check(p functions.Processor, req functions.Request, defaultBucket string) (plan, error) {
	if err := protovalidate.Validate(req); err != nil {
		return plan{}, violation(err)
	}
	if p.Check != nil {
		if err := p.Check(req); err != nil {
			return plan{}, err
		}
	}
	var reference *imageflowv1.ImageData
	if p.Reference != nil {
		reference = p.Reference(req)
	}
	return newPlan(req, reference, p.Suffix, defaultBucket)
}

// violation tells of one broken rule, by its field and in its words: the first
// that is about a field, since a rule about the whole request often only follows.
func violation(err error) error {
	var broken *protovalidate.ValidationError
	if !errors.As(err, &broken) || len(broken.Violations) == 0 {
		return err
	}
	named := slices.IndexFunc(broken.Violations, func(v *protovalidate.Violation) bool { return v.Proto.GetField() != nil })
	first := broken.Violations[max(named, 0)].Proto
	return functions.Errorf(functions.Invalid, protovalidate.FieldPathString(first.GetField()), "%s", first.GetMessage())
}
