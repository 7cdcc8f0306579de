package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/local/broker"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/processors"
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
	if len(f) == 0 {
		f = folders{"eventing"}
	}
	m := &broker.Manifests{}
	for _, folder := range f {
		if err := m.AddFolder(os.DirFS(folder)); err != nil {
			return nil, fmt.Errorf("folder %s: %w", folder, err)
		}
	}
	return m, checkSteps(m, set)
}

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

// writers returns the Triggers that write what a Trigger does: itself, or one for each processor and variant of
// the pipeline that it runs, since the later steps of one processor have names of their own. The last one is that
// of the pipeline's last step, which alone sends an event.
func writers(t triggers.Trigger, set *presets.Set) (all []triggers.Trigger) {
	uri, err := url.Parse(t.Spec.Subscriber.URI)
	if err != nil || !uri.Query().Has("pipeline") {
		return []triggers.Trigger{t}
	}
	steps, err := set.Pipeline(uri.Query().Get("pipeline"))
	if err != nil {
		return nil // another check reports it
	}
	variant := ""
	for _, s := range steps {
		m := s.ProtoReflect()
		field := m.WhichOneof(m.Descriptor().Oneofs().ByName("processor"))
		p, _ := processors.Named(string(field.Name()))
		variant = cmp.Or(m.Get(field).Message().Interface().(interface{ GetVariant() string }).GetVariant(), variant)
		ref := *t.Spec.Subscriber.Ref
		ref.Name = p.Host
		step := t
		step.Spec.Subscriber.Ref, step.Spec.Subscriber.URI = &ref, "/?variant="+variant
		all = append(slices.DeleteFunc(all, func(other triggers.Trigger) bool {
			return other.Spec.Subscriber.Ref.Name == ref.Name && other.Spec.Subscriber.URI == step.Spec.Subscriber.URI
		}), step)
	}
	for i := range len(all) - 1 {
		all[i].IsInner = true
	}
	return all
}

// checkSteps rejects Triggers whose parameters the processor would reject, and
// Triggers that would overwrite each other's outputs.
func checkSteps(m *broker.Manifests, set *presets.Set) error {
	var errs []error
	var all []triggers.Trigger
	for step := range m.Steps() {
		t := triggers.Trigger{Location: step.Location}
		errs = append(errs, json.Unmarshal(step.Trigger, &t))
		all = append(all, writers(t, set)...)
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
	return errors.Join(append(errs, triggers.Check(all))...)
}
