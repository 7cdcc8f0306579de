package console

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The kinds of controls.
const (
	checkControl  = "check"  // a checkbox, whose value is true
	choiceControl = "choice" // one of some texts
	numberControl = "number"
	textControl   = "text"
	linesControl  = "lines" // a list, with one item in a line
	pairsControl  = "pairs" // a map, with one name=value in a line
	jsonControl   = "json"  // a list of messages
)

// control is a control of a form for one parameter of a step.
type control struct {
	// Parameter is the name in the contract, with a dot before the field of a field: encoding.quality.
	Parameter, Kind string
	// Choices are the values of a choice beside the empty one.
	Choices []string
	// Min, Max and Step are limits of a number; empty if there is none.
	Min, Max, Step string
	// Limits describes what the contract permits, for people.
	Limits string
	// Help is the first sentence of the contract's comment, and More has the others and those of the type.
	Help, More string

	// ID, Name, Value and Problem belong to the control in a page.
	ID, Name, Value, Problem string
}

// IsTrue reports whether a checkbox is checked.
func (c control) IsTrue() bool {
	isTrue, _ := strconv.ParseBool(c.Value)
	return isTrue
}

// Placeholder returns what the lines of a control have.
func (c control) Placeholder() string {
	return map[string]string{linesControl: "one in a line", pairsControl: "name=value, one in a line", jsonControl: "[{…}]"}[c.Kind]
}

// controlGroup are the controls of one step that belong together.
type controlGroup struct {
	// Title is the name of a field that is a message, or empty.
	Title, Help string
	Controls    []control
	// IsOpen shows the group although it has no common parameters.
	IsOpen bool
}

// setByPipeline are the fields of a step's request that the pipeline sets; the rule is at PipelineStep in the contract.
var setByPipeline = []protoreflect.Name{"input_image", "input_bytes", "output_image", "execution_id"}

// maxControlDepth is the depth of messages in messages that have controls.
const maxControlDepth = 3

// groupsOf returns the controls for the request of a processor. The first group has the common parameters: those with
// lower numbers than execution_id, with which each processor began. The second has the other simple ones.
func groupsOf(request protoreflect.MessageDescriptor, t texts) []controlGroup {
	groups := []controlGroup{{}, {}}
	first := request.Fields().ByName("execution_id").Number()
	fields := request.Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case slices.Contains(setByPipeline, f.Name()):
		case f.Message() != nil && !f.IsList() && !f.IsMap():
			g := controlGroup{Title: string(f.Name()), Help: t.of(string(request.Name()), string(f.Name()))}
			g.add(f.Message(), g.Title+".", t, 1)
			if len(g.Controls) > 0 {
				groups = append(groups, g)
			}
		case f.Number() < first:
			groups[0].addField(f, "", t)
		default:
			groups[1].addField(f, "", t)
		}
	}
	return groups
}

// add adds the controls of a message's fields.
func (g *controlGroup) add(m protoreflect.MessageDescriptor, prefix string, t texts, depth int) {
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		isMessage := f.Message() != nil && !f.IsList() && !f.IsMap()
		switch {
		case isMessage && depth < maxControlDepth && f.Message().ParentFile().Package() == m.ParentFile().Package():
			g.add(f.Message(), prefix+string(f.Name())+".", t, depth+1)
		case !isMessage:
			g.addField(f, prefix, t)
		}
	}
}

// addField adds the control of a field that is no single message. Bytes have none, and neither has what the server sets.
func (g *controlGroup) addField(f protoreflect.FieldDescriptor, prefix string, t texts) {
	text := t.of(string(f.ContainingMessage().Name()), string(f.Name()))
	if f.Kind() == protoreflect.BytesKind || strings.HasSuffix(text, "set by the server.") {
		return
	}
	c := control{Parameter: prefix + string(f.Name()), Kind: kindOf(f)}
	c.Help, c.More = firstSentence(text)
	if f.Enum() != nil {
		for i := range f.Enum().Values().Len() {
			if v := f.Enum().Values().Get(i); v.Number() != 0 {
				c.Choices = append(c.Choices, string(v.Name()))
			}
		}
		c.More = strings.TrimSpace(c.More + "\n\n" + t[string(f.Enum().Name())].Description)
	}
	if f.IsList() && f.Message() != nil {
		c.More = strings.TrimSpace(c.More + "\n\n" + jsonHint(f.Message(), t))
	}
	c.limit(f)
	g.Controls = append(g.Controls, c)
}

