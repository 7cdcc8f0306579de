package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"imageflow.dev/cmd/internal/moment"
	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/rules"
)

const runSummary = "runs the chain on the images that a bucket already contains"

const runUsage = `Usage: imageflow run [--bucket BUCKET] [--prefix PREFIX] [--resume | --dry-run] [flags]

Sends the event of each upload under a prefix to the broker, in the order of the
keys, as if it had just been put. Triggers decide which steps run, as for new
uploads; steps do these events after all others. Images whose chain has ended are
skipped, or with --again also run: steps that have done their work find it done.

At most --in-flight chains run at a time: the next upload is sent when one is
completed or failed. Keep the number below the deliveries that the broker makes at
a time for each Trigger (in local mode two per core), so that new uploads do not
wait for a place.

The command can be stopped at any time. It records its progress in the bucket of
dead letters, and --resume continues from there. Without an unfinished run, --resume
is an error, but --resume --prefix PREFIX begins a run, for jobs that are started
again; it does not continue a run of another prefix. Only one run per bucket can be active.

TIME is a duration before now, such as 48h, or a time such as
2026-11-25T03:00:00Z. It selects by the time at which an image was put.

Flags:
`

// runFlags are the flags of the command.
type runFlags struct {
	since, until string
	backfill     bridge.Backfill
}

// runChain runs the chain on the images of a bucket. It returns an error if an upload failed.
func runChain(ctx context.Context, args []string, out io.Writer) error {
	flags, err := parseRun(args, out, time.Now())
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	config := &role.EventsConfig{}
	if err := loadEnvironment("run", config); err != nil {
		return err
	}
	p := newProgress(os.Stderr)
	flags.Failed = p.failed
	flags.Report = func(c bridge.BackfillCounts) { p.update(func() string { return bar(p, c) }) }
	counts, err := config.Backfill(ctx, *flags)
	p.print(summaryOf(counts, flags.DryRun) + "\n")
	resume := "imageflow run --bucket " + cmp.Or(flags.Bucket, config.Bucket) + " --resume"
	switch {
	case errors.Is(err, bridge.ErrNothingToResume):
		return fmt.Errorf("%w: nothing to resume; begin one with imageflow run --bucket %s --prefix PREFIX, "+
			"where an empty PREFIX means the whole bucket", err, cmp.Or(flags.Bucket, config.Bucket))
	case errors.Is(err, bridge.ErrUnfinished):
		return fmt.Errorf("%w; continue it with %s, or forget it with --restart", err, resume)
	case errors.Is(err, bridge.ErrUnreadableCursor):
		return fmt.Errorf("%w; forget that run with --restart", err)
	case errors.Is(err, bridge.ErrAnotherRun), flags.DryRun && err != nil:
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("stopped; continue with %s", resume)
	case err != nil:
		return fmt.Errorf("%w; continue with %s", err, resume)
	case counts.Silent > 0 && counts.Silent == counts.Sent:
		return fmt.Errorf("none of %d uploads has an outcome: %s", counts.Sent, bridge.NoOutcomeCauses)
	case counts.Failed+counts.Silent > 0:
		return fmt.Errorf("%d uploads failed (see imageflow replay), %d have no outcome (run again)", counts.Failed, counts.Silent)
	}
	return nil
}

// parseRun parses the command line; durations count back from now.
func parseRun(args []string, out io.Writer, now time.Time) (*bridge.Backfill, error) {
	var given runFlags
	f := flag.NewFlagSet("imageflow run", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() {
		fmt.Fprint(out, runUsage)
		f.PrintDefaults()
		fmt.Fprint(out, "\nEnvironment:\n")
		_ = role.Usage(out, &role.EventsConfig{})
	}
	b := &given.backfill
	f.StringVar(&b.Bucket, "bucket", "", "the `bucket` of the uploads (default MINIO_BUCKET)")
	f.StringVar(&b.Prefix, "prefix", "", "select only uploads whose keys begin with this `prefix`")
	f.StringVar(&given.since, "since", "", "select only uploads that were put from this `TIME` on")
	f.StringVar(&given.until, "until", "", "select only uploads that were put before this `TIME`")
	f.StringVar(&b.Chain, "chain", "", "the `name` in the events' extension backfill, for filters (default "+bridge.DefaultChain+")")
	f.BoolVar(&b.Again, "again", false, "also send uploads whose chain has completed or failed")
	f.Float64Var(&b.Rate, "rate", 0, "maximum number of events per `second`; 0: no limit but --in-flight")
	f.IntVar(&b.InFlight, "in-flight", 1, "maximum `number` of uploads whose chains run at a time")
	f.DurationVar(&b.Wait, "wait", 2*time.Minute, "maximum time to wait for an outcome, and for the store or the broker")
	f.BoolVar(&b.DryRun, "dry-run", false, "count the uploads and send nothing")
	f.BoolVar(&b.Resume, "resume", false,
		"continue the unfinished run of the bucket with its selection; with --prefix, begin one if there is none")
	f.BoolVar(&b.Restart, "restart", false, "forget the unfinished run of the bucket")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	f.Visit(func(g *flag.Flag) { b.Begin = b.Begin || g.Name == "prefix" })
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; see imageflow run --help", f.Arg(0))
	}
	return b, given.validate(now)
}

// validate checks the flags and parses the times.
func (given *runFlags) validate(now time.Time) (err error) {
	b := &given.backfill
	if b.Since, err = moment.Parse("since", given.since, now); err != nil {
		return err
	}
	if b.Until, err = moment.Parse("until", given.until, now); err != nil {
		return err
	}
	switch {
	case b.Resume && (b.DryRun || b.Restart):
		err = errors.New("--resume excludes --dry-run and --restart")
	case b.Chain != "" && !rules.IsName(b.Chain):
		err = fmt.Errorf("--chain is %.64q but must have the form %s", b.Chain, rules.NameForm)
	case !(b.Rate >= 0): // also true for NaN
		err = fmt.Errorf("--rate is %v but must be at least 0", b.Rate)
	case b.InFlight < 1 || b.InFlight > maxInFlight:
		err = fmt.Errorf("--in-flight is %d but must be in 1 to %d", b.InFlight, maxInFlight)
	case b.Wait <= 0:
		err = errors.New("--wait must be above 0")
	case !b.Until.IsZero() && b.Until.Before(b.Since):
		err = errors.New("--until is before --since")
	}
	return err
}

const maxInFlight = 1000

// bar returns a progress bar with the remaining time, once the objects are counted.
func bar(p *progress, c bridge.BackfillCounts) string {
	const width = 20
	each := p.rate(c.Done() - c.Before)
	text := fmt.Sprintf("%d sent, %d failed, %.1f/s", c.Sent, c.Failed+c.Silent, each)
	if c.Listed == 0 {
		return text
	}
	part := min(float64(c.Done())/float64(c.Listed), 1)
	full := int(part * width)
	left := time.Duration(float64(c.Listed-c.Done()) / max(each, 0.001) * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("[%s%s] %3.0f %% of %d, %v left: %s", strings.Repeat("#", full), strings.Repeat(".", width-full),
		100*part, c.Listed, max(left, 0), text)
}

// summaryOf returns the counts at the end of a run.
func summaryOf(c bridge.BackfillCounts, dryRun bool) string {
	if dryRun {
		return fmt.Sprintf("%d uploads would be sent; %d more had ended before", c.Sent, c.Ended)
	}
	return fmt.Sprintf("%d uploads sent: %d completed, %d failed, %d without an outcome; %d more had ended before",
		c.Sent, c.Completed, c.Failed, c.Silent, c.Ended)
}
