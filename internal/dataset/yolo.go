package dataset

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// yolo writes the folder that Ultralytics reads (https://docs.ultralytics.com/datasets/detect/): the
// images belong at images/<key>, labels are at labels/<key without extension>.txt, train.txt and val.txt
// list the images, and data.yaml has the names of the classes. A label is "class cx cy w h", as fractions
// of the image, or, if all objects of the image have polygons, "class x1 y1 x2 y2 …" of the largest one.
// It has no confidence: readers take a sixth number for a part of a polygon.
type yolo struct {
	out   *target
	split bool
	lists lists
}

func newYOLO(out *target, split bool) *yolo { return &yolo{out, split, newLists(out, "")} }

// yoloExtensions are the formats that Ultralytics reads, by the extension of the file. It leaves out
// other files without a word.
var yoloExtensions = []string{".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic"}

func (w *yolo) add(i *annotated) error {
	extension := strings.ToLower(path.Ext(i.key))
	if !slices.Contains(yoloExtensions, extension) {
		return fmt.Errorf("its image %s has no extension that YOLO reads: %s", i.key, strings.Join(yoloExtensions, " "))
	}
	var label strings.Builder
	width, height := float64(i.width), float64(i.height)
	withoutPolygon := func(b box) bool { return len(b.polygons) == 0 }
	segments := !slices.ContainsFunc(i.boxes, withoutPolygon)
	for _, b := range i.boxes {
		if segments {
			fmt.Fprint(&label, b.class)
			for k := 0; k < len(b.polygons[0]); k += 2 {
				fmt.Fprintf(&label, " %.9f %.9f", b.polygons[0][k]/width, b.polygons[0][k+1]/height)
			}
			fmt.Fprintln(&label)
			continue
		}
		fmt.Fprintf(&label, "%d %.9f %.9f %.9f %.9f\n", b.class,
			(b.x1+b.x2)/2/width, (b.y1+b.y2)/2/height, b.width()/width, b.height()/height)
	}
	if err := w.out.annotate(labelFile(i.key), []byte(label.String())); err != nil {
		return err
	}
	return w.lists.add(i.part(), "./images/"+i.key)
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
	fmt.Fprintf(&text, "train: train.txt\nval: %s.txt\nnames:\n", val)
	for class, name := range c.all() {
		quoted, err := json.Marshal(name) // is YAML, too
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "  %d: %s\n", class, quoted)
	}
	return w.out.write("data.yaml", []byte(text.String()))
}
