package imaging

import (
	"context"
	"image"
)

// colourStep is the step of the colours of a mosaic. Exact means tell more about small shapes, such
// as letters, than they show.
const colourStep = 32

// Mosaic returns a region as cells of one colour each: the mean of the cell's pixels, weighted by
// their alpha, in steps of 32. Its longer side has at most the given number of cells, and a cell has at least
// 2 pixels there. If smooth is true, the colours change linearly between the centres of cells.
// The result is opaque and lies at the region, which must not be empty and lies inside the image.
// After the context ends, the error is the context's.
func (p *Pixels) Mosaic(ctx context.Context, region image.Rectangle, cells int, smooth bool) (*image.NRGBA, error) {
	longer := max(region.Dx(), region.Dy())
	cells = max(1, min(cells, longer/2))
	count := func(side int) int { return max(1, (cells*side+longer/2)/longer) }
	grid := image.Pt(count(region.Dx()), count(region.Dy()))
	means, err := p.means(ctx, region, grid)
	if err != nil {
		return nil, err
	}
	across, down := positions(region.Dx(), grid.X, smooth), positions(region.Dy(), grid.Y, smooth)
	out := image.NewNRGBA(region)
	for y, v := range down {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		upper, lower := means[v.first*grid.X:], means[v.second*grid.X:]
		row := out.Pix[y*out.Stride:]
		for x, u := range across {
			for c := range 3 {
				above := upper[u.first][c]*(1-u.part) + upper[u.second][c]*u.part
				below := lower[u.first][c]*(1-u.part) + lower[u.second][c]*u.part
				row[4*x+c] = uint8(above*(1-v.part) + below*v.part + 0.5)
			}
			row[4*x+3] = 255
		}
	}
	return out, nil
}

// means returns the mean colour of each cell of a region, row by row. Cell i of n begins at
// i/n of the side.
func (p *Pixels) means(ctx context.Context, region image.Rectangle, grid image.Point) ([][3]float32, error) {
	sums := make([][4]uint64, grid.X*grid.Y) // with the weight
	across, down := positions(region.Dx(), grid.X, false), positions(region.Dy(), grid.Y, false)
	for y, v := range down {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		row := p.Pix[((region.Min.Y+y)*p.Width+region.Min.X)*p.Channels:]
		cells := sums[v.first*grid.X:]
		for x, u := range across {
			pixel, weight := row[x*p.Channels:][:p.Channels], uint64(255)
			if p.Channels == 4 {
				weight = uint64(pixel[3])
			}
			cell := &cells[u.first]
			for c := range 3 {
				cell[c] += uint64(pixel[c]) * weight
			}
			cell[3] += weight
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
