package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"io"
	"os/exec"
	"time"
)

//go:embed references.py
var script string

// decoded is the answer of a reference; references.py describes its fields.
type decoded struct {
	Error                   string
	Width, Height           int
	CPU                     float64 `json:"cpu_ms"`
	RSS                     float64 `json:"rss_mib"`
	PSNR, Resized, Baseline float64
}

// reference is a decoder in a process of its own. A file that crashes the process, or takes longer
// than maxDecoding, counts as refused, and the next file gets a new process.
type reference struct {
	python, name string
	cmd          *exec.Cmd
	in           io.WriteCloser
	out          *bufio.Reader
}

const maxDecoding = time.Minute

func newReference(python, name string) *reference { return &reference{python: python, name: name} }

// decode decodes the file of a result and compares the outputs of the service with it.
func (d *reference) decode(r *result) (got decoded) {
	request, err := json.Marshal(map[string]string{"path": r.path, "filtered": r.filtered, "resized": r.resized})
	if err == nil {
		err = d.start()
	}
	if err != nil {
		return decoded{Error: err.Error()}
	}
	slow := time.AfterFunc(maxDecoding, func() { _ = d.cmd.Process.Kill() })
	defer slow.Stop()
	_, err = d.in.Write(append(request, '\n'))
	if err == nil {
		err = d.read(&got)
	}
	if err != nil {
		d.stop()
		return decoded{Error: "the process ended: " + err.Error()}
	}
	return got
}

// start starts the process if there is none.
func (d *reference) start() (err error) {
	if d.cmd != nil {
		return nil
	}
	cmd := exec.Command(d.python, "-c", script, d.name)
	if d.in, err = cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	d.out = bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		return err
	}
	d.cmd = cmd
	return nil
}

// stop ends the process.
func (d *reference) stop() {
	if d.cmd == nil {
		return
	}
	_ = d.in.Close()
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
	d.cmd = nil
}

// read reads one line.
func (d *reference) read(got *decoded) error {
	line, err := d.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, got)
}
