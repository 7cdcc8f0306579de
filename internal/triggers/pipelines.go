package triggers

import (
	"cmp"
	"net/url"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// The subscriber that runs pipelines, and its parameter with the name of one.
const (
	gateway           = "grpc-gateway"
	pipelineParameter = "pipeline"
)

// Pipeline returns the name of the pipeline that a Trigger runs; empty if it runs none.
func (t Trigger) Pipeline() string {
	_, service := t.service()
	uri, err := url.Parse(t.Spec.Subscriber.URI)
	if service != gateway || err != nil {
		return ""
	}
	return uri.Query().Get(pipelineParameter)
}

// Expand replaces each Trigger that runs a pipeline by Triggers that write what it does: one for each processor and
// variant of the pipeline, since the later steps of one processor have names of their own. The last one is that of
// the pipeline's last step, which alone sends an event. A pipeline that the set does not have writes nothing. Expand also
// gives each step what its preset has, and adds a Trigger for each rendition of a step.
func Expand(all []Trigger, set *presets.Set) (expanded []Trigger) {
	for _, t := range all {
		name := t.Pipeline()
		if name == "" {
			t = t.withPreset(set)
			expanded = append(append(expanded, t), t.renditions()...)
			continue
		}
		steps, err := set.Pipeline(name)
		if err == nil {
			t.pipeline = name
			expanded = append(expanded, t.writers(steps)...)
		}
	}
	return expanded
}

// withPreset returns the Trigger with the parameters of the preset that its step names. Without such a preset, which another
// check reports, it has those of the step.
func (t Trigger) withPreset(set *presets.Set) Trigger {
	if req := t.request(); req != nil {
		if expanded, err := set.Expand(req); err == nil {
			t.expanded = expanded
		}
	}
	return t
}

// NeedsPresets reports whether the step of a Trigger takes parameters from a preset or is a pipeline.
func (t Trigger) NeedsPresets() bool {
	named, _ := t.request().(interface{ GetPreset() string })
	return t.Pipeline() != "" || named != nil && named.GetPreset() != ""
}

func (t Trigger) writers(steps []*imageflowv1.PipelineStep) (all []Trigger) {
	variant := ""
	for _, s := range steps {
		p, req := stepOf(s)
		variant = cmp.Or(variantOf(req), variant)
		ref := *t.Spec.Subscriber.Ref
		ref.Name = p.Host
		step := t
		step.Spec.Subscriber.Ref, step.Spec.Subscriber.URI = &ref, "/?variant="+variant
		if r, ok := req.Interface().(*imageflowv1.ResizeRequest); ok {
			all = append(all, step.inner(r.GetRenditions(), output{})...)
		}
		all = append(slices.DeleteFunc(all, func(other Trigger) bool {
			return other.Spec.Subscriber.Ref.Name == ref.Name && other.Spec.Subscriber.URI == step.Spec.Subscriber.URI
		}), step)
	}
	for i := range len(all) - 1 {
		all[i].IsInner = true
	}
	return all
}

// stepOf returns the processor and the request of a step.
func stepOf(s *imageflowv1.PipelineStep) (processors.Info, protoreflect.Message) {
	m := s.ProtoReflect()
	field := m.WhichOneof(m.Descriptor().Oneofs().ByName("processor"))
	p, _ := processors.Named(string(field.Name()))
	return p, m.Get(field).Message()
}

func variantOf(req protoreflect.Message) string {
	return req.Interface().(interface{ GetVariant() string }).GetVariant()
}
