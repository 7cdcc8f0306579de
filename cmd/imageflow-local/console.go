package main

import (
	"context"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/console"
	"imageflow.dev/internal/processors"
)

// consoleTrigger sends all events to the console, which shows them and keeps nothing: a delivery is not repeated.
const consoleTrigger = `
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: console, namespace: image-processing}
spec:
  broker: default
  delivery: {retry: 0}
  subscriber:
    ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: console}
    uri: ` + console.EventsPath + `
`

// openConsole makes the console's pages.
func (sys *system) openConsole(ctx context.Context, s *settings) error {
	config := &role.ConsoleConfig{}
	if err := role.Load(config); err != nil {
		return err
	}
	s.adaptServer(&config.Server, "gateway")
	s.adaptStore(&config.Store)
	config.Signing, config.Gateway = s.signing, s.address("gateway")
	config.Probes = "bridge=" + s.url("bridge") + readinessPath + " notify=" + s.url("notify") + readinessPath
	config.Services = map[string]string{"grpc-gateway": s.url("gateway")}
	for _, p := range processors.All {
		config.Services[p.Host] = s.url(p.Name)
	}
	config.ReadFrom = s.allowed(config.ReadFrom)
	if err := config.Validate(); err != nil {
		return err
	}
	tracing, err := sys.trace(ctx, s, "console")
	if err != nil {
		return err
	}
	sys.console, err = config.Console(tracing)
	return err
}
