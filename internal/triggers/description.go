package triggers

import (
	"fmt"
	"strings"
)

// DescriptionAnnotation is the annotation of Kubernetes with a sentence for people: what the step of a Trigger does with
// what, for whom.
const DescriptionAnnotation = "kubernetes.io/description"

// maxDescription limits the runes of a description.
const maxDescription = 500

// description returns the description of a Trigger, cut to maxDescription.
func (t Trigger) description() string {
	text := []rune(t.Metadata.Annotations[DescriptionAnnotation])
	if len(text) > maxDescription {
		text = append(text[:maxDescription-1], '…')
	}
	return string(text)
}

// Describer writes the descriptions of the Triggers of a new chain.
type Describer struct {
	// Chain is the name of the chain, and Prefix the start of the keys of its uploads; empty for all uploads.
	Chain, Prefix string
}

// Step describes a step with parameters, which follows the step before or, if that is empty, an upload.
func (d Describer) Step(step, query, before string) string {
	text := "Runs " + step
	switch {
	case before != "":
		text += " on the output of " + before
	case d.Prefix != "":
		text += " on uploads under " + d.Prefix
	default:
		text += " on all uploads"
	}
	if query != "" {
		text += " with " + strings.ReplaceAll(query, "&", ", ")
	}
	return fmt.Sprintf("%s, for the chain %s.", text, d.Chain)
}

// Completion describes the Trigger that records the end of the chain after its last step.
func (d Describer) Completion(last string) string {
	return fmt.Sprintf("Tells the bridge that %s is done, so that uploads of the chain %s get the status completed.", last, d.Chain)
}
