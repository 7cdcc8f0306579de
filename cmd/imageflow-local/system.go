package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/health"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/console"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/local/broker"
	"imageflow.dev/internal/local/s3server"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/server"
	"imageflow.dev/internal/telemetry"
	"imageflow.dev/internal/triggers"
)

// The names that the manifests use.
const (
	namespace       = "image-processing"
	deadLetters     = "imageflow-dead-letters"
	terminalService = "terminal"
	notificationURL = "/notifications"
	readinessPath   = "/health/readiness"
)

// part returns the listener of a Service of the manifests.
func part(service string) (name string, ok bool) {
	if p, ok := processors.At(service); ok {
		return p.Name, true
	}
	name, ok = map[string]string{
		"grpc-gateway": "gateway", "bridge": "bridge", "notify": "notify", "console": "gateway",
	}[service]
	return name, ok
}

// system contains everything that runs.
//
//	s3 ──notification──▶ bridge ──event──▶ broker ◀─▶ resize, detect, filter ◀── gateway
//	▲                      ▲                 │ │                │
//	│                      └── outcome ──────┘ └─▶ console      │
//	└──────────────── images ───────────────────────────────────┘
type system struct {
	store    *objects.Store
	s3       *s3server.Server
	broker   *broker.Broker
	console  *console.Console // at the gateway's port
	terminal *server.Server
	watched  []*telemetry.Endpoint
	tracing  []*telemetry.Tracing
	roles    *errgroup.Group
	drain    context.CancelFunc
	failed   context.Context // ends when a role does
}

// start starts every part before the parts that call it.
func start(ctx context.Context, s *settings, terminal *terminal) (_ *system, err error) {
	manifests, err := s.eventing.manifests(s.presets)
	if err == nil {
		err = s.checkOutputs(manifests)
	}
	if err == nil {
		s.manifests, err = s.eventing.files()
	}
	if err == nil {
		err = errors.Join(manifests.Add([]byte(terminalTrigger)), manifests.Add([]byte(consoleTrigger)))
	}
	if err != nil {
		return nil, err
	}
	sys := &system{}
	defer func() {
		if err != nil {
			err = errors.Join(err, sys.stop())
		}
	}()
	if err := sys.measure(s); err != nil {
		return nil, err
	}
	token := rand.Text()
	if err := sys.startStore(ctx, s, token); err != nil {
		return nil, err
	}
	listen := server.Config{Role: "terminal", Address: s.host + ":0", Guard: s.telemetry.Guard}
	if sys.terminal, err = server.Listen(listen, nil, terminal, health.NewServer()); err != nil {
		return nil, err
	}
	if err := sys.startRoles(ctx, s, token); err != nil {
		return nil, err
	}
	return sys, sys.startBroker(ctx, s, manifests)
}

// startStore starts the S3 server and opens a client of it.
func (sys *system) startStore(ctx context.Context, s *settings, token string) (err error) {
	sys.s3, err = s3server.Start(ctx, s3server.Config{
		Address: s.address("s3"), Dir: filepath.Join(s.data, "objects"),
		AccessKey: s.accessKey, SecretKey: s.secretKey, Buckets: []string{s.bucket, deadLetters},
		Allow: s.guard.allow,
		Notify: s3server.Notify{
			URL: s.url("bridge") + notificationURL, Token: "Bearer " + token, Buckets: []string{s.bucket}, Ignore: isBesideOutput,
		},
	})
	if err != nil {
		return err
	}
	sys.store, err = objects.New(objects.Config{
		Endpoint: s.address("s3"), AccessKey: s.accessKey, SecretKey: s.secretKey, Region: "us-east-1",
	})
	return err
}

// isBesideOutput reports the new objects that the bridge would ignore: side-cars, crops and images for signed URLs.
func isBesideOutput(bucket, key string, metadata map[string]string) bool {
	info := objects.Info{Bucket: bucket, Key: key, Metadata: metadata}
	return execution.WrittenByUs(info) && (!execution.IsStepOutput(info) || strings.HasSuffix(key, ".json"))
}

// measure serves metrics and profiles, if configured.
func (sys *system) measure(s *settings) (err error) {
	watched := s.telemetry
	watched.MetricsPort = *s.ports["metrics"]
	sys.watched, err = watched.Serve()
	return err
}

// startRoles listens for every role and starts to serve.
func (sys *system) startRoles(ctx context.Context, s *settings, token string) error {
	drained, drain := context.WithCancel(context.WithoutCancel(ctx))
	sys.drain = drain
	sys.roles, sys.failed = errgroup.WithContext(drained)
	sys.roles.Go(func() error { return sys.terminal.Run(drained) })
	if err := sys.openConsole(ctx, s); err != nil {
		return err
	}
	for _, r := range role.All {
		if r.Name == "console" { // the gateway's port serves it
			continue
		}
		config := r.Config()
		if err := role.Load(config); err != nil {
			return err
		}
		sys.adapt(config, s, r.Name, token)
		if err := config.Validate(); err != nil {
			return err
		}
		tracing, err := sys.trace(ctx, s, r.Name)
		if err != nil {
			return err
		}
		process, err := r.Listen(drained, config, tracing)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
		sys.roles.Go(func() error { return process.Run(drained) })
	}
	return nil
}

