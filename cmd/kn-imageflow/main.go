// Command kn-imageflow is the plugin of kn for ImageFlow: kn imageflow. It also runs without kn.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"imageflow.dev/cmd/kn-imageflow/internal/text"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)    // a second signal ends the process at once
	utilruntime.ErrorHandlers = nil // which print that a forwarded port has ended
	os.Exit(run(ctx, &options{out: os.Stdout, errOut: os.Stderr, settling: 10 * time.Second}, os.Args[1:]))
}

// run runs a command line and returns the exit code, which is 0 or 1, as kn's is.
func run(ctx context.Context, o *options, args []string) int {
	o.data, o.out, o.errOut = o.out, text.Writer{To: o.out}, text.Writer{To: o.errOut}
	root := newRoot(o)
	root.SetArgs(args)
	root.SetOut(o.out)
	root.SetErr(o.errOut)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(o.errOut, "Error:", orInterrupted(ctx, err))
	if failed := (*failure)(nil); !errors.As(err, &failed) {
		fmt.Fprintf(o.errOut, "Run '%s --help' for usage\n", command.CommandPath())
	}
	return 1
}

// errInterrupted is the error of a command that the user has ended.
var errInterrupted = errors.New("interrupted")

// orInterrupted returns errInterrupted in place of the error of a call that has ended because ctx has.
func orInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) && !errors.Is(err, errInterrupted) {
		return errInterrupted
	}
	return err
}

// failure is the error of a command that was called rightly. Without it, an error is about the command line.
type failure struct{ error }

func (f *failure) Unwrap() error { return f.error }
