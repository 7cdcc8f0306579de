// Command testreport reads the output of one or more runs of `go test -json` and
// prints what `go test` would print, then the tests that were skipped in every run.
// It fails if a test failed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
}

type report struct {
	out     io.Writer
	output  map[string][]string // of tests that have not ended, by package and test
	skipped map[string]string   // the reasons, by package and test
	passed  map[string]bool
	failed  bool
}

func main() {
	r := report{out: os.Stdout, output: map[string][]string{}, skipped: map[string]string{}, passed: map[string]bool{}}
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadString('\n')
		r.read(line)
		if err != nil {
			break
		}
	}
	r.listSkipped()
	if r.failed {
		os.Exit(1)
	}
}

func (r *report) read(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		fmt.Fprint(r.out, line)
		return
	}
	test := e.Package + " " + e.Test
	switch {
	case e.Action == "build-output":
		fmt.Fprint(r.out, e.Output)
	case e.Action == "output" && e.Test != "":
		r.output[test] = append(r.output[test], e.Output)
	case e.Action == "output" && e.Output != "PASS\n" && !strings.HasPrefix(e.Output, "coverage:"):
		fmt.Fprint(r.out, e.Output)
	case e.Action == "fail":
		r.failed = true
		fmt.Fprint(r.out, strings.Join(r.output[test], ""))
		delete(r.output, test)
	case e.Action == "skip" && e.Test != "":
		r.skipped[test] = reason(r.output[test])
		delete(r.output, test)
	case e.Action == "pass":
		r.passed[test] = true
		delete(r.output, test)
	}
}

// reason returns the message of t.Skip, without its position.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		if position, text, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && strings.Contains(position, ".go:") {
			return text
		}
	}
	return "no reason given"
}

// listSkipped prints the skipped tests by reason.
func (r *report) listSkipped() {
	byReason := map[string][]string{}
	for test, reason := range r.skipped {
		if !r.passed[test] {
			_, name, _ := strings.Cut(test, " ")
			byReason[reason] = append(byReason[reason], name)
		}
	}
	if len(byReason) == 0 {
		return
	}
	fmt.Fprintln(r.out, "not run:")
	var lines []string
	for reason, tests := range byReason {
		slices.Sort(tests)
		lines = append(lines, fmt.Sprintf("  %s: %s", reason, strings.Join(tests, ", ")))
	}
	slices.Sort(lines)
	fmt.Fprintln(r.out, strings.Join(lines, "\n"))
}
