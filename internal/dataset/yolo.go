package dataset

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// yolo writes the folder that Ultralytics reads (https://docs.ultralytics.com/datasets/detect/): the
// images belong at images/<key>, labels are at labels/<key without extension>.txt, train.txt and val.txt
// list the images, and data.yaml has the names of the classes. A label is "class cx cy w h", as fractions
// of the image, with keypoints followed by "x y visibility" of each, or, if all objects of the image have polygons,
// "class x1 y1 x2 y2 …" of the largest one. It has no confidence: readers take a sixth number for a part of a polygon.
type yolo struct {
	out       *target
	split     bool
	lists     lists
	keypoints keypointCount
}

func newYOLO(out *target, split bool) *yolo { return &yolo{out, split, newLists(out, ""), -1} }

// yoloExtensions are the formats that Ultralytics reads, by the extension of the file. It leaves out
// other files without a word.
var yoloExtensions = []string{".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic"}

func (w *yolo) image(i *annotated) string { return "images/" + i.key }

func (w *yolo) add(i *annotated) error {
	if err := checkYOLOExtension(i.key); err != nil {
		return err
	}
	if err := w.keypoints.add(i); err != nil {
		return err
	}
	var label strings.Builder
	withoutPolygon := func(b box) bool { return len(b.polygons) == 0 }
	segments := !slices.ContainsFunc(i.boxes, withoutPolygon) && w.keypoints <= 0
	for _, b := range i.boxes {
		fmt.Fprint(&label, b.class)
		if segments {
			writeYOLOSegment(&label, i, b.polygons[0])
		} else {
			writeYOLOBox(&label, i, b)
		}
		fmt.Fprintln(&label)
	}
	if err := w.out.annotate(labelFile(i.key), []byte(label.String())); err != nil {
		return err
	}
	return w.lists.add(i.part(), "./images/"+i.key)
}

// checkYOLOExtension returns an error for an image that Ultralytics would leave out without a word.
func checkYOLOExtension(key string) error {
	if slices.Contains(yoloExtensions, strings.ToLower(path.Ext(key))) {
		return nil
	}
	return fmt.Errorf("its image %s has no extension that YOLO reads: %s", key, strings.Join(yoloExtensions, " "))
}

// writeYOLOBox writes a box, and its keypoints.
func writeYOLOBox(label io.Writer, i *annotated, b box) {
	width, height := float64(i.width), float64(i.height)
	fmt.Fprintf(label, " %.9f %.9f %.9f %.9f",
		(b.x1+b.x2)/2/width, (b.y1+b.y2)/2/height, b.width()/width, b.height()/height)
	for _, k := range b.keypoints {
		x, y, visibility := k.label(i)
		fmt.Fprintf(label, " %.9f %.9f %d", x/width, y/height, visibility)
	}
}

// writeYOLOSegment writes the points of a polygon.
func writeYOLOSegment(label io.Writer, i *annotated, points []float64) {
	for k := 0; k < len(points); k += 2 {
		fmt.Fprintf(label, " %.9f %.9f", points[k]/float64(i.width), points[k+1]/float64(i.height))
	}
}

// labelFile returns the path of a label. Readers find it by replacing the last folder "images" in the
// path of the image.
func labelFile(key string) string {
	image := "/images/" + strings.TrimSuffix(key, path.Ext(key)) + ".txt"
	at := strings.LastIndex(image, "/images/")
	return image[1:at+1] + "labels/" + image[at+len("/images/"):]
}

func (w *yolo) finish(c classes) error {
	val := "train"
	if w.split {
		val = "val"
	}
	if err := w.lists.close("train", val); err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "train: train.txt\nval: %s.txt\n", val)
	if w.keypoints > 0 {
		fmt.Fprintf(&text, "kpt_shape: [%d, 3]\n", w.keypoints)
	}
	text.WriteString("names:\n")
	for class, name := range c.all() {
		quoted, err := json.Marshal(name) // is YAML, too
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "  %d: %s\n", class, quoted)
	}
	return w.out.write("data.yaml", []byte(text.String()))
}
