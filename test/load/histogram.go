package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// The image: a histogram for each rate, one below the other, with the same
// logarithmic axis from 1 ms to 100 s.
const (
	left, right, top = 70, 20, 34
	plotWidth        = 720
	plotHeight       = 110
	gap              = 46
	bars             = 75
	decades          = 5
)

// x returns the horizontal position of a latency.
func x(d time.Duration) float64 {
	return left + plotWidth*min(max(math.Log10(max(ms(d), 1))/decades, 0), 1)
}

func (r *report) chart() string {
	var b strings.Builder
	height := top + len(r.runs)*(plotHeight+gap)
	fmt.Fprintf(&b,
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		left+plotWidth+right, height)
	fmt.Fprintf(&b,
		`<rect width="100%%" height="100%%" fill="white"/>`+
			`<text x="%d" y="18" font-size="14">Latency of completed calls: %s, %s</text>`+"\n",
		left, r.config.name, r.began.Format("2006-01-02"))
	for i, run := range r.runs {
		run.draw(&b, top+i*(plotHeight+gap))
	}
	return b.String() + "</svg>\n"
}

func (r *rateRun) draw(b *strings.Builder, y int) {
	bottom := y + plotHeight
	counts := make([]int, bars)
	for _, d := range r.latencies {
		counts[min(int((x(d)-left)/plotWidth*bars), bars-1)]++
	}
	most := max(slices.Max(counts), 1)
	for i, n := range counts {
		height := float64(plotHeight) * float64(n) / float64(most)
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="#5b8db8"/>`+"\n",
			left+float64(i)*plotWidth/bars, float64(bottom)-height, float64(plotWidth)/bars-1, height)
	}
	fmt.Fprintf(b, `<path d="M%d %dH%d" stroke="black"/><text x="8" y="%d">%d/s</text>`+"\n", left, bottom,
		left+plotWidth, y+plotHeight/2, r.rate)
	fmt.Fprintf(b, `<text x="8" y="%d" font-size="10">%d done</text><text x="8" y="%d" font-size="10">%d busy</text>`+"\n",
		y+plotHeight/2+14, r.counts[done], y+plotHeight/2+26, r.counts[busy])
	for i := range decades + 1 {
		at := time.Duration(math.Pow10(i)) * time.Millisecond
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%v</text>`+"\n", x(at), bottom+15, at)
	}
	if len(r.latencies) == 0 {
		return
	}
	for i, q := range []float64{0.5, 0.95, 0.99} {
		at := quantile(r.latencies, q)
		fmt.Fprintf(b,
			`<path d="M%.1f %dV%d" stroke="#c03030" stroke-dasharray="3 2"/>`+
				`<text x="%.1f" y="%d" font-size="10" fill="#c03030">p%d %.0f ms</text>`+"\n",
			x(at), y, bottom, x(at)+3, y+10+12*i, int(math.Round(100*q)), ms(at))
	}
}
