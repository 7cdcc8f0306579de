package resize

import (
	"cmp"
	"image"
	"math"
	"slices"

	"imageflow.dev/functions"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// objectsField is the request's field of the objects.
const objectsField = "objects"

func check(r *imageflowv1.ResizeRequest) error {
	return functions.CheckSelection(r, r.GetObjects(), objectsField)
}

// reference names the side-car of the detection whose boxes are used.
func reference(r *imageflowv1.ResizeRequest, before processors.Names) (object *imageflowv1.ImageData, field string) {
	return functions.SideCarOf(r.GetObjects(), objectsField, before)
}

// describes returns the images of a detection. Objects of one page may place the others: those of an animation
// have the same window.
func describes(r *imageflowv1.ResizeRequest, sideCar []byte) []*imageflowv1.ImageData {
	images, _ := functions.DescribedBy(sideCar)
	for _, i := range images {
		i.Page = r.GetInputImage().GetPage()
	}
	return images
}

// selected returns the part of the upright image that the request's crop leaves, and the request's
// objects in it. It reads them once per job.
func selected(r *imageflowv1.ResizeRequest, in functions.Input) (image.Rectangle, []functions.Object, error) {
	width, height := in.Image.Size()
	part, err := crop(size{width, height}, r.GetCrop(), "crop")
	if err != nil || r.GetObjects() == nil {
		return part, nil, err
	}
	objects, err := functions.Once(in, func() ([]functions.Object, error) {
		all, _, err := functions.Objects(r.GetObjects(), objectsField, in, part)
		return all, err
	})
	if err == nil && len(objects) == 0 && r.GetObjects().GetOnNone() == imageflowv1.OnNone_ON_NONE_FAIL {
		err = functions.Errorf(functions.Invalid, objectsField+".on_none", "no object in the image")
	}
	return part, objects, err
}

// around returns the part of an image that a crop to objects leaves. There is at least one.
func around(objects []functions.Object, by imageflowv1.ObjectCrop, part image.Rectangle) image.Rectangle {
	switch by {
	case imageflowv1.ObjectCrop_OBJECT_CROP_ALL:
		part = image.Rectangle{}
		for _, o := range objects {
			part = part.Union(o.At)
		}
	case imageflowv1.ObjectCrop_OBJECT_CROP_MOST_CONFIDENT:
		part = slices.MaxFunc(objects, func(a, b functions.Object) int { return cmp.Compare(a.Confidence, b.Confidence) }).At
	}
	return part
}

// focus moves the window of GRAVITY_OBJECTS to the objects.
func (p *plan) focus(objects []functions.Object) {
	all := p.covering()
	toCovering, ok := functions.Inverse(all.originalFromOutput())
	if !ok {
		return // no scale is 0
	}
	unitX, unitY := p.box.Width/float64(all.width), p.box.Height/float64(all.height)
	var across, down []span
	for _, o := range objects {
		b := toCovering(functions.BoxOf(o.At))
		x := span{begin: max(0, float64(b.GetX1())*unitX), end: min(float64(b.GetX2())*unitX, p.box.Width)}
		y := span{begin: max(0, float64(b.GetY1())*unitY), end: min(float64(b.GetY2())*unitY, p.box.Height)}
		if x.begin >= x.end || y.begin >= y.end {
			continue
		}
		x.weight, y.weight = float64(o.Confidence)*(y.end-y.begin), float64(o.Confidence)*(x.end-x.begin)
		across, down = append(across, x), append(down, y)
	}
	if len(across) > 0 {
		p.move(p.box.Left+keepMost(across, p.window.Width, p.box.Width), p.box.Top+keepMost(down, p.window.Height, p.box.Height))
	}
}

// span is the part of a side that an object covers. Each unit of it weighs the same.
type span struct{ begin, end, weight float64 }

// keepMost returns where a window of a length lies on a side if it keeps the largest weight of the
// spans. Of several such places, its middle is closest to the middle of all spans.
func keepMost(spans []span, length, side float64) float64 {
	room := max(0, side-length)
	first, last := side, 0.0
	for _, s := range spans {
		first, last = min(first, s.begin), max(last, s.end)
	}
	middle := min(max(0, (first+last-length)/2), room)
	// The kept weight is a piecewise linear function of the place. Its slope changes at these.
	type change struct{ at, slope float64 }
	changes := []change{{0, 0}, {middle, 0}, {room, 0}}
	for _, s := range spans {
		changes = append(changes, change{s.begin - length, s.weight}, change{min(s.begin, s.end-length), -s.weight},
			change{max(s.begin, s.end-length), -s.weight}, change{s.end, s.weight})
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	best, most := middle, 0.0
	kept, slope, at := 0.0, 0.0, changes[0].at
	for _, c := range changes {
		kept, at = kept+slope*(c.at-at), c.at
		slope += c.slope
		if at < 0 || at > room {
			continue
		}
		// Sums of floats are equal up to rounding.
		isEqual := math.Abs(kept-most) <= 1e-9*max(kept, most)
		if !isEqual && kept > most || isEqual && math.Abs(at-middle) < math.Abs(best-middle) {
			best, most = at, kept
		}
	}
	return best
}
