// Package rules has what several packages need of the contract's rules: the form of names, the short names of enums, and
// how an error reports the violation of a rule.
package rules

import (
	"errors"
	"regexp"
	"slices"

	"buf.build/go/protovalidate"
)

// NameForm is the form of the names of variants, presets, pipelines, webhooks and backfills, as a regular expression.
const NameForm = "[a-z][a-z0-9-]{0,31}"

// ViewPrefix begins the variants of images that are made for signed URLs. A digest of the request follows.
const ViewPrefix = "get-"

var name = regexp.MustCompile("^" + NameForm + "$")

// IsName reports whether a text has the form of a name.
func IsName(text string) bool { return name.MatchString(text) }

// Violation is a violated rule of a message.
type Violation struct {
	// Field is the path of the field; empty for a rule about the whole message.
	Field   string
	Message string
}

// Reported returns the violation that an error of protovalidate reports: the first one about a field, because rules about
// the whole message often only follow from those. It returns false for other errors.
func Reported(err error) (Violation, bool) {
	var invalid *protovalidate.ValidationError
	if !errors.As(err, &invalid) || len(invalid.Violations) == 0 {
		return Violation{}, false
	}
	i := slices.IndexFunc(invalid.Violations, func(v *protovalidate.Violation) bool { return v.Proto.GetField() != nil })
	first := invalid.Violations[max(i, 0)]
	return Violation{protovalidate.FieldPathString(first.Proto.GetField()), Message(first)}, true
}
