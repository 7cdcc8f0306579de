// Command limited runs a command with a memory limit and no swap, as in a container: limited 1GiB
// bin/imageflow gateway. It needs root and Linux. When the command ends, it prints the peak memory,
// and whether the kernel killed the command.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"k8s.io/apimachinery/pkg/api/resource"

	"imageflow.dev/internal/testing/cgroup"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: limited LIMIT COMMAND [ARGUMENT...], with a limit such as 512Mi or 2Gi")
		os.Exit(2)
	}
	code, err := run(os.Args[1], os.Args[2], os.Args[3:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "limited:", err)
	}
	os.Exit(code)
}

func run(limit, name string, args []string) (code int, err error) {
	bytes, err := resource.ParseQuantity(limit)
	if err != nil {
		return 2, fmt.Errorf("the limit %q: %w", limit, err)
	}
	group, err := cgroup.New(bytes.Value())
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, group.Close()) }()
	cmd := group.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err = cmd.Wait()
	report(group)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil // -1 is for a signal
	}
	return 0, err
}

func report(group *cgroup.Group) {
	peak, peakErr := group.Peak()
	kills, killsErr := group.Kills()
	if err := errors.Join(peakErr, killsErr); err != nil {
		fmt.Fprintln(os.Stderr, "limited:", err)
		return
	}
	fmt.Fprintf(os.Stderr, "limited: %d MiB at most, %d killed for lack of memory\n", peak>>20, kills)
}
