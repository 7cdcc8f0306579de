// Package broker is a CloudEvents broker for one machine with the behaviour of
// Knative's Broker and Triggers, read from the same manifests. Events lie in
// NATS JetStream, on disk, in this process: each Trigger is a durable consumer,
// so that what was accepted is delivered, whatever dies on the way.
package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Config of a broker.
type Config struct {
	// Address of the ingress, host:port.
	Address string
	// Dir holds the events.
	Dir string
	// Manifests say which Brokers and Triggers there are.
	Manifests *Manifests
	// Resolve finds the Services that the manifests name.
	Resolve Resolve
	// MaxBytes bounds the events on disk; 0 means 1 GiB. Beyond it producers
	// get an error.
	MaxBytes int64
	// Hops is how many steps of replies an event may lead to; 0 means 32.
	Hops int
	// Workers is how many events of one Trigger are delivered at once; 0
	// means 8.
	Workers int
}

// Broker is a running broker.
type Broker struct {
	config  Config
	nats    *server.Server
	conn    *nats.Conn
	js      jetstream.JetStream
	ingress *http.Server
	client  *http.Client
	stop    context.CancelFunc
	workers sync.WaitGroup
	ended   chan error
}

const streamName = "events"

// Start starts a broker; it takes and delivers events when Start has returned.
func Start(ctx context.Context, c Config) (*Broker, error) {
	c.MaxBytes, c.Hops, c.Workers = or(c.MaxBytes, 1<<30), or(c.Hops, 32), or(c.Workers, 8)
	if err := c.Manifests.check(c.Resolve); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", c.Address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the address %s is taken by another process", c.Address)
	}
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	b := &Broker{config: c, stop: stop, ended: make(chan error, 1), client: newClient()}
	if err := errors.Join(b.startNATS(), b.startStream(ctx), b.startTriggers(ctx)); err != nil {
		listener.Close()
		b.Close()
		return nil, err
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{namespace}/{name}", b.accept)
	b.ingress = &http.Server{Handler: mux, Protocols: protocols, ReadHeaderTimeout: 10 * time.Second}
	go func() { b.ended <- b.ingress.Serve(listener) }()
	return b, nil
}

// startNATS starts the server inside this process, with no port.
func (b *Broker) startNATS() error {
	var err error
	b.nats, err = server.NewServer(&server.Options{
		ServerName: "imageflow-local", DontListen: true, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: b.config.Dir, JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 2 * b.config.MaxBytes,
	})
	if err != nil {
		return err
	}
	b.nats.Start()
	if !b.nats.ReadyForConnections(10 * time.Second) {
		return fmt.Errorf("the event store in %s does not open", b.config.Dir)
	}
	if b.conn, err = nats.Connect("", nats.InProcessServer(b.nats)); err != nil {
		return err
	}
	b.js, err = jetstream.New(b.conn)
	return err
}

// startStream opens the stream. It keeps an event until every Trigger of its
// Broker is done with it.
func (b *Broker) startStream(ctx context.Context) error {
	if b.js == nil {
		return nil // startNATS has failed and said so
	}
	_, err := b.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: streamName, Subjects: []string{streamName + ".>"}, Storage: jetstream.FileStorage,
		Retention: jetstream.InterestPolicy, Discard: jetstream.DiscardNew, MaxBytes: b.config.MaxBytes,
	})
	return err
}

// Close stops taking and delivering events. Deliveries in flight are cut off and
// come again at the next start.
func (b *Broker) Close() {
	if b.ingress != nil {
		_ = b.ingress.Close()
	}
	b.stop()
	b.workers.Wait()
	if b.conn != nil {
		b.conn.Close()
	}
	if b.nats != nil {
		b.nats.Shutdown()
		b.nats.WaitForShutdown()
	}
}

// Ended gets the ingress's error when it ends by itself.
func (b *Broker) Ended() <-chan error { return b.ended }

// maxEventBytes limits an event.
const maxEventBytes = 1 << 20

// accept takes an event in binary or structured mode; 202 means that it is on
// disk.
func (b *Broker) accept(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxEventBytes)
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	if !b.has(namespace, name) {
		http.Error(w, fmt.Sprintf("no Broker %s/%s", namespace, name), http.StatusNotFound)
		return
	}
	e, err := cehttp.NewEventFromHTTPRequest(r)
	if err == nil {
		err = e.Validate()
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		http.Error(w, "not a valid CloudEvent: "+err.Error(), http.StatusBadRequest)
		return
	}
	if _, ok := e.Extensions()[hopsAttribute]; !ok {
		e.SetExtension(hopsAttribute, b.config.Hops)
	}
	if err := b.publish(r.Context(), namespace, name, e); err != nil {
		slog.ErrorContext(r.Context(), "an event could not be stored", "event", e.ID(), "error", err)
		http.Error(w, "the event could not be stored", http.StatusInsufficientStorage)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (b *Broker) has(namespace, name string) bool {
	for _, m := range b.config.Manifests.brokers {
		if m.Metadata.Namespace == namespace && m.Metadata.Name == name {
			return true
		}
	}
	return false
}

// publish stores an event and returns when it is on disk.
func (b *Broker) publish(ctx context.Context, namespace, broker string, e *event.Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = b.js.Publish(ctx, subject(namespace, broker), text)
	return err
}

func subject(namespace, broker string) string { return streamName + "." + namespace + "." + broker }

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
