package role

import (
	"context"

	"imageflow.dev/functions"
	"imageflow.dev/functions/detect"
	"imageflow.dev/functions/filter"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/event"
	"imageflow.dev/internal/telemetry"
)

// processorRoles are the roles of the processors, one for each entry of
// processors.All.
var processorRoles = []Role{
	plain(resize.Processor),
	withModels(detect.New(nil)),
	plain(filter.Processor),
}

// plain returns the role of a processor that needs no settings of its own.
func plain(p functions.Processor) Role {
	return ofProcessor(p, func(_ context.Context, c *ProcessorConfig, t *telemetry.Tracing) (Process, error) {
		return processor(*c, t, p)
	})
}

// withModels returns the role of detect. Its step parameters are checked without the
// name of the model: the models are known only when the role runs.
func withModels(p functions.Processor) Role {
	p.Check = nil
	return ofProcessor(p, listenDetect)
}

// ofProcessor makes the role of a processor. See role.
func ofProcessor[C any, P interface {
	*C
	Config
}](p functions.Processor, listen func(context.Context, P, *telemetry.Tracing) (Process, error)) Role {
	r := role(p.Name, p.Summary, listen)
	r.CheckParameters = func(query string) error { return event.CheckParameters(p, query) }
	return r
}
