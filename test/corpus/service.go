package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"imageflow.dev/test/localmode"
)

// service is the local mode that gets the files.
type service struct {
	local *localmode.Local
	temp  string // a folder for outputs
}

// result has the answers for one file.
type result struct {
	file
	resize, detect, filter localmode.Answer
	// cpu is the CPU time of the service for resize, in all its threads.
	cpu time.Duration
	// peak is the peak of the resident memory of the whole of local mode, in MiB.
	peak int
	// resized and filtered are paths of the outputs, empty if there is none.
	resized, filtered string
	pillow, vips      decoded
}

// send sends a file to the three processors. Only a broken connection is an error.
func (s *service) send(f file) (*result, error) {
	data, err := os.ReadFile(f.path)
	if err != nil {
		return nil, err
	}
	r := &result{file: f}
	pid := strconv.Itoa(s.local.PID())
	if err := os.WriteFile(filepath.Join("/proc", pid, "clear_refs"), []byte("5"), 0); err != nil {
		return nil, err
	}
	before := cpuOf(s.local.PID())
	if r.resize, r.resized, err = s.call("resize", data, map[string]any{"target_width": 100}); err != nil {
		return nil, err
	}
	r.cpu = cpuOf(s.local.PID()) - before
	if r.detect, _, err = s.call("detect", data, map[string]any{}); err != nil {
		return nil, err
	}
	to := "image/png" // lossless; an output in the format of the file would keep its bytes
	if f.format == "png" {
		to = "image/tiff"
	}
	r.filter, r.filtered, err = s.call("filter", data, map[string]any{
		"filter_type": "FILTER_TYPE_BLUR", "intensity": 0, "output_image": map[string]string{"content_type": to},
	})
	r.peak = peakOf(pid)
	return r, err
}

// call sends data to a processor and returns the path of the output, if there is one.
func (s *service) call(processor string, data []byte, parameters map[string]any) (localmode.Answer, string, error) {
	a, err := s.local.Call(processor, data, parameters)
	if err != nil || len(a.Output) == 0 {
		return a, "", err
	}
	path := filepath.Join(s.temp, processor)
	err = os.WriteFile(path, a.Output, 0o600)
	a.Output = nil // is in the file
	return a, path, err
}

// cpuOf returns the CPU time that a process has used, 0 if it cannot be read.
func cpuOf(pid int) time.Duration {
	const allThreads = 2 // CPUCLOCK_SCHED: the clock of a process, see clock_getcpuclockid(3)
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|allThreads), &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// peakOf returns the peak of the resident memory of a process in MiB, 0 if it cannot be read.
func peakOf(pid string) int {
	status, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	if err != nil {
		return 0
	}
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	var kib int
	_, _ = fmt.Sscan(line, &kib)
	return kib >> 10
}
