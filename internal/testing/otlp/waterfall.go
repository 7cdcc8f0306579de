package otlp

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"time"
)

// colours of the services' bars.
var colours = []string{"#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860", "#da8bc3"}

// The measures of a waterfall in pixels.
const (
	row, names, times, margin = 20, 330, 660, 10
)

// row of a waterfall: a span and how deep it lies in its trace.
type waterRow struct {
	Span
	depth int
}

// Waterfall draws the spans of one trace as SVG, a row each under the one that
// caused it.
func Waterfall(w io.Writer, title string, spans []Span) error {
	rows := under(spans, "", 0)
	begin, end := rows[0].Start, rows[0].End
	for _, r := range rows {
		if r.End.After(end) {
			end = r.End
		}
	}
	colour := map[string]string{}
	var out strings.Builder
	width, height := names+times+2*margin, (len(rows)+3)*row
	fmt.Fprintf(&out,
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width,
		height)
	fmt.Fprintf(&out,
		`<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", margin,
		row, html.EscapeString(title))
	at := func(t time.Time) float64 {
		return names + margin + times*float64(t.Sub(begin))/float64(end.Sub(begin))
	}
	grid(&out, end.Sub(begin), height)
	for i, r := range rows {
		if colour[r.Service] == "" {
			colour[r.Service] = colours[len(colour)%len(colours)]
		}
		y := (i + 3) * row
		x, long := at(r.Start), max(at(r.End)-at(r.Start), 1)
		fmt.Fprintf(&out, `<text x="%d" y="%d" fill="%s">%s<tspan fill="#333"> %s</tspan></text>`+"\n", margin+10*r.depth,
			y, colour[r.Service], html.EscapeString(strings.TrimPrefix(r.Service, "imageflow-")), html.EscapeString(r.Name))
		fmt.Fprintf(&out, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`, x, y-row/2-2, long, row/2+2, colour[r.Service])
		label, anchor := x+long+4, "start"
		if label > float64(width-60) {
			label, anchor = x-4, "end"
		}
		fmt.Fprintf(&out, `<text x="%.1f" y="%d" fill="#666" font-size="10" text-anchor="%s">%.1f ms</text>`+"\n",
			label, y, anchor, milliseconds(r.End.Sub(r.Start)))
	}
	out.WriteString("</svg>\n")
	_, err := io.WriteString(w, out.String())
	return err
}

// grid draws a line each so many milliseconds.
func grid(out io.Writer, whole time.Duration, height int) {
	step := time.Millisecond
	for _, factor := range []time.Duration{2, 5, 10, 20, 50, 100, 200, 500, 1000} {
		if whole/step > 10 {
			step = factor * time.Millisecond
		}
	}
	for t := time.Duration(0); t <= whole; t += step {
		x := names + margin + times*float64(t)/float64(whole)
		fmt.Fprintf(out,
			`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ddd"/>`+
				`<text x="%.1f" y="%d" fill="#666" font-size="10">%.0f ms</text>`+"\n",
			x, row+row/2, x, height, x+2, 2*row, milliseconds(t))
	}
}

// under lists the spans within one, each before those within it, by their starts.
func under(spans []Span, parent string, depth int) []waterRow {
	var rows []waterRow
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) })
	for _, s := range spans {
		if s.Parent == parent {
			rows = append(append(rows, waterRow{s, depth}), under(slices.Clone(spans), s.ID, depth+1)...)
		}
	}
	return rows
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
