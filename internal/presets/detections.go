package presets

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Detected returns the field of a step's request that takes the detection before the step, such as redaction with
// detected; nil if there is none.
func Detected(req proto.Message) (found protoreflect.FieldDescriptor) {
	req.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Message() == nil || field.IsList() || field.IsMap() {
			return true
		}
		detected := field.Message().Fields().ByName("detected")
		if detected != nil && value.Message().Get(detected).Bool() {
			found = field
		}
		return found == nil
	})
	return found
}

// CheckDetections returns an error for a step that takes the detection before it if there are several, none of which
// another step has taken: it would take one of them and ignore the others. Presets are expanded.
func CheckDetections(steps []*imageflowv1.PipelineStep) error {
	var detections []string
	for i, step := range steps {
		name, req := requestOf(step)
		if step.GetDetect() != nil {
			detections = append(detections, fmt.Sprintf("steps[%d]", i))
		}
		field := Detected(req.Interface())
		if field == nil {
			continue
		}
		if len(detections) > 1 {
			return &StepError{
				Field: fmt.Sprintf("steps[%d].%s.%s.detected", i, name, field.Name()),
				Reason: fmt.Sprintf("%s detect, but only one detection can be taken: repeat this step after each of them, "+
					"or name a side-car by %s.detections", strings.Join(detections, " and "), field.Name()),
			}
		}
		detections = nil
	}
	return nil
}
