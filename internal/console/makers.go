package console

import (
	"path"
	"slices"
	"strings"

	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// maker is a Trigger in force that can have made an output.
type maker struct {
	chain *imageflowv1.Chain
	node  *imageflowv1.ChainNode
	// source is how the uploads were selected.
	source *imageflowv1.ChainSource
}

// makersOf returns the Triggers that can have made the output of a step.
func makersOf(chains []*imageflowv1.Chain, x *run, step runStep) (found []maker) {
	leaf, extension := leafOf(x, step)
	for _, c := range chains {
		at := slices.IndexFunc(c.GetSources(), func(s *imageflowv1.ChainSource) bool { return isFrom(s, x) })
		if at < 0 {
			continue
		}
		for _, n := range c.GetNodes() {
			if n.GetProcessor() == step.Name && slices.ContainsFunc(n.GetOutputs(), func(output string) bool {
				return output == leaf || output == leaf+extension || output == step.Output.GetObjectKey()
			}) {
				found = append(found, maker{c, n, c.GetSources()[at]})
			}
		}
	}
	return found
}

// leafOf returns the name of an output in a chain, such as resize-small, and its extension with the dot.
func leafOf(x *run, step runStep) (leaf, extension string) {
	p, _ := processors.Named(step.Name)
	extension = path.Ext(step.Output.GetObjectKey())
	ending, isDefault := strings.CutPrefix(strings.TrimSuffix(step.Output.GetObjectKey(), extension), x.ID+"_"+p.Suffix)
	if !isDefault {
		return "", extension
	}
	return step.Name + ending, extension
}

// isFrom reports whether a source selects the upload of an execution.
func isFrom(s *imageflowv1.ChainSource, x *run) bool {
	subject := subjectPrefix(x.Key)
	return (s.GetBucket() == "" || s.GetBucket() == x.Bucket) && strings.HasPrefix(subject, s.GetPrefix()) &&
		strings.HasSuffix(subject, s.GetSuffix()) && (s.GetKey() == "" || s.GetKey() == subject) &&
		!slices.ContainsFunc(s.GetExcludedPrefixes(), func(prefix string) bool { return strings.HasPrefix(subject, prefix) })
}

// before returns the step whose output a node reads, and the type of its event. The step is nil for the upload. It is
// false if the output is not there.
func (m maker) before(x *run) (step *runStep, eventType string, ok bool) {
	for _, edge := range m.chain.GetEdges() {
		if edge.GetTo() != m.node.GetId() {
			continue
		}
		if edge.GetFrom() == "" {
			return nil, edge.GetEventType(), true
		}
		for i := range x.Steps {
			for _, other := range makersOf([]*imageflowv1.Chain{m.chain}, x, x.Steps[i]) {
				if other.node.GetId() == edge.GetFrom() {
					return &x.Steps[i], edge.GetEventType(), true
				}
			}
		}
	}
	return nil, "", false
}
