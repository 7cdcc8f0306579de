package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// system is a local mode of our own, on free ports.
type system struct {
	cmd     *exec.Cmd
	dir     string
	gateway string
}

func start(command string) (*system, error) {
	dir, err := os.MkdirTemp("", "imageflow-cases-")
	if err != nil {
		return nil, err
	}
	s := &system{dir: dir}
	args := []string{"--data", dir}
	for _, part := range []string{"s3", "gateway", "resize", "detect", "filter", "bridge", "broker", "metrics"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		if part == "gateway" {
			s.gateway = "http://" + l.Addr().String()
		}
		args = append(args, "--"+part+"-port", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
		l.Close()
	}
	s.cmd = exec.Command(command, args...)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "ImageFlow is running") {
			go func() {
				for lines.Scan() { // what it prints of each step
				}
			}()
			return s, nil
		}
	}
	s.stop()
	return nil, fmt.Errorf("%s has ended at its start", command)
}

func (s *system) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait()
	_ = os.RemoveAll(s.dir)
}
