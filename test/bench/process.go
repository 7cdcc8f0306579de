package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// compile builds NAME/NAME.c to the file DIR/NAME with libraries, which are separated by spaces.
func compile(to, libraries string) error {
	name := filepath.Base(to)
	cmd := exec.Command("sh", "-c", `cc -O2 -o "$1" "$2" $(pkg-config --cflags --libs $3)`,
		"sh", to, filepath.Join(name, name+".c"), libraries)
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// process is a running peer.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(args []string) (*process, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	// GOGC is as in the images: the collector's share does not grow with the packages that a peer links.
	cmd.Env = append(os.Environ(), "GOGC=400", "VIPS_CONCURRENCY=1", "VIPS_WARNING=0", "MALLOC_ARENA_MAX=2")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &process{cmd, in, bufio.NewReader(out)}, cmd.Start()
}

func (p *process) end() {
	p.in.Close()
	_ = p.cmd.Wait() // all results have been read
}

// usage is the cost of a task.
type usage struct {
	cpu, wall float64 // ms
	bytes     int     // size of the output
}

func (p *process) do(t task) (d usage, err error) {
	if _, err := fmt.Fprintln(p.in, t); err != nil {
		return d, err
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return d, fmt.Errorf("%s: %w", strings.Join(p.cmd.Args, " "), err)
	}
	_, err = fmt.Sscan(line, &d.cpu, &d.wall, &d.bytes)
	return d, err
}
