// Package proc reads from Linux what a process uses.
package proc

import (
	"time"

	"github.com/prometheus/procfs"
)

// CPU returns the CPU time that a process has used, in user and in kernel mode, in units of 10 ms.
func CPU(pid int) (time.Duration, error) {
	stat, err := statOf(pid)
	return time.Duration(stat.CPUTime() * float64(time.Second)), err
}

// Resident returns the resident bytes of a process; 0 if there is none.
func Resident(pid int) int64 {
	stat, _ := statOf(pid)
	return int64(stat.ResidentMemory())
}

func statOf(pid int) (procfs.ProcStat, error) {
	process, err := procfs.NewProc(pid)
	if err != nil {
		return procfs.ProcStat{}, err
	}
	return process.Stat()
}

// Memory is the memory of a process in bytes.
type Memory struct {
	// Resident is the memory now, Peak the most that it has been.
	Resident, Peak int64
	// Anonymous is the part that is not of files such as the binary and its libraries.
	Anonymous int64
}

// MemoryOf returns the memory of a process; zeros if there is none.
func MemoryOf(pid int) Memory {
	process, err := procfs.NewProc(pid)
	if err != nil {
		return Memory{}
	}
	status, _ := process.NewStatus()
	return Memory{Resident: int64(status.VmRSS), Peak: int64(status.VmHWM), Anonymous: int64(status.RssAnon)}
}
