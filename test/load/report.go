package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report holds all runs and their settings.
type report struct {
	config config
	set    []testImage
	began  time.Time
	runs   []*rateRun
}

// write prints the report, and writes it with its image.
func (r *report) write() error {
	base := filepath.Join(r.config.out, r.began.Format("2006-01-02")+"-"+r.config.name)
	if err := os.MkdirAll(r.config.out, 0o755); err != nil {
		return err
	}
	text := r.markdown(filepath.Base(base) + ".svg")
	fmt.Print(text)
	if err := os.WriteFile(base+".svg", []byte(r.chart()), 0o644); err != nil {
		return err
	}
	fmt.Printf("\nwritten to %s.md and .svg\n", base)
	return os.WriteFile(base+".md", []byte(text), 0o644)
}

func (r *report) markdown(img string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Load: %s, %s\n\n", r.config.name, r.began.UTC().Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(&b, "`%s`, %v each, on %s. %s\n\n", r.config.target, r.config.duration, machine(), r.config.note)
	fmt.Fprintf(&b, "Sent in turn: %s.\n\n", r.imageSet())
	b.WriteString("| service level | |" + r.columns(func(x *rateRun) string { return fmt.Sprintf("%d/s", x.rate) }))
	b.WriteString("|---|---|" + r.columns(func(*rateRun) string { return "---" }))
	for i, l := range r.runs[0].levels() {
		fmt.Fprintf(&b, "| %s | %s |", l.name, l.want)
		b.WriteString(r.columns(func(x *rateRun) string {
			l := x.levels()[i]
			return map[bool]string{true: "pass, ", false: "**fail**, "}[l.holds] + l.got
		}))
	}
	b.WriteString("\n| | |" + r.columns(func(x *rateRun) string { return fmt.Sprintf("%d/s", x.rate) }))
	b.WriteString("|---|---|" + r.columns(func(*rateRun) string { return "---" }))
	for _, row := range r.rows() {
		b.WriteString("| " + row.name + " | |" + r.columns(row.value))
	}
	fmt.Fprintf(&b, "\n![latencies](%s)\n", img)
	for _, x := range r.runs {
		for _, text := range slices.Sorted(maps.Keys(x.errors)) {
			fmt.Fprintf(&b, "\n%d/s, %d times: `%s`\n", x.rate, x.errors[text], strings.ReplaceAll(text, "`", "'"))
		}
	}
	return b.String()
}

type row struct {
	name  string
	value func(*rateRun) string
}

func (r *report) rows() []row {
	latency := func(q float64) func(*rateRun) string {
		return func(x *rateRun) string { return fmt.Sprintf("%.0f ms", ms(quantile(x.latencies, q))) }
	}
	count := func(o outcome) func(*rateRun) string {
		return func(x *rateRun) string { return fmt.Sprintf("%d (%.1f %%)", x.counts[o], 100*x.share(x.counts[o])) }
	}
	return []row{
		{"done", count(done)}, {"refused as busy", count(busy)}, {"failed", count(failed)},
		{"done, p50", latency(0.5)}, {"done, p95", latency(0.95)}, {"done, p99", latency(0.99)},
		{"p99 of that at the first rate", func(x *rateRun) string {
			return fmt.Sprintf("%.1f ×", float64(quantile(x.latencies, 0.99))/float64(max(quantile(r.runs[0].latencies, 0.99), 1)))
		}},
		{"refused by", func(x *rateRun) string {
			var parts []string
			for _, step := range slices.Sorted(maps.Keys(x.refusers)) {
				parts = append(parts, fmt.Sprintf("%s %d", step, x.refusers[step]))
			}
			return strings.Join(parts, ", ")
		}},
		{"a refusal, p95", func(x *rateRun) string { return fmt.Sprintf("%.0f ms", ms(quantile(x.refusals, 0.95))) }},
		{"cores that other work took", func(x *rateRun) string { return fmt.Sprintf("%.1f", x.others) }},
	}
}

func (r *report) columns(value func(*rateRun) string) string {
	var b strings.Builder
	for _, x := range r.runs {
		b.WriteString(" " + value(x) + " |")
	}
	return b.String() + "\n"
}

func (r *report) imageSet() string {
	var names []string
	times := map[string]int{}
	for _, p := range r.set {
		name := fmt.Sprintf("%s of %d kB", p.name, len(p.data)/1000)
		if times[name]++; times[name] == 1 {
			names = append(names, name)
		}
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("%d × %s", times[name], name)
	}
	return strings.Join(names, ", ")
}

// machine describes the machine that sends; with local mode, it also processes.
func machine() string {
	model := runtime.GOARCH
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name\t: "); ok {
			model = strings.TrimSpace(name)
		}
	}
	return fmt.Sprintf("%d cores (%s)", runtime.NumCPU(), model)
}
