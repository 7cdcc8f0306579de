package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// local is a local mode of our own.
type local struct {
	cmd *exec.Cmd
	dir string
}

// pid is that of the local mode, 0 where there is none.
var pid int

// startLocal starts a local mode on free ports, and has the config speak of it.
func startLocal(c *config) (*local, error) {
	dir, err := os.MkdirTemp("", "imageflow-load-")
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
		defer l.Close()
		address[part] = l.Addr().String()
		args = append(args, "--"+part+"-port", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
		l.Close()
	}
	c.gateway, c.s3 = "http://"+address["gateway"], address["s3"]
	l := &local{cmd: exec.Command(c.start, args...), dir: dir}
	l.cmd.Stderr = os.Stderr
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	pid = l.cmd.Process.Pid
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
	l.stop()
	return nil, fmt.Errorf("%s has ended", c.start)
}

func (l *local) stop() {
	_ = l.cmd.Process.Signal(os.Interrupt)
	_ = l.cmd.Wait()
	_ = os.RemoveAll(l.dir)
}

// load is the work of this machine up to a time, in ticks of a CPU.
type load struct {
	at              time.Time
	all, idle, ours float64
}

const ticks = 100 // a second, as Linux shows them everywhere

func startLoad() load {
	l := load{at: time.Now()}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return l
	}
	first, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(first)[1:] {
		n, _ := strconv.ParseFloat(field, 64)
		if l.all += n; i == 3 || i == 4 { // idle, and waiting for a disk
			l.idle += n
		}
	}
	l.ours = used(os.Getpid()) + used(pid)
	return l
}

// used is what a process has used.
func used(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return user + system
}

// others returns how many cores other work has taken since.
func (l load) others() float64 {
	now := startLoad()
	return max((now.all-l.all)-(now.idle-l.idle)-(now.ours-l.ours), 0) / ticks / now.at.Sub(l.at).Seconds()
}
