package main

import (
	"os"
	"strconv"
	"strings"
	"time"

	"imageflow.dev/test/proc"
)

// pid is the process id of local mode, 0 if there is none.
var pid int

// load is the CPU time that this machine has used, in ticks.
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

// used is the CPU time of a process in ticks.
func used(pid int) float64 {
	cpu, _ := proc.CPU(pid) // ended: 0
	return cpu.Seconds() * ticks
}

// others returns the number of cores that other processes have used since.
func (l load) others() float64 {
	now := startLoad()
	return max((now.all-l.all)-(now.idle-l.idle)-(now.ours-l.ours), 0) / ticks / now.at.Sub(l.at).Seconds()
}
