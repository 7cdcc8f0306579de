package imaging

import (
	"context"
	"encoding/binary"
	"image"
	"image/color"
)

// colourStep is the step of the colours of a mosaic. Exact means tell more about small shapes, such
// as letters, than they show.
const colourStep = 32

// mosaic shows a region of an image as cells of one colour each: the mean of the cell's pixels, weighted
// by their alpha, in steps of 32 of red, green and blue.
type mosaic struct {
	region       image.Rectangle
	grid         image.Point  // the number of cells
	means        [][3]float32 // the colours of the cells, row by row
	across, down []position
	row          [][3]float32 // the colours of the cells in a row of pixels
}

// newMosaic returns a mosaic without colours. The longer side of the region, which is not empty, has at most
// the given number of cells, and a cell has at least 2 pixels there. If smooth is true, the colours change
// linearly between the centres of cells.
func newMosaic(region image.Rectangle, cells int, smooth bool) *mosaic {
	longer := max(region.Dx(), region.Dy())
	cells = max(1, min(cells, longer/2))
	count := func(side int) int { return max(1, (cells*side+longer/2)/longer) }
	grid := image.Pt(count(region.Dx()), count(region.Dy()))
	return &mosaic{
		region, grid, make([][3]float32, grid.X*grid.Y),
		positions(region.Dx(), grid.X, smooth), positions(region.Dy(), grid.Y, smooth), make([][3]float32, grid.X),
	}
}

// rowAt returns the colours of the cells in row y of the image, plus a half. The next call overwrites them.
func (m *mosaic) rowAt(y int) [][3]float32 {
	v := m.down[y-m.region.Min.Y]
	for i := range m.row {
		upper, lower := m.means[v.first*m.grid.X+i], m.means[v.second*m.grid.X+i]
		for c := range 3 {
			m.row[i][c] = upper[c]*(1-v.part) + lower[c]*v.part + 0.5
		}
	}
	return m.row
}

// Mosaic implements Paintable.
func (p *Pixels) Mosaic(ctx context.Context, region image.Rectangle, cells int, smooth bool) (Painter, error) {
	m := newMosaic(region, cells, smooth)
	if err := p.means(ctx, m); err != nil {
		return nil, err
	}
	return func(y, first, end int) {
		row := m.rowAt(y)
		to := p.Pix[(y*p.Width+first)*p.Channels : (y*p.Width+end)*p.Channels]
		for _, u := range m.across[first-m.region.Min.X : end-m.region.Min.X] {
			left, right := &row[u.first], &row[u.second]
			to[0] = uint8(left[0] + (right[0]-left[0])*u.part)
			to[1] = uint8(left[1] + (right[1]-left[1])*u.part)
			to[2] = uint8(left[2] + (right[2]-left[2])*u.part)
			if p.Channels == 4 {
				to[3] = 255
			}
			to = to[p.Channels:]
		}
	}, nil
}

// means sets the colours of a mosaic.
func (p *Pixels) means(ctx context.Context, m *mosaic) error {
	region, grid := m.region, m.grid
	sums := make([][4]uint64, grid.X*grid.Y) // with the weight
	for y := range region.Dy() {
		if err := ctx.Err(); err != nil {
			return err
		}
		row := p.Pix[((region.Min.Y+y)*p.Width+region.Min.X)*p.Channels:]
		for i := range grid.X {
			first, end := start(i, region.Dx(), grid.X), start(i+1, region.Dx(), grid.X)
			addTo(&sums[y*grid.Y/region.Dy()*grid.X+i], row[first*p.Channels:end*p.Channels], p.Channels)
		}
	}
	for i, sum := range sums {
		for c := range 3 {
			m.means[i][c] = float32(stepped(int(sum[c] / max(1, sum[3]))))
		}
	}
	return nil
}

// stepped returns a value of a channel in steps.
func stepped(v int) uint8 { return uint8(min(255, (v+colourStep/2)/colourStep*colourStep)) }

// Mosaic implements Paintable. A cell has the mean colour of the samples that cover its pixels.
func (p *planes) Mosaic(ctx context.Context, region image.Rectangle, cells int, smooth bool) (Painter, error) {
	m := newMosaic(region, cells, smooth)
	for i := range m.means {
		cell := m.cell(i)
		mean := [3]uint8{0, 128, 128}
		for k := range p.all {
			v, err := p.mean(ctx, k, cell)
			if err != nil {
				return nil, err
			}
			mean[k] = v
		}
		r, g, b := color.YCbCrToRGB(mean[0], mean[1], mean[2])
		y, cb, cr := color.RGBToYCbCr(stepped(int(r)), stepped(int(g)), stepped(int(b)))
		m.means[i] = [3]float32{float32(y), float32(cb), float32(cr)}
	}
	return func(y, first, end int) {
		row := m.rowAt(y)
		for k := range p.all {
			to, step := p.touched(k, y, first, end), p.step(k).X
			m.paint(to, k, row, first, step)
		}
	}, nil
}

