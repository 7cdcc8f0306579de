// Package role is the composition root: it builds a listening server from the
// configuration of each role. cmd/imageflow runs one role, cmd/imageflow-local all roles.
package role

import (
	"context"
	"slices"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/telemetry"
)

// Config is the environment of a role.
type Config interface {
	// Validate reports every variable that is missing or out of range.
	Validate() error
	// Watch starts the metrics and the tracing of a role's process.
	Watch(ctx context.Context, role string) (*Watch, error)
}

// Role is one of the roles of a process.
type Role struct {
	Name    string
	Summary string
	// Config returns an empty config for Load.
	Config func() Config
	// Listen builds the role and binds its port. The tracing may be nil.
	Listen func(context.Context, Config, *telemetry.Tracing) (Process, error)
	// CheckParameters returns an error if every event would fail with these step
	// parameters, given as the query of a URL, which may name a preset. It is nil if the role is not a subscriber with
	// parameters.
	CheckParameters func(set *presets.Set, query string) error
}

// Process is a role that listens.
type Process interface {
	// Address returns the bound host:port.
	Address() string
	// Run serves until the context ends, then drains.
	Run(context.Context) error
}

// All lists the roles: the processors, the gateway, the bridge, the sender of webhooks and the console.
var All = append(slices.Clone(processorRoles),
	Role{
		Name: "gateway", Summary: "offers all processors as JSON over HTTP",
		Config: func() Config { return &GatewayConfig{} },
		Listen: func(ctx context.Context, c Config, t *telemetry.Tracing) (Process, error) {
			return listenGateway(ctx, c.(*GatewayConfig), t)
		},
		CheckParameters: gateway.CheckPipeline,
	},
	Role{
		Name: "bridge", Summary: "sends events for bucket notifications and tags uploads with outcomes",
		Config: func() Config { return &BridgeConfig{} },
		Listen: func(ctx context.Context, c Config, t *telemetry.Tracing) (Process, error) {
			return listenBridge(ctx, c.(*BridgeConfig), t)
		},
	},
	Role{
		Name: "notify", Summary: "posts events to webhooks, signed as Standard Webhooks",
		Config: func() Config { return &NotifyConfig{} },
		Listen: func(_ context.Context, c Config, t *telemetry.Tracing) (Process, error) {
			return listenNotify(c.(*NotifyConfig), t)
		},
		CheckParameters: checkHook,
	},
	Role{
		Name: "console", Summary: "serves web pages: try steps, watch executions, replay dead letters",
		Config: func() Config { return &ConsoleConfig{} },
		Listen: func(_ context.Context, c Config, t *telemetry.Tracing) (Process, error) {
			return listenConsole(c.(*ConsoleConfig), t)
		},
	},
)

// serving returns the health of services that are ready from the start.
func serving(services ...string) *health.Server {
	h := health.NewServer()
	for _, service := range services {
		h.SetServingStatus(service, healthpb.HealthCheckResponse_SERVING)
	}
	return h
}
