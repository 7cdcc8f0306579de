// Command imageflow-local runs the whole of ImageFlow in one process: every role at
// a loopback address, an S3 server instead of MinIO, and a durable broker instead of
// Knative's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"imageflow.dev/cmd/internal/version"
	"imageflow.dev/internal/telemetry"
)

// gcPercent is GOGC if the environment does not set it. All roles share one heap, and
// most data lives as long as a job. With Go's default of 100, collections cost a tenth of a chain's CPU time.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "imageflow-local:", err)
		os.Exit(1)
	}
}

// run starts the system, sends the image of --image through it, and serves until
// the context ends. The argument "broker" runs only the broker; "version" prints the version.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "broker":
			return runBroker(ctx, args[1:], out)
		case "version":
			return version.Write(out, "imageflow-local")
		}
	}
	s, err := parse(args, out)
	if err != nil {
		return err
	}
	level := slog.LevelWarn
	if s.verbose {
		level = slog.LevelInfo
	}
	slog.SetDefault(slog.New(telemetry.LogHandler(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))))

	if s.signing.Keys, err = signingKeys(s.data); err != nil {
		return err
	}
	signer, err := s.signing.Signer()
	if err != nil {
		return fmt.Errorf("event signing key in %s: %w", s.data, err)
	}
	terminal := newTerminal(out, signer)
	system, err := start(ctx, s, terminal)
	if err != nil {
		return err
	}
	if s.image != "" {
		if err := show(ctx, out, s, system, terminal); err != nil && ctx.Err() == nil {
			return errors.Join(err, system.stop())
		}
	}
	guide(out, s)
	err = system.wait(ctx)
	fmt.Fprintln(out, "\nstopping ...")
	return errors.Join(err, system.stop())
}
