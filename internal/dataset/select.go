package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Selection selects what is exported.
type Selection struct {
	// Model selects side-cars by "name" or "name/version". Empty permits a single model and version.
	Model string
	// Classes are names or numbers; empty selects all classes.
	Classes []string
	// MinConfidence is the minimum confidence of boxes, in [0, 1].
	MinConfidence float32
	// Split divides the images into train and val. The zero value puts all into train.
	Split Split
}

// Split is a ratio of two parts.
type Split struct{ Train, Val int }

// ParseSplit parses "train:val", such as "80:20".
func ParseSplit(text string) (Split, error) {
	train, val, _ := strings.Cut(text, ":")
	t, err1 := strconv.ParseUint(train, 10, 16)
	v, err2 := strconv.ParseUint(val, 10, 16)
	if err1 != nil || err2 != nil || t == 0 || v == 0 {
		return Split{}, fmt.Errorf("%q is not a ratio of train to val such as 80:20", text)
	}
	return Split{int(t), int(v)}, nil
}

// isVal reports whether an image is in the part val. It depends only on the key, so an image stays in
// its part when others come or go.
func (s Split) isVal(key string) bool {
	hash := sha256.Sum256([]byte(key))
	fraction := float64(binary.BigEndian.Uint64(hash[:8])) / math.Exp2(64)
	return s.Val > 0 && fraction >= float64(s.Train)/float64(s.Train+s.Val)
}

// apply removes the boxes and classes that are not selected, and chooses the part.
func (s Selection) apply(i *annotated) {
	i.val = s.Split.isVal(i.key)
	i.boxes = slices.DeleteFunc(i.boxes, func(b box) bool { return !s.has(b.class, b.name, b.confidence) })
	i.classes = slices.DeleteFunc(i.classes, func(c class) bool { return !s.has(c.ID, c.Name, c.Confidence) })
}

// has reports whether a box or a class is selected.
func (s Selection) has(number int, name string, confidence float32) bool {
	return confidence >= s.MinConfidence && (len(s.Classes) == 0 ||
		slices.Contains(s.Classes, name) || slices.Contains(s.Classes, strconv.Itoa(number)))
}

// removeLaterFrames removes the boxes that are not in the first frame, which is the one that readers of
// images see. It returns their number.
func (i *annotated) removeLaterFrames() int {
	before := len(i.boxes)
	i.boxes = slices.DeleteFunc(i.boxes, func(b box) bool { return b.frame > 0 })
	return before - len(i.boxes)
}

// models checks that all images have boxes of one model.
type models struct {
	wanted string
	// name and version are those of the first side-car.
	name, version string
}

var errOtherModel = errors.New("made by another model")

func (m *models) check(i *annotated) error {
	if m.wanted != "" {
		if m.wanted != i.model && m.wanted != i.model+"/"+i.version {
			return errOtherModel
		}
		return nil
	}
	if m.name == "" {
		m.name, m.version = i.model, i.version
	}
	if m.name == i.model && m.version == i.version {
		return nil
	}
	choices := []string{"--model " + m.name, "--model " + i.model}
	if m.name == i.model {
		choices = []string{fmt.Sprintf("--model %s/%s", m.name, m.version), fmt.Sprintf("--model %s/%s", i.model, i.version)}
	}
	const format = "made by version %s of model %s, but the side-cars before by version %s of model %s; choose with %s"
	return &fatalError{fmt.Errorf(format,
		i.version, i.model, m.version, m.name, strings.Join(choices, " or "))}
}

// classes are the names of the exported classes by their number in the model.
type classes map[int]string

// add adds the classes of an image. They are an error if a number has another name already.
func (c classes) add(i *annotated) error {
	all := slices.Clone(i.classes)
	for _, b := range i.boxes {
		all = append(all, class{ID: b.class, Name: b.name})
	}
	for _, one := range all {
		if name, ok := c[one.ID]; ok && name != one.Name {
			return &fatalError{fmt.Errorf("class %d is %q, but %q in the side-cars before: they are of models with different classes;"+
				" choose with --model NAME/VERSION or a longer --prefix", one.ID, one.Name, name)}
		}
		c[one.ID] = one.Name
	}
	return nil
}

// all returns the names of all classes from 0 to the highest. Classes without a box have the name
// "class_<number>".
func (c classes) all() []string {
	var names []string
	for class, name := range c {
		for len(names) <= class {
			names = append(names, fmt.Sprintf("class_%d", len(names)))
		}
		names[class] = name
	}
	return names
}
