package broker

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// filter is one expression of the CloudEvents Subscriptions API: exactly one of
// its dialects. CESQL is not among them.
type filter struct {
	Exact  map[string]string `json:"exact"`
	Prefix map[string]string `json:"prefix"`
	Suffix map[string]string `json:"suffix"`
	All    []filter          `json:"all"`
	Any    []filter          `json:"any"`
	Not    *filter           `json:"not"`
}

// attributesFilter is the older form: every attribute must be equal; an empty
// value asks only that it is there.
type attributesFilter struct {
	Attributes map[string]string `json:"attributes"`
}

func (f filter) check() error {
	dialects := 0
	for _, given := range []bool{f.Exact != nil, f.Prefix != nil, f.Suffix != nil, f.All != nil, f.Any != nil, f.Not != nil} {
		if given {
			dialects++
		}
	}
	if dialects != 1 {
		return fmt.Errorf("%d dialects given: must be exactly one of exact, prefix, suffix, all, any, not", dialects)
	}
	var bad []error
	for _, attributes := range []map[string]string{f.Exact, f.Prefix, f.Suffix} {
		for name, value := range attributes {
			if name == "" || value == "" {
				bad = append(bad, errors.New("attributes and their values must not be empty"))
			}
		}
	}
	for _, nested := range append(append([]filter{}, f.All...), f.Any...) {
		bad = append(bad, nested.check())
	}
	if f.Not != nil {
		bad = append(bad, f.Not.check())
	}
	return errors.Join(bad...)
}

// passes tells whether an event passes the filter. A missing attribute passes
// no comparison.
func (f filter) passes(e *event.Event) bool {
	switch {
	case f.Exact != nil:
		return compare(e, f.Exact, func(value, want string) bool { return value == want })
	case f.Prefix != nil:
		return compare(e, f.Prefix, strings.HasPrefix)
	case f.Suffix != nil:
		return compare(e, f.Suffix, strings.HasSuffix)
	case f.Not != nil:
		return !f.Not.passes(e)
	case f.Any != nil:
		for _, nested := range f.Any {
			if nested.passes(e) {
				return true
			}
		}
		return false
	}
	for _, nested := range f.All {
		if !nested.passes(e) {
			return false
		}
	}
	return true
}

func compare(e *event.Event, attributes map[string]string, equal func(value, want string) bool) bool {
	for name, want := range attributes {
		if value, ok := attribute(e, name); !ok || !equal(value, want) {
			return false
		}
	}
	return true
}

// passes tells whether an event has all the attributes.
func (f *attributesFilter) passes(e *event.Event) bool {
	for name, want := range f.Attributes {
		if value, ok := attribute(e, name); !ok || want != "" && value != want {
			return false
		}
	}
	return true
}

// attribute returns a context attribute or an extension as text.
func attribute(e *event.Event, name string) (string, bool) {
	var value string
	switch name {
	case "specversion":
		value = e.SpecVersion()
	case "type":
		value = e.Type()
	case "source":
		value = e.Source()
	case "subject":
		value = e.Subject()
	case "id":
		value = e.ID()
	case "time":
		if e.Time().IsZero() {
			return "", false
		}
		value = types.FormatTime(e.Time())
	case "dataschema":
		value = e.DataSchema()
	case "datacontenttype":
		value = e.DataContentType()
	default:
		extension, ok := e.Extensions()[name]
		if !ok {
			return "", false
		}
		text, err := types.Format(extension)
		return text, err == nil
	}
	return value, value != ""
}

// passes tells whether the Trigger wants an event: all of its filters agree.
func (t triggerSpec) passes(e *event.Event) bool {
	if t.Filter != nil && !t.Filter.passes(e) {
		return false
	}
	for _, f := range t.Filters {
		if !f.passes(e) {
			return false
		}
	}
	return true
}
