package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"imageflow.dev/test/proc"
)

// servers are the processes that this command started. Their output goes to files in dir.
type servers struct {
	dir     string
	running []*process
}

// process is a running server.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
}

// start starts a server with more environment variables (NAME=value) and waits until the
// URL answers.
func (s *servers) start(ctx context.Context, name, url string, cmd *exec.Cmd, env ...string) (*process, error) {
	p := &process{name: name, cmd: cmd, log: filepath.Join(s.dir, name+".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt of the terminal does not end them
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = cmd.Wait() // stop ends it with a signal
		close(p.done)
	}()
	s.running = append(s.running, p)
	return p, p.waitReady(ctx, url)
}

// readyWithin is the time that a server has to start.
const readyWithin = 30 * time.Second

func (p *process) waitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		if answers(ctx, url) {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended before it was ready:\n%s", p.name, p.lastOutput())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer at %s: %w\n%s", p.name, url, ctx.Err(), p.lastOutput())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// answers reports whether a server answers at the URL, with any status below 500.
func answers(ctx context.Context, url string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode < http.StatusInternalServerError
}

// lastOutput returns the last lines that the process printed.
func (p *process) lastOutput() []byte {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	return bytes.Join(lines[max(len(lines)-10, 0):], nil)
}

// stop ends all processes, the last one first.
func (s *servers) stop() {
	for i := len(s.running) - 1; i >= 0; i-- {
		p := s.running[i]
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-p.done:
		case <-time.After(10 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
}

// cpu returns the processor time that the process has used; 0 for no process.
func (p *process) cpu() (time.Duration, error) {
	if p == nil {
		return 0, nil
	}
	used, err := proc.CPU(p.cmd.Process.Pid)
	if err != nil {
		return 0, fmt.Errorf("%s has ended: %w\n%s", p.name, err, p.lastOutput())
	}
	return used, nil
}
