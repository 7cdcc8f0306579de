package job

import (
	"errors"
	"slices"

	"buf.build/go/protovalidate"

	"imageflow.dev/functions"
	"imageflow.dev/internal/presets"
)

// Check returns the error that a Runner of the processor would return for the request
// before it fetches the image, except that it checks no allow-list.
func Check(p functions.Processor, set *presets.Set, req functions.Request) error {
	_, err := newPlan(p, set, req, "")
	return err
}

// newPlan expands the preset of a request, validates the request and plans it.
func newPlan(processor functions.Processor, set *presets.Set, req functions.Request, defaultBucket string) (plan, error) {
	expanded, err := set.Expand(req)
	if err != nil {
		return plan{}, functions.Errorf(functions.Invalid, "preset", "%v", err)
	}
	req = expanded.(functions.Request)
	if err := protovalidate.Validate(req); err != nil {
		return plan{}, violation(err)
	}
	if processor.Check != nil {
		if err := processor.Check(req); err != nil {
			return plan{}, err
		}
	}
	return planRequest(processor, req, defaultBucket)
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
