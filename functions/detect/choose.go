package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"imageflow.dev/internal/inference"
)

// choice is the layout of a model, and why.
type choice struct {
	layout layout
	why    string
	// checked means that the values of a run must be plausible.
	checked bool
}

// chooseLayout returns the layout of a model from the outputs of a trial run: the one that the
// parameters describe or name, or the only one that fits the shapes, the metadata and the values.
func chooseLayout(outputs []inference.Tensor, metadata map[string]string, d *description) (choice, error) {
	switch name := metadata[layoutKey]; {
	case metadata[boxesKey] != "":
		l, err := customLayout(metadata, outputs, d)
		return choice{l, "described by parameters", name != customName}, err
	case name != "":
		l, err := namedLayout(name, outputs, d)
		return choice{l, "named by the parameter " + layoutKey, false}, err
	}
	fitting := fittingLayouts(outputs, d)
	if len(fitting) == 0 {
		return choice{}, fmt.Errorf("its %s has no known layout for the task %q, %d classes (the number of its names) and an input "+
			"of %d×%d pixels; the parameter %s in config.pbtxt can name one, and the parameters %s and %s describe any other",
			d.listOutputs(outputs), cmp.Or(d.task, detectTask), len(d.names), d.width, d.height, layoutKey, boxesKey, scoresKey)
	}
	return choosePlausible(fitting, outputs, metadata, d)
}

// chooseReading is chooseLayout, and finds out how to read probabilities of classes.
func chooseReading(outputs []inference.Tensor, metadata map[string]string, d *description) (choice, error) {
	c, err := chooseLayout(outputs, metadata, d)
	if err == nil && c.layout.task == classifyTask {
		err = c.layout.chooseActivation(outputs, metadata)
	}
	return c, err
}

// fittingLayouts returns the layouts that fit the names and shapes of the outputs. Of several
// outputs it is the first one.
func fittingLayouts(outputs []inference.Tensor, d *description) (fitting []layout) {
	for _, l := range slices.Concat(severalOutputs, rowsOfSeven) {
		if l.fits(outputs, d) {
			return []layout{l}
		}
	}
	for _, l := range oneOutput {
		if l.fits(outputs, d) {
			fitting = append(fitting, l)
		}
	}
	return fitting
}

// choosePlausible chooses the layout whose values are the most plausible among those that the
// metadata allows. It refuses the model if values and metadata contradict each other.
func choosePlausible(fitting []layout, outputs []inference.Tensor, metadata map[string]string, d *description) (choice, error) {
	var all, allowed []trial
	contradiction := "its metadata says that it includes non-maximum suppression"
	for _, l := range fitting {
		t := l.try(outputs, d)
		all = append(all, t)
		if c := l.contradiction(metadata, d); c != "" {
			contradiction = c
		} else {
			allowed = append(allowed, t)
		}
	}
	names := strings.Join(layoutNames(fitting), " or ")
	if len(allowed) == 0 {
		return choice{}, fmt.Errorf("its %s has the layout %s, but %s; the parameter %s in config.pbtxt must name the right one",
			d.listOutputs(outputs), names, contradiction, layoutKey)
	}
	likely, _ := best(all)
	candidates := preferred(allowed, metadata)
	t, clear := best(candidates)
	if included, _ := saysNMS(metadata); t.sane <= likely.sane-minLead && !included {
		candidates = allowed // older exports say end2end False although they include it
		t, clear = best(candidates)
	}
	switch {
	case likely.isImplausible():
		return choice{}, d.implausible(outputs, names)
	case t.sane <= likely.sane-minLead:
		return choice{}, fmt.Errorf("the values of its %s have the layout %s, but %s; the parameter %s in config.pbtxt must name "+
			"the right one", d.listOutputs(outputs), likely.layout.name, contradiction, layoutKey)
	case !clear:
		return choice{}, fmt.Errorf("its %s fits the layouts %s: the parameter %s in config.pbtxt must name one, "+
			"or the metadata must have end2end, True or False",
			d.listOutputs(outputs), strings.Join(layoutNames(fitting), " and "), layoutKey)
	}
	return choice{t.layout, reason(len(fitting), len(candidates)), true}, nil
}

