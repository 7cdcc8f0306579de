package detect

import (
	"math"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// rotated is a rectangle that is turned by an angle around its centre: in radians, from the x axis to the
// y axis, which is clockwise in an image. The other numbers are in pixels.
type rotated struct{ x, y, width, height, angle float64 }

// point is a point in pixels.
type point struct{ x, y float32 }

// turned returns the box around a box that is turned around its centre, with the turned one in its details.
func (b box) turned(angle float32) box {
	r := rotated{
		x: float64(b.x1+b.x2) / 2, y: float64(b.y1+b.y2) / 2,
		width: float64(b.x2 - b.x1), height: float64(b.y2 - b.y1), angle: float64(angle),
	}
	b = r.bounds(b)
	b.details = &details{rotated: &r}
	return b
}

// corners returns the corners clockwise.
func (r rotated) corners() [4]point {
	sin, cos := math.Sincos(r.angle)
	corner := func(across, down float64) point {
		across, down = across*r.width/2, down*r.height/2
		return point{float32(r.x + across*cos - down*sin), float32(r.y + across*sin + down*cos)}
	}
	return [4]point{corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)}
}

// bounds returns a box with the edges of the rectangle.
func (r rotated) bounds(b box) box {
	all := r.corners()
	b.x1, b.y1, b.x2, b.y2 = all[0].x, all[0].y, all[0].x, all[0].y
	for _, p := range all[1:] {
		b.x1, b.x2 = min(b.x1, p.x), max(b.x2, p.x)
		b.y1, b.y2 = min(b.y1, p.y), max(b.y2, p.y)
	}
	return b
}

// mapped returns the rectangle in another image. If the map stretches it to a parallelogram, it keeps the
// centre, the lengths of the sides, and the direction of the first one.
func (r rotated) mapped(to pointMap) rotated {
	var all [4]point
	for i, p := range r.corners() {
		all[i].x, all[i].y = to(p.x, p.y)
	}
	side := func(a, b point) (dx, dy float64) { return float64(b.x - a.x), float64(b.y - a.y) }
	acrossX, acrossY := side(all[0], all[1])
	downX, downY := side(all[0], all[3])
	return rotated{
		x: float64(all[0].x+all[2].x) / 2, y: float64(all[0].y+all[2].y) / 2,
		width: math.Hypot(acrossX, acrossY), height: math.Hypot(downX, downY), angle: math.Atan2(acrossY, acrossX),
	}
}

// regular returns the same rectangle with an angle in [0, π/2), as regularize_rboxes of Ultralytics.
func (r rotated) regular() rotated {
	quarters := math.Floor(r.angle / (math.Pi / 2))
	if math.Mod(quarters, 2) != 0 {
		r.width, r.height = r.height, r.width
	}
	r.angle = max(0, r.angle-quarters*math.Pi/2)
	return r
}

func (r rotated) message() *imageflowv1.RotatedBox {
	r = r.regular()
	m := &imageflowv1.RotatedBox{
		Cx: float32(r.x), Cy: float32(r.y), Width: float32(r.width), Height: float32(r.height), Angle: float32(r.angle),
	}
	for _, p := range r.corners() {
		m.Corners = append(m.Corners, p.x, p.y)
	}
	return m
}

// covariance returns the covariance matrix of a normal distribution like the rectangle: a and b on the
// diagonal, c beside it.
func (r rotated) covariance() (a, b, c float64) {
	sin, cos := math.Sincos(r.angle)
	across, down := r.width*r.width/12, r.height*r.height/12
	return across*cos*cos + down*sin*sin, across*sin*sin + down*cos*cos, (across - down) * cos * sin
}

// iou returns the probabilistic IoU, with which Ultralytics trains and suppresses rotated boxes: 1 minus
// the Hellinger distance of the distributions. J. Murrugarra-Llerena et al., Gaussian Bounding Boxes and
// Probabilistic Intersection-over-Union for Object Detection, https://arxiv.org/abs/2106.06072.
func (r rotated) iou(o rotated) float32 {
	const epsilon = 1e-7
	a1, b1, c1 := r.covariance()
	a2, b2, c2 := o.covariance()
	dx, dy := o.x-r.x, o.y-r.y
	determinant := (a1+a2)*(b1+b2) - (c1+c2)*(c1+c2)
	distance := ((a1+a2)*dy*dy+(b1+b2)*dx*dx-2*(c1+c2)*dx*dy)/(determinant+epsilon)/4 +
		math.Log(determinant/(4*math.Sqrt(max(0, a1*b1-c1*c1)*max(0, a2*b2-c2*c2))+epsilon)+epsilon)/2
	distance = min(max(distance, epsilon), 100) // of Bhattacharyya
	return float32(1 - math.Sqrt(1-math.Exp(-distance)+epsilon))
}
