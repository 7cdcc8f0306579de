package imaging

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// The filters of planes give the same bytes on every CPU.
func TestPlanarFilters_areTheSameOnEveryCPU(t *testing.T) { checkSameOnARM(t, "testdata/filters.c") }

// openSample opens an image of test/images.
func openSample(t *testing.T, name string) *Image {
	t.Helper()
	data, err := os.ReadFile("../../test/images/" + name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Open(data, Limits{MaxSide: 16383, MaxPixels: 50e6})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// filterInputs are planes of extreme and of photographic colours, of 4:2:0 and grey. The race detector
// takes minutes for the photographs, so make test runs their tests without it.
func filterInputs(t *testing.T) map[string]*planes {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	all := map[string]*planes{"grey": newPlanes(70, 45, sampling{1, 1})}
	for name, size := range map[string][2]int{"even": {160, 96}, "odd": {61, 47}, "small": {3, 1}, "dot": {1, 1}} {
		all[name] = newPlanes(size[0], size[1], samplings(3, true)...)
	}
	for _, p := range all {
		for i, c := range p.all {
			spread := 255 >> (2 * min(i, 1)) // less in colours
			for j := range c.samples {
				c.samples[j] = byte(128 - spread/2 + random.IntN(spread+1))
			}
		}
	}
	for _, name := range []string{"sample.jpg", "sample_filter.jpg"} {
		var err error
		if all[name], err = openSample(t, name).readPlanes(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// clone returns a copy with samples of its own.
func (p *planes) clone() *planes {
	c := *p
	c.all = append([]plane(nil), p.all...)
	for i := range c.all {
		c.all[i].samples = append([]byte(nil), c.all[i].samples...)
	}
	return &c
}

// blurred returns a plane after a Gaussian, in double precision.
func (p plane) blurred(sigma float64) []float64 {
	values := make([]float64, len(p.samples))
	for i, v := range p.samples {
		values[i] = float64(v)
	}
	pass := func(in []float64, n, step, lines, lineStep int) []float64 {
		reach := int(math.Ceil(6 * sigma))
		out := make([]float64, len(in))
		for line := range lines {
			for i := range n {
				var sum, weights float64
				for d := -reach; d <= reach; d++ {
					w := math.Exp(-float64(d*d) / (2 * sigma * sigma))
					sum += w * in[line*lineStep+reflect(i+d, n)*step]
					weights += w
				}
				out[line*lineStep+i*step] = sum / weights
			}
		}
		return out
	}
	return pass(pass(values, p.width, 1, p.height, p.width), p.height, p.width, p.width, 1)
}

// block is a sample of Cb and Cr with its 1 to 4 samples of Y.
type block struct {
	luma   []float64
	cb, cr float64
}

// rgb returns the colours of BT.601 of a pixel, and how far they are outside of 0 to 255.
func rgb(y, cb, cr float64) (c [3]float64, outside float64) {
	cb, cr = cb-128, cr-128
	c = [3]float64{y + 1.402*cr, y - 0.344136*cb - 0.714136*cr, y + 1.772*cb}
	for i, v := range c {
		c[i] = min(max(v, 0), 255)
		outside = max(outside, math.Abs(v-c[i]))
	}
	return c, outside
}

// adjusted applies the formula of an Adjustment and what sharpening adds to a block: without
// clipping, and in RGB with clipping. outside is how far RGB is out of range at most.
func (b block) adjusted(a Adjustment, added []float64) (linear, clipped block, outside float64) {
	linear = block{cb: 128 + (b.cb-128)*a.Own, cr: 128 + (b.cr-128)*a.Own}
	for i, y := range b.luma {
		lum := (a.Own+a.Luma)*y + 255*a.Offset + added[i]
		linear.luma = append(linear.luma, lum)
		c, before := rgb(y, b.cb, b.cr)
		_, after := rgb(lum, linear.cb, linear.cr)
		outside = max(outside, before, after)
		grey := 0.299*c[0] + 0.587*c[1] + 0.114*c[2]
		for j := range c {
			c[j] = min(max(a.Own*c[j]+a.Luma*grey+255*a.Offset+added[i], 0), 255)
		}
		clipped.luma = append(clipped.luma, 0.299*c[0]+0.587*c[1]+0.114*c[2])
		n := float64(len(b.luma))
		clipped.cb += (128 - 0.168736*c[0] - 0.331264*c[1] + 0.5*c[2]) / n
		clipped.cr += (128 + 0.5*c[0] - 0.418688*c[1] - 0.081312*c[2]) / n
	}
	return linear, clipped, outside
}

// distance is the largest difference between two blocks.
func (b block) distance(other block) float64 {
	d := max(math.Abs(b.cb-other.cb), math.Abs(b.cr-other.cr))
	for i := range b.luma {
		d = max(d, math.Abs(b.luma[i]-other.luma[i]))
	}
	return d
}

// block returns a block of planes with 4:2:0, and the positions of its samples of Y.
func (p *planes) block(x, y int) (b block, at []int) {
	for j := 2 * y; j < min(2*y+2, p.height); j++ {
		for i := 2 * x; i < min(2*x+2, p.width); i++ {
			at = append(at, j*p.width+i)
			b.luma = append(b.luma, float64(p.all[0].samples[j*p.width+i]))
		}
	}
	i := y*p.all[1].width + x
	b.cb, b.cr = float64(p.all[1].samples[i]), float64(p.all[2].samples[i])
	return b, at
}

// TestPlanarFilters_equalTheFormulas wants each plane exact to one step where nothing clips,
// and else to one step of the colours that were clipped in RGB.
func TestPlanarFilters_equalTheFormulas(t *testing.T) {
	for name, in := range filterInputs(t) {
		if (testing.Short() || Race) && in.width > 300 {
			continue
		}
		for _, a := range []Adjustment{
			{1, 0, 0.2}, {1, 0, -0.3}, {1.5, 0, -0.25}, {0.5, 0, 0.25}, {0, 0, 0.5}, {5, 0, -2},
			{1.5, -0.5, 0}, {0, 1, 0}, {5, -4, 0},
		} {
			out := in.clone()
			if err := out.Adjust(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			checkAdjusted(t, fmt.Sprint(name, " ", a), in, out, a, make([]float64, in.width*in.height))
		}
		for _, s := range [][2]float64{{1, 0.5}, {0.5, 1.5}, {3, 1}, {1, 10}} {
			out := in.clone()
			if err := out.Sharpen(t.Context(), s[0], s[1]); err != nil {
				t.Fatal(err)
			}
			added := in.all[0].blurred(s[0])
			for i, v := range added {
				added[i] = s[1] * (float64(in.all[0].samples[i]) - v)
			}
			checkAdjusted(t, fmt.Sprint(name, " sharpened ", s), in, out, Adjustment{Own: 1}, added)
		}
	}
}

func checkAdjusted(t *testing.T, name string, in, out *planes, a Adjustment, added []float64) {
	t.Helper()
	if len(in.all) == 1 {
		for i, v := range in.all[0].samples {
			want := min(max((a.Own+a.Luma)*float64(v)+255*a.Offset+added[i], 0), 255)
			if got := float64(out.all[0].samples[i]); math.Abs(got-want) > 1 {
				t.Fatalf("%s: sample %d is %g, want %.2f", name, i, got, want)
			}
		}
		return
	}
	clips := 0
	for i := range in.all[1].samples {
		x, y := i%in.all[1].width, i/in.all[1].width
		before, at := in.block(x, y)
		var more []float64
		for _, j := range at {
			more = append(more, added[j])
		}
		linear, clipped, outside := before.adjusted(a, more)
		got, _ := out.block(x, y)
		off := got.distance(linear)
		if outside > 1 {
			clips++
			off = got.distance(clipped) - 0.1 - 0.5*max(1, a.Own) // RGB is rounded before and after
			if outside < 4 {                                      // decoders clip 2 steps, give or take the rounding
				off = min(off, got.distance(linear))
			}
		}
		if off > 1 {
			t.Fatalf("%s: block %d, %d of %v is %v, want %v, or with clipping %v: %.2f", name, x, y, before, got, linear, clipped, outside)
		}
	}
	t.Logf("%s: %.0f %% of the blocks clip", name, 100*float64(clips)/float64(len(in.all[1].samples)))
}

func TestPlanarBlur_isGaussian(t *testing.T) {
	for name, in := range filterInputs(t) {
		if in.width > 1000 || (testing.Short() || Race) && in.width > 300 {
			continue
		}
		for _, sigma := range []float64{0.3, 1, 1.9, 3, 6, 20} {
			out := in.clone()
			if err := out.Blur(t.Context(), sigma); err != nil {
				t.Fatal(err)
			}
			for i, c := range out.all {
				var most, sum float64
				for j, want := range in.all[i].blurred(sigma / float64(1+min(i, 1))) {
					off := math.Abs(float64(c.samples[j]) - want)
					most, sum = max(most, off), sum+off
				}
				if mean := sum / float64(len(c.samples)); most > 1 || mean > 0.4 && len(c.samples) > 100 {
					t.Errorf("%s, sigma %g, plane %d: off by %.2f at most, %.2f in the mean", name, sigma, i, most, mean)
				}
			}
		}
	}
}
func samplings(count int, subsampled bool) []sampling {
	return []sampling{{2, 2}, {1, 1}, {1, 1}}
}
