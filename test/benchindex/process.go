package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"imageflow.dev/test/proc"
)

// processes are the processes that this command started. Their output goes to files in dir.
type processes struct {
	dir     string
	running []*process
}

type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// start starts a command with more environment.
func (p *processes) start(name string, cmd *exec.Cmd, env ...string) (*process, error) {
	log, err := os.Create(filepath.Join(p.dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	started := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(started.done)
	}()
	p.running = append(p.running, started)
	return started, nil
}

func (p *processes) stop() {
	for _, one := range p.running {
		one.stop()
	}
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// cpu returns the processor time that the process has used.
func (p *process) cpu() (time.Duration, error) { return proc.CPU(p.cmd.Process.Pid) }

// memory returns the memory of the process; zeros if it has ended.
func (p *process) memory() proc.Memory { return proc.MemoryOf(p.cmd.Process.Pid) }
