package detect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

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
	if len(r.GetClasses())+len(r.GetClassThresholds()) > 0 {
		if err := s.selectClasses(r, m.names); err != nil {
			return nil, err
		}
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

// selectClasses sets the thresholds of the classes.
func (s *selection) selectClasses(r *imageflowv1.DetectionRequest, names []string) error {
	s.thresholds = slices.Repeat([]float32{s.lowest}, len(names))
	if len(r.GetClasses()) > 0 {
		s.thresholds = slices.Repeat([]float32{unselected}, len(names))
	}
	for i, class := range r.GetClasses() {
		ids, err := findClass(names, class, fmt.Sprintf("classes[%d]", i))
		if err != nil {
			return err
		}
		for _, id := range ids {
			s.thresholds[id] = s.lowest
		}
	}
	set := map[int]bool{}
	for _, class := range slices.Sorted(maps.Keys(r.GetClassThresholds())) {
		ids, err := findClass(names, class, "class_thresholds")
		if err != nil {
			return err
		}
		for _, id := range ids {
			switch {
			case s.thresholds[id] == unselected:
				return functions.Errorf(functions.Invalid, "class_thresholds", "%q is not one of classes", class)
			case set[id]:
				return functions.Errorf(functions.Invalid, "class_thresholds", "%q is given by name and by number", names[id])
			}
			s.thresholds[id], set[id] = r.GetClassThresholds()[class], true
		}
	}
	s.lowest = slices.Min(s.thresholds)
	return nil
}

// findClass returns the numbers of the classes with this name, or with this number if no class has the
// name. The field is the request's, for the error.
func findClass(names []string, class, field string) (ids []int, err error) {
	for id, name := range names {
		if name == class {
			ids = append(ids, id)
		}
	}
	if id, err := strconv.Atoi(class); len(ids) == 0 && err == nil && id >= 0 && id < len(names) {
		ids = []int{id}
	}
	if len(ids) == 0 {
		return nil, functions.Errorf(functions.Invalid, field, "the model has no class %q; of its %d classes, the nearest are %s",
			class, len(names), strings.Join(nearest(names, class), ", "))
	}
	return ids, nil
}

const (
	// maxNearest is the number of names that an error lists.
	maxNearest = 5
	// maxNameBytes is the length from which an error shortens them.
	maxNameBytes = 64
)

// nearest returns the names that differ least from a class, at most maxNearest.
func nearest(names []string, class string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var all []candidate
	for _, name := range names {
		name = strings.ToValidUTF8(name[:min(len(name), maxNameBytes)], "")
		all = append(all, candidate{name, editDistance(strings.ToLower(name), strings.ToLower(class))})
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var near []string
	for _, c := range all[:min(len(all), maxNearest)] {
		near = append(near, strconv.Quote(c.name))
	}
	return near
}

// editDistance returns the number of bytes to insert, delete or replace to make one text of the other
// (Levenshtein's distance).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
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
