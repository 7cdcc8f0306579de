package detect

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"imageflow.dev/internal/inference"
)

// The names of the parameters that describe a layout.
const (
	boxesKey      = "boxes"
	scoresKey     = "scores"
	objectnessKey = "objectness"
	classesKey    = "classes"
	countKey      = "count"
	formKey       = "box_form"
	scaleKey      = "box_scale"
	orderKey      = "order"
	activationKey = "activation"
	nmsKey        = "nms"
)

// customName is the name of a layout that parameters describe.
const customName = "custom"

// customLayout returns the layout that the parameters describe.
func customLayout(parameters map[string]string, outputs []inference.Tensor, d *description) (l layout, err error) {
	p := parameterReader{parameters: parameters, outputNames: d.outputNames}
	l = layout{name: customName, input: defaultPreprocessing, format: format{
		boxes: p.part(boxesKey), scores: p.part(scoresKey), objectness: p.part(objectnessKey),
		classes: p.part(classesKey), count: p.part(countKey),
		form:        boxForm(p.oneOf(formKey, string(xyxy), string(cxcywh), string(xywh), string(yxyx))),
		fractions:   p.oneOf(scaleKey, "pixels", "fractions") == "fractions",
		valuesFirst: p.oneOf(orderKey, "boxes-first", "values-first") == "values-first",
		sigmoid:     p.oneOf(activationKey, "none", "sigmoid") == "sigmoid",
	}}
	l.endToEnd = p.oneOf(nmsKey, "excluded", "included") == "included"
	switch {
	case p.err != nil:
		return l, p.err
	case !l.scores.present:
		return l, fmt.Errorf("the parameter %s describes the boxes, but %s is missing: %s", boxesKey, scoresKey, p.partForm())
	}
	t, err := l.tables(outputs)
	switch {
	case err != nil:
		return l, fmt.Errorf("a parameter of config.pbtxt is wrong: %w", err)
	case t.boxes.width != 4:
		return l, fmt.Errorf("the parameter %s has %d columns instead of 4: %s", boxesKey, t.boxes.width, p.partForm())
	case !l.classes.present && t.scores.width != len(d.names):
		return l, fmt.Errorf("the parameter %s has %d columns, but there are %d names: it needs a column for each, or the "+
			"parameter %s must have the index of the class", scoresKey, t.scores.width, len(d.names), classesKey)
	}
	return l, nil
}

// parameterReader reads parameters and keeps the first error.
type parameterReader struct {
	parameters  map[string]string
	outputNames []string
	err         error
}

// oneOf returns the value of a parameter; the first allowed one is the default.
func (p *parameterReader) oneOf(key string, allowed ...string) string {
	value := p.parameters[key]
	if value == "" {
		return allowed[0]
	}
	if !slices.Contains(allowed, value) && p.err == nil {
		p.err = fmt.Errorf("the parameter %s is %q but must be one of %s", key, value, strings.Join(allowed, ", "))
	}
	return value
}

// partPattern matches a name, and a column or a range of columns in brackets.
var partPattern = regexp.MustCompile(`^(.*?)(?:\[(\d*)(:?)(\d*)\])?$`)

// part reads the name of an output and its columns, as in output0[4:84].
func (p *parameterReader) part(key string) part {
	text := p.parameters[key]
	if text == "" || p.err != nil {
		return part{}
	}
	m := partPattern.FindStringSubmatch(text)
	from, _ := strconv.Atoi(m[2])
	to, _ := strconv.Atoi(m[4])
	if m[2] != "" && m[3] == "" { // one column
		to = from + 1
	}
	output := slices.Index(p.outputNames, m[1])
	if output < 0 || m[4] != "" && to <= from {
		p.err = fmt.Errorf("the parameter %s is %q: %s", key, text, p.partForm())
	}
	return columns(output, from, to)
}

// partForm says how to write a part.
func (p *parameterReader) partForm() string {
	return fmt.Sprintf("it must be the name of an output (%s), and its columns as in %s[0:4], %s[4:] or %s[4]",
		strings.Join(p.outputNames, ", "), p.outputNames[0], p.outputNames[0], p.outputNames[0])
}