// jsonHint describes the messages of a list.
func jsonHint(m protoreflect.MessageDescriptor, t texts) string {
	var names []string
	for i := range m.Fields().Len() {
		names = append(names, `"`+string(m.Fields().Get(i).Name())+`": …`)
	}
	return "A list in JSON: [{" + strings.Join(names, ", ") + "}]\n\n" + t[string(m.Name())].Description
}

func kindOf(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return pairsControl
	case f.IsList() && f.Message() != nil:
		return jsonControl
	case f.IsList():
		return linesControl
	case f.Enum() != nil, f.Kind() == protoreflect.BoolKind && f.HasPresence():
		return choiceControl
	case f.Kind() == protoreflect.BoolKind:
		return checkControl
	case f.Kind() == protoreflect.StringKind:
		return textControl
	}
	return numberControl
}

// limit sets what the rules of a field say about the values.
func (c *control) limit(f protoreflect.FieldDescriptor) {
	if c.Kind == choiceControl && f.Enum() == nil {
		c.Choices = []string{"true", "false"}
	}
	if c.Kind == numberControl {
		c.Step = "1"
		if f.Kind() == protoreflect.FloatKind || f.Kind() == protoreflect.DoubleKind {
			c.Step = "any"
		}
	}
	rule := rulesOf(f)
	c.Min, c.Max = rule("gte"), rule("lte")
	if in := rule("in"); in != "" && c.Kind == numberControl {
		c.Kind, c.Choices = choiceControl, strings.Split(in, " ")
	}
	above, below := rule("gt"), rule("lt")
	for _, part := range []struct{ words, value string }{
		{"from ", c.Min}, {"above ", above}, {"to ", c.Max}, {"below ", below}, {"at most characters: ", rule("max_len")},
		{"at most bytes: ", rule("max_bytes")}, {"at most items: ", rule("max_items")}, {"at most entries: ", rule("max_pairs")},
	} {
		if part.value != "" {
			c.Limits = strings.TrimSpace(c.Limits + " " + part.words + part.value)
		}
	}
}

// rulesOf returns a function that returns the value of a field's rule as text, empty if there is none.
func rulesOf(f protoreflect.FieldDescriptor) func(name string) string {
	rules, err := protovalidate.ResolveFieldRules(f)
	if err != nil || rules == nil {
		return func(string) string { return "" }
	}
	all := rules.ProtoReflect()
	kind := all.WhichOneof(all.Descriptor().Oneofs().ByName("type"))
	if kind == nil {
		return func(string) string { return "" }
	}
	own := all.Get(kind).Message()
	return func(name string) string {
		rule := own.Descriptor().Fields().ByName(protoreflect.Name(name))
		switch {
		case rule == nil || !own.Has(rule):
			return ""
		case rule.IsList():
			var texts []string
			for i := range own.Get(rule).List().Len() {
				texts = append(texts, valueText(rule, own.Get(rule).List().Get(i)))
			}
			return strings.Join(texts, " ")
		}
		return valueText(rule, own.Get(rule))
	}
}

func valueText(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch f.Kind() {
	case protoreflect.FloatKind:
		return strconv.FormatFloat(v.Float(), 'g', -1, 32)
	case protoreflect.DoubleKind:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	return v.String()
}

var sentence = regexp.MustCompile(`(?s)^.*?[.](\s|$)`)

// firstSentence returns the first sentence of a text and the rest.
func firstSentence(text string) (first, rest string) {
	first = sentence.FindString(text)
	if first == "" {
		first = text
	}
	return strings.TrimSpace(first), strings.TrimSpace(strings.TrimPrefix(text, first))
}
