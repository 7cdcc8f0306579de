package role

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/oidc"
	"imageflow.dev/internal/server"
	"imageflow.dev/internal/storeadmin"
	"imageflow.dev/internal/telemetry"
)

// DeadLetterBucket configures the bucket of dead letters.
type DeadLetterBucket struct {
	DeadLetters string `envconfig:"DEAD_LETTER_BUCKET" default:"imageflow-dead-letters" desc:"bucket of dead letters"`
	Tags        bool   `envconfig:"STORE_TAGS" default:"true" desc:"whether the store has tags; else they are objects there"`
}

// tagBucket returns the bucket of tags for a store without tags, and nothing for others.
func (c DeadLetterBucket) tagBucket() string {
	if c.Tags {
		return ""
	}
	return c.DeadLetters
}

// Broker has the variables of the broker.
type Broker struct {
	URL         string `envconfig:"BROKER_URL" desc:"URL of the broker's ingress"`
	BrokerToken string `envconfig:"BROKER_TOKEN_FILE" desc:"file of the token for Knative's OIDC; empty: none"`
}

// wire returns a wrapper of the transport of events that adds the token, if configured, and
// applies other.
func (c Broker) wire(other func(http.RoundTripper) http.RoundTripper) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		if other != nil {
			next = other(next)
		}
		if c.BrokerToken != "" {
			next = oidc.Bearer(c.BrokerToken, next)
		}
		return next
	}
}

// Sweep has the variables of the sweeper. After SWEEP_GRACE, it sends an event again, and
// once more after twice that time.
type Sweep struct {
	Buckets  []string      `envconfig:"SWEEP_BUCKETS" desc:"buckets of uploads; empty: MINIO_BUCKET"`
	Prefix   string        `envconfig:"SWEEP_PREFIX" desc:"prefix of the keys of uploads"`
	Interval time.Duration `envconfig:"SWEEP_INTERVAL" default:"1m" desc:"time between two sweeps; 0: never"`
	Grace    time.Duration `envconfig:"SWEEP_GRACE" default:"2m" desc:"age at which an upload without outcome is sent again"`
	Horizon  time.Duration `envconfig:"SWEEP_HORIZON" default:"168h" desc:"age from which an upload is ignored"`
	Rate     float64       `envconfig:"SWEEP_RATE" default:"10" desc:"maximum number of events of the sweeper per second"`
	Share    float64       `envconfig:"SWEEP_SHARE" default:"0.005" desc:"share of the time for listing the buckets, in 0 to 1"`
}

func (c Sweep) validate() error {
	errs := []error{atLeast("SWEEP_INTERVAL", c.Interval, 0), atLeast("SWEEP_SHARE", c.Share, 0)}
	if c.Share > 1 {
		errs = append(errs, fmt.Errorf("SWEEP_SHARE is %v but must be at most 1", c.Share))
	}
	if c.Interval > 0 {
		errs = append(errs, atLeast("SWEEP_GRACE", c.Grace, time.Millisecond), atLeast("SWEEP_RATE", c.Rate, 0.001))
		if c.Horizon <= c.Grace {
			errs = append(errs, fmt.Errorf("SWEEP_HORIZON is %v but must be above SWEEP_GRACE, %v", c.Horizon, c.Grace))
		}
	}
	return errors.Join(errs...)
}

// maxBridgeBytes limits the bodies of notifications and events in memory.
const maxBridgeBytes = 32 << 20

// BridgeConfig is the environment of the bridge.
type BridgeConfig struct {
	Server
	Store
	DeadLetterBucket
	Broker
	Sweep
	Signing
	OIDC
	Token        string        `envconfig:"BRIDGE_TOKEN" desc:"bearer token of notifications"`
	Outcomes     []string      `envconfig:"OUTCOME_BUCKETS" desc:"buckets whose objects are tagged; empty: SWEEP_BUCKETS"`
	Strict       bool          `envconfig:"STRICT_UPLOADS" desc:"send events also for uploads that are not images"`
	Announce     bool          `envconfig:"OUTCOME_EVENTS" default:"true" desc:"send an event when an execution completes or fails"`
	AcceptWithin time.Duration `split_words:"true" default:"1s" desc:"maximum time that a notification waits for the broker"`
}

// Validate reports every variable that is missing or out of range.
func (c *BridgeConfig) Validate() error {
	return errors.Join(
		c.Server.validate(), c.Store.validate(), required("BROKER_URL", c.Broker.URL), required("BRIDGE_TOKEN", c.Token),
		bearer("BRIDGE_TOKEN", c.Token),
		required("DEAD_LETTER_BUCKET", c.DeadLetters), atLeast("ACCEPT_WITHIN", c.AcceptWithin, 0),
		c.Sweep.validate(), c.Signing.validate(),
		c.OIDC.validate(),
	)
}

// bridgeServer is the port of the bridge, with its sweeper.
type bridgeServer struct {
	*server.Server
	bridge *bridge.Bridge
	probe  func(context.Context) error
	drain  time.Duration
}

// Run serves, sweeps and does requested replays until the context ends, or until the store is found to lack a feature
// that the settings claim. Then it drains: accepted events have the drain timeout to reach the broker.
func (s *bridgeServer) Run(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() { end(s.probeStore(ctx)) }()
	swept := make(chan struct{})
	sweeping, stop := context.WithCancel(ctx)
	go func() {
		defer close(swept)
		replays := make(chan struct{})
		go func() {
			defer close(replays)
			s.bridge.ServeReplays(sweeping)
		}()
		s.bridge.Sweep(sweeping)
		<-replays
	}()
	err := s.Server.Run(ctx)
	stop()
	<-swept
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.drain)
	defer cancel()
	if cause := context.Cause(ctx); errors.Is(cause, objects.ErrUnsupported) {
		err = errors.Join(err, cause)
	}
	return errors.Join(err, s.bridge.Drain(limit))
}

