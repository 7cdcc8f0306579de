package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/triggers"
)

// gatewayService is the Service that runs pipelines.
const gatewayService = "grpc-gateway"

// presets checks the file of presets, and that each Trigger has parameters, presets and pipelines that its Service accepts.
func (c *cluster) presets(ctx context.Context) (string, *finding) {
	set, wrong := c.presetSet(ctx)
	if wrong != nil {
		return "", wrong
	}
	all, err := c.allTriggers(ctx)
	if err != nil {
		return "", &finding{err.Error(), readFirst}
	}
	if err := checkSteps(all, set); err != nil {
		return "", &finding{
			err.Error(),
			c.editTrigger() + ", or add the preset or pipeline to the file of config/components/presets, and deploy",
		}
	}
	known := set.List()
	return fmt.Sprintf("%d presets, %d pipelines; the Triggers' parameters are valid", len(known.Presets), len(known.Pipelines)), nil
}

// presetSet returns the presets of the processors and the gateway, which must all have the same; nil if they have none.
func (c *cluster) presetSet(ctx context.Context) (*presets.Set, *finding) {
	const fix = "deploy with config/components/presets, which gives the processors and the gateway one file"
	file, err := c.presetsFile(ctx)
	if err != nil {
		return nil, &finding{err.Error(), fix}
	}
	if file == (mounted{}) {
		return nil, nil
	}
	var config object
	if err := c.get(ctx, &config, "configmap", file.configMap, "--namespace", c.namespace); err != nil {
		return nil, &finding{err.Error(), fix}
	}
	text, ok := config.Data[file.key]
	if !ok {
		return nil, &finding{fmt.Sprintf("PRESETS_FILE: there is no %s", file), fix}
	}
	set, err := presets.Parse([]byte(text))
	if err != nil {
		return nil, &finding{fmt.Sprintf("%s: %v", file, err), "correct the file of the configMapGenerator in your overlay, and deploy"}
	}
	return set, nil
}

// presetsFile returns the PRESETS_FILE of the processors and the gateway; empty if they have none.
func (c *cluster) presetsFile(ctx context.Context) (file mounted, err error) {
	var services list
	if err := c.get(ctx, &services, "services.serving.knative.dev", "--namespace", c.namespace); err != nil {
		return file, err
	}
	readers := map[mounted][]string{}
	for _, s := range services.Items {
		if _, isProcessor := processors.At(s.Metadata.Name); isProcessor || s.Metadata.Name == gatewayService {
			file = s.file("PRESETS_FILE")
			readers[file] = append(readers[file], s.Metadata.Name)
		}
	}
	if len(readers) < 2 {
		return file, nil
	}
	var differing []string
	for of, names := range readers {
		differing = append(differing, fmt.Sprintf("%s: %s", of, strings.Join(names, ", ")))
	}
	slices.Sort(differing)
	return file, errors.New("PRESETS_FILE is not the same everywhere\n" + strings.Join(differing, "\n"))
}

// checkSteps returns an error for each Trigger whose processor or pipeline does not accept its parameters.
func checkSteps(all []triggers.Trigger, set *presets.Set) error {
	var errs []error
	for _, t := range all {
		ref := t.Spec.Subscriber.Ref
		uri, err := url.Parse(t.Spec.Subscriber.URI)
		if ref == nil || err != nil {
			continue
		}
		name := ""
		if p, isProcessor := processors.At(ref.Name); isProcessor {
			name = p.Name
		} else if ref.Name == gatewayService {
			name = "gateway"
		}
		if i := slices.IndexFunc(role.All, func(r role.Role) bool { return r.Name == name }); i >= 0 {
			err = role.All[i].CheckParameters(set, uri.RawQuery)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: spec.subscriber.uri: %w", t, err))
		}
	}
	return errors.Join(errs...)
}
