package triggers

import (
	"slices"
	"strings"

	"imageflow.dev/internal/events"
)

// overlap reports whether the filters of both Triggers can select one event that a
// processor accepts. It also returns true if it cannot decide: for CESQL, and for filters
// with more than maxTerms alternatives.
func overlap(a, b Trigger) bool {
	both := append(append([]Filter{acceptedEvents}, a.filters()...), b.filters()...)
	terms, ok := expand(both, true, true)
	return !ok || slices.ContainsFunc(terms, term.satisfiable)
}

// acceptedEvents selects the events that processors accept.
var acceptedEvents = Filter{Any: []Filter{
	{Prefix: map[string]string{"type": events.ObjectCreatedPrefix}},
	{All: []Filter{
		{Prefix: map[string]string{"type": events.StepPrefix}},
		{Suffix: map[string]string{"type": events.CompletedSuffix}},
	}},
}}

// filters returns the filters of a Trigger. Like Knative, it ignores spec.filter if there
// are spec.filters.
func (t Trigger) filters() []Filter {
	if len(t.Spec.Filters) > 0 || t.Spec.Filter == nil {
		return t.Spec.Filters
	}
	exact := map[string]string{}
	for name, value := range t.Spec.Filter.Attributes {
		if value != "" { // an empty value matches any value
			exact[name] = value
		}
	}
	return []Filter{{Exact: exact}}
}

// literal is a comparison of one attribute.
type literal struct {
	attribute, value string
	kind             kind
	negated          bool
}

type kind int

const (
	exact kind = iota
	prefix
	suffix
)

func (l literal) matches(value string) bool {
	match := value == l.value
	switch l.kind {
	case prefix:
		match = strings.HasPrefix(value, l.value)
	case suffix:
		match = strings.HasSuffix(value, l.value)
	}
	return match != l.negated
}

// term is a conjunction of literals.
type term []literal

// maxTerms limits the alternatives of a filter.
const maxTerms = 4096

// expand returns a disjunction of terms for a list of filters. It is true if every filter
// (or any filter, if every is false) selects the event, or does not select it if want is
// false. ok is false if there are more than maxTerms terms.
func expand(filters []Filter, want, every bool) (terms []term, ok bool) {
	var parts [][]term
	for _, f := range filters {
		part, ok := f.expand(want)
		if !ok {
			return nil, false
		}
		parts = append(parts, part)
	}
	return combine(parts, every)
}

// combine returns the conjunction of several disjunctions, or their disjunction if every is
// false.
func combine(parts [][]term, every bool) (terms []term, ok bool) {
	if !every {
		terms = slices.Concat(parts...)
		return terms, len(terms) <= maxTerms
	}
	terms = []term{{}}
	for _, part := range parts {
		if len(terms)*len(part) > maxTerms {
			return nil, false
		}
		var longer []term
		for _, t := range terms {
			for _, other := range part {
				longer = append(longer, slices.Concat(t, other))
			}
		}
		terms = longer
	}
	return terms, true
}

// expand returns a disjunction of terms for a filter. It is true if the filter selects the
// event, or does not select it if want is false.
func (f Filter) expand(want bool) (terms []term, ok bool) {
	switch {
	case len(f.All) > 0:
		return expand(f.All, want, want)
	case len(f.Any) > 0:
		return expand(f.Any, want, !want)
	case f.Not != nil:
		return f.Not.expand(!want)
	case f.CESQL != "":
		return []term{{}}, true
	}
	var parts [][]term
	for k, attributes := range []map[string]string{f.Exact, f.Prefix, f.Suffix} {
		for name, value := range attributes {
			parts = append(parts, []term{{{name, value, kind(k), !want}}})
		}
	}
	return combine(parts, want)
}

// satisfiable reports whether an event exists that matches all literals. Attributes are
// independent of each other.
func (t term) satisfiable() bool {
	byAttribute := map[string][]literal{}
	for _, l := range t {
		byAttribute[l.attribute] = append(byAttribute[l.attribute], l)
	}
	for _, literals := range byAttribute {
		value := candidate(literals)
		if slices.ContainsFunc(literals, func(l literal) bool { return !l.matches(value) }) {
			return false
		}
	}
	return true
}

// candidate returns a value that matches all literals of an attribute if there is one: the
// value of an exact literal, or else the longest prefix and the longest suffix around a
// text that no negated literal matches.
func candidate(literals []literal) string {
	longest := map[kind]string{}
	fresh := "\x00"
	for _, l := range literals {
		switch {
		case l.negated:
			fresh += strings.Repeat("\x00", len(l.value))
		case l.kind == exact:
			return l.value
		case len(l.value) > len(longest[l.kind]):
			longest[l.kind] = l.value
		}
	}
	return longest[prefix] + fresh + longest[suffix]
}
