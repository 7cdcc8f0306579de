package presets

import (
	"cmp"
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/rules"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// CheckOutputs returns an error for a step that would replace the stored output of an earlier one, or whose variant is
// reserved. Steps without a variant have that of the event; without any, the number of a step tells their outputs apart.
// Function isStored reports whether a step's output is stored with a name made of its variant. Presets are expanded.
func CheckOutputs(steps []*imageflowv1.PipelineStep, variant string, isStored func(step int) bool) error {
	taken := map[string]int{}
	for i, step := range steps {
		name, req := requestOf(step)
		at := fmt.Sprintf("steps[%d].%s.", i, name)
		own := VariantOf(req)
		if isReserved(own) {
			return &StepError{Field: at + "variant", Reason: reserved(own)}
		}
		variant = cmp.Or(own, variant)
		output := string(name) + "-" + variant
		earlier, isTaken := taken[output]
		if isTaken && variant != "" && isStored(i) {
			return &StepError{Field: at + "variant", Reason: fmt.Sprintf(
				"has the variant %q, as steps[%d] has, and would replace its output; give it another one", variant, earlier)}
		}
		taken[output] = i
		for j, rendition := range renditionsOf(req) {
			field, output := fmt.Sprintf("%srenditions[%d].variant", at, j), string(name)+"-"+rendition.GetVariant()
			if isReserved(rendition.GetVariant()) {
				return &StepError{Field: field, Reason: reserved(rendition.GetVariant())}
			}
			if earlier, isTaken := taken[output]; isTaken {
				return &StepError{Field: field, Reason: fmt.Sprintf(
					"is %q, and would replace an output of steps[%d]; give it another one", rendition.GetVariant(), earlier)}
			}
			taken[output] = i
		}
	}
	return nil
}

// isReserved reports whether only the images of signed URLs may have a variant.
func isReserved(variant string) bool { return strings.HasPrefix(variant, rules.ViewPrefix) }

func reserved(variant string) string {
	return fmt.Sprintf("is %q, but only images for signed URLs have variants that begin with %s", variant, rules.ViewPrefix)
}

// renditionsOf returns the renditions in the request of a step, which only a resize has.
func renditionsOf(req protoreflect.Message) []*imageflowv1.Rendition {
	resize, _ := req.Interface().(*imageflowv1.ResizeRequest)
	return resize.GetRenditions()
}

// VariantOf returns the variant in the request of a step.
func VariantOf(req protoreflect.Message) string {
	return req.Interface().(interface{ GetVariant() string }).GetVariant()
}
