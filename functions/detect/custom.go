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
func customLayout(metadata map[string]string, outputs []inference.Tensor, d *description) (l layout, err error) {
	p := layoutParameters{parameters: parameters{values: metadata}, outputNames: d.outputNames}
	l = layout{name: customName, input: defaultPreprocessing, format: format{
		boxes: p.part(boxesKey), scores: p.part(scoresKey), objectness: p.part(objectnessKey),
		classes: p.part(classesKey), count: p.part(countKey),
		form:        boxForm(p.choice(formKey, string(xyxy), string(cxcywh), string(xywh), string(yxyx))),
		fractions:   p.choice(scaleKey, "pixels", "fractions") == "fractions",
		valuesFirst: p.choice(orderKey, "boxes-first", "values-first") == "values-first",
		sigmoid:     p.choice(activationKey, "none", "sigmoid") == "sigmoid",
	}}
	l.endToEnd = p.choice(nmsKey, "excluded", "included") == "included"
	switch {
	case p.err != nil:
		return l, p.err
	case !l.scores.present:
		return l, fmt.Errorf("the parameter %s describes the boxes, but %s is missing: %s", boxesKey, scoresKey, p.partForm())
	}
	t, err := l.tables(outputs)
	switch {
	case err != nil:
		return l, fmt.Errorf("the parameter %w; %s", err, p.partForm())
	case !l.classes.present && t.scores.width != len(d.names):
		return l, fmt.Errorf("the parameter %s has %d columns, but there are %d names: it needs a column for each, or the "+
			"parameter %s must have the index of the class", scoresKey, t.scores.width, len(d.names), classesKey)
	}
	return l, nil
}

// layoutParameters reads parameters about the outputs.
type layoutParameters struct {
	parameters
	outputNames []string
}

// partPattern matches a name, and a column or a range of columns in brackets.
var partPattern = regexp.MustCompile(`^(.*?)(?:\[(\d*)(:?)(\d*)\])?$`)

// part reads the name of an output and its columns, as in output0[4:84].
func (p *layoutParameters) part(key string) part {
	text := p.values[key]
	if text == "" {
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
		p.fail("the parameter %s is %q: %s", key, text, p.partForm())
	}
	return columns(output, from, to)
}

// partForm says how to write a part.
func (p *layoutParameters) partForm() string {
	return fmt.Sprintf("it must be the name of an output (%s), and its columns as in %s[0:4], %s[4:] or %s[4]",
		strings.Join(p.outputNames, ", "), p.outputNames[0], p.outputNames[0], p.outputNames[0])
}
