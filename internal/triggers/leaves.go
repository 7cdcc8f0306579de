package triggers

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"imageflow.dev/internal/execution"
)

// The subscriber that records the end of executions, and its parameter with the leaves that it waits for.
const (
	bridge          = "bridge"
	completedPath   = "/completed"
	leavesParameter = "of"
)

// Completion is a Trigger that records the end of executions.
type Completion struct {
	Trigger Trigger
	// Of is what the Trigger waits for, and Leaves are the outputs that its events report at the ends of
	// branches. Of is nil if it waits for nothing and the first event ends the execution.
	Of, Leaves []execution.Leaf
	// Elsewhere describes the ends of branches that it cannot wait for, because they have a bucket or a key of
	// their own.
	Elsewhere []string
}

// Completions returns the Triggers that record the end of executions.
func Completions(all []Trigger) (found []Completion) {
	ways := paths(all)
	for _, t := range all {
		if !t.isCompletion() {
			continue
		}
		c := Completion{Trigger: t}
		c.Of, _ = t.waitsFor()
		for _, p := range ways {
			reaches := p.reaches(t)
			isEnd := !all[p.last()].IsInner && !p.goesOn(all, reaches) // renditions are stored before their step's event
			if len(reaches) == 0 || p.broker(all) != t.broker() || !isEnd {
				continue
			}
			switch leaf := p.leaf(); {
			case p.output.bucket != "" || p.output.key != "":
				c.Elsewhere = append(c.Elsewhere, p.describe(all))
			case !slices.Contains(c.Leaves, leaf):
				c.Leaves = append(c.Leaves, leaf)
			}
		}
		found = append(found, c)
	}
	return found
}

// isCompletion reports whether the subscriber is the bridge at completedPath.
func (t Trigger) isCompletion() bool {
	_, service := t.service()
	uri, err := url.Parse(t.Spec.Subscriber.URI)
	return service == bridge && err == nil && uri.Path == completedPath
}

// waitsFor returns the leaves in the subscriber's URI.
func (t Trigger) waitsFor() ([]execution.Leaf, error) {
	uri, err := url.Parse(t.Spec.Subscriber.URI)
	if err != nil {
		return nil, err
	}
	return execution.ParseLeavesQuery(uri.RawQuery)
}

func (p path) broker(all []Trigger) string { return all[p.steps[0]].broker() }

// goesOn reports whether a Trigger of a processor can follow the path under a condition.
func (p path) goesOn(all []Trigger, condition []term) bool {
	return slices.ContainsFunc(p.extend(all), func(longer path) bool { return len(both(condition, longer.condition)) > 0 })
}

// leaf returns the output of the last step.
func (p path) leaf() execution.Leaf {
	leaf := execution.Leaf{Step: p.processor.Name, Variant: p.output.variant}
	if extension := strings.Replace(p.output.format, "jpeg", "jpg", 1); slices.Contains(execution.OutputExtensions, extension) {
		leaf.Extension = extension
	}
	return leaf
}

// missingLeaves returns the problems of each Trigger that waits for an output of which it gets no event.
func missingLeaves(all []Trigger, ways []path) (found []Problem) {
	for _, t := range all {
		if !t.isCompletion() {
			continue
		}
		leaves, err := t.waitsFor()
		if err != nil {
			found = append(found, problem(WrongParameters, fmt.Sprintf("%s: spec.subscriber.uri: %v", t, err), t))
		}
		for _, leaf := range leaves {
			if !slices.ContainsFunc(ways, func(p path) bool { return p.isLeafOf(all, t, leaf) }) {
				found = append(found, problem(MissingLeaf, fmt.Sprintf("%s: spec.subscriber.uri: of: no Trigger makes %s and an "+
					"event that this one gets, so that no execution would complete; imageflow chain prints what there is", t, leaf), t))
			}
		}
	}
	return found
}

// isLeafOf reports whether the last step of the path writes the leaf, and the Trigger gets its event.
func (p path) isLeafOf(all []Trigger, t Trigger, leaf execution.Leaf) bool {
	made := p.leaf()
	if made.Extension == "" || leaf.Extension == "" {
		made.Extension = leaf.Extension
	}
	isNamed := p.output.bucket != "" || p.output.key != ""
	return made == leaf && !isNamed && p.broker(all) == t.broker() && len(p.reaches(t)) > 0
}
