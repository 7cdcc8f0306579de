// Package broker is a CloudEvents broker for one machine. It reads the manifests of
// Knative's Broker and Triggers and behaves as they do. It stores events on disk with NATS
// JetStream in this process. Each Trigger is a durable consumer, so an accepted event is
// delivered at least once even if a process is killed. JetStream syncs the disk every two
// minutes, so a power failure may lose the events of the last two minutes.
//
// The package imports nothing of ImageFlow but the HTTP binding of CloudEvents: it stands
// in for Knative and must not know the events that it carries.
//
//	POST /namespace/broker ─▶ events ─▶ Trigger ─▶ subscriber
//	                            ▲          │ ╰────── its reply ─╮
//	                            ╰──────────┼────────────────────╯
//	                                       ╰─▶ deadletters ─▶ sink
package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Config of a broker.
type Config struct {
	// Address is the host:port of the ingress. Port 0 selects a free port.
	Address string
	// Dir is the folder of the events. Only one broker may use it.
	Dir string
	// Manifests are the Brokers and Triggers.
	Manifests *Manifests
	// Resolve returns the URLs of the Services that the manifests name.
	Resolve Resolve
	// MaxBytes limits the events on disk, and separately the dead letters. 0 means
	// 1 GiB. Above it, producers receive an error.
	MaxBytes int64
	// MaxReplies limits the length of a chain of replies that an event leads to. 0
	// means 32.
	MaxReplies int
	// Workers is the number of concurrent deliveries of each Trigger. 0 means two for
	// each core.
	Workers int
	// Timeout limits a delivery if the manifests have no timeout. 0 means 5 minutes, the
	// default of Knative Serving.
	Timeout time.Duration
	// AckWait is the time after which the events that a killed broker was delivering are
	// delivered again. A running broker renews it during each delivery. 0 means 5 seconds.
	AckWait time.Duration
	// WrapHandler wraps the ingress. It may be nil.
	WrapHandler func(http.Handler) http.Handler
	// WrapTransport wraps the HTTP transport of the deliveries. It may be nil.
	WrapTransport func(http.RoundTripper) http.RoundTripper
	// Logger logs failures. Nil means slog's default.
	Logger *slog.Logger
}

// Broker is a running broker.
type Broker struct {
	config   Config
	logger   *slog.Logger
	store    *store
	client   *http.Client
	ingress  *http.Server
	address  string
	ended    chan error
	triggers []*trigger
	workers  sync.WaitGroup
	// deadLetters is the consumer of the dead letters of all Triggers.
	deadLetters jetstream.Consumer
	// accepting is a semaphore of the events that the ingress reads.
	accepting chan struct{}
	// fetching ends when the broker stops to fetch events. delivering ends when it
	// cancels the deliveries in flight.
	fetching, delivering         context.Context
	stopFetching, stopDelivering context.CancelFunc
}

// Start starts a broker. The broker accepts and delivers events when Start returns. Stop it
// with Shutdown or Close.
func Start(ctx context.Context, c Config) (*Broker, error) {
	c = c.withDefaults()
	if err := c.Manifests.Check(c.Resolve); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", c.Address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the broker's address %s is in use by another process", c.Address)
	}
	if err != nil {
		return nil, fmt.Errorf("the broker cannot listen at %s: %w", c.Address, err)
	}
	b := &Broker{
		config: c, logger: c.Logger, client: newClient(c), address: listener.Addr().String(),
		ended: make(chan error, 1), accepting: make(chan struct{}, maxAccepting),
	}
	b.delivering, b.stopDelivering = context.WithCancel(context.WithoutCancel(ctx))
	b.fetching, b.stopFetching = context.WithCancel(b.delivering)
	if b.store, err = openStore(ctx, c); err == nil {
		err = b.startWork(ctx)
	}
	if err != nil {
		listener.Close()
		b.Close()
		return nil, err
	}
	b.ingress = b.newIngress()
	go func() { b.ended <- b.ingress.Serve(listener) }()
	return b, nil
}

func (c Config) withDefaults() Config {
	c.MaxBytes, c.MaxReplies = cmp.Or(c.MaxBytes, 1<<30), cmp.Or(c.MaxReplies, 32)
	c.Workers = cmp.Or(c.Workers, 2*runtime.GOMAXPROCS(0))
	c.Timeout, c.AckWait = cmp.Or(c.Timeout, 5*time.Minute), cmp.Or(c.AckWait, 5*time.Second)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c
}

// startWork creates the consumer of each Trigger and then starts the workers. In this
// order, because a reply is stored only for the Triggers that have a consumer.
func (b *Broker) startWork(ctx context.Context) error {
	names := map[string]bool{}
	for _, spec := range b.config.Manifests.triggers {
		t, err := b.newTrigger(ctx, spec)
		if err != nil {
			return fmt.Errorf("%s: %w", spec.resource, err)
		}
		b.triggers = append(b.triggers, t)
		names[consumerName(spec.resource)] = true
	}
	if err := b.store.keepOnly(ctx, names); err != nil {
		return err
	}
	var err error
	if b.deadLetters, err = b.store.consumer(ctx, deadLetterStream, deadLetterWorker, jetstream.DeliverAllPolicy); err != nil {
		return err
	}
	for _, t := range b.triggers {
		b.startWorkers(t.consumer, t.handle)
	}
	b.startWorkers(b.deadLetters, b.handleDeadLetter)
	return nil
}

// Address returns the host:port of the ingress.
func (b *Broker) Address() string { return b.address }

// URL returns where the events for a Broker are posted.
func (b *Broker) URL(namespace, name string) string {
	return "http://" + b.address + "/" + namespace + "/" + name
}

// Ended returns a channel that receives the error of the ingress if it fails.
func (b *Broker) Ended() <-chan error { return b.ended }

// Shutdown stops the ingress and waits for the deliveries in flight. When the context ends,
// it cancels them. The next broker with the same Dir delivers them again, and all events
// that were not delivered yet.
func (b *Broker) Shutdown(ctx context.Context) error {
	var err error
	if b.ingress != nil {
		if err = b.ingress.Shutdown(ctx); err != nil {
			_ = b.ingress.Close()
		}
	}
	b.stopFetching()
	stop := context.AfterFunc(ctx, b.stopDelivering)
	b.workers.Wait()
	stop()
	b.stopDelivering()
	if b.store != nil {
		b.store.close()
	}
	return err
}

// Close stops the broker and cancels the deliveries in flight; see Shutdown.
func (b *Broker) Close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = b.Shutdown(ctx)
}
