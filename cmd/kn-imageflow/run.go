package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/printers"

	"imageflow.dev/cmd/internal/moment"
	"imageflow.dev/cmd/kn-imageflow/internal/backfill"
)

const runHelp = `Run the chain on the images that the bucket already contains. A Job of the cluster does it, with the image,
the account and the settings of the Service bridge: imageflow run. It sends the event of each upload under a prefix, in the
order of the keys, as if it had just been put. Uploads whose chain has ended are skipped. Triggers decide which steps run;
steps do these events after all others.

The command prints the log of the Job until that has ended, and fails if an upload failed or has no outcome. When the
command is interrupted, the Job goes on. A run that was stopped or that has failed continues where it was when the command
is given again with the same prefix and chain; with others it fails, unless --restart forgets that run.`

// runFlags are the flags of the command run.
type runFlags struct {
	span                             span
	dryRun, restart, print, noFollow bool
}

// passed are the flags that the Job gets as they are.
var passed = []string{"bucket", "prefix", "chain", "again", "rate", "in-flight", "wait"}

func newRun(o *options) *cobra.Command {
	f := &runFlags{}
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the chain on the images that the bucket already contains (backfill)",
		Long:  runHelp,
		Example: `  kn imageflow run --prefix archive/ --dry-run
  kn imageflow run --prefix archive/ --since 720h --in-flight 16`,
		Args: cobra.NoArgs,
	}
	flags := c.Flags()
	flags.String("bucket", "", "`bucket` of the uploads (default the bridge's)")
	flags.String("prefix", "", "`start` of the keys (default all)")
	f.span.add(c, "an upload was put")
	flags.String("chain", "all", "`name` in the events' extension backfill, by which Triggers can select them")
	flags.Bool("again", false, "also send uploads whose chain has ended")
	flags.Float64("rate", 0, "maximum number of `events` per second; 0 sets no limit but --in-flight")
	flags.Int("in-flight", 8, "maximum `number` of uploads whose chains run at a time")
	flags.Duration("wait", 2*time.Minute, "maximum `time` to wait for an outcome, and for the store or the broker")
	flags.BoolVar(&f.dryRun, "dry-run", false, "count the uploads and send nothing")
	flags.BoolVar(&f.restart, "restart", false, "forget the unfinished run of the bucket")
	flags.BoolVar(&f.print, "print", false, "print the Job as YAML and create nothing")
	flags.BoolVar(&f.noFollow, "no-follow", false, "do not wait until the Job has ended")
	c.MarkFlagsMutuallyExclusive("dry-run", "restart")
	c.RunE = func(c *cobra.Command, args []string) error {
		arguments, err := f.arguments(flags)
		if err != nil {
			return err
		}
		return runs(func(ctx context.Context, _ []string) error { return o.backfill(ctx, f, arguments) })(c, args)
	}
	c.AddCommand(newRunFollow(o), newRunStop(o))
	return c
}

// arguments returns the command line of the Job. A pod that replaces another one continues the run.
func (f *runFlags) arguments(flags *pflag.FlagSet) ([]string, error) {
	arguments := []string{"run"}
	switch {
	case f.dryRun:
		arguments = append(arguments, "--dry-run")
	case f.restart:
		arguments = append(arguments, "--restart")
	default:
		arguments = append(arguments, "--resume")
	}
	for _, name := range passed {
		if flag := flags.Lookup(name); flag.Changed || name == "prefix" || name == "in-flight" {
			arguments = append(arguments, "--"+name+"="+flag.Value.String())
		}
	}
	now := time.Now()
	for name, text := range map[string]string{"since": f.span.since, "until": f.span.until} {
		at, err := moment.Parse(name, text, now)
		if err != nil {
			return nil, err
		}
		if !at.IsZero() { // not relative to the start of a pod
			arguments = append(arguments, "--"+name+"="+at.UTC().Format(time.RFC3339))
		}
	}
	return arguments, nil
}

// backfill starts the Job and follows it.
func (o *options) backfill(ctx context.Context, f *runFlags, arguments []string) error {
	clients, err := o.clients()
	if err != nil {
		return err
	}
	job, err := backfill.NewJob(ctx, clients, arguments)
	if err != nil {
		return err
	}
	if f.print {
		return (&printers.YAMLPrinter{}).PrintObj(job, o.data)
	}
	if err := backfill.Start(ctx, clients, job); err != nil {
		return err
	}
	fmt.Fprintf(o.out, "job.batch/%s created: imageflow %q\n", job.Name, arguments)
	if f.noFollow {
		return nil
	}
	return backfill.Follow(ctx, clients, o.out)
}

func newRunFollow(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "follow",
		Short:   "Print the log of the run until it has ended, and fail if it fails",
		Example: "  kn imageflow run follow",
		Args:    cobra.NoArgs,
		RunE: runs(func(ctx context.Context, _ []string) error {
			clients, err := o.clients()
			if err != nil {
				return err
			}
			return backfill.Follow(ctx, clients, o.out)
		}),
	}
}

func newRunStop(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "stop",
		Short:   "Stop the run; the same command continues it later",
		Example: "  kn imageflow run stop",
		Args:    cobra.NoArgs,
		RunE: runs(func(ctx context.Context, _ []string) error {
			clients, err := o.clients()
			if err != nil {
				return err
			}
			if err := backfill.Stop(ctx, clients); err != nil {
				return err
			}
			fmt.Fprintf(o.out, "job.batch/%s deleted\n", backfill.Name)
			return nil
		}),
	}
}
