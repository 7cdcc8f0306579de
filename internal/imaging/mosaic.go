package imaging

import (
	"context"
	"image"
)

// colourStep is the step of the colours of a mosaic. Exact means tell more about small shapes, such
// as letters, than they show.
const colourStep = 32

// Mosaic shows a region of an image as cells of one colour each: the mean of the cell's pixels, weighted
// by their alpha, in steps of 32.
type Mosaic struct {
	pixels       *Pixels
	region       image.Rectangle
	columns      int
	means        [][3]float32 // of the cells, row by row
	across, down []position
}

// Mosaic returns the mosaic of a region, which is not empty and lies inside the image. The longer
// side of the region has at most the given number of cells, and a cell has at least 2 pixels there. If
// smooth is true, the colours change linearly between the centres of cells. After the context ends, the
// error is the context's.
func (p *Pixels) Mosaic(ctx context.Context, region image.Rectangle, cells int, smooth bool) (*Mosaic, error) {
	longer := max(region.Dx(), region.Dy())
	cells = max(1, min(cells, longer/2))
	count := func(side int) int { return max(1, (cells*side+longer/2)/longer) }
	grid := image.Pt(count(region.Dx()), count(region.Dy()))
	means, err := p.means(ctx, region, grid)
	return &Mosaic{
		p, region, grid.X, means, positions(region.Dx(), grid.X, smooth), positions(region.Dy(), grid.Y, smooth),
	}, err
}

// PaintRow replaces pixels of the image by those of the mosaic, which are opaque: in row y from first to
// end, exclusively. They lie inside the region.
func (m *Mosaic) PaintRow(y, first, end int) {
	p, v := m.pixels, m.down[y-m.region.Min.Y]
	row := make([][3]float32, m.columns) // the colours of the cells in this row
	for i := range row {
		upper, lower := m.means[v.first*m.columns+i], m.means[v.second*m.columns+i]
		for c := range 3 {
			row[i][c] = upper[c]*(1-v.part) + lower[c]*v.part + 0.5
		}
	}
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
}

// means returns the mean colour of each cell of a region, row by row. Cell i of n begins at
// i/n of the side.
func (p *Pixels) means(ctx context.Context, region image.Rectangle, grid image.Point) ([][3]float32, error) {
	sums := make([][4]uint64, grid.X*grid.Y) // with the weight
	down := positions(region.Dy(), grid.Y, false)
	for y, v := range down {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		row := p.Pix[((region.Min.Y+y)*p.Width+region.Min.X)*p.Channels:]
		for i := range grid.X {
			first, end := start(i, region.Dx(), grid.X), start(i+1, region.Dx(), grid.X)
			addTo(&sums[v.first*grid.X+i], row[first*p.Channels:end*p.Channels], p.Channels)
		}
	}
	means := make([][3]float32, len(sums))
	for i, sum := range sums {
		for c := range 3 {
			mean := sum[c] / max(1, sum[3])
			means[i][c] = float32(min(255, (mean+colourStep/2)/colourStep*colourStep))
		}
	}
	return means, nil
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

// position is a pixel's place between two cells: part of the way from the first to the second.
type position struct {
	first, second int
	part          float32
}

// positions returns the positions of the pixels of a side with a number of cells: between the
// centres of cells if smooth, otherwise in the pixel's own cell.
func positions(length, cells int, smooth bool) []position {
	all := make([]position, length)
	for i := range all {
		own := i * cells / length
		all[i] = position{first: own, second: own}
		if smooth {
			at := min(max((float32(i)+0.5)*float32(cells)/float32(length)-0.5, 0), float32(cells-1))
			first := int(at)
			all[i] = position{first, min(first+1, cells-1), at - float32(first)}
		}
	}
	return all
}
