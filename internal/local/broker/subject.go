package broker

import "strings"

// The subject of an event has the event's type, so that the store hands an event only to
// the Triggers that may select its type. A Trigger then evaluates its whole filter:
//
//	events.<namespace>.<Broker>.<part of the type>.<part of the type> ...

// typeFilter is the condition of a Trigger on the type of an event. The zero value selects
// every type.
type typeFilter struct {
	text  string
	exact bool // whether the type must be the text, or else start with it
}

// newTypeFilter returns a condition that all events meet that the filters of a Trigger
// select.
func newTypeFilter(legacy *legacyFilterText, filters []filterText) typeFilter {
	if legacy != nil {
		return typeFilter{legacy.Attributes["type"], legacy.Attributes["type"] != ""}
	}
	for _, f := range filters {
		switch inner := newTypeFilter(nil, f.All); {
		case f.Exact["type"] != "":
			return typeFilter{f.Exact["type"], true}
		case f.Prefix["type"] != "":
			return typeFilter{f.Prefix["type"], false}
		case inner.text != "":
			return inner
		}
	}
	return typeFilter{}
}

// subjects returns the subjects of a Broker's events that meet the condition. The first
// subject is of events that were stored before subjects had types.
func (f typeFilter) subjects(broker resource) []string {
	all := subject(eventStream, broker)
	if f.exact {
		return []string{all, eventSubject(broker, f.text)}
	}
	known := typeParts(f.text)
	known = append(known[:len(known)-1], ">") // the last part of a prefix may be incomplete
	return []string{all, all + "." + strings.Join(known, ".")}
}

// eventSubject returns the subject of an event for a Broker.
func eventSubject(broker resource, eventType string) string {
	return subject(eventStream, broker) + "." + strings.Join(typeParts(eventType), ".")
}

// maxTypeParts and maxPartBytes bound the length of a subject.
const maxTypeParts, maxPartBytes = 8, 64

// typeParts returns the first parts of an event type between its dots, as NATS allows them
// in subjects. Equal types have equal parts.
func typeParts(eventType string) []string {
	parts := strings.SplitN(eventType, ".", maxTypeParts+1)
	parts = parts[:min(len(parts), maxTypeParts)]
	for i, part := range parts {
		parts[i] = "_" + strings.Map(subjectRune, part[:min(len(part), maxPartBytes)]) // no part is empty
	}
	return parts
}

// subjectRune returns a rune that may be in a subject. Different runes may become equal.
func subjectRune(r rune) rune {
	if r <= ' ' || r > '~' || r == '*' || r == '>' {
		return '_'
	}
	return r
}

// subject returns the subject of a Broker's events, without their type, or of a Trigger's
// dead letters. Dots separate the parts of a subject. Names of Kubernetes have no
// underscore, so token replaces their dots by underscores.
func subject(stream string, p resource) string {
	return stream + "." + token(p.namespace) + "." + token(p.name)
}

// consumerName returns the name of a Trigger's consumer.
func consumerName(p resource) string { return token(p.namespace) + "_" + token(p.name) }

func token(name string) string { return strings.ReplaceAll(name, ".", "_") }
