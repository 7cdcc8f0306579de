// Package localmode runs an imageflow-local of its own for commands that measure or
// check one.
package localmode

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Local is a running local mode, on free ports and with data of its own.
type Local struct {
	// Gateway is the URL of the gateway; S3 is the host:port of the store.
	Gateway, S3 string

	cmd *exec.Cmd
	dir string
}

// Start runs the command of local mode and returns when it is ready.
func Start(command string) (*Local, error) {
	dir, err := os.MkdirTemp("", "imageflow-local-")
	if err != nil {
		return nil, err
	}
	args := []string{"--data", dir}
	address := map[string]string{}
	for _, part := range []string{"s3", "gateway", "resize", "detect", "filter", "bridge", "broker", "metrics"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		address[part] = l.Addr().String()
		args = append(args, "--"+part+"-port", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
		l.Close()
	}
	l := &Local{Gateway: "http://" + address["gateway"], S3: address["s3"], cmd: exec.Command(command, args...), dir: dir}
	l.cmd.Stderr = os.Stderr
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "ImageFlow is running") {
			go func() {
				for lines.Scan() { // what it prints of each step
				}
			}()
			return l, nil
		}
	}
	l.Stop()
	return nil, fmt.Errorf("%s has ended at its start", command)
}

// PID returns the process id.
func (l *Local) PID() int { return l.cmd.Process.Pid }

// Stop ends local mode and removes its data.
func (l *Local) Stop() {
	_ = l.cmd.Process.Signal(os.Interrupt)
	_ = l.cmd.Wait()
	_ = os.RemoveAll(l.dir)
}
