package triggers

import (
	"errors"
	"fmt"
	"slices"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/processors"
)

// Problem is one thing that is wrong or suspicious about Triggers.
type Problem struct {
	Kind ProblemKind
	// Triggers are the names of the Triggers that it is about.
	Triggers []string
	Message  string
}

// Error returns the message.
func (p Problem) Error() string { return p.Message }

func problem(kind ProblemKind, message string, of ...Trigger) Problem {
	p := Problem{Kind: kind, Message: message}
	for _, t := range of {
		if name := t.Metadata.Name; !slices.Contains(p.Triggers, name) {
			p.Triggers = append(p.Triggers, name)
		}
	}
	return p
}

// ProblemKind is the kind of a Problem.
type ProblemKind int

// The kinds of problems. Check reports those up to WrongParameters; a chain with one of the others may be intended.
const (
	SameOutput ProblemKind = iota
	MissingLeaf
	WrongParameters
	UnawaitedLeaf
	UnknownStep
	Unreached
	Loop
	Incomplete
)

// Check returns an error for each pair of Triggers that can write two outputs with one key, from one event
// or from two events of one upload, for each Trigger that waits for outputs which no Trigger writes, and for each
// that takes only one of several detections before it. Expand gives it the outputs of pipelines.
func Check(all []Trigger) error {
	var errs []error
	for _, p := range wrong(all, paths(all)) {
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

// wrong returns the problems with which no chain works.
func wrong(all []Trigger, ways []path) []Problem {
	return slices.Concat(sameOutputs(all, ways), missingLeaves(all, ways), severalDetections(all, ways))
}

// sameOutputs returns the pairs of Triggers that write one key.
func sameOutputs(all []Trigger, ways []path) (problems []Problem) {
	reported := map[[2]int]bool{}
	for i, a := range all {
		for j, b := range all {
			if p, ok := sameNames(a, b); i < j && ok && overlap(a, b) {
				reported[[2]int{i, j}] = true
				problems = append(problems, problem(SameOutput,
					fmt.Sprintf("%s and %s: both can get one event, for which %s writes %s twice; %s",
						a, b, a.Spec.Subscriber.Ref.Name, a.output().describe(p), advice), a, b))
			}
		}
	}
	for i, p := range ways {
		for _, q := range ways[i+1:] {
			a, b := min(p.last(), q.last()), max(p.last(), q.last())
			if reported[[2]int{a, b}] || !isSameOutput(all, p, q) || len(both(p.condition, q.condition)) == 0 {
				continue
			}
			reported[[2]int{a, b}] = true
			problems = append(problems, problem(SameOutput,
				fmt.Sprintf("%s and %s: one upload can take both ways, and %s then writes %s twice; %s",
					p.describe(all), q.describe(all), p.processor.Host, p.output.describe(p.processor), advice), all[a], all[b]))
		}
	}
	return problems
}

// Problems returns all problems of Triggers. Pipelines are those of the set.
func Problems(all []Trigger, set *presets.Set) []Problem {
	expanded := Expand(all, set)
	ways := paths(expanded)
	problems := wrong(expanded, ways)
	problems = append(problems, unknownSteps(all, set)...)
	problems = append(problems, loops(expanded, ways)...)
	if len(ways) == maxPaths {
		return append(problems, problem(Incomplete, fmt.Sprintf("more than %d ways lead through the Triggers: "+
			"the chains and their problems are incomplete", maxPaths)))
	}
	problems = append(problems, unreached(expanded, ways)...)
	return append(problems, unawaitedLeaves(expanded, ways)...)
}

// services are the subscribers of ImageFlow beside the processors.
var services = []string{gateway, bridge, notify}

// notify is the subscriber that posts events to webhooks.
const notify = "notify"

// unknownSteps returns the Triggers of pipelines that the set lacks, and of Services that ImageFlow does not have.
func unknownSteps(all []Trigger, set *presets.Set) (problems []Problem) {
	for _, t := range all {
		_, service := t.service()
		_, isProcessor := processors.At(service)
		switch name := t.Pipeline(); {
		case name != "":
			if _, err := set.Pipeline(name); err != nil {
				problems = append(problems, problem(UnknownStep, fmt.Sprintf("%s: pipeline: %v", t, err), t))
			}
		case service != "" && !isProcessor && !slices.Contains(services, service):
			problems = append(problems, problem(UnknownStep, fmt.Sprintf("%s: ImageFlow has no Service %.64q, which gets "+
				"events but is no step", t, service), t))
		}
	}
	return problems
}

// loops returns the Triggers that get an event to which their own step has led.
func loops(all []Trigger, ways []path) (problems []Problem) {
	found := map[int]bool{}
	for _, p := range ways {
		for _, step := range p.steps {
			if !found[step] && !all[p.last()].IsInner && len(p.reaches(all[step])) > 0 {
				found[step] = true
				problems = append(problems, problem(Loop, fmt.Sprintf("%s: it gets an event that its own step leads to; "+
					"such a chain ends with a dead letter after %d steps", all[step], maxSteps), all[step]))
			}
		}
	}
	return problems
}

// unreached returns the Triggers of processors and of completions that get no event.
func unreached(all []Trigger, ways []path) (problems []Problem) {
	for i, t := range all {
		_, service := t.service()
		_, isStep := processors.At(service)
		gets := func(p path) bool {
			return isStep && p.last() == i || !isStep && p.broker(all) == t.broker() && len(p.reaches(t)) > 0
		}
		if (isStep || t.isCompletion()) && !t.IsInner && !slices.ContainsFunc(ways, gets) {
			problems = append(problems, problem(Unreached, fmt.Sprintf("%s: no upload and no step sends an event that "+
				"its filters select", t), t))
		}
	}
	return problems
}

// unawaitedLeaves returns the outputs at the ends of branches for which no Trigger waits.
func unawaitedLeaves(all []Trigger, ways []path) (problems []Problem) {
	reported := map[string]bool{}
	report := func(message string, of ...Trigger) {
		if !reported[message] {
			reported[message] = true
			problems = append(problems, problem(UnawaitedLeaf, message, of...))
		}
	}
	ends := slices.DeleteFunc(slices.Clone(ways), func(p path) bool {
		return all[p.last()].IsInner || p.goesOn(all, p.condition)
	})
	for i, p := range ends {
		waiting := p.completions(all)
		if len(waiting) == 0 {
			report(fmt.Sprintf("%s: no Trigger to %s gets the event of %s", p.describe(all), completedPath, p.leaf()), all[p.last()])
		}
		for _, t := range waiting {
			of, _ := t.waitsFor()
			if len(of) > 0 && !slices.ContainsFunc(of, func(l execution.Leaf) bool { return p.isLeafOf(all, t, l) }) {
				report(fmt.Sprintf("%s: it does not wait for %s of %s", t, p.leaf(), p.describe(all)), t, all[p.last()])
			}
			for _, q := range ends[:i] {
				if len(of) == 0 && q.leaf() != p.leaf() && len(both(p.reaches(t), q.reaches(t))) > 0 {
					report(fmt.Sprintf("%s: the first of %s and %s completes an execution, since the uri does not name both "+
						"in %s; imageflow chain --write sets it", t, q.leaf(), p.leaf(), leavesParameter), t)
				}
			}
		}
	}
	return problems
}

// completions returns the Triggers that record the end of executions and get the last event of the path.
func (p path) completions(all []Trigger) (found []Trigger) {
	for _, t := range all {
		if t.isCompletion() && t.broker() == p.broker(all) && len(p.reaches(t)) > 0 {
			found = append(found, t)
		}
	}
	return found
}
