package detect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// selection is which boxes of a model count for a request.
type selection struct {
	// thresholds are the confidence thresholds of the classes, by number; nil means lowest for all.
	thresholds []float32
	// lowest is the lowest threshold.
	lowest float32
	// regions are in pixels of the image; none means the whole image.
	regions []box
	minSize float32
	// limit is the maximum number of boxes.
	limit    int
	suppress suppression
	masks    *masking // nil for none
}

// unselected is the threshold of classes that do not count. No confidence reaches it.
const unselected = 2

// newSelection returns the selection of a request for an image.
func (m *model) newSelection(r *imageflowv1.DetectionRequest, of *imaging.Image) (*selection, error) {
	s := &selection{
		lowest: cmp.Or(r.GetConfidenceThreshold(), defaultConfidence), minSize: r.GetMinSize(),
		limit: int(cmp.Or(r.GetMaxDetections(), defaultMaxDetections)),
		suppress: suppression{
			threshold: cmp.Or(r.GetNmsThreshold(), defaultNMS), acrossClasses: r.GetAgnosticNms(),
			none: m.layout.endToEnd && !r.GetAgnosticNms(),
		},
	}
	width, height := of.Size()
	var err error
	if s.masks, err = m.newMasking(r, width, height); err != nil {
		return nil, err
	}
	if err := s.selectClasses(r, m); err != nil {
		return nil, err
	}
	if err := s.checkCrops(r, m); err != nil {
		return nil, err
	}
	for i, region := range r.GetRegions() {
		b := box{x1: region.GetX1(), y1: region.GetY1(), x2: region.GetX2(), y2: region.GetY2()}
		if region.GetFractions() {
			w, h := float32(width), float32(height)
			b.x1, b.y1, b.x2, b.y2 = b.x1*w, b.y1*h, b.x2*w, b.y2*h
		}
		if b.clip(width, height).isEmpty() {
			return nil, functions.Errorf(functions.Invalid, fmt.Sprintf("regions[%d]", i),
				"lies outside the image, which has %d×%d pixels", width, height)
		}
		s.regions = append(s.regions, b)
	}
	return s, nil
}

// selectClasses sets the thresholds of the classes, if the request has any.
func (s *selection) selectClasses(r *imageflowv1.DetectionRequest, m *model) error {
	if len(r.GetClasses())+len(r.GetClassThresholds()) == 0 {
		return nil
	}
	s.thresholds = slices.Repeat([]float32{s.lowest}, len(m.names))
	if len(r.GetClasses()) > 0 {
		s.thresholds = slices.Repeat([]float32{unselected}, len(m.names))
	}
	for i, class := range r.GetClasses() {
		ids, err := m.findClass(class, fmt.Sprintf("classes[%d]", i))
		if err != nil {
			return err
		}
		for _, id := range ids {
			s.thresholds[id] = s.lowest
		}
	}
	set := map[int]bool{}
	for _, class := range slices.Sorted(maps.Keys(r.GetClassThresholds())) {
		ids, err := m.findClass(class, "class_thresholds")
		if err != nil {
			return err
		}
		for _, id := range ids {
			switch {
			case !s.looksFor(id):
				return functions.Errorf(functions.Invalid, "class_thresholds", "%q is not one of classes", class)
			case set[id]:
				return functions.Errorf(functions.Invalid, "class_thresholds", "%q is given by name and by number", m.names[id])
			}
			s.thresholds[id], set[id] = r.GetClassThresholds()[class], true
		}
	}
	s.lowest = slices.Min(s.thresholds)
	return nil
}

// checkCrops rejects crops of classes that the model does not have, or that the request does not look for.
func (s *selection) checkCrops(r *imageflowv1.DetectionRequest, m *model) error {
	for i, class := range r.GetCrops().GetClasses() {
		field := fmt.Sprintf("crops.classes[%d]", i)
		ids, err := m.findClass(class, field)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(ids, s.looksFor) {
			return functions.Errorf(functions.Invalid, field, "%q is not one of classes", class)
		}
	}
	return nil
}

// looksFor reports whether boxes of a class may count.
func (s *selection) looksFor(class int) bool {
	return s.thresholds == nil || s.thresholds[class] != unselected
}

// maxNamesBytes bounds the names in the metadata of a response: it is about a quarter of the data of an event.
const maxNamesBytes = 16 << 10

// classNames returns the names of the classes that the request looks for; nil if they are too long.
func (s *selection) classNames(names []string) map[int32]string {
	all, bytes := map[int32]string{}, 0
	for class, name := range names {
		if !s.looksFor(class) {
			continue
		}
		if bytes += len(name); bytes > maxNamesBytes {
			return nil
		}
		all[int32(class)] = name
	}
	return all
}

// findClass returns the numbers of a class that the request's field has.
func (m *model) findClass(class, field string) ([]int, error) {
	ids, nearest := functions.FindClass(slices.All(m.names), class)
	if ids == nil {
		return nil, functions.Errorf(functions.Invalid, field, "the model has no class %q; of its %d classes, the nearest are %s",
			class, len(m.names), nearest)
	}
	return ids, nil
}

// candidates drops the boxes whose class or confidence does not count. It changes the slice.
func (s *selection) candidates(boxes []box) []box {
	if s.thresholds == nil {
		return boxes
	}
	return slices.DeleteFunc(boxes, func(b box) bool { return b.confidence < s.thresholds[b.class] })
}

// includes reports whether a box in pixels of the image is large enough and lies in a region.
func (s *selection) includes(b box) bool {
	if b.x2-b.x1 < s.minSize || b.y2-b.y1 < s.minSize {
		return false
	}
	x, y := (b.x1+b.x2)/2, (b.y1+b.y2)/2
	holds := func(r box) bool { return r.x1 <= x && x <= r.x2 && r.y1 <= y && y <= r.y2 }
	return len(s.regions) == 0 || slices.ContainsFunc(s.regions, holds)
}
