package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"text/tabwriter"
	"time"
)

// report has the results of all files.
type report []*result

// finding classifies a result.
type finding string

const (
	refusedByAll finding = "refused"
	failed       finding = "5xx"
	onlyRefused  finding = "refused, though both references decode it"
	onlyTaken    finding = "taken, though both references refuse it"
	disagree     finding = "taken by some processors only"
	otherPixels  finding = "PSNR below 30 dB"
	worseResize  finding = "resize more than 3 dB below Pillow's"
	unremarkable finding = "ok"
	notRead      finding = "a format that is not read"
)

// The limits, in dB. A resize as good as closeResize needs no comparison: the weights of two
// Lanczos filters differ.
const minPSNR, maxResizeLoss, closeResize = 30.0, 3.0, 40.0

// worse reports whether the service's resize is farther than Pillow's from this reference's pixels.
func (d decoded) worse() bool {
	return d.Error == "" && d.Resized >= 0 && d.Resized < min(d.Baseline-maxResizeLoss, closeResize)
}

// message returns the first refusal of a processor.
func (r *result) message() string {
	return cmp.Or(r.resize.Message, r.detect.Message, r.filter.Message)
}

// findings are the columns of the summary.
var findings = []finding{unremarkable, refusedByAll, onlyRefused, onlyTaken, disagree, otherPixels, worseResize, failed}

// finding returns the first finding that applies.
func (r *result) finding() finding {
	statuses := []int{r.resize.Status, r.detect.Status, r.filter.Status}
	taken := r.resize.Status == http.StatusOK
	switch {
	case slices.Max(statuses) >= 500:
		return failed
	case !read[r.format]:
		return notRead
	case slices.Max(statuses) != slices.Min(statuses):
		return disagree
	case !taken && r.pillow.Error == "" && r.vips.Error == "":
		return onlyRefused
	case !taken:
		return refusedByAll
	case r.pillow.Error != "" && r.vips.Error != "":
		return onlyTaken
	case r.psnr() >= 0 && r.psnr() < minPSNR:
		return otherPixels
	case r.pillow.worse() && r.vips.worse():
		return worseResize
	}
	return unremarkable
}

// psnr returns the PSNR against the nearer of the references that decode the file, -1 if none
// compared it.
func (r *result) psnr() float64 {
	best := -1.0
	for _, d := range []decoded{r.pillow, r.vips} {
		if d.Error == "" {
			best = max(best, d.PSNR)
		}
	}
	return best
}

// print prints the files that need an explanation, or all of them, and a summary.
func (rs report) print(w io.Writer, all bool) {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "FINDING\tFILE\tRESIZE\tDETECT\tFILTER\tPILLOW\tVIPS\tPSNR\tCPU\tRSS\tMESSAGE")
	for _, r := range rs {
		f := r.finding()
		if plain := f == unremarkable || f == notRead || f == refusedByAll; plain && !all {
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%s\t%s\t%.1f\t%v\t%d MiB\t%.100s\n", f, r.path, r.resize.Status, r.detect.Status,
			r.filter.Status, r.pillow, r.vips, r.psnr(), r.cpu.Round(100*time.Microsecond), r.peak, r.message())
	}
	fmt.Fprintln(table)
	rs.summarize(table)
	table.Flush()
}

// summarize prints the counts and the medians of each format.
func (rs report) summarize(w io.Writer) {
	byFormat := map[string]report{}
	for _, r := range rs {
		byFormat[r.format] = append(byFormat[r.format], r)
	}
	fmt.Fprint(w, "FORMAT\tFILES")
	for _, f := range findings {
		fmt.Fprintf(w, "\t%s", f)
	}
	fmt.Fprintln(w, "\tRESIZE CPU ms\tPILLOW\tVIPS")
	for _, format := range slices.Sorted(maps.Keys(byFormat)) {
		of := byFormat[format]
		counts := map[finding]int{}
		var ours, pillow, vips []float64
		for _, r := range of {
			counts[r.finding()]++
			if r.finding() == unremarkable {
				ours = append(ours, r.cpu.Seconds()*1000)
				pillow, vips = append(pillow, r.pillow.CPU), append(vips, r.vips.CPU)
			}
		}
		if !read[format] {
			fmt.Fprintf(w, "%s\t%d\tnot read\n", format, len(of))
			continue
		}
		fmt.Fprintf(w, "%s\t%d", format, len(of))
		for _, f := range findings {
			fmt.Fprintf(w, "\t%d", counts[f])
		}
		fmt.Fprintf(w, "\t%.1f\t%.1f\t%.1f\n", median(ours), median(pillow), median(vips))
	}
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// verdict returns an error if the service failed, or refused too many files.
func (rs report) verdict() error {
	counts := map[finding]int{}
	decoded := 0
	for _, r := range rs {
		counts[r.finding()]++
		if read[r.format] && r.pillow.Error == "" && r.vips.Error == "" {
			decoded++
		}
	}
	var errs []error
	if n := counts[failed]; n > 0 {
		errs = append(errs, fmt.Errorf("%d files were answered with a 5xx status", n))
	}
	if n := counts[onlyRefused]; float64(n) > maxRefused*float64(decoded) {
		errs = append(errs, fmt.Errorf("%d of %d files that both references decode were refused", n, decoded))
	}
	return errors.Join(errs...)
}

// String returns "ok" or the error.
func (d decoded) String() string {
	if d.Error == "" {
		return "ok"
	}
	return fmt.Sprintf("%.60s", d.Error)
}
