// Command exporttest sends images through detection in local mode, exports the side-cars as COCO, YOLO and VOC,
// and writes the answers of detection beside them for readers.py: objects, keypoints and classes.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	"imageflow.dev/test/localmode"
)

const bucket = "dataset"

func main() {
	images := flag.Int("images", 500, "number of images")
	sample := flag.String("sample", "test/images/sample.jpg", "image that the images are made from")
	out := flag.String("out", "", "folder of the datasets and expected.json")
	flag.Parse()
	if err := run(*images, *sample, *out); err != nil {
		fmt.Fprintln(os.Stderr, "exporttest:", err)
		os.Exit(1)
	}
}

func run(images int, sample, out string) error {
	models, err := os.MkdirTemp("", "imageflow-exporttest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(models)
	if err := saveModels(models); err != nil {
		return err
	}
	local, err := localmode.Start("bin/imageflow-local", "--buckets", bucket, "--models", models)
	if err != nil {
		return err
	}
	defer local.Stop()
	store, err := objects.New(objects.Config{
		Endpoint: local.S3, AccessKey: "imageflow", SecretKey: "imageflow-local", Region: "us-east-1",
	})
	if err != nil {
		return err
	}
	if _, err := store.MakeBucket(context.Background(), bucket); err != nil {
		return err
	}
	from, err := readSample(sample)
	if err != nil {
		return err
	}
	for _, s := range []set{
		{"yolo", from.image, []string{"coco", "yolo", "voc"}}, {"pose", from.image, []string{"coco", "yolo"}},
		{"classify", plain, []string{"yolo-classify"}},
	} {
		if err := s.run(local, store, images, out); err != nil {
			return fmt.Errorf("%s: %w", s.model, err)
		}
	}
	return nil
}

// set is images under a prefix, the name of the model that examines them, and the formats to export.
type set struct {
	model   string
	image   func(folder string, n int) (made, error)
	formats []string
}

// run writes the datasets and the answers to folders in out.
func (s set) run(local *localmode.Local, store *objects.Store, images int, out string) error {
	d := &detector{local: local, store: store, model: s.model, expected: map[string]expected{}}
	for n := range images {
		i, err := s.image(s.model, n)
		if err == nil {
			err = d.detect(n, i)
		}
		if err != nil {
			return fmt.Errorf("image %d: %w", n, err)
		}
	}
	out = filepath.Join(out, s.model)
	text, err := json.Marshal(d.expected)
	if err == nil {
		err = os.Mkdir(out, 0o777)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(out, "expected.json"), text, 0o666)
	}
	if err != nil {
		return err
	}
	for _, f := range s.formats {
		err := export(local.S3, "--format", f, "--prefix", s.model+"/", "--images", "--split", "4:1", "--out", filepath.Join(out, f))
		if err != nil {
			return err
		}
	}
	return nil
}

// export runs the command.
func export(s3 string, args ...string) error {
	cmd := exec.Command("bin/imageflow", append([]string{"export", "--bucket", bucket}, args...)...)
	cmd.Env = append(os.Environ(), "MINIO_ENDPOINT="+s3, "MINIO_ACCESS_KEY=imageflow", "MINIO_SECRET_KEY=imageflow-local")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// detector sends images to a model and collects the answers.
type detector struct {
	local    *localmode.Local
	store    *objects.Store
	model    string
	expected map[string]expected // by the key of the image that the boxes are in
}

// expected is an image with detection's answer.
type expected struct {
	Width  int `json:"width"`
	Height int `json:"height"`
	// Boxes are the class, and x1, y1, x2 and y2 in pixels.
	Boxes [][5]float64 `json:"boxes"`
	// Keypoints of each box are x and y in pixels, and the confidence.
	Keypoints [][][3]float64 `json:"keypoints"`
	// Class is the most probable one of the image.
	Class string `json:"class"`
}

// detect uploads the n-th image and detects objects in it. Of every four images, one is detected in a
// resized copy, and one in a resized copy as a step of the same execution.
func (d *detector) detect(n int, i made) error {
	if _, err := d.store.Put(context.Background(), bucket, i.key, i.contentType, i.data, nil); err != nil {
		return err
	}
	object := func(key string) map[string]string { return map[string]string{"bucket": bucket, "object_key": key} }
	request := map[string]any{"input_image": object(i.key), "confidence_threshold": 0.3, "model_name": d.model}
	if n%4 < 2 && d.model != "classify" {
		id := execution.ID(i.key)
		var resized answer
		err := d.call("resize", map[string]any{"input_image": object(i.key), "target_width": 500, "target_height": 400}, &resized)
		if err != nil {
			return err
		}
		request["input_image"] = object(resized.Result.Output.Key)
		request["resize_metadata_ref"] = object(id + "_resize.json")
		if n%4 == 0 {
			request["execution_id"] = id
		}
	}
	var found answer
	if err := d.call("detect", request, &found); err != nil {
		return err
	}
	d.expected[i.key] = found.expected(i)
	return nil
}

// answer is what is read of the answers of resize and detect.
type answer struct {
	Result struct {
		Output struct {
			Key string `json:"object_key"`
		} `json:"output_image"`
	}
	Detections []struct {
		Class     float64 `json:"class_id"`
		BBox      struct{ X1, Y1, X2, Y2 float64 }
		Keypoints []struct{ X, Y, Confidence float64 }
	}
	Classifications []struct {
		Name string `json:"class_name"`
	}
}

func (a answer) expected(i made) expected {
	e := expected{Width: i.width, Height: i.height, Boxes: [][5]float64{}, Keypoints: [][][3]float64{}}
	for _, o := range a.Detections {
		e.Boxes = append(e.Boxes, [5]float64{o.Class, o.BBox.X1, o.BBox.Y1, o.BBox.X2, o.BBox.Y2})
		points := [][3]float64{}
		for _, k := range o.Keypoints {
			points = append(points, [3]float64{k.X, k.Y, k.Confidence})
		}
		e.Keypoints = append(e.Keypoints, points)
	}
	if len(a.Classifications) > 0 {
		e.Class = a.Classifications[0].Name
	}
	return e
}

var client = &http.Client{Timeout: time.Minute}

func (d *detector) call(processor string, request map[string]any, to *answer) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	resp, err := client.Post(d.local.Gateway+"/v1/"+processor, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", processor, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(to)
}