// probePause is the pause between two attempts to probe the store.
const probePause = 5 * time.Second

// probeStore returns ErrUnsupported if the store lacks a feature. Otherwise it ends with the context.
func (s *bridgeServer) probeStore(ctx context.Context) error {
	for isLogged := false; ; isLogged = true {
		err := s.probe(ctx)
		switch {
		case errors.Is(err, objects.ErrUnsupported):
			return err
		case err == nil:
			<-ctx.Done()
		case !isLogged && ctx.Err() == nil:
			slog.WarnContext(ctx, "the features of the store could not be tried: will retry", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(probePause):
		}
	}
}

func listenBridge(_ context.Context, c *BridgeConfig, t *telemetry.Tracing) (Process, error) {
	store, err := c.open(c.tagBucket())
	if err != nil {
		return nil, err
	}
	sweep := bridge.Sweep(c.Sweep)
	if len(sweep.Buckets) == 0 {
		sweep.Buckets = []string{c.Bucket}
	}
	outcomes := c.Outcomes
	if len(outcomes) == 0 {
		outcomes = sweep.Buckets
	}
	signer, err := c.Signer()
	if err != nil {
		return nil, err
	}
	events, err := bridge.New(bridge.Config{
		Broker: c.Broker.URL, Token: c.Token, Signer: signer, Store: store, DeadLetters: c.DeadLetters,
		AcceptWithin: c.AcceptWithin, Sweep: sweep, Strict: c.Strict, OutcomeBuckets: outcomes, OutcomeEvents: c.Announce,
		WrapTransport: c.Broker.wire(t.Transport),
	})
	if err != nil {
		return nil, err
	}
	routes, err := c.routes(events)
	if err != nil {
		return nil, err
	}
	listening, err := server.Listen(c.serve("bridge", maxBridgeBytes), nil, t.Handler(routes), serving())
	if err != nil {
		return nil, err
	}
	probe := func(ctx context.Context) error { return store.Probe(ctx, c.DeadLetters) }
	return &bridgeServer{Server: listening, bridge: events, probe: probe, drain: c.DrainTimeout}, nil
}

// routes requires the broker's token on all paths except /notifications, which has its
// own token.
func (c *BridgeConfig) routes(events http.Handler) (http.Handler, error) {
	verifier, err := c.verifier()
	if err != nil {
		return nil, err
	}
	routes := http.NewServeMux()
	routes.Handle("/notifications", events)
	routes.Handle("/", verifier.Require(events))
	return routes, nil
}

// EventsConfig is the environment of commands that send events.
type EventsConfig struct {
	Store
	DeadLetterBucket
	Broker
	Signing
}

// Validate reports every variable that is missing or out of range.
func (c *EventsConfig) Validate() error {
	return errors.Join(c.Store.validate(), required("BROKER_URL", c.Broker.URL), required("DEAD_LETTER_BUCKET", c.DeadLetters),
		c.Signing.validate())
}

// Replay sends dead letters again.
func (c *EventsConfig) Replay(ctx context.Context, r bridge.Replay) error {
	b, err := c.bridge()
	if err != nil {
		return err
	}
	return errors.Join(b.Replay(ctx, r), b.Drain(ctx))
}

// Backfill sends the events of uploads in a bucket, by default in MINIO_BUCKET.
func (c *EventsConfig) Backfill(ctx context.Context, r bridge.Backfill) (bridge.BackfillCounts, error) {
	b, err := c.bridge()
	if err != nil {
		return bridge.BackfillCounts{}, err
	}
	r.Bucket = cmp.Or(r.Bucket, c.Bucket)
	counts, err := b.Backfill(ctx, r)
	return counts, errors.Join(err, b.Drain(context.WithoutCancel(ctx)))
}

// bridge returns a bridge that serves nothing.
func (c *EventsConfig) bridge() (*bridge.Bridge, error) {
	store, err := c.open(c.tagBucket())
	if err != nil {
		return nil, err
	}
	signer, err := c.Signer()
	if err != nil {
		return nil, err
	}
	return bridge.New(bridge.Config{
		Broker: c.Broker.URL, Signer: signer, Store: store, DeadLetters: c.DeadLetters, WrapTransport: c.Broker.wire(nil),
	})
}

// SetupConfig is the environment of a setup.
type SetupConfig struct {
	Store
	DeadLetterBucket
	Webhook  string `envconfig:"MINIO_WEBHOOK_ARN" default:"arn:minio:sqs::IMAGEFLOW:webhook" desc:"ARN of the bridge"`
	Notified bool   `envconfig:"STORE_NOTIFICATIONS" default:"true" desc:"whether the store notifies the bridge of new objects"`
}

// Validate reports every variable that is missing or out of range.
func (c *SetupConfig) Validate() error {
	return errors.Join(c.Store.validate(), required("DEAD_LETTER_BUCKET", c.DeadLetters), required("MINIO_WEBHOOK_ARN", c.Webhook))
}

// Admin returns a client that creates users in the store.
func (c *SetupConfig) Admin() *storeadmin.Admin {
	return &storeadmin.Admin{
		Endpoint: c.Endpoint, Secure: c.Secure, AccessKey: c.AccessKey, SecretKey: c.SecretKey, Region: c.Region,
	}
}

// Open returns a client of the store.
func (c *SetupConfig) Open() (*objects.Store, error) { return c.Store.open(c.tagBucket()) }
