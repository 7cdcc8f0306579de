package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"imageflow.dev/cmd/internal/moment"
	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/execution"
)

const replaySummary = "lists dead letters and sends their events again"

const replayUsage = `Usage: imageflow replay --all | --execution ID | --since TIME [flags]

Sends the events of dead letters to the broker again. A dead letter is removed
when the broker has accepted its event; an event that fails again becomes a dead
letter again. A dead letter without an event is listed and kept. So is one that
the bridge stored when it signed with a key that is not in
EVENT_SIGNING_KEYS, because steps would refuse its event. With --dry-run, the
command only lists the dead letters and their reasons.

TIME is a duration before now, such as 90m, or a time such as
2026-11-25T03:00:00Z. It selects by the time of the last failure.

Flags:
`

// replayFlags are the flags of the command.
type replayFlags struct {
	all          bool
	since, until string
	replay       bridge.Replay
}

// replay sends dead letters again. It fails if an event could not be sent.
func replay(ctx context.Context, args []string, out io.Writer) error {
	flags, err := parseReplay(args, out, time.Now())
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	config := &role.EventsConfig{}
	if err := loadEnvironment("replay", config); err != nil {
		return err
	}
	t := &tally{out: out, dryRun: flags.DryRun}
	flags.Report = t.report
	return cmp.Or(config.Replay(ctx, *flags), t.summary())
}

// parseReplay parses the command line; durations count back from now.
func parseReplay(args []string, out io.Writer, now time.Time) (*bridge.Replay, error) {
	var given replayFlags
	f := flag.NewFlagSet("imageflow replay", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() {
		fmt.Fprint(out, replayUsage)
		f.PrintDefaults()
		fmt.Fprint(out, "\nEnvironment:\n")
		_ = role.Usage(out, &role.EventsConfig{})
	}
	s := &given.replay.Selection
	f.BoolVar(&given.all, "all", false, "select all dead letters")
	f.StringVar(&s.Execution, "execution", "", "select the dead letters of the execution `ID`, such as uploads/cat")
	f.StringVar(&given.since, "since", "", "select the dead letters from this `TIME` on")
	f.StringVar(&given.until, "until", "", "with --since: select the dead letters up to this `TIME`")
	f.StringVar(&s.Bucket, "bucket", "", "select only dead letters of images in this `bucket`")
	f.BoolVar(&given.replay.DryRun, "dry-run", false, "list the selected dead letters and send nothing")
	f.BoolVar(&given.replay.AnyKey, "any-key", false,
		"also send the events of dead letters that the bridge stored when it signed with a key that is not in EVENT_SIGNING_KEYS")
	f.DurationVar(&given.replay.Wait, "wait", 30*time.Second, "maximum time to wait until the broker accepts an event")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; see imageflow replay --help", f.Arg(0))
	}
	if err := given.validate(now); err != nil {
		return nil, err
	}
	return &given.replay, nil
}

// validate checks that exactly one selection is given, and parses the times.
func (given *replayFlags) validate(now time.Time) error {
	s := &given.replay.Selection
	selections := 0
	for _, is := range []bool{given.all, s.Execution != "", given.since != ""} {
		if is {
			selections++
		}
	}
	switch {
	case selections != 1:
		return errors.New("select dead letters with one of --all, --execution ID or --since TIME; see imageflow replay --help")
	case given.until != "" && given.since == "":
		return errors.New("--until needs --since")
	case given.replay.Wait <= 0:
		return errors.New("--wait must be above 0")
	}
	var err error
	if s.Since, err = moment.Parse("since", given.since, now); err != nil {
		return err
	}
	if s.Until, err = moment.Parse("until", given.until, now); err != nil {
		return err
	}
	if !s.Until.IsZero() && s.Until.Before(s.Since) {
		return errors.New("--until is before --since")
	}
	return nil
}

// tally prints and counts the result for each dead letter.
type tally struct {
	out                   io.Writer
	dryRun                bool
	sent, failed, skipped int
}

func (t *tally) report(l execution.DeadLetter, err error) {
	word := "sent"
	switch {
	case errors.Is(err, bridge.ErrNoEvent):
		word = "skipped"
		t.skipped++
	case err != nil:
		word = "FAILED"
		t.failed++
	default:
		if t.dryRun {
			word = "would send"
		}
		t.sent++
	}
	fmt.Fprintf(t.out, "%5d  %-10s  %s", t.sent+t.failed+t.skipped, word, printable(l.Object))
	if l.Reason != "" {
		fmt.Fprintf(t.out, "  (%s)", printable(l.Reason))
	}
	if err != nil {
		fmt.Fprintf(t.out, ": %s", printable(err.Error()))
	}
	fmt.Fprintln(t.out)
}

// summary prints the counts. It fails if an event could not be sent.
func (t *tally) summary() error {
	verb := "sent"
	if t.dryRun {
		verb = "would be sent"
	}
	fmt.Fprintf(t.out, "%d %s, %d failed, %d skipped\n", t.sent, verb, t.failed, t.skipped)
	if t.failed > 0 {
		return fmt.Errorf("%d dead letters could not be sent", t.failed)
	}
	return nil
}
