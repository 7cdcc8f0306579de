package proc_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"imageflow.dev/test/proc"
)

// TestProcess: work costs CPU time, and memory that is written is anonymous and resident.
func TestProcess(t *testing.T) {
	pid := os.Getpid()
	before, memory := cpu(t, pid), proc.MemoryOf(pid)
	written := bytes.Repeat([]byte{1}, 64<<20)
	for used := before; used < before+20*time.Millisecond; used = cpu(t, pid) {
		written[0]++
	}
	after := proc.MemoryOf(pid)
	grown := after.Anonymous - memory.Anonymous
	if grown < 60<<20 || after.Resident < after.Anonymous || after.Peak < after.Resident {
		t.Errorf("%d bytes grew from %+v to %+v", len(written), memory, after)
	}
	if got := proc.Resident(pid); got < 64<<20 {
		t.Errorf("resident: %d", got)
	}
}

// cpu returns the CPU time of a process.
func cpu(t *testing.T, pid int) time.Duration {
	used, err := proc.CPU(pid)
	if err != nil {
		t.Fatal(err)
	}
	return used
}

func TestProcess_noProcess(t *testing.T) {
	if _, err := proc.CPU(1 << 30); err == nil || proc.Resident(1<<30) != 0 || proc.MemoryOf(1<<30) != (proc.Memory{}) {
		t.Error("a process that does not exist uses something")
	}
}
