package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/local/broker"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/triggers"
)

// folders lists the folders with manifests, in reading order.
type folders []string

// eventingFlag adds the flag --eventing.
func eventingFlag(f *flag.FlagSet) *folders {
	given := &folders{}
	f.Func("eventing",
		"`folders` with the manifests of broker and Triggers, separated by commas; may be repeated (default \"eventing\")",
		func(text string) error {
			*given = append(*given, strings.Split(text, ",")...)
			return nil
		})
	return given
}

// manifests reads the folders and checks every step, which may name presets.
func (f folders) manifests(c role.PresetsFile) (*broker.Manifests, error) {
	set, err := c.Presets()
	if err != nil {
		return nil, err
	}
	m := &broker.Manifests{}
	for _, folder := range f.orDefault() {
		if err := m.AddFolder(os.DirFS(folder)); err != nil {
			return nil, fmt.Errorf("folder %s: %w", folder, err)
		}
	}
	return m, checkSteps(m, set)
}

func (f folders) orDefault() folders {
	if len(f) == 0 {
		return folders{"eventing"}
	}
	return f
}

// files returns the files of the folders.
func (f folders) files() ([]triggers.File, error) { return triggers.ReadFiles(f.orDefault()) }

// parameterCheck returns the check of a Service's step parameters, or nil if the Service
// has none. The check accepts any model name.
func parameterCheck(service string) func(set *presets.Set, query string) error {
	name, _ := part(service)
	for _, r := range role.All {
		if r.Name == name {
			return r.CheckParameters
		}
	}
	return nil
}

// checkSteps rejects Triggers whose parameters the processor would reject, and
// Triggers that would overwrite each other's outputs.
func checkSteps(m *broker.Manifests, set *presets.Set) error {
	all, err := triggersOf(m)
	errs := []error{err}
	for step := range m.Steps() {
		check := parameterCheck(step.Service)
		if check == nil {
			continue
		}
		err := check(set, step.URI.RawQuery)
		if path := step.URI.Path; path != "" && path != "/" {
			err = fmt.Errorf("%s accepts events at /, not at %s", step.Service, path)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: spec.subscriber.uri: %w", step.Location, err))
		}
	}
	return errors.Join(append(errs, triggers.Check(triggers.Expand(all, set)))...)
}

// triggersOf returns the Triggers of the steps.
func triggersOf(m *broker.Manifests) (all []triggers.Trigger, err error) {
	for step := range m.Steps() {
		t := triggers.Trigger{Location: step.Location}
		err = errors.Join(err, json.Unmarshal(step.Trigger, &t))
		all = append(all, t)
	}
	return all, err
}

// checkOutputs rejects Triggers whose steps write to a bucket in which the processors may not write.
func (s *settings) checkOutputs(m *broker.Manifests) error {
	var c struct {
		WriteTo objects.AllowList `envconfig:"WRITE_TO"`
	}
	if err := role.Load(&c); err != nil {
		return err
	}
	c.WriteTo = s.allowed(c.WriteTo)
	all, err := triggersOf(m)
	set, err2 := s.presets.Presets()
	errs := []error{err, err2}
	for _, t := range triggers.Expand(all, set) {
		for _, bucket := range t.OutputBuckets(s.bucket) {
			if len(c.WriteTo.Prefixes(bucket, "")) == 0 {
				errs = append(errs, fmt.Errorf("%s: writes to bucket %.64q, which is not in WRITE_TO; "+
					"without WRITE_TO, the flag -buckets names it", t, bucket))
			}
		}
	}
	return errors.Join(errs...)
}
