package triggers

import (
	"fmt"
	"slices"
	"strings"
)

// bucketSource begins the source of an upload's event; the name of the bucket follows.
const bucketSource = "minio:s3.."

// Source selects uploads. Every field that is not empty must match.
type Source struct {
	// Type is the type of the event or its start.
	Type string
	// Bucket and Key select one of them, Prefix and Suffix keys that begin and end so.
	Bucket, Key, Prefix, Suffix string
	// Excluded are the prefixes of keys that are not selected.
	Excluded []string
	// Conditions are all others, for people.
	Conditions []string
}

// sources returns the uploads that the filters of a Trigger select: those that any source does.
func sources(t Trigger) (found []Source) {
	terms, ok := expand(t.filters(), true, true)
	if !ok {
		return []Source{{Conditions: []string{"filters with too many alternatives to list"}}}
	}
	unknown := expressions(t.filters())
	for _, alternative := range terms {
		if _, possible := (path{}).qualify(alternative); !possible || !alternative.satisfiable() {
			continue
		}
		s := Source{}
		for _, l := range alternative {
			s.add(l)
		}
		s.Conditions = append(s.Conditions, unknown...)
		slices.Sort(s.Excluded)
		slices.Sort(s.Conditions)
		found = append(found, s)
	}
	return found
}

// add adds a literal to a source.
func (s *Source) add(l literal) {
	var field *string
	value := l.value
	switch {
	case l.negated && l.attribute == "subject" && l.kind == prefix:
		s.Excluded = append(s.Excluded, value)
		return
	case l.negated:
	case l.attribute == "type" && l.kind != suffix:
		field = &s.Type
	case l.attribute == "source" && l.kind == exact && strings.HasPrefix(value, bucketSource):
		field, value = &s.Bucket, strings.TrimPrefix(value, bucketSource)
	case l.attribute == "subject":
		field = map[kind]*string{exact: &s.Key, prefix: &s.Prefix, suffix: &s.Suffix}[l.kind]
	}
	switch {
	case field == nil:
		s.Conditions = append(s.Conditions, l.String())
	case len(value) > len(*field): // of several prefixes that are all there, the longest
		*field = value
	}
}

// String returns the literal as a sentence.
func (l literal) String() string {
	text := fmt.Sprintf("%s %s %q", l.attribute, [...]string{"is", "begins with", "ends with"}[l.kind], l.value)
	if l.negated {
		return "not (" + text + ")"
	}
	return text
}

// expressions returns the CESQL expressions in filters, which are not evaluated.
func expressions(filters []Filter) (found []string) {
	for _, f := range filters {
		if f.CESQL != "" {
			found = append(found, "CESQL: "+f.CESQL)
		}
		found = append(found, expressions(slices.Concat(f.All, f.Any))...)
		if f.Not != nil {
			found = append(found, expressions([]Filter{*f.Not})...)
		}
	}
	return found
}
