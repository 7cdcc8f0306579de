package triggers

import (
	"fmt"
	"strings"

	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/processors"
)

// severalDetections returns the Triggers that take the detection before them although there are several, none of which
// another Trigger has taken.
func severalDetections(all []Trigger, ways []path) (problems []Problem) {
	reported := map[int]bool{}
	for _, p := range ways {
		if !all[p.last()].takesDetection() || reported[p.last()] {
			continue
		}
		var detections []string
		for _, i := range p.steps[:len(p.steps)-1] {
			_, service := all[i].service()
			switch {
			case service == processors.Detect.Host:
				detections = append(detections, all[i].String())
			case all[i].takesDetection():
				detections = nil
			}
		}
		if len(detections) > 1 {
			reported[p.last()] = true
			problems = append(problems, problem(WrongParameters, fmt.Sprintf("%s takes only the last detection, but %s detect: "+
				"let a step take each before the next one", all[p.last()], strings.Join(detections, " and ")), all[p.last()]))
		}
	}
	return problems
}

// takesDetection reports whether the parameters of the step take the side-car of the detection before it.
func (t Trigger) takesDetection() bool {
	req := t.request()
	return req != nil && presets.Detected(req) != nil
}
