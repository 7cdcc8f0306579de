package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/local/broker"
)

// brokerDrain is the maximum time to wait for deliveries in flight at shutdown.
const brokerDrain = 10 * time.Second

// runBroker runs only the broker, for roles that run as separate processes.
func runBroker(ctx context.Context, args []string, out io.Writer) error {
	config := broker.Config{}
	addresses := map[string]string{}
	f := flag.NewFlagSet("imageflow-local broker", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() {
		fmt.Fprint(out, "Usage: imageflow-local broker [flags]\n\n"+
			"Runs only the broker, for roles that run as separate processes (see imageflow --help).\n\nFlags:\n")
		f.PrintDefaults()
	}
	f.StringVar(&config.Address, "address", "127.0.0.1:8085", "`host:port` to listen on")
	f.StringVar(&config.Dir, "data", "data/events", "`folder` for the queue")
	eventing := eventingFlag(f)
	f.Func("service", "the address of a Service of the manifests, as `name=URL`; repeat for each Service", func(text string) error {
		name, url, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("must have the form name=URL")
		}
		addresses[name] = url
		return nil
	})
	if err := f.Parse(args); err != nil {
		return err
	}
	config.Resolve = func(_, service string) (string, bool) {
		url, ok := addresses[service]
		return url, ok
	}
	var presets role.PresetsFile
	err := role.Load(&presets)
	if err != nil {
		return err
	}
	if config.Manifests, err = eventing.manifests(presets); err != nil {
		return err
	}
	return serveTraced(ctx, config)
}

// serveTraced calls serveBroker with tracing as the environment configures it.
func serveTraced(ctx context.Context, config broker.Config) error {
	var settings role.Telemetry
	if err := errors.Join(role.Load(&settings), settings.Validate()); err != nil {
		return err
	}
	tracing, err := settings.Trace(ctx, cmp.Or(settings.Service, "imageflow-broker"))
	if err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(config.Address)
	config.WrapHandler = func(next http.Handler) http.Handler { return guard{host: host}.wrap(tracing.Handler(next)) }
	config.WrapTransport = tracing.Transport
	return errors.Join(serveBroker(ctx, config), tracing.End())
}

// serveBroker runs a broker until the context ends.
func serveBroker(ctx context.Context, config broker.Config) error {
	b, err := broker.Start(ctx, config)
	if err != nil {
		return err
	}
	slog.Info("serving", "role", "broker", "address", b.Address())
	select {
	case err := <-b.Ended():
		b.Close()
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), brokerDrain)
	defer cancel()
	return b.Shutdown(limit)
}
