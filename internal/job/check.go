package job

import (
	"errors"
	"slices"

	"buf.build/go/protovalidate"

	"imageflow.dev/functions"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Check returns the error that a Runner of the processor would return for the request
// before it fetches the image, except that it checks no allow-list.
func Check(p functions.Processor, req functions.Request) error {
	_, err := newPlan(p, req, "")
	return err
}

// newPlan validates a request and plans it.
func newPlan(processor functions.Processor, req functions.Request, defaultBucket string) (plan, error) {
	if err := protovalidate.Validate(req); err != nil {
		return plan{}, violation(err)
	}
	if processor.Check != nil {
		if err := processor.Check(req); err != nil {
			return plan{}, err
		}
	}
	var reference *imageflowv1.ImageData
	if processor.Reference != nil {
		reference = processor.Reference(req)
	}
	p, err := planRequest(req, reference, processor.Suffix, defaultBucket)
	p.sideCar, p.referenceField = processor.SideCar != nil, processor.ReferenceField
	p.moves = processor.Moves
	return p, err
}

// violation returns the error of one violated rule. It prefers a rule about a field,
// because rules about the whole request often only follow from those.
func violation(err error) error {
	var invalid *protovalidate.ValidationError
	if !errors.As(err, &invalid) || len(invalid.Violations) == 0 {
		return err
	}
	i := slices.IndexFunc(invalid.Violations, func(v *protovalidate.Violation) bool { return v.Proto.GetField() != nil })
	first := invalid.Violations[max(i, 0)].Proto
	return functions.Errorf(functions.Invalid, protovalidate.FieldPathString(first.GetField()), "%s", first.GetMessage())
}
