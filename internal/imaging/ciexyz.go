package imaging

import "math"

// xyz are the coordinates of a colour in CIE 1931 XYZ.
type xyz [3]float64

// d50 is the white of the profile connection space (ICC.1:2022, 7.2.16).
var d50 = xyz{0.9642, 1, 0.8249}

// bradford is the matrix to the responses of the eye in which whites are adapted (ICC.1:2022,
// annex E).
var bradford = [3]xyz{{0.8951, 0.2664, -0.1614}, {-0.7502, 1.7135, 0.0367}, {0.0389, -0.0685, 1.0296}}

// colorants returns the primaries, adapted to D50, whose sum is white.
func (c cicp) colorants() (red, green, blue xyz) {
	p, ok := primaries[c.primaries]
	if !ok {
		p = primaries[primariesBT709]
	}
	var columns [3]xyz
	for i := range columns {
		columns[i] = xyz{p[i][0], p[i][1], 1 - p[i][0] - p[i][1]}
	}
	white := xyz{p[3][0] / p[3][1], 1, (1 - p[3][0] - p[3][1]) / p[3][1]}
	amounts := solve(columns, white)
	from, to := times(bradford, white), times(bradford, d50)
	for i, column := range columns {
		cone := times(bradford, column)
		for k := range cone {
			cone[k] *= amounts[i] * to[k] / from[k]
		}
		columns[i] = solve(transposed(bradford), cone)
	}
	return columns[0], columns[1], columns[2]
}

// times returns the product of a matrix, given by its rows, and a colour.
func times(rows [3]xyz, v xyz) (product xyz) {
	for i, row := range rows {
		product[i] = row[0]*v[0] + row[1]*v[1] + row[2]*v[2]
	}
	return product
}

func transposed(m [3]xyz) (t [3]xyz) {
	for i := range m {
		for k := range m {
			t[k][i] = m[i][k]
		}
	}
	return t
}

// solve returns the amounts of the columns whose sum is v, by Cramer's rule.
func solve(columns [3]xyz, v xyz) (amounts xyz) {
	whole := determinant(columns)
	for i := range columns {
		replaced := columns
		replaced[i] = v
		amounts[i] = determinant(replaced) / whole
	}
	return amounts
}

func determinant(m [3]xyz) float64 {
	return m[0][0]*(m[1][1]*m[2][2]-m[1][2]*m[2][1]) -
		m[0][1]*(m[1][0]*m[2][2]-m[1][2]*m[2][0]) +
		m[0][2]*(m[1][0]*m[2][1]-m[1][1]*m[2][0])
}

// fixed16 returns a number in units of 1/65536.
func fixed16(v float64) int { return int(math.Round(v * 65536)) }

// xyzTag returns the content of an ICC tag with a colour.
func xyzTag(v xyz) []byte {
	return append([]byte("XYZ \x00\x00\x00\x00"), be32(fixed16(v[0]), fixed16(v[1]), fixed16(v[2]))...)
}

// iccTag is an element of an ICC profile.
type iccTag struct {
	name    string
	content []byte
}

// profileOf returns an ICC profile of a display of RGB with the tags (ICC.1:2022, 7.2 and 7.3). Tags with
// the same content share it.
func profileOf(tags []iccTag) []byte {
	head := make([]byte, minProfile)
	copy(head[8:], "\x04\x30\x00\x00mntrRGB XYZ ")
	copy(head[36:], "acsp")
	copy(head[68:], xyzTag(d50)[8:])
	head = append(head, be32(len(tags))...)
	begin := len(head) + 12*len(tags)
	var body []byte
	places := map[string]int{}
	for _, t := range tags {
		at, ok := places[string(t.content)]
		if !ok {
			at = begin + len(body)
			places[string(t.content)] = at
			body = append(append(body, t.content...), make([]byte, -len(t.content)&3)...)
		}
		head = append(append(head, t.name...), be32(at, len(t.content))...)
	}
	icc := append(head, body...)
	copy(icc, be32(len(icc)))
	return icc
}
