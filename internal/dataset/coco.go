package dataset

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// coco writes one JSON file in the format of COCO's object detection, or one for each part of the
// split: https://cocodataset.org/#format-data. The bbox is x, y, width and height in pixels from 0, and
// the score that of https://cocodataset.org/#format-results. Ids count from 1: COCOeval takes an
// annotation with id 0 for no match, and many readers take category 0 for the background.
type coco struct {
	out       *target
	split     bool
	parts     map[string]*cocoFile
	keypoints keypointCount
}

func newCOCO(out *target, split bool) *coco {
	return &coco{out: out, split: split, parts: map[string]*cocoFile{}, keypoints: -1}
}

// cocoFile is one JSON file. Its images are written at once. Its annotations come after all images, so
// they wait in a temporary file.
type cocoFile struct {
	file          *textFile
	spool         *os.File
	annotations   *bufio.Writer
	images, boxes int
}

type cocoImage struct {
	ID       int    `json:"id"`
	FileName string `json:"file_name"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
}

type cocoAnnotation struct {
	ID         int        `json:"id"`
	ImageID    int        `json:"image_id"`
	CategoryID int        `json:"category_id"`
	BBox       [4]float64 `json:"bbox"`
	Area       float64    `json:"area"`
	IsCrowd    int        `json:"iscrowd"`
	Score      float32    `json:"score"`
	// Segmentation is a list of polygons, or runLengths.
	Segmentation any `json:"segmentation,omitempty"`
	// Keypoints are x, y and 2 for visible of each, or zeros.
	Keypoints    []float64 `json:"keypoints,omitempty"`
	NumKeypoints *int      `json:"num_keypoints,omitempty"`
}

type cocoCategory struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
	// Keypoints are the names. Skeleton is the lines between them, none because no side-car has them.
	Keypoints []string  `json:"keypoints,omitempty"`
	Skeleton  *[][2]int `json:"skeleton,omitempty"`
}

func (w *coco) image(i *annotated) string { return "images/" + i.key }

func (w *coco) add(i *annotated) error {
	if err := w.keypoints.add(i); err != nil {
		return err
	}
	f, err := w.part(i.part())
	if err != nil {
		return err
	}
	f.images++
	if err := writeItem(f.file, f.images == 1, cocoImage{f.images, i.key, i.width, i.height}); err != nil {
		return &fatalError{err}
	}
	for _, b := range i.boxes {
		f.boxes++
		a := cocoAnnotation{
			ID: f.boxes, ImageID: f.images, CategoryID: b.class + 1, Score: b.confidence,
			BBox: [4]float64{b.x1, b.y1, b.width(), b.height()}, Area: b.width() * b.height(),
		}
		a.setMask(b)
		a.setKeypoints(b.keypoints, i)
		if err := writeItem(f.annotations, f.boxes == 1, a); err != nil {
			return &fatalError{err}
		}
	}
	return nil
}

// setMask sets the segmentation of an object, and its area.
func (a *cocoAnnotation) setMask(b box) {
	switch {
	case len(b.polygons) > 0:
		a.Segmentation, a.Area = b.polygons, 0
		for _, p := range b.polygons {
			a.Area += polygonArea(p)
		}
	case b.runs != nil:
		inMask, _ := b.runs.area()
		a.Segmentation, a.Area = b.runs, float64(inMask)
	}
}

// setKeypoints sets the keypoints of an object in the image.
func (a *cocoAnnotation) setKeypoints(points []keypoint, i *annotated) {
	if len(points) == 0 {
		return
	}
	labelled := 0
	for _, k := range points {
		x, y, visibility := k.label(i)
		a.Keypoints = append(a.Keypoints, x, y, float64(visibility))
		labelled += min(visibility, 1)
	}
	a.NumKeypoints = &labelled
}

// part returns the file of a part, and creates it.
func (w *coco) part(name string) (*cocoFile, error) {
	if !w.split {
		name = "annotations"
	}
	if f := w.parts[name]; f != nil {
		return f, nil
	}
	file, err := w.out.text(name + ".json")
	if err != nil {
		return nil, err
	}
	spool, err := os.CreateTemp("", "imageflow-export-*")
	if err != nil {
		return nil, &fatalError{err}
	}
	_ = os.Remove(spool.Name()) // the open file stays
	f := &cocoFile{file: file, spool: spool, annotations: bufio.NewWriter(spool)}
	w.parts[name] = f
	_, err = file.WriteString(`{"info": {"description": "detections exported by ImageFlow"}, "images": [`)
	return f, err
}

func (w *coco) finish(c classes) error {
	categories := []cocoCategory{}
	for class, name := range c {
		category := cocoCategory{ID: class + 1, Name: name, Keypoints: w.keypoints.names()}
		if w.keypoints > 0 {
			category.Skeleton = &[][2]int{}
		}
		categories = append(categories, category)
	}
	slices.SortFunc(categories, func(a, b cocoCategory) int { return a.ID - b.ID })
	for _, part := range []string{"train", "val"} {
		if _, err := w.part(part); err != nil { // a part without images is a file, too
			return err
		}
	}
	for _, f := range w.parts {
		if err := f.finish(categories); err != nil {
			return err
		}
	}
	return nil
}

// finish appends the annotations and the categories.
func (f *cocoFile) finish(categories []cocoCategory) error {
	defer f.spool.Close()
	if err := f.annotations.Flush(); err != nil {
		return err
	}
	if _, err := f.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	fmt.Fprint(f.file, "\n], \"annotations\": [")
	if _, err := io.Copy(f.file, f.spool); err != nil {
		return err
	}
	text, err := json.Marshal(categories)
	fmt.Fprintf(f.file, "\n], \"categories\": %s}\n", text)
	return errors.Join(err, f.file.Close())
}

// writeItem writes an item of a JSON array on its own line.
func writeItem(w io.Writer, first bool, item any) error {
	text, err := json.Marshal(item)
	if err != nil {
		return err
	}
	comma := ","
	if first {
		comma = ""
	}
	_, err = fmt.Fprintf(w, "%s\n%s", comma, text)
	return err
}
