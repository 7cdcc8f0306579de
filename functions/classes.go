package functions

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// FindClass returns the numbers of the classes with a name, or the class with this number if no class has the
// name. If there is none, it returns nil and a list of the names that differ least, for errors.
func FindClass[Number int | int32](names iter.Seq2[Number, string], class string) (found []Number, nearest string) {
	var numbered []Number
	for number, name := range names {
		if name == class {
			found = append(found, number)
		}
		if strconv.Itoa(int(number)) == class {
			numbered = []Number{number}
		}
	}
	switch {
	case found != nil:
		return found, ""
	case numbered != nil:
		return numbered, ""
	}
	return nil, nearestNames(names, class)
}

// checkClasses rejects classes of a selection for which a detection did not look. A detection that does not list
// those may have looked for all: then a class that it did not find is an error only if the selection must not be
// empty.
func checkClasses(s Selection, field string, by *imageflowv1.DetectionResponse) error {
	names := by.GetMetadata().GetClassNames()
	for i, class := range s.GetClasses() {
		at := fmt.Sprintf("%s.classes[%d]", field, i)
		found, nearest := FindClass(maps.All(names), class)
		isFound := func(d *imageflowv1.Detection) bool { return IsOfClass(d, []string{class}) }
		switch {
		case found != nil:
		case len(names) > 0:
			return Errorf(Invalid, at, "the detection did not look for a class %q; of the %d classes that it looked for, "+
				"the nearest are %s", class, len(names), nearest)
		case s.GetOnNone() == imageflowv1.OnNone_ON_NONE_FAIL && !slices.ContainsFunc(by.GetDetections(), isFound):
			return Errorf(Invalid, at, "the detection found no %q, and its side-car does not say whether the model has this "+
				"class: detect the objects again with this version, and with classes if the model has very many", class)
		}
	}
	return nil
}

const (
	// maxNearest is the number of names that an error lists.
	maxNearest = 5
	// maxNameBytes is the length from which an error shortens them.
	maxNameBytes = 64
)

// nearestNames returns a list of the names that differ least from a class, at most maxNearest.
func nearestNames[Number int | int32](names iter.Seq2[Number, string], class string) string {
	type candidate struct {
		name     string
		number   Number
		distance int
	}
	var all []candidate
	for number, name := range names {
		name = strings.ToValidUTF8(name[:min(len(name), maxNameBytes)], "")
		all = append(all, candidate{name, number, editDistance(strings.ToLower(name), strings.ToLower(class))})
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.number, b.number))
	})
	var near []string
	for _, c := range all[:min(len(all), maxNearest)] {
		near = append(near, strconv.Quote(c.name))
	}
	return strings.Join(near, ", ")
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
