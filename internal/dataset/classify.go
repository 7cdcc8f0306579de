package dataset

import (
	"fmt"
	"path"
	"strings"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// class is a class of a whole image.
type class struct {
	ID         int     `json:"class_id"`
	Name       string  `json:"class_name"`
	Confidence float32 `json:"confidence"`
}

// addClass adds a classification.
func (i *annotated) addClass(c *imageflowv1.Classification) error {
	if err := checkClass(c); err != nil {
		return err
	}
	i.classes = append(i.classes, class{int(c.GetClassId()), c.GetClassName(), c.GetConfidence()})
	return nil
}

// yoloClassify writes the folders that Ultralytics reads for its task classify
// (https://docs.ultralytics.com/datasets/classify/): an image is at train/<class>/<key>, or in val, by its most
// probable class. The order of the classes is that of the names of their folders.
type yoloClassify struct {
	out     *target
	split   bool
	folders map[int]string // by class
}

func newYOLOClassify(out *target, split bool) *yoloClassify {
	return &yoloClassify{out, split, map[int]string{}}
}

func (w *yoloClassify) image(i *annotated) string {
	return i.part() + "/" + w.folder(i.classes[0]) + "/" + i.key
}

// folder returns the folder of a class: its name or, if that is no name of a folder, class_<number>. The number
// also tells two classes with one name apart, such as the two cranes of ImageNet.
func (w *yoloClassify) folder(c class) string {
	if folder, ok := w.folders[c.ID]; ok {
		return folder
	}
	folder := c.Name
	if !isFileName(folder) || strings.ContainsAny(folder, `/\`) {
		folder = fmt.Sprintf("class_%d", c.ID)
	}
	for w.has(folder) {
		folder = fmt.Sprintf("%s_%d", folder, c.ID)
	}
	w.folders[c.ID] = folder
	return folder
}

// has reports whether a class has this folder, also in file systems that ignore case.
func (w *yoloClassify) has(folder string) bool {
	for _, f := range w.folders {
		if strings.EqualFold(f, folder) {
			return true
		}
	}
	return false
}

func (w *yoloClassify) add(i *annotated) error { return checkYOLOExtension(i.key) }

// finish creates the folders of all classes in each part: readers that number the folders of val by themselves
// would number other classes.
func (w *yoloClassify) finish(classes) error {
	parts := []string{"train"}
	if w.split {
		parts = append(parts, "val")
	}
	for _, part := range parts {
		if err := w.out.root.MkdirAll(part, 0o777); err != nil {
			return err
		}
		for _, folder := range w.folders {
			if err := w.out.root.MkdirAll(path.Join(part, folder), 0o777); err != nil {
				return err
			}
		}
	}
	return nil
}
