package dataset

import (
	"encoding/json"
)

// jsonLines writes one line of JSON for each image.
type jsonLines struct {
	out  *target
	file *textFile
}

// line is the JSON of an image. Boxes are in pixels of the image after EXIF orientation.
type line struct {
	Image        string    `json:"image"`
	Bucket       string    `json:"bucket"`
	ETag         string    `json:"etag,omitempty"`
	Width        int       `json:"width"`
	Height       int       `json:"height"`
	Split        string    `json:"split"`
	Model        string    `json:"model"`
	ModelVersion string    `json:"model_version"`
	SideCar      string    `json:"side_car"`
	Boxes        []lineBox `json:"boxes"`
	// Classes are of the whole image.
	Classes []class `json:"classifications,omitempty"`
}

type lineBox struct {
	ClassID    int     `json:"class_id"`
	ClassName  string  `json:"class_name"`
	Confidence float32 `json:"confidence"`
	Frame      int     `json:"frame,omitempty"`
	X1         float64 `json:"x1"`
	Y1         float64 `json:"y1"`
	X2         float64 `json:"x2"`
	Y2         float64 `json:"y2"`

	Keypoints []keypoint  `json:"keypoints,omitempty"`
	Polygons  [][]float64 `json:"polygons,omitempty"`
	RLE       *runLengths `json:"rle,omitempty"`
}

func (w *jsonLines) image(i *annotated) string { return "images/" + i.key }

func (w *jsonLines) add(i *annotated) error {
	l := line{
		Image: i.key, Bucket: i.bucket, ETag: i.etag, Width: i.width, Height: i.height, Split: i.part(),
		Model: i.model, ModelVersion: i.version, SideCar: i.sideCar, Boxes: []lineBox{}, Classes: i.classes,
	}
	for _, b := range i.boxes {
		l.Boxes = append(l.Boxes, lineBox{
			b.class, b.name, b.confidence, b.frame, b.x1, b.y1, b.x2, b.y2, b.keypoints, b.polygons, b.runs,
		})
	}
	if err := w.open(); err != nil {
		return err
	}
	if err := json.NewEncoder(w.file).Encode(l); err != nil {
		return &fatalError{err}
	}
	return nil
}

func (w *jsonLines) open() (err error) {
	if w.file == nil {
		w.file, err = w.out.text("annotations.jsonl")
	}
	return err
}

func (w *jsonLines) finish(classes) error {
	if err := w.open(); err != nil {
		return err
	}
	return w.file.Close()
}

// part returns the name of the part of the split.
func (i *annotated) part() string {
	if i.val {
		return "val"
	}
	return "train"
}