// trace starts the tracing of a part. Each part is a service of its own in traces.
func (sys *system) trace(ctx context.Context, s *settings, part string) (*telemetry.Tracing, error) {
	tracing, err := s.telemetry.Trace(ctx, cmp.Or(s.telemetry.Service, "imageflow")+"-"+part)
	sys.tracing = append(sys.tracing, tracing)
	return tracing, err
}

// adapt sets the parts of a role's config that local mode decides.
func (sys *system) adapt(config role.Config, s *settings, name, token string) {
	if p, ok := config.(interface{ Processor() *role.ProcessorConfig }); ok {
		s.adaptProcessor(p.Processor(), name)
	}
	switch c := config.(type) {
	case *role.DetectConfig:
		c.ModelRepository, c.Library = s.models, cmp.Or(s.library, c.Library)
	case *role.GatewayConfig:
		s.adaptServer(&c.Server, name)
		s.adaptStore(&c.Store)
		c.DeadLetters, c.PresetsFile, c.Signing, c.Pages = deadLetters, s.presets, s.signing, sys.console
		c.Manifests = func() ([]triggers.File, error) { return s.manifests, nil }
		c.ReadFrom = s.allowed(c.ReadFrom)
		for processor := range c.Endpoints {
			c.Endpoints[processor] = s.address(processor)
		}
	case *role.BridgeConfig:
		s.adaptServer(&c.Server, name)
		s.adaptStore(&c.Store)
		c.Broker.URL, c.Token, c.DeadLetters = s.url("broker")+"/"+namespace+"/default", token, deadLetters
		c.Signing = s.signing
	case *role.NotifyConfig:
		s.adaptServer(&c.Server, name)
		c.Signing = s.signing
		if len(c.Networks) == 0 {
			c.Networks = []string{"127.0.0.0/8", "::1/128"}
		}
	}
}

func (s *settings) adaptProcessor(c *role.ProcessorConfig, name string) {
	s.adaptServer(&c.Server, name)
	s.adaptStore(&c.Store)
	c.Signing, c.PresetsFile = s.signing, s.presets
	c.ReadFrom = s.allowed(c.ReadFrom)
	c.WriteTo = s.allowed(c.WriteTo)
}

func (s *settings) adaptServer(c *role.Server, name string) {
	c.Host, c.Port, c.Guard = s.host, *s.ports[name], s.telemetry.Guard
}

func (s *settings) adaptStore(c *role.Store) {
	c.Endpoint, c.Secure, c.Bucket = s.address("s3"), false, s.bucket
	c.AccessKey, c.SecretKey, c.Region = s.accessKey, s.secretKey, "us-east-1"
}

func (sys *system) startBroker(ctx context.Context, s *settings, manifests *broker.Manifests) error {
	tracing, err := sys.trace(ctx, s, "broker")
	if err != nil {
		return err
	}
	sys.broker, err = broker.Start(ctx, broker.Config{
		WrapHandler:   func(next http.Handler) http.Handler { return s.telemetry.Guard(tracing.Handler(next)) },
		WrapTransport: tracing.Transport,
		Address:       s.address("broker"), Dir: filepath.Join(s.data, "events"), Manifests: manifests,
		Resolve: func(_, service string) (string, bool) {
			if service == terminalService {
				return "http://" + sys.terminal.Address(), true
			}
			name, ok := part(service)
			if !ok {
				return "", false
			}
			return s.url(name), true
		},
	})
	return err
}

// wait waits until the context or a part ends.
func (sys *system) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-sys.failed.Done():
		return errors.New("a role ended")
	case err := <-sys.broker.Ended():
		return fmt.Errorf("the broker ended: %w", err)
	case err := <-sys.s3.Ended():
		return fmt.Errorf("the S3 server ended: %w", err)
	}
}

// stop stops the parts: first the broker, since it would use up the attempts of
// events on stopped roles; then the roles, which finish their jobs while the store
// still answers.
func (sys *system) stop() error {
	var err error
	if sys.broker != nil {
		limit, cancel := context.WithTimeout(context.Background(), brokerDrain)
		defer cancel()
		err = sys.broker.Shutdown(limit)
	}
	if sys.roles != nil {
		sys.drain()
		err = errors.Join(err, sys.roles.Wait())
	}
	if sys.s3 != nil {
		err = errors.Join(err, sys.s3.Close())
	}
	for _, tracing := range sys.tracing {
		if err := tracing.End(); err != nil {
			slog.Warn("tracing did not stop cleanly", "error", err)
		}
	}
	for _, endpoint := range sys.watched {
		err = errors.Join(err, endpoint.Close())
	}
	return err
}
