package triggers

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/processors"
)

// path is a sequence of Triggers that one upload may take: the first gets the upload's event, and each of the
// others the event of the step before.
type path struct {
	// steps are the numbers of the Triggers, with several of which a path may branch.
	steps []int
	// processor and output are those of the last step. The variant and the bucket are inherited if that
	// step has none of its own.
	processor processors.Info
	output    output
	// condition is a disjunction of terms about the events of the path. Their attributes have the names of
	// the events, since those of two events may differ.
	condition []term
	// outcome is the type of the last event if that reports the end of the execution; else empty.
	outcome string
}

// The limits of paths. Beyond them, Triggers are not compared.
const (
	maxSteps = 16 // of a chain, as in package event
	maxPaths = 1000
)

// paths returns the paths through all Triggers. A path visits no Trigger twice, not even another step of its
// pipeline: a loop ends after maxSteps.
func paths(all []Trigger) (found []path) {
	front := []path{{condition: []term{{}}}}
	for len(front) > 0 && len(found) < maxPaths {
		var longer []path
		for _, p := range front {
			longer = append(longer, p.extend(all)...)
		}
		front = longer
		found = append(found, front...)
	}
	return found[:min(len(found), maxPaths)]
}

// extend returns the path with each Trigger of a processor that may get its last event.
func (p path) extend(all []Trigger) (longer []path) {
	if len(p.steps) == maxSteps || len(p.steps) > 0 && all[p.last()].IsInner {
		return nil
	}
	for i, t := range all {
		_, service := t.service()
		processor, ok := processors.At(service)
		isVisited := func(step int) bool { return step == i || all[step].Location != "" && all[step].Location == t.Location }
		if !ok || slices.ContainsFunc(p.steps, isVisited) || len(p.steps) > 0 && t.broker() != all[p.steps[0]].broker() {
			continue
		}
		if condition := p.reaches(t); len(condition) > 0 {
			out := t.output()
			out.variant, out.bucket = cmp.Or(out.variant, p.output.variant), cmp.Or(out.bucket, p.output.bucket)
			longer = append(longer, path{append(slices.Clone(p.steps), i), processor, out, condition, ""})
		}
	}
	return longer
}

// reaches returns the condition under which a Trigger gets the last event of the path; none if it never does.
func (p path) reaches(t Trigger) []term {
	terms, ok := expand(t.filters(), true, true)
	if !ok {
		return p.condition // too many alternatives to decide
	}
	var known []term
	for _, alternative := range terms {
		if qualified, possible := p.qualify(alternative); possible {
			known = append(known, qualified)
		}
	}
	return both(p.condition, known)
}

// qualify replaces the attributes of a term by the names that they have for the last event of the path. It
// drops literals that are true for that event, and returns false if one is false.
func (p path) qualify(alternative term) (qualified term, possible bool) {
	isUpload := len(p.steps) == 0
	values := map[string]string{
		"type": events.StepCompletedType(p.processor.Name), "source": events.StepSource(p.processor.Name),
		string(events.VariantOf): p.output.variant,
	}
	if p.outcome != "" {
		values = map[string]string{"type": p.outcome, string(events.VariantOf): ""}
	} else if isUpload {
		values = map[string]string{string(events.VariantOf): ""}
		qualified = term{{attribute: "type@", value: events.ObjectCreatedPrefix, kind: prefix}}
	}
	for _, l := range alternative {
		if value, ok := values[l.attribute]; ok {
			if !l.matches(value) {
				return nil, false
			}
			continue
		}
		qualified = append(qualified, p.literals(l)...)
	}
	return qualified, true
}

// literals returns a literal about the last event of the path, with the attribute's name for that event. All
// events of a path have the same origin. The subject of an upload is its key, and that of all others the
// execution id, which begins with the same folders.
func (p path) literals(l literal) []literal {
	const uploadSubject, stepSubject = "subject@", "subject@steps"
	switch {
	case l.attribute == string(events.OriginURI) || l.attribute == string(events.PartitionKey):
		return []literal{l}
	case l.attribute != "subject":
		l.attribute += "@" + p.name()
		return []literal{l}
	}
	l.attribute = stepSubject
	folders := l.value[:strings.LastIndexByte(l.value, '/')+1]
	other := literal{attribute: uploadSubject, kind: prefix, value: folders, negated: l.negated}
	if len(p.steps) == 0 {
		l.attribute, other.attribute = uploadSubject, stepSubject
	}
	isAboutFolders := l.kind == prefix && other.value == l.value || !l.negated && l.kind != suffix
	if !isAboutFolders {
		return []literal{l}
	}
	return []literal{l, other}
}

// name returns the name of the last event; empty for the upload's.
func (p path) name() string {
	var steps []string
	for _, i := range p.steps {
		steps = append(steps, strconv.Itoa(i))
	}
	return strings.Join(steps, "/")
}

// last returns the number of the last Trigger.
func (p path) last() int { return p.steps[len(p.steps)-1] }

// describe returns the Triggers of the path for messages.
func (p path) describe(all []Trigger) string {
	var names []string
	for _, i := range p.steps {
		names = append(names, all[i].String())
	}
	return strings.Join(names, " -> ")
}

// both returns the satisfiable terms of the conjunction of two conditions, or the first one if there are too
// many.
func both(a, b []term) []term {
	terms, ok := combine([][]term{a, b}, true)
	if !ok {
		return a
	}
	return slices.DeleteFunc(terms, func(t term) bool { return !t.satisfiable() })
}
