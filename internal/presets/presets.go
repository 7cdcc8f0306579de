// Package presets reads named parameter sets and named pipelines from a file, and expands them in
// requests. It has no cgo, so that the gateway can use it, too.
package presets

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Set has the presets and pipelines of a file. A nil Set has none. A Set does not change.
type Set struct {
	// presets has the request of each preset as the only field of a step.
	presets   map[string]*imageflowv1.PipelineStep
	pipelines map[string][]*imageflowv1.PipelineStep
}

// presetField is the field of a request that names a preset.
const presetField = "preset"

// nameOf returns the preset that a request names, or "".
func nameOf(req protoreflect.Message) string {
	field := req.Descriptor().Fields().ByName(presetField)
	if field == nil { // a processor without presets
		return ""
	}
	return req.Get(field).String()
}

// Expand returns a request with the parameters of the preset that it names, and without that name.
// The request overrides the preset:
//
//   - A scalar, list or map of the request replaces the preset's. A scalar without presence counts as
//     given if it is not 0, false, "" or UNSPECIFIED, so a request cannot set it back to these.
//   - A message of both is expanded in the same way, field by field.
//   - A member of a oneof replaces the preset's member.
//
// Expand does not change the request, and shares its parts. It returns a request that names no
// preset as it is. The error is about the field `preset`.
func (s *Set) Expand(req proto.Message) (proto.Message, error) {
	from := req.ProtoReflect()
	name := nameOf(from)
	if name == "" {
		return req, nil
	}
	wanted := stepField(from.Descriptor())
	step, ok := s.get(name)
	if !ok {
		return nil, fmt.Errorf("there is no %.40q; %s", name, s.known(wanted))
	}
	field, preset := requestOf(step)
	if field != wanted {
		return nil, fmt.Errorf("%.40q is of %s, not of %s", name, field, wanted)
	}
	expanded := proto.Clone(preset.Interface()).ProtoReflect()
	override(expanded, from)
	expanded.Clear(expanded.Descriptor().Fields().ByName(presetField))
	return expanded.Interface(), nil
}

// override sets the fields of to that from has.
func override(to, from protoreflect.Message) {
	from.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Message() != nil && field.Cardinality() != protoreflect.Repeated && to.Has(field) {
			override(to.Mutable(field).Message(), value.Message())
		} else {
			to.Set(field, value)
		}
		return true
	})
}

// Pipeline returns the steps of a pipeline, with their presets expanded.
func (s *Set) Pipeline(name string) ([]*imageflowv1.PipelineStep, error) {
	if s != nil && s.pipelines[name] != nil {
		return s.ExpandSteps(s.pipelines[name])
	}
	var names []string
	if s != nil {
		names = slices.Sorted(maps.Keys(s.pipelines))
	}
	return nil, fmt.Errorf("there is no %.40q; %s", name, list("pipelines", names))
}

// ExpandSteps returns copies of steps in which the presets are expanded.
func (s *Set) ExpandSteps(steps []*imageflowv1.PipelineStep) ([]*imageflowv1.PipelineStep, error) {
	var all []*imageflowv1.PipelineStep
	for i, step := range steps {
		field, req := requestOf(step)
		expanded, err := s.Expand(req.Interface())
		if err != nil {
			return nil, &StepError{Field: fmt.Sprintf("steps[%d].%s.%s", i, field, presetField), Reason: err.Error()}
		}
		all = append(all, stepOf(field, expanded))
	}
	return all, nil
}

// StepError reports a step whose preset cannot be expanded.
type StepError struct{ Field, Reason string }

// Error returns the path of the field in the request of a pipeline, and the reason.
func (e *StepError) Error() string { return e.Field + ": " + e.Reason }

// Requests yields the presets of a processor and the steps of pipelines with it, each as a request without
// an input, after their place in the file.
func (s *Set) Requests(processor string) iter.Seq2[string, proto.Message] {
	return func(yield func(string, proto.Message) bool) {
		if s == nil {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(s.presets)) {
			field, req := requestOf(s.presets[name])
			if string(field) == processor && !yield("preset "+name, req.Interface()) {
				return
			}
		}
		for _, name := range slices.Sorted(maps.Keys(s.pipelines)) {
			steps, err := s.Pipeline(name)
			if err != nil {
				panic(err) // Parse has expanded all
			}
			for i, step := range steps {
				field, req := requestOf(step)
				if string(field) == processor && !yield(fmt.Sprintf("pipeline %s: step %d", name, i+1), req.Interface()) {
					return
				}
			}
		}
	}
}

// List describes the presets and pipelines, in the order of their names.
func (s *Set) List() *imageflowv1.ListPresetsResponse {
	all := &imageflowv1.ListPresetsResponse{}
	if s == nil {
		return all
	}
	for _, name := range slices.Sorted(maps.Keys(s.presets)) {
		all.Presets = append(all.Presets, &imageflowv1.Preset{Name: name, Parameters: s.presets[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(s.pipelines)) {
		all.Pipelines = append(all.Pipelines, &imageflowv1.NamedPipeline{Name: name, Steps: s.pipelines[name]})
	}
	return all
}

func (s *Set) get(name string) (*imageflowv1.PipelineStep, bool) {
	if s == nil {
		return nil, false
	}
	step, ok := s.presets[name]
	return step, ok
}

// known names the presets of a processor, for errors.
func (s *Set) known(processor protoreflect.Name) string {
	var names []string
	if s != nil {
		for _, name := range slices.Sorted(maps.Keys(s.presets)) {
			if field, _ := requestOf(s.presets[name]); field == processor {
				names = append(names, name)
			}
		}
	}
	return list("presets of "+string(processor), names)
}

// maxListed limits the names in an error.
const maxListed = 20

func list(what string, names []string) string {
	switch {
	case len(names) == 0:
		return "PRESETS_FILE has no " + what
	case len(names) > maxListed:
		return fmt.Sprintf("the %s are %s and %d more", what, strings.Join(names[:maxListed], ", "), len(names)-maxListed)
	}
	return fmt.Sprintf("the %s are %s", what, strings.Join(names, ", "))
}

// stepOneof is the oneof of the requests of all processors.
var stepOneof = (*imageflowv1.PipelineStep)(nil).ProtoReflect().Descriptor().Oneofs().ByName("processor")

// stepField returns the field of a step that has a type of request; "" if there is none.
func stepField(request protoreflect.MessageDescriptor) protoreflect.Name {
	for i := range stepOneof.Fields().Len() {
		if f := stepOneof.Fields().Get(i); f.Message() == request {
			return f.Name()
		}
	}
	return ""
}

// requestOf returns the request of a step, and the name of the field that has it.
func requestOf(step *imageflowv1.PipelineStep) (protoreflect.Name, protoreflect.Message) {
	m := step.ProtoReflect()
	field := m.WhichOneof(stepOneof)
	return field.Name(), m.Get(field).Message()
}

func stepOf(field protoreflect.Name, req proto.Message) *imageflowv1.PipelineStep {
	step := &imageflowv1.PipelineStep{}
	step.ProtoReflect().Set(stepOneof.Fields().ByName(field), protoreflect.ValueOfMessage(req.ProtoReflect()))
	return step
}
