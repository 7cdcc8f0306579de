// Package cgroup limits the memory of a command by a control group of Linux, of
// version 1 or 2.
package cgroup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrUnavailable means that this process cannot make memory cgroups here.
var ErrUnavailable = errors.New("no memory cgroups")

// Group is a memory cgroup.
type Group struct {
	dir   string
	files files
}

// files names the files of a cgroup version.
type files struct{ parent, limit, swap, usage, peak, events string }

var versions = []files{
	{
		parent: "/sys/fs/cgroup", limit: "memory.max", swap: "memory.swap.max",
		usage: "memory.current", peak: "memory.peak", events: "memory.events",
	},
	{
		parent: "/sys/fs/cgroup/memory", limit: "memory.limit_in_bytes", swap: "memory.memsw.limit_in_bytes",
		usage: "memory.usage_in_bytes", peak: "memory.max_usage_in_bytes", events: "memory.oom_control",
	},
}

// New makes a group whose processes have limit bytes of memory together and no
// swap. Close removes it.
func New(limit int64) (*Group, error) {
	var reasons []string
	for _, v := range versions {
		g, err := v.open(limit)
		if err == nil {
			return g, nil
		}
		reasons = append(reasons, err.Error())
	}
	return nil, fmt.Errorf("%w: %s", ErrUnavailable, strings.Join(reasons, "; "))
}

func (v files) open(limit int64) (*Group, error) {
	if v.limit == "memory.max" { // children have the controllers that the parent hands down
		if err := write(filepath.Join(v.parent, "cgroup.subtree_control"), "+memory"); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp(v.parent, "imageflow-")
	if err != nil {
		return nil, err
	}
	g := &Group{dir, v}
	if err := write(filepath.Join(dir, v.limit), strconv.FormatInt(limit, 10)); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	noSwap := "0"
	if v.limit != "memory.max" { // version 1 limits memory and swap together
		noSwap = strconv.FormatInt(limit, 10)
	}
	_ = write(filepath.Join(dir, v.swap), noSwap) // absent where the kernel does not account for swap
	return g, nil
}

// Command returns the command, which joins the group before it starts.
func (g *Group) Command(name string, args ...string) *exec.Cmd {
	const join = `echo $$ >"$0" && exec "$@"`
	return exec.Command("sh", append([]string{"-c", join, filepath.Join(g.dir, "cgroup.procs"), name}, args...)...)
}

// Usage returns the bytes in use now.
func (g *Group) Usage() (int64, error) { return g.number(g.files.usage) }

// Peak returns the largest number of bytes that were in use at once.
func (g *Group) Peak() (int64, error) { return g.number(g.files.peak) }

// Kills returns how many processes the kernel killed because the group exceeded its
// limit.
func (g *Group) Kills() (int, error) {
	text, err := os.ReadFile(filepath.Join(g.dir, g.files.events))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if count, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strconv.Atoi(strings.TrimSpace(count))
		}
	}
	return 0, fmt.Errorf("%s does not count kills", g.files.events)
}

// Close removes the group. Its processes must have ended; the kernel may need a
// moment to notice.
func (g *Group) Close() (err error) {
	for range 100 {
		if err = os.Remove(g.dir); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

func (g *Group) number(file string) (int64, error) {
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}

func write(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