// reason says what decided between the layouts that fit.
func reason(fitting, candidates int) string {
	switch {
	case fitting == 1:
		return "the only one for the shapes of its outputs"
	case candidates == 1:
		return "chosen by its metadata"
	}
	return "chosen by its values"
}

// implausible is the error about outputs without plausible boxes.
func (d *description) implausible(outputs []inference.Tensor, names string) error {
	return fmt.Errorf("its %s has no plausible boxes in the layout %s; the parameter %s in config.pbtxt can name another "+
		"one, or this one to use the model nevertheless", d.listOutputs(outputs), names, layoutKey)
}

func namedLayout(name string, outputs []inference.Tensor, d *description) (layout, error) {
	i := slices.IndexFunc(layouts, func(l layout) bool { return l.name == name })
	if i < 0 {
		return layout{}, fmt.Errorf("the parameter %s is %q but must be one of %s; the parameters %s and %s describe any other",
			layoutKey, name, strings.Join(layoutNames(layouts), ", "), boxesKey, scoresKey)
	}
	if _, ok := layouts[i].canRead(outputs, d); !ok {
		return layout{}, fmt.Errorf("its %s cannot have the layout %s for %d classes (the number of its names) and an input "+
			"of %d×%d pixels; without the parameter %s one is chosen",
			d.listOutputs(outputs), name, len(d.names), d.width, d.height, layoutKey)
	}
	return layouts[i], nil
}

func layoutNames(layouts []layout) (names []string) {
	for _, l := range layouts {
		names = append(names, l.name)
	}
	return names
}

// contradiction returns what excludes the layout, or "". Ultralytics' exports have the class of the
// last layer, head, in their metadata.
func (l *layout) contradiction(metadata map[string]string, d *description) string {
	head := metadata["head"]
	switch {
	case head != "" && (head == rtdetrHead) != (l.head == rtdetrHead):
		return fmt.Sprintf("its metadata has the head %q", head)
	case l.name == "rf-detr" && len(d.names) == 90:
		// 91 columns are the category ids of COCO, which begin at 1, or 90 classes and an unused one.
		return "90 names can begin with its first or its second column: list 91"
	}
	return ""
}

// hasNMS reports whether non-maximum suppression was added by the export.
func hasNMS(metadata map[string]string) bool {
	return strings.Contains(metadata["args"], "'nms': True")
}

// saysNMS returns whether the model (end2end) or the export (args) includes non-maximum
// suppression, if Ultralytics' metadata says so.
func saysNMS(metadata map[string]string) (included, known bool) {
	endToEnd, err := strconv.ParseBool(metadata["end2end"])
	return endToEnd || hasNMS(metadata), err == nil || hasNMS(metadata)
}

// preferred drops the layouts that do not include non-maximum suppression as the metadata says,
// if others remain.
func preferred(trials []trial, metadata map[string]string) []trial {
	included, known := saysNMS(metadata)
	denied := func(t trial) bool { return known && included != strings.HasPrefix(t.layout.name, "end-to-end") }
	if others := slices.DeleteFunc(slices.Clone(trials), denied); len(others) > 0 {
		return others
	}
	return trials
}

// listOutputs describes the outputs of a model, for people.
func (d *description) listOutputs(outputs []inference.Tensor) string {
	if len(outputs) == 1 {
		return fmt.Sprintf("output %v", outputs[0].Shape)
	}
	var texts []string
	for i, out := range outputs {
		texts = append(texts, fmt.Sprintf("%s %v", d.outputNames[i], out.Shape))
	}
	return "outputs " + strings.Join(texts, ", ")
}
