package console

import (
	"os"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/queryparams"
)

// contractTexts are the comments that the gateway serves.
func contractTexts(t *testing.T) texts {
	t.Helper()
	file, err := os.Open("../gateway/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	read, err := readTexts(file)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func controlsOf(t *testing.T, processor processors.Info) (groups []controlGroup, all []control) {
	t.Helper()
	_, req := newStep(processor)
	groups = groupsOf(req.ProtoReflect().Descriptor(), contractTexts(t))
	for _, g := range groups {
		all = append(all, g.Controls...)
	}
	return groups, all
}

// TestControls_areOfTheContract: each control is a parameter that the steps read, with the contract's help, and the first
// ones are those with which each processor began.
func TestControls_areOfTheContract(t *testing.T) {
	common := map[string][]string{
		"resize": {"target_width", "target_height", "maintain_aspect_ratio", "quality"},
		"detect": {"model_name", "confidence_threshold", "nms_threshold", "draw_boxes"},
		"filter": {"filter_type", "intensity", "parameters"},
	}
	for _, p := range processors.All {
		_, req := newStep(p)
		groups, all := controlsOf(t, p)
		var first []string
		for _, c := range groups[0].Controls {
			first = append(first, c.Parameter)
		}
		if !slices.Equal(first, common[p.Name]) {
			t.Errorf("%s: the first parameters are %q", p.Name, first)
		}
		missing := 0
		for _, c := range all {
			if queryparams.Path(req, c.Parameter) == nil {
				t.Errorf("%s: no parameter %s", p.Name, c.Parameter)
			}
			if c.Help == "" {
				missing++
			}
			for _, set := range setByPipeline {
				if strings.HasPrefix(c.Parameter+".", string(set)+".") {
					t.Errorf("%s: %s, which the pipeline sets, has a control", p.Name, c.Parameter)
				}
			}
		}
		if missing > len(all)/4 {
			t.Errorf("%s: %d of %d controls have no help", p.Name, missing, len(all))
		}
	}
}

func TestControls_kindsAndLimits(t *testing.T) {
	want := map[string]control{
		"target_width":     {Kind: numberControl, Min: "0", Max: "16383", Step: "1", Limits: "from 0 to 16383"},
		"dpr":              {Kind: numberControl, Min: "0.1", Max: "8", Step: "any", Limits: "from 0.1 to 8"},
		"enlarge":          {Kind: checkControl},
		"rotate":           {Kind: choiceControl, Choices: []string{"0", "90", "180", "270"}, Step: "1"},
		"flip":             {Kind: choiceControl, Choices: []string{"FLIP_HORIZONTAL", "FLIP_VERTICAL"}},
		"encoding.quality": {Kind: numberControl, Min: "0", Max: "100", Step: "1", Limits: "from 0 to 100"},
		"crop.width":       {Kind: numberControl, Step: "any", Limits: "above 0"},
		"encoding.accept":  {Kind: linesControl, Limits: "at most items: 32"},
		"trim.tolerance":   {Kind: numberControl, Min: "0", Max: "255", Step: "1", Limits: "from 0 to 255"},
		"renditions":       {Kind: jsonControl, Limits: "at most items: 16"},
		"variant":          {Kind: textControl},
	}
	_, all := controlsOf(t, processors.Resize)
	for name, w := range want {
		at := slices.IndexFunc(all, func(c control) bool { return c.Parameter == name })
		if at < 0 {
			t.Errorf("no control for %s", name)
			continue
		}
		got := all[at]
		if got.Kind != w.Kind || got.Min != w.Min || got.Max != w.Max || got.Step != w.Step || got.Limits != w.Limits ||
			!slices.Equal(got.Choices, w.Choices) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	at := slices.IndexFunc(all, func(c control) bool { return c.Parameter == "fit" })
	if !strings.Contains(all[at].More, "FIT_COVER: ") {
		t.Errorf("the values of fit have no help: %q", all[at].More)
	}
}

// TestControls_withoutTexts: a gateway that does not answer leaves the controls.
func TestControls_withoutTexts(t *testing.T) {
	_, req := newStep(processors.Filter)
	groups := groupsOf(req.ProtoReflect().Descriptor(), nil)
	if len(groups[0].Controls) != 3 || len(groups[0].Controls[0].Choices) < 9 {
		t.Errorf("%+v", groups[0])
	}
}
