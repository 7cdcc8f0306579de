package scenario

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// statusOf returns a number from /proc/PID/status, such as VmRSS in KiB or Threads.
func statusOf(t testing.TB, pid int, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[0] == name+":" {
			n, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s in the status of process %d", name, pid)
	return 0
}

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 everywhere.
const tick = 10 * time.Millisecond

// cpu returns the processor time that a process has used.
func cpu(t testing.TB, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// The name, which may hold spaces, ends with the last parenthesis; utime and
	// stime are the 14th and 15th fields.
	fields := strings.Fields(string(text[strings.LastIndex(string(text), ")")+1:]))
	return time.Duration(ticks(t, fields[11])+ticks(t, fields[12])) * tick
}

// machineCPU returns the processor time that the whole machine has used.
func machineCPU(t testing.TB) time.Duration {
	t.Helper()
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	// cpu user nice system idle iowait irq softirq steal ...
	fields := strings.Fields(string(text[:strings.Index(string(text), "\n")]))
	total := 0
	for _, i := range []int{1, 2, 3, 6, 7} {
		total += ticks(t, fields[i])
	}
	return time.Duration(total) * tick
}

func ticks(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
