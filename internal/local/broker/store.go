package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// store is NATS JetStream in this process, without a port.
type store struct {
	dir     string
	server  *server.Server
	conn    *nats.Conn
	js      jetstream.JetStream
	ackWait time.Duration
	// reserve is the number of bytes of the disk that stay free. If JetStream finds the
	// disk full, it accepts nothing until it is restarted.
	reserve atomic.Uint64
}

const defaultReserve = 64 << 20

// The two streams; subject.go has their subjects. An event stays until every Trigger that
// may select its type has acknowledged it, a dead letter until its sink has accepted it.
const (
	eventStream      = "events"
	deadLetterStream = "deadletters"
	deadLetterWorker = "sinks"
)

// maxMessageBytes is maxEventBytes plus a budget for the attributes.
const maxMessageBytes = maxEventBytes + 256<<10

func openStore(ctx context.Context, c Config) (*store, error) {
	s := &store{dir: c.Dir, ackWait: c.AckWait}
	s.reserve.Store(defaultReserve)
	var err error
	s.server, err = server.NewServer(&server.Options{
		ServerName: "imageflow-local", DontListen: true, NoSigs: true, MaxPayload: maxMessageBytes,
		JetStream: true, StoreDir: c.Dir, JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 2 * c.MaxBytes,
	})
	if err != nil {
		return nil, err
	}
	s.server.SetLoggerV2(natsLog{c.Logger}, false, false, false)
	s.server.Start()
	if !s.server.ReadyForConnections(10 * time.Second) {
		s.close()
		return nil, fmt.Errorf("the event store in %s did not open within 10 seconds", c.Dir)
	}
	if s.conn, err = nats.Connect("", nats.InProcessServer(s.server)); err == nil {
		s.js, err = jetstream.New(s.conn)
	}
	if err == nil {
		err = s.openStreams(ctx, c.MaxBytes)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("the event store in %s: %w", c.Dir, err)
	}
	return s, nil
}

func (s *store) openStreams(ctx context.Context, maxBytes int64) error {
	for name, retention := range map[string]jetstream.RetentionPolicy{
		eventStream: jetstream.InterestPolicy, deadLetterStream: jetstream.WorkQueuePolicy,
	} {
		if _, err := s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: name, Subjects: []string{name + ".>"}, Storage: jetstream.FileStorage,
			Retention: retention, Discard: jetstream.DiscardNew, MaxBytes: maxBytes,
		}); err != nil {
			return err
		}
	}
	return nil
}

// maxAckPending limits the events of one Trigger that wait for a retry. Above it, the
// Trigger's other events wait too. Each takes about 600 bytes of memory.
const maxAckPending = 10_000

// consumer opens a durable consumer of the given subjects; without any, of all.
func (s *store) consumer(
	ctx context.Context, stream, name string, from jetstream.DeliverPolicy, subjects ...string,
) (jetstream.Consumer, error) {
	return s.js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable: name, FilterSubjects: subjects, DeliverPolicy: from, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: s.ackWait, MaxAckPending: maxAckPending, MaxDeliver: -1,
	})
}

// keepOnly removes the consumers with other names, which are those of removed Triggers, and
// so the events that only they had not acknowledged.
func (s *store) keepOnly(ctx context.Context, names map[string]bool) error {
	stream, err := s.js.Stream(ctx, eventStream)
	if err != nil {
		return err
	}
	list := stream.ConsumerNames(ctx)
	var errs []error
	for name := range list.Name() {
		if !names[name] {
			errs = append(errs, stream.DeleteConsumer(ctx, name))
		}
	}
	return errors.Join(append(errs, list.Err())...)
}

var (
	errFull        = errors.New("the event store is full")
	errUnavailable = errors.New("the event store is unavailable")
)

// storeFailed is JetStream's code for a message that a stream could not store, and
// noStorage that for a full disk.
const storeFailed, noStorage = 10077, 10047

// publish stores a message. It returns when the message is on disk.
func (s *store) publish(ctx context.Context, msg *nats.Msg) error {
	var disk syscall.Statfs_t
	reserve := s.reserve.Load()
	if err := syscall.Statfs(s.dir, &disk); err == nil && disk.Bavail*uint64(disk.Bsize) < reserve {
		return fmt.Errorf("%w: its disk has less than %d MB free", errFull, reserve/1e6)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := s.js.PublishMsg(ctx, msg)
	var refused *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && (refused.ErrorCode == storeFailed || refused.ErrorCode == noStorage):
		return fmt.Errorf("%w: %w", errFull, err)
	}
	return fmt.Errorf("%w: %w", errUnavailable, err)
}

func (s *store) close() {
	if s.conn != nil {
		_ = s.conn.Flush() // the last acknowledgements
		s.conn.Close()
	}
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

// natsLog writes the warnings and errors of the NATS server to a Logger.
type natsLog struct{ *slog.Logger }

var _ server.Logger = natsLog{}

func (l natsLog) Noticef(format string, v ...any) { l.Logger.Debug(fmt.Sprintf(format, v...)) }
func (l natsLog) Warnf(format string, v ...any)   { l.Logger.Warn(fmt.Sprintf(format, v...)) }
func (l natsLog) Errorf(format string, v ...any)  { l.Logger.Error(fmt.Sprintf(format, v...)) }
func (l natsLog) Fatalf(format string, v ...any)  { l.Logger.Error(fmt.Sprintf(format, v...)) }
func (l natsLog) Debugf(string, ...any)           {}
func (l natsLog) Tracef(string, ...any)           {}
