// Package localmode runs an imageflow-local of its own for commands that measure or
// check one.
package localmode

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"

	"imageflow.dev/internal/testing/freeport"
)

// Local is a running local mode, on free ports and with data of its own.
type Local struct {
	// Gateway is the URL of the gateway; S3 is the host:port of the store.
	Gateway, S3 string
	// Addresses has the host:port of every part.
	Addresses map[string]string

	cmd  *exec.Cmd
	dir  string
	each func(line string)
}

// portFlag matches the flag with the port of a part in the help of local mode.
var portFlag = regexp.MustCompile(`(?m)^\s+-(\w+)-port\b`)

// Start runs the command of local mode, with more arguments, and returns when it is
// ready.
func Start(command string, more ...string) (*Local, error) {
	return StartCommand(exec.Command(command, more...), func(string) {})
}

// StartCommand is Start for a command that may have an environment of its own. It calls
// each with every line that local mode prints once it is ready.
func StartCommand(cmd *exec.Cmd, each func(line string)) (*Local, error) {
	help, err := exec.Command(cmd.Path, "--help").Output()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "imageflow-local-")
	if err != nil {
		return nil, err
	}
	cmd.Args = append(cmd.Args, "--data", dir)
	addresses := map[string]string{}
	for _, part := range portFlag.FindAllStringSubmatch(string(help), -1) {
		addresses[part[1]] = freeport.Address()
		_, port, _ := net.SplitHostPort(addresses[part[1]])
		cmd.Args = append(cmd.Args, "--"+part[1]+"-port", port)
	}
	l := &Local{
		Gateway: "http://" + addresses["gateway"], S3: addresses["s3"], Addresses: addresses,
		cmd: cmd, dir: dir, each: each,
	}
	return l, l.run()
}

// run starts the process and waits until it is ready.
func (l *Local) run() error {
	l.cmd.Stderr = os.Stderr
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := l.cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "ImageFlow is running") {
			go func() {
				for lines.Scan() {
					l.each(lines.Text())
				}
			}()
			return nil
		}
	}
	l.Stop()
	return fmt.Errorf("%s ended before it was ready", l.cmd.Path)
}

// PID returns the process id.
func (l *Local) PID() int { return l.cmd.Process.Pid }

// Stop ends local mode and removes its data.
func (l *Local) Stop() {
	_ = l.cmd.Process.Signal(os.Interrupt)
	_ = l.cmd.Wait()
	_ = os.RemoveAll(l.dir)
}
