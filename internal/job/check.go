package job

import (
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/rules"
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
	if err := Validate(req); err != nil {
		return plan{}, err
	}
	if processor.Check != nil {
		if err := processor.Check(req); err != nil {
			return plan{}, err
		}
	}
	return planAll(processor, req, defaultBucket)
}

// Validate returns a functions.Error of kind Invalid if a request violates a rule of the contract.
func Validate(req proto.Message) error {
	err := protovalidate.Validate(req)
	if v, ok := rules.Reported(err); ok {
		return functions.Errorf(functions.Invalid, v.Field, "%s", v.Message)
	}
	return err
}