// paint writes channel c of a row to samples of step pixels each. The first one covers pixel first.
func (m *mosaic) paint(to []byte, c int, row [][3]float32, first, step int) {
	at := max(0, first/step*step-m.region.Min.X)
	for len(to) > 0 {
		u := &m.across[min(at, len(m.across)-1)]
		left, difference := row[u.first][c], row[u.second][c]-row[u.first][c]
		n := min(len(to), ceilDiv(u.run, step))
		value, change := int32(65536*(left+difference*u.part)), int32(65536*difference*u.slope*float32(step))
		for i := range to[:n] {
			to[i] = uint8(value >> 16)
			value += change
		}
		to, at = to[n:], at+n*step
	}
}

// cell returns the pixels of a cell.
func (m *mosaic) cell(i int) image.Rectangle {
	x, y, size := i%m.grid.X, i/m.grid.X, m.region.Size()
	return image.Rect(
		start(x, size.X, m.grid.X), start(y, size.Y, m.grid.Y), start(x+1, size.X, m.grid.X), start(y+1, size.Y, m.grid.Y),
	).Add(m.region.Min)
}

// mean returns the mean of the samples of plane i that cover pixels of a cell.
func (p *planes) mean(ctx context.Context, i int, cell image.Rectangle) (uint8, error) {
	sum, count, step := 0, 0, p.step(i).Y
	for y := cell.Min.Y / step * step; y < cell.Max.Y; y += step {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		samples := p.touched(i, y, cell.Min.X, cell.Max.X)
		sum += sumOf(samples)
		count += len(samples)
	}
	return uint8(sum / count), nil
}

// sumOf returns the sum of samples. It adds 8 at a time, in four numbers of 16 bits.
func sumOf(samples []byte) (sum int) {
	const low = 0x00ff00ff00ff00ff
	for ; len(samples) >= 8; samples = samples[8:] {
		v := binary.LittleEndian.Uint64(samples)
		sum += int((v&low + v>>8&low) * 0x0001000100010001 >> 48)
	}
	for _, v := range samples {
		sum += int(v)
	}
	return sum
}

// start returns the first pixel of cell i of n on a side.
func start(i, length, n int) int { return (i*length + n - 1) / n }

// addTo adds pixels to the sum of their colours, weighted by alpha, and of these weights.
func addTo(sum *[4]uint64, pixels []byte, channels int) {
	if channels == 4 {
		for ; len(pixels) >= 4; pixels = pixels[4:] {
			weight := uint64(pixels[3])
			sum[0] += uint64(pixels[0]) * weight
			sum[1] += uint64(pixels[1]) * weight
			sum[2] += uint64(pixels[2]) * weight
			sum[3] += weight
		}
		return
	}
	var red, green, blue uint64
	n := uint64(len(pixels) / 3)
	for ; len(pixels) >= 3; pixels = pixels[3:] {
		red, green, blue = red+uint64(pixels[0]), green+uint64(pixels[1]), blue+uint64(pixels[2])
	}
	sum[0], sum[1], sum[2], sum[3] = sum[0]+255*red, sum[1]+255*green, sum[2]+255*blue, sum[3]+255*n
}

// position is a pixel's place between two cells: part of the way from the first to the second. In run pixels
// from it on, the cells are the same and part grows by slope.
type position struct {
	first, second int
	part, slope   float32
	run           int
}

// positions returns the positions of the pixels of a side with a number of cells: between the
// centres of cells if smooth, otherwise in the pixel's own cell.
func positions(length, cells int, smooth bool) []position {
	all := make([]position, length)
	slope := float32(cells) / float32(length)
	for i := range all {
		own := i * cells / length
		all[i] = position{first: own, second: own}
		if at := (float32(i)+0.5)*slope - 0.5; smooth && at > 0 {
			first := min(int(at), cells-1)
			second := min(first+1, cells-1)
			all[i] = position{first: first, second: second, part: at - float32(first), slope: slope}
		}
	}
	for i := length - 1; i >= 0; i-- {
		all[i].run = 1
		if i+1 < length && all[i+1].first == all[i].first && all[i+1].slope == all[i].slope {
			all[i].run += all[i+1].run
		}
	}
	return all
}
