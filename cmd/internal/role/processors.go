package role

import (
	"context"

	"imageflow.dev/functions"
	"imageflow.dev/functions/detect"
	"imageflow.dev/functions/filter"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/event"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/telemetry"
)

// processorRoles are the roles of the processors, one for each entry of
// processors.All.
var processorRoles = []Role{
	plain(resize.Processor, describing),
	withModels(detect.New(nil)),
	plain(filter.Processor),
}

// plain returns the role of a processor that needs no settings of its own, with further services.
func plain(p functions.Processor, beside ...service) Role {
	r := roleOf(p)
	r.Config = func() Config { return &ProcessorConfig{} }
	r.Listen = func(_ context.Context, c Config, t *telemetry.Tracing) (Process, error) {
		config := c.(*ProcessorConfig)
		if err := checkPresets(p, config.PresetsFile); err != nil {
			return nil, err
		}
		return processor(*config, t, p, beside...)
	}
	return r
}

// withModels returns the role of detect. Its step parameters and presets are checked without the
// name of the model: the models are known only when the role runs.
func withModels(p functions.Processor) Role {
	p.Check = nil
	r := roleOf(p)
	r.Config = func() Config { return &DetectConfig{} }
	r.Listen = func(ctx context.Context, c Config, t *telemetry.Tracing) (Process, error) {
		config := c.(*DetectConfig)
		if err := checkPresets(p, config.PresetsFile); err != nil {
			return nil, err
		}
		return listenDetect(ctx, config, t)
	}
	return r
}

// roleOf returns the part of a role that all processors have in common.
func roleOf(p functions.Processor) Role {
	return Role{
		Name: p.Name, Summary: p.Summary,
		CheckParameters: func(set *presets.Set, query string) error { return event.CheckParameters(p, set, query) },
	}
}
