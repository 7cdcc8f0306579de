package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"imageflow.dev/functions"
	"imageflow.dev/functions/detect"
	"imageflow.dev/functions/filter"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/event"
	"imageflow.dev/internal/local/broker"
	"imageflow.dev/internal/triggers"
)

// folders are those of the manifests, in the order of their reading.
type folders []string

// eventingFlag adds the flag that names them.
func eventingFlag(f *flag.FlagSet) *folders {
	given := &folders{}
	f.Func("eventing", "`folders` of the broker's and the triggers' manifests, with commas between them; may be given several times (default \"eventing\")",
		func(text string) error {
			*given = append(*given, strings.Split(text, ",")...)
			return nil
		})
	return given
}

// manifests reads the folders, and checks every step.
func (f folders) manifests() (*broker.Manifests, error) {
	if len(f) == 0 {
		f = folders{"eventing"}
	}
	m := &broker.Manifests{}
	for _, folder := range f {
		if err := m.AddFolder(os.DirFS(folder)); err != nil {
			return nil, fmt.Errorf("folder %s: %w", folder, err)
		}
	}
	return m, checkSteps(m)
}

// stepChecks say of the parts that are processors which parameters they take.
// Which models there are is not known here.
var stepChecks = map[string]func(query string) error{
	"resize": check(resize.Processor),
	"detect": check(anyModel(detect.New(nil))),
	"filter": check(filter.Processor),
}

// anyModel returns the detect processor without its check of the model's name.
func anyModel(p functions.Processor) functions.Processor {
	p.Check = nil
	return p
}

func check(p functions.Processor) func(string) error {
	return func(query string) error { return event.CheckParameters(p, query) }
}

// checkSteps finds the Triggers whose every event would be refused, and those that
// would write over each other's outputs.
func checkSteps(m *broker.Manifests) error {
	var errs []error
	var all []triggers.Trigger
	for step := range m.Steps() {
		t := triggers.Trigger{Place: step.Place}
		errs = append(errs, json.Unmarshal(step.Trigger, &t))
		all = append(all, t)
		check := stepChecks[services[step.Service]]
		if check == nil {
			continue
		}
		err := check(step.URI.RawQuery)
		if path := step.URI.Path; path != "" && path != "/" {
			err = fmt.Errorf("events are taken at /, not at %s", path)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: spec.subscriber.uri: %w", step.Place, err))
		}
	}
	return errors.Join(append(errs, triggers.Check(all))...)
}
