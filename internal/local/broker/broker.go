// Package broker is a CloudEvents broker for one machine with the behaviour of
// Knative's Broker and Triggers, read from the same manifests. Events lie in
// NATS JetStream, on disk, in this process: each Trigger is a durable consumer,
// so that what was accepted is delivered at least once, whatever process dies on
// the way. The disk is synced every two minutes only: what it got since may be
// lost when the power is.
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
	// Address of the ingress, host:port; port 0 takes a free one.
	Address string
	// Dir holds the events. Only one broker may use it.
	Dir string
	// Manifests say which Brokers and Triggers there are.
	Manifests *Manifests
	// Resolve finds the Services that the manifests name.
	Resolve Resolve
	// MaxBytes bounds the events on disk, and the dead letters again; 0 means
	// 1 GiB. Beyond it producers get an error.
	MaxBytes int64
	// Hops is how many steps of replies an event may lead to; 0 means 32.
	Hops int
	// Workers is how many events of one Trigger are delivered at once; 0
	// means two for each core.
	Workers int
	// Timeout of one delivery where the manifests say none; 0 means that of
	// Knative Serving, 5 minutes.
	Timeout time.Duration
	// Door wraps the ingress, and Wire what events are posted through; nil leaves
	// them as they are.
	Door func(http.Handler) http.Handler
	Wire func(http.RoundTripper) http.RoundTripper
	// Logger gets what goes wrong; slog's default when nil.
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
	letters  jetstream.Consumer
	workers  sync.WaitGroup
	// accepting has as many elements as there are events being read.
	accepting chan struct{}
	// fetching ends when no more events are taken up, delivering when those
	// taken up are cut off.
	fetching, delivering         context.Context
	stopFetching, stopDelivering context.CancelFunc
}

// Start starts a broker; it takes and delivers events when Start has returned.
func Start(ctx context.Context, c Config) (*Broker, error) {
	c = c.withDefaults()
	if err := c.Manifests.Check(c.Resolve); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", c.Address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the broker's address %s is taken by another process", c.Address)
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
	c.MaxBytes, c.Hops = cmp.Or(c.MaxBytes, 1<<30), cmp.Or(c.Hops, 32)
	c.Workers = cmp.Or(c.Workers, 2*runtime.GOMAXPROCS(0))
	c.Timeout = cmp.Or(c.Timeout, 5*time.Minute)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c
}

// startWork gives each Trigger its consumer, and then each consumer its workers:
// a reply must find every Trigger there.
func (b *Broker) startWork(ctx context.Context) error {
	names := map[string]bool{}
	for _, spec := range b.config.Manifests.triggers {
		t, err := b.newTrigger(ctx, spec)
		if err != nil {
			return fmt.Errorf("%s: %w", spec.place, err)
		}
		b.triggers = append(b.triggers, t)
		names[consumerName(spec.place)] = true
	}
	if err := b.store.keepOnly(ctx, names); err != nil {
		return err
	}
	var err error
	if b.letters, err = b.store.consumer(ctx, deadLetterStream, deadLetterWorker, "", jetstream.DeliverAllPolicy); err != nil {
		return err
	}
	for _, t := range b.triggers {
		b.startWorkers(t.consumer, t.handle)
	}
	b.startWorkers(b.letters, b.handleLetter)
	return nil
}

// Address returns the host:port of the ingress.
func (b *Broker) Address() string { return b.address }

// URL returns where the events for a Broker are posted.
func (b *Broker) URL(namespace, name string) string {
	return "http://" + b.address + "/" + namespace + "/" + name
}

// Ended gets the ingress's error when it ends by itself.
func (b *Broker) Ended() <-chan error { return b.ended }

// Pending counts the events that each Trigger, by namespace/name, has still to
// look at or to deliver, and under DeadLetters the dead letters on their way. It
// knows of an event a moment after the producer's answer.
func (b *Broker) Pending(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	var errs []error
	count := func(name string, c jetstream.Consumer) {
		info, err := c.Info(ctx)
		if err != nil {
			errs = append(errs, err)
			return
		}
		counts[name] = int(info.NumPending) + info.NumAckPending
	}
	for _, t := range b.triggers {
		count(t.spec.place.namespace+"/"+t.spec.place.name, t.consumer)
	}
	count(DeadLetters, b.letters)
	return counts, errors.Join(errs...)
}

// DeadLetters is the name of the dead letters in Pending.
const DeadLetters = "dead letters"

// Shutdown stops taking events, and waits for the deliveries in flight. When the
// context ends before they do, they are cut off and come again at the next
// start, as does all that was not delivered yet.
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

// Close stops at once: deliveries in flight come again at the next start.
func (b *Broker) Close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = b.Shutdown(ctx)
}
