package broker

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// filter reports whether it selects an event with these attributes and extensions.
type filter func(attributes map[string]string) bool

type legacyFilterText struct {
	Attributes map[string]string `json:"attributes"`
}

// filterText is a filter in YAML. It has exactly one dialect.
type filterText struct {
	Exact  map[string]string `json:"exact"`
	Prefix map[string]string `json:"prefix"`
	Suffix map[string]string `json:"suffix"`
	All    []filterText      `json:"all"`
	Any    []filterText      `json:"any"`
	Not    *filterText       `json:"not"`
	CESQL  string            `json:"cesql"`
}

// parseFilters returns the filter of a Trigger. A Trigger without filters selects every
// event.
func parseFilters(legacy *legacyFilterText, filters []filterText) (filter, error) {
	if legacy == nil {
		parts, err := parseEach("spec.filters", filters)
		return all(parts), err
	}
	if len(filters) > 0 {
		return nil, errors.New("spec.filter: Knative ignores it beside spec.filters")
	}
	if err := checkAttributes(legacy.Attributes, true); err != nil {
		return nil, fmt.Errorf("spec.filter.attributes: %w", err)
	}
	return compare(legacy.Attributes, func(have, want string) bool { return have != "" && (want == "" || have == want) }), nil
}

func parseEach(field string, texts []filterText) ([]filter, error) {
	parts := make([]filter, len(texts))
	var errs []error
	for i := range texts {
		var err error
		parts[i], err = texts[i].parse(fmt.Sprintf("%s[%d]", field, i))
		errs = append(errs, err)
	}
	return parts, errors.Join(errs...)
}

func (t *filterText) parse(field string) (filter, error) {
	if n := t.dialects(); n != 1 {
		return nil, fmt.Errorf("%s: %d dialects are given but exactly one that is not empty is needed", field, n)
	}
	switch {
	case len(t.Exact) > 0:
		return t.compare(field+".exact", t.Exact, func(have, want string) bool { return have == want })
	case len(t.Prefix) > 0:
		return t.compare(field+".prefix", t.Prefix, strings.HasPrefix)
	case len(t.Suffix) > 0:
		return t.compare(field+".suffix", t.Suffix, strings.HasSuffix)
	case len(t.All) > 0:
		parts, err := parseEach(field+".all", t.All)
		return all(parts), err
	case len(t.Any) > 0:
		parts, err := parseEach(field+".any", t.Any)
		return either(parts), err
	case t.Not != nil:
		part, err := t.Not.parse(field + ".not")
		return func(a map[string]string) bool { return !part(a) }, err
	default:
		return nil, fmt.Errorf("%s.cesql: not supported by this broker", field)
	}
}

func (t *filterText) dialects() (n int) {
	for _, given := range []bool{
		len(t.Exact) > 0, len(t.Prefix) > 0, len(t.Suffix) > 0, len(t.All) > 0, len(t.Any) > 0, t.Not != nil, t.CESQL != "",
	} {
		if given {
			n++
		}
	}
	return n
}

func (t *filterText) compare(field string, wanted map[string]string, same func(have, want string) bool) (filter, error) {
	if err := checkAttributes(wanted, false); err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return compare(wanted, same), nil
}

// attributeName matches the attribute names that Knative accepts. CloudEvents also allows
// a digit at the start.
var attributeName = regexp.MustCompile(`^[a-z][a-z0-9]*$`)

func checkAttributes(wanted map[string]string, anyValue bool) error {
	for name, value := range wanted {
		if !attributeName.MatchString(name) {
			return fmt.Errorf("%q is not a name of an attribute", name)
		}
		if value == "" && !anyValue {
			return fmt.Errorf("%s has no value", name)
		}
	}
	return nil
}

// compare returns a filter that selects events for whose attributes same holds for every
// wanted value. A missing attribute is empty, and no wanted value is.
func compare(wanted map[string]string, same func(have, want string) bool) filter {
	return func(attributes map[string]string) bool {
		for name, want := range wanted {
			if !same(attributes[name], want) {
				return false
			}
		}
		return true
	}
}

func all(parts []filter) filter {
	return func(attributes map[string]string) bool {
		for _, part := range parts {
			if !part(attributes) {
				return false
			}
		}
		return true
	}
}

func either(parts []filter) filter {
	return func(attributes map[string]string) bool {
		for _, part := range parts {
			if part(attributes) {
				return true
			}
		}
		return false
	}
}
