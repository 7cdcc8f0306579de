// Command imageflow runs one role of ImageFlow, configured by the environment, or a
// command of an operator.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/cmd/internal/version"
	"imageflow.dev/internal/telemetry"
)

func main() {
	slog.SetDefault(slog.New(telemetry.LogHandler(slog.NewJSONHandler(os.Stderr, nil))))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "imageflow:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 || slices.Contains([]string{"-h", "--help", "help"}, args[0]) {
		return help(out)
	}
	if command, ok := commands[args[0]]; ok {
		return command.run(ctx, args[1:], out)
	}
	i := slices.IndexFunc(role.All, func(r role.Role) bool { return r.Name == args[0] })
	if i < 0 {
		return fmt.Errorf("unknown role or command %q; see imageflow --help", args[0])
	}
	r := role.All[i]
	config := r.Config()
	if len(args) > 1 {
		fmt.Fprintf(out, "imageflow %s %s.\n\nEnvironment:\n", r.Name, r.Summary)
		return role.Usage(out, config)
	}
	if err := loadEnvironment(r.Name, config); err != nil {
		return err
	}
	watch, err := config.Watch(ctx, r.Name)
	if err != nil {
		return err
	}
	defer watch.Close()
	server, err := r.Listen(ctx, config, watch.Tracing)
	if err != nil {
		return err
	}
	slog.Info("serving", "role", r.Name, "address", server.Address())
	return server.Run(ctx)
}

// commands are the subcommands for operators.
var commands = map[string]struct {
	summary string
	run     func(ctx context.Context, args []string, out io.Writer) error
}{
	"chain":   {chainSummary, chain},
	"export":  {exportSummary, export},
	"formats": {formatsSummary, printFormats},
	"replay":  {replaySummary, replay},
	"run":     {runSummary, runChain},
	"setup":   {setupSummary, setup},
	"sign":    {signSummary, signURL},
	"version": {"prints the version, the commit and the Go version", printVersion},
}

func printVersion(_ context.Context, _ []string, out io.Writer) error {
	return version.Write(out, "imageflow")
}

func help(out io.Writer) error {
	fmt.Fprint(out, "Usage: imageflow ROLE            runs a role\n"+
		"       imageflow ROLE --help     lists the role's environment variables\n"+
		"       imageflow COMMAND         runs a command\n"+
		"       imageflow COMMAND --help  lists the command's flags\n\nRoles:\n")
	for _, r := range role.All {
		fmt.Fprintf(out, "  %-8s %s\n", r.Name, r.Summary)
	}
	fmt.Fprintln(out, "\nCommands:")
	for _, name := range slices.Sorted(maps.Keys(commands)) {
		fmt.Fprintf(out, "  %-8s %s\n", name, commands[name].summary)
	}
	return nil
}

// loadEnvironment reads the configuration of a role or a command and reports every variable that is wrong.
func loadEnvironment(of string, config interface{ Validate() error }) error {
	if err := errors.Join(role.Load(config), config.Validate()); err != nil {
		return fmt.Errorf("invalid environment of %s:\n%w", of, err)
	}
	return nil
}
