package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"

	"imageflow.dev/internal/bridge"
)

func TestRunFlags(t *testing.T) {
	for args, wrong := range map[string]string{
		"":                                       "",
		"--bucket b --prefix in/ --since 48h":    "",
		"--since 2h --until 1h --again":          "",
		"--resume --bucket b --rate 5":           "",
		"--resume --prefix in/":                  "",
		"--resume --dry-run":                     "--dry-run",
		"--resume --restart":                     "--restart",
		"--chain Thumbs":                         `"Thumbs"`,
		"--rate -1":                              "--rate",
		"--rate NaN":                             "--rate",
		"--in-flight 0":                          "1 to 1000",
		"--wait 0s":                              "--wait",
		"--since yesterday":                      `--since is "yesterday"`,
		"--since 1h --until 2h":                  "--until is before --since",
		"images":                                 `"images"`,
		"--until 2026-11-25T03:00:00Z --dry-run": "",
	} {
		_, err := parseRun(strings.Fields(args), io.Discard, time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC))
		if (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: got %v, want an error with %q", args, err, wrong)
		}
	}
}

// TestRunFlags_begin: only a prefix, which may be empty, lets a resume begin a run.
func TestRunFlags_begin(t *testing.T) {
	for args, want := range map[string]bool{"--resume": false, "--resume --prefix=": true, "--resume --bucket b": false} {
		b, err := parseRun(strings.Fields(args), io.Discard, time.Now())
		if err != nil || b.Begin != want {
			t.Errorf("%s: %v, %v", args, b, err)
		}
	}
}

// TestBar: the estimate counts only what this run did.
func TestBar(t *testing.T) {
	p := &progress{out: &bytes.Buffer{}, start: time.Now().Add(-1000 * time.Second)}
	c := bridge.BackfillCounts{Sent: 5100, Completed: 5100, Before: 100}
	if got := bar(p, c); got != "5100 sent, 0 failed, 5.0/s" {
		t.Errorf("not counted yet: %s", got)
	}
	c.Listed = 6800
	if got := bar(p, c); got != "[###############.....]  75 % of 6800, 5m40s left: 5100 sent, 0 failed, 5.0/s" {
		t.Errorf("counted: %s", got)
	}
}

// TestPrintable: text that others wrote does not control the terminal.
func TestPrintable(t *testing.T) {
	if got := printable("ü\x1b[2J\r\n\u009b"); strings.ContainsFunc(got, unicode.IsControl) || !strings.HasPrefix(got, "ü") {
		t.Errorf("%q", got)
	}
}
