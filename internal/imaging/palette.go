package imaging

import (
	"cmp"
	"context"
	"slices"
)

const (
	// maxPalette is the maximum number of colours of a palette.
	maxPalette = 256
	// maxCounted is the maximum number of colours that are counted apart from each other.
	maxCounted = 1 << 15
	// paletteMemory is the maximum memory for making a palette, in bytes.
	paletteMemory = 8 << 20
)

// rgba is a colour with straight alpha: red in the lowest 8 bits, alpha in the highest.
type rgba uint32

// premultiplied returns the colours multiplied by alpha, each in [0, 255], and alpha.
func (c rgba) premultiplied() (v [4]float32) {
	a := float32(c >> 24)
	for i := range 3 {
		v[i] = float32(c>>(8*i)&255) * a / 255
	}
	v[3] = a
	return v
}

// straight is the inverse of premultiplied, rounded.
func straight(v [4]float32) (c rgba) {
	for i := range 3 {
		c |= rgba(min(v[i]*255/max(v[3], 1)+0.5, 255)) << (8 * i)
	}
	return c | rgba(v[3]+0.5)<<24
}

// countedColour counts the pixels whose colours are equal in the bits that are looked at.
type countedColour struct {
	key rgba
	// pixels is their number, and mean the mean of their premultiplied values.
	pixels float32
	mean   [4]float32
	index  uint8 // in the palette
}

// add adds pixels with a mean.
func (c *countedColour) add(pixels float32, mean [4]float32) {
	c.pixels += pixels
	for i := range mean {
		c.mean[i] += (mean[i] - c.mean[i]) * (pixels / c.pixels)
	}
}

// colourTable counts the colours of an image. If there are too many, it looks at fewer bits of
// each channel.
type colourTable struct {
	mask  rgba
	all   []countedColour
	slots [2 * maxCounted]uint16 // 1 + an index of all, by a hash of the key
}

// find returns a colour of the table, which is added if it is new.
func (t *colourTable) find(c rgba) *countedColour {
	if c>>24 == 0 {
		c = 0 // all transparent pixels are equal
	}
	key := c & t.mask
	for at := uint32(key) * 2654435769 >> 16; ; at = (at + 1) % uint32(len(t.slots)) {
		switch i := t.slots[at]; {
		case i > 0 && t.all[i-1].key == key:
			return &t.all[i-1]
		case i > 0:
		case len(t.all) == maxCounted:
			t.coarsen()
			return t.find(c)
		default:
			t.all = append(t.all, countedColour{key: key})
			t.slots[at] = uint16(len(t.all))
			return &t.all[len(t.all)-1]
		}
	}
}

// coarsen merges colours that are equal without the last bit of each channel.
func (t *colourTable) coarsen() {
	last := t.mask & -t.mask
	before := t.all
	*t = colourTable{mask: t.mask &^ (last | last<<8 | last<<16 | last<<24), all: make([]countedColour, 0, maxCounted)}
	for _, c := range before {
		t.find(c.key).add(c.pixels, c.mean)
	}
}

// countColours counts the colours of the image.
func (p *Pixels) countColours(ctx context.Context) (*colourTable, error) {
	t := &colourTable{mask: 0xffffffff}
	for y := range p.Height {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for x := 0; x < p.Width; {
			c, run := p.rgbaAt(x, y), 1
			for x += 1; x < p.Width && p.rgbaAt(x, y) == c; x++ {
				run++
			}
			t.find(c).add(float32(run), c.premultiplied())
		}
	}
	return t, nil
}

// rgbaAt returns the colour of a pixel.
func (p *Pixels) rgbaAt(x, y int) rgba {
	i := (y*p.Width + x) * p.Channels
	if p.Channels == 1 {
		return rgba(p.Pix[i])*0x010101 | 255<<24
	}
	c := rgba(p.Pix[i]) | rgba(p.Pix[i+1])<<8 | rgba(p.Pix[i+2])<<16
	if p.Channels == 3 {
		return c | 255<<24
	}
	return c | rgba(p.Pix[i+3])<<24
}

// palette returns at most maxPalette colours, with the translucent ones first, and sets the index
// of each counted colour. If there are no more colours, it has exactly those. Otherwise it is a
// median cut (Heckbert 1982) by variance, improved by one step of k-means.
func (t *colourTable) palette(ctx context.Context) ([]rgba, error) {
	var colours []rgba
	if len(t.all) <= maxPalette && t.mask == 0xffffffff {
		for _, c := range t.all {
			colours = append(colours, c.key)
		}
	} else {
		means := medianCut(t.all, maxPalette)
		if err := t.assign(ctx, means); err != nil {
			return nil, err
		}
		for _, c := range t.means(len(means)) {
			colours = append(colours, straight(c))
		}
	}
	slices.SortFunc(colours, func(a, b rgba) int { return cmp.Compare(a>>24, b>>24) })
	var values [][4]float32
	for _, c := range colours {
		values = append(values, c.premultiplied())
	}
	return colours, t.assign(ctx, values)
}

// assign sets the index of each counted colour to the closest of some values.
func (t *colourTable) assign(ctx context.Context, to [][4]float32) error {
	for i := range t.all {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		c, least := &t.all[i], float32(1e9)
		for j, v := range to {
			r, g, b, a := v[0]-c.mean[0], v[1]-c.mean[1], v[2]-c.mean[2], v[3]-c.mean[3]
			if distance := r*r + g*g + b*b + a*a; distance < least {
				least, c.index = distance, uint8(j)
			}
		}
	}
	return nil
}

// means returns the mean of the counted colours with each of the first n indices that occur.
func (t *colourTable) means(n int) [][4]float32 {
	sums := make([]countedColour, n)
	for _, c := range t.all {
		sums[c.index].add(c.pixels, c.mean)
	}
	var means [][4]float32
	for _, s := range sums {
		if s.pixels > 0 {
			means = append(means, s.mean)
		}
	}
	return means
}
