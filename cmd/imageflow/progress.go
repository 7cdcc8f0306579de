package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
)

// progress reports what a command has done: on a terminal in one line that changes, otherwise in a
// line every ten seconds.
type progress struct {
	out      io.Writer
	terminal bool
	interval time.Duration
	start    time.Time
	next     time.Time
}

func newProgress(f *os.File) *progress {
	p := &progress{out: f, interval: 10 * time.Second, start: time.Now()}
	if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		p.terminal, p.interval = true, 200*time.Millisecond
	}
	p.next = p.start.Add(p.interval)
	return p
}

// update prints the line that text returns, if it is time.
func (p *progress) update(text func() string) {
	if now := time.Now(); now.After(p.next) {
		p.next = now.Add(p.interval)
		p.print(text())
		if !p.terminal {
			fmt.Fprintln(p.out)
		}
	}
}

// print prints a line, on a terminal over the line before.
func (p *progress) print(line string) {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	fmt.Fprint(p.out, line)
}

func (p *progress) failed(key string, err error) {
	p.print(fmt.Sprintf("FAILED  %s: %s\n", printable(key), printable(err.Error())))
}

// printable replaces the control characters of a text that others wrote, which may change the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// rate returns how many of n were done per second.
func (p *progress) rate(n int64) float64 {
	return float64(n) / max(time.Since(p.start).Seconds(), 0.001)
}
