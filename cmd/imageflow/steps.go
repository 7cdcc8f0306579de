package main

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/triggers"
)

// gatewayService is the Service that runs pipelines.
const gatewayService = "grpc-gateway"

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
