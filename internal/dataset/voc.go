package dataset

import (
	"encoding/xml"
	"math"
	"path"
	"strings"
)

// voc writes the folder of Pascal VOC's development kit
// (http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/): an XML file for each image in Annotations,
// and the names of the images of each part in ImageSets/Main. The edges of a box are whole pixels that are
// inside it, counted from 1, so the box of an image of 640 pixels is 1 to 640. It has no confidence.
type voc struct {
	out   *target
	lists lists
}

func newVOC(out *target) *voc { return &voc{out, newLists(out, "ImageSets/Main/")} }

type vocAnnotation struct {
	XMLName  xml.Name `xml:"annotation"`
	Folder   string   `xml:"folder"`
	Filename string   `xml:"filename"`
	Width    int      `xml:"size>width"`
	Height   int      `xml:"size>height"`
	Depth    int      `xml:"size>depth"`
	Objects  []vocObject
}

type vocObject struct {
	XMLName   xml.Name `xml:"object"`
	Name      string   `xml:"name"`
	Pose      string   `xml:"pose"`
	Truncated int      `xml:"truncated"`
	Difficult int      `xml:"difficult"`
	XMin      int      `xml:"bndbox>xmin"`
	YMin      int      `xml:"bndbox>ymin"`
	XMax      int      `xml:"bndbox>xmax"`
	YMax      int      `xml:"bndbox>ymax"`
}

func (w *voc) image(i *annotated) string { return "JPEGImages/" + i.key }

func (w *voc) add(i *annotated) error {
	a := vocAnnotation{Folder: "JPEGImages", Filename: i.key, Width: i.width, Height: i.height, Depth: 3}
	for _, b := range i.boxes {
		o := vocObject{Name: b.name, Pose: "Unspecified"}
		o.XMin, o.XMax = vocEdges(b.x1, b.x2, i.width)
		o.YMin, o.YMax = vocEdges(b.y1, b.y2, i.height)
		a.Objects = append(a.Objects, o)
	}
	text, err := xml.MarshalIndent(a, "", "\t")
	if err != nil {
		return err
	}
	stem := strings.TrimSuffix(i.key, path.Ext(i.key))
	if err := w.out.annotate("Annotations/"+stem+".xml", append(text, '\n')); err != nil {
		return err
	}
	return w.lists.add(i.part(), stem)
}

// vocEdges rounds the edges of a box to whole pixels. It returns the first and the last, from 1 to
// length.
func vocEdges(from, to float64, length int) (first, last int) {
	first = min(int(math.Round(from))+1, length)
	return first, max(int(math.Round(to)), first)
}

func (w *voc) finish(classes) error { return w.lists.close("train") }
